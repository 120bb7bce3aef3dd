//! The folder: what lies in it is played once, and what is put into it later, too.
//!
//! A file is read when it has stopped changing, so that one that is still being written is not taken for a broken one. What
//! was played before is known again by the cases, not by a list: the same denial counts once.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{Machine, Taken};
use crate::output::visible;

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The files that have been played, by their size and time.
#[derive(Debug, Default)]
pub struct Known {
    played: BTreeMap<PathBuf, (u64, SystemTime)>,
    /// Seen once, and read when they look the same a second time.
    seen: BTreeMap<PathBuf, (u64, SystemTime)>,
}

impl Known {
    /// Plays every file that is there, in the order of their names. How many, and what became of them.
    pub async fn play(&mut self, folder: &Path, machine: &Machine) -> Result<(usize, Taken), String> {
        let files = files(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut all = Taken::default();
        for (file, stamp) in &files {
            all.join(&read(file, machine).await);
            self.played.insert(file.clone(), *stamp);
        }
        Ok((files.len(), all))
    }

    async fn look(&mut self, folder: &Path, machine: &Machine) {
        // A folder that is gone for a moment is no reason to end: it is looked at again.
        let Ok(files) = files(folder) else { return };
        for (file, stamp) in files {
            if self.played.get(&file) == Some(&stamp) {
                continue;
            }
            if self.seen.insert(file.clone(), stamp) == Some(stamp) {
                let taken = read(&file, machine).await;
                eprintln!("{}: {taken}.", visible(&file.to_string_lossy()));
                self.played.insert(file, stamp);
            }
        }
    }
}

/// Looks at the folder for as long as the machine runs.
pub async fn watch(mut known: Known, folder: Option<&Path>, machine: &Machine) {
    let Some(folder) = folder else { return std::future::pending().await };
    loop {
        tokio::time::sleep(EVERY).await;
        known.look(folder, machine).await;
    }
}

/// The files of a folder that can hold denials: not what the golden tests expect, and nothing hidden.
fn files(folder: &Path) -> std::io::Result<Vec<(PathBuf, (u64, SystemTime))>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let metadata = entry.metadata()?;
        if metadata.is_file() && !name.starts_with('.') && !name.ends_with(".expected.txt") {
            found.push((entry.path(), (metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH))));
        }
    }
    found.sort();
    Ok(found)
}

async fn read(file: &Path, machine: &Machine) -> Taken {
    let taken = match File::open(file) {
        Ok(opened) => machine.take(opened).await,
        Err(why) => Taken::failed(&why.to_string()),
    };
    let name = visible(&file.to_string_lossy());
    taken.failures().iter().for_each(|failure| eprintln!("{name}: {failure}"));
    taken
}
