//! Where the files go: a folder that is new or empty, or that holds an earlier run's files and nothing else.
//!
//! Nobody's file is overwritten or taken away, and no link is followed. All files are written into a folder beside it, under a
//! name that nobody can foresee, which then takes its place at once: whoever looks sees the earlier files or the new ones, all of
//! them. What an earlier run wrote is known by its index, by name and content: a file that somebody has changed since is theirs.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt, fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{hex, index};
use crate::local;

/// More than any index of ours takes.
const LARGEST: u64 = 64 << 20;

/// The folder that was asked for.
pub struct Folder {
    path: PathBuf,
}

/// What a file holds.
pub struct Content {
    pub text: String,
    /// Made so that it can be run.
    pub is_script: bool,
}

impl Content {
    /// What the index knows it by.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.text.as_bytes()))
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.path.display())
    }
}

impl Folder {
    /// The folder of this path, if it can be used.
    pub fn at(path: &Path) -> Result<Self, String> {
        // Without a slash at the end, behind which a link would be followed.
        let path: PathBuf = path.components().collect();
        if path.file_name().is_none() {
            return Err(format!("{} can't be replaced: name a folder in it that isn't there yet.", path.display()));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return Err(format!("{} is no folder that a new one could be made in.", parent.display()));
        }
        let folder = Self { path };
        folder.earlier()?;
        Ok(folder)
    }

    /// The files in it, all of them an earlier run's. `None`: it isn't there.
    fn earlier(&self) -> Result<Option<Vec<PathBuf>>, String> {
        let unread = |error: io::Error| format!("{self} can't be read: {error}.");
        let kind = match fs::symlink_metadata(&self.path) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        if kind.is_symlink() {
            return Err(format!("{self} is a symbolic link: name the folder itself."));
        }
        if !kind.is_dir() {
            return Err(format!("{self} is there, and no folder."));
        }
        let Found { files, others } = walk(&self.path).map_err(unread)?;
        let theirs = |path: &Path| {
            let name = path.strip_prefix(&self.path).unwrap_or(path).display();
            Err(format!("{self} holds what no earlier --emit has written there ({name}): name a new folder."))
        };
        if let Some(other) = others.first() {
            return theirs(other);
        }
        let listed = read(&self.path.join(index::NAME)).map(|text| index::files(&text)).unwrap_or_default();
        for file in &files {
            let name = file.strip_prefix(&self.path).ok().and_then(Path::to_str).map(|name| name.replace('\\', "/"));
            let is_ours = match name.as_deref() {
                Some(index::NAME) => listed.is_some(),
                Some(name) => listed.as_ref().and_then(|listed| listed.get(name)).is_some_and(|sha256| {
                    read(file).is_some_and(|text| hex(&Sha256::digest(text.as_bytes())) == *sha256)
                }),
                None => false,
            };
            if !is_ours {
                return theirs(file);
            }
        }
        Ok(Some(files))
    }

    /// Puts these files in the place of whatever an earlier run wrote: all, or none.
    pub fn replace(&self, files: &BTreeMap<String, Content>) -> Result<(), String> {
        let earlier = self.earlier()?;
        let made = self.beside().and_then(|made| {
            fs::create_dir(&made)?;
            Ok(made)
        });
        let made = made.map_err(|error| format!("no folder can be made beside {self}: {error}."))?;
        let done = fill(&made, files).and_then(|()| match earlier {
            None => fs::rename(&made, &self.path).map(|()| None),
            Some(files) => self.swap(&made, &files),
        });
        match done {
            Ok(None) => Ok(()),
            Ok(Some(left)) => Err(format!(
                "{self} is written, but somebody has put something into it meanwhile: that lies in {} now.",
                left.display()
            )),
            Err(error) => {
                // It is ours: nobody knew its name before it was made.
                let _ = fs::remove_dir_all(&made);
                Err(format!("{self} could not be written, and is as it was: {error}."))
            }
        }
    }

    /// Takes the earlier files away once the new ones stand in their place. Gives back where something is left.
    fn swap(&self, made: &Path, files: &[PathBuf]) -> io::Result<Option<PathBuf>> {
        fs::set_permissions(made, fs::symlink_metadata(&self.path)?.permissions())?;
        let aside = self.beside()?;
        fs::rename(&self.path, &aside)?;
        if let Err(error) = fs::rename(made, &self.path) {
            fs::rename(&aside, &self.path)?;
            return Err(error);
        }
        let mut folders = BTreeSet::new();
        for file in files.iter().filter_map(|file| file.strip_prefix(&self.path).ok()) {
            let _ = fs::remove_file(aside.join(file));
            folders.extend(file.parent().filter(|folder| !folder.as_os_str().is_empty()).map(|its| aside.join(its)));
        }
        for folder in folders {
            let _ = fs::remove_dir(folder);
        }
        Ok(fs::remove_dir(&aside).is_err().then_some(aside))
    }

    /// A path in the same folder that nobody can foresee.
    fn beside(&self) -> io::Result<PathBuf> {
        let random = local::random()?;
        let mut name = OsString::from(".trailpass-");
        name.push(hex(random.get(..8).unwrap_or(&random)));
        Ok(self.path.with_file_name(name))
    }
}

fn fill(folder: &Path, files: &BTreeMap<String, Content>) -> io::Result<()> {
    for (name, content) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
            match fs::create_dir(parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if content.is_script { 0o777 } else { 0o666 });
        options.open(path)?.write_all(content.text.as_bytes())?;
    }
    Ok(())
}

/// What lies in a folder: files in it and one level below, and whatever else there is.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

fn walk(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            found.files.push(entry.path());
        } else if kind.is_dir() {
            let before = found.files.len();
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                let kept = if inner.file_type()?.is_file() { &mut found.files } else { &mut found.others };
                kept.push(inner.path());
            }
            if found.files.len() == before {
                found.others.push(entry.path());
            }
        } else {
            found.others.push(entry.path());
        }
    }
    found.files.sort();
    found.others.sort();
    Ok(found)
}

/// A file that could be ours.
fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = fs::File::open(path).ok()?;
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("trailpass-folder-{}-{test}", std::process::id()));
        for folder in ["out/111122223333", "new"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        fs::write(path.join("out/111122223333/ours"), "old").unwrap();
        fs::write(path.join("new/ours"), "new").unwrap();
        path
    }

    /// Somebody puts a file into the folder after it was looked at.
    #[test]
    fn what_came_in_meanwhile_is_kept() {
        let scratch = scratch("meanwhile");
        let folder = Folder { path: scratch.join("out") };
        fs::write(scratch.join("out/theirs"), "precious").unwrap();
        let left = folder.swap(&scratch.join("new"), &[scratch.join("out/111122223333/ours")]).unwrap().unwrap();
        assert_eq!(fs::read_to_string(left.join("theirs")).unwrap(), "precious");
        assert!(!left.join("111122223333").exists());
        assert_eq!(fs::read_to_string(scratch.join("out/ours")).unwrap(), "new");
        fs::remove_dir_all(scratch).unwrap();
    }

    #[test]
    fn what_cannot_be_replaced_stays_where_it_was() {
        let scratch = scratch("stays");
        let folder = Folder { path: scratch.join("out") };
        // Gone with the folder that is moved aside, so that nothing can take its place.
        let made = scratch.join("out/111122223333");
        assert!(folder.swap(&made, &[scratch.join("out/111122223333/ours")]).is_err());
        assert_eq!(fs::read_to_string(scratch.join("out/111122223333/ours")).unwrap(), "old");
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 2, "nothing is left beside it");
        fs::remove_dir_all(scratch).unwrap();
    }
}
