//! How far a scan has come, kept in a file, so that another one goes on from there.
//!
//! What is kept is of one moment: everything up to a place is counted, and nothing behind it. Inputs are taken in their order, so a
//! place is the last of them; the event history is read backwards, so there it is a time, and the events of that second. The file is
//! for the same question only: what was found for another one can't be added to.

use std::{
    borrow::Cow,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use access::{
    diagnose::Setting,
    scan::{Read, Tally},
};
use serde::{Deserialize, Serialize};

use crate::{
    args::{Moment, Scan},
    local::write_private,
    output::visible,
};

/// The shape of the file.
const SCHEMA: &str = "trailpass.scan-state/1";
/// Between two writings.
const EVERY: Duration = Duration::from_secs(10);

/// A place in what is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which of the paths, and after them which of the Regions.
    pub source: usize,
    /// The last input of it that was taken: a path's bytes, or a key's.
    pub behind: Option<Vec<u8>>,
    /// How far back its event history was read.
    pub history: Option<Span>,
}

/// What is left of an event history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From when. Seconds since 1970.
    pub from: i64,
    /// Until when, this second included: everything after it was taken.
    pub to: i64,
    /// The events of this second that were taken.
    pub taken: Vec<String>,
}

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<'a> {
    schema: Cow<'a, str>,
    /// Another version may judge otherwise.
    version: Cow<'a, str>,
    asked: Cow<'a, [String]>,
    since: Option<Cow<'a, str>>,
    until: Option<Cow<'a, str>>,
    place: Cow<'a, Place>,
    read: Cow<'a, Read>,
    tally: Cow<'a, Tally>,
}

/// What was found until then.
#[derive(Debug, Default)]
pub struct Found {
    /// Where to go on.
    pub place: Place,
    /// What was read.
    pub read: Read,
    /// What was counted.
    pub tally: Tally,
}

/// The file of a scan.
#[derive(Debug)]
pub struct Resume {
    file: PathBuf,
    asked: Vec<String>,
    since: Option<String>,
    until: Option<String>,
    written: Instant,
}

impl Resume {
    /// Takes up what the file holds, if it is there. Times that were meant from then (`7d`) are meant from then.
    pub fn take_up(file: &Path, arguments: &mut Scan, setting: &Setting) -> Result<(Self, Found), String> {
        let asked = asked(arguments, setting);
        let name = visible(&file.to_string_lossy());
        let found = match fs::read(file) {
            Ok(bytes) => {
                let kept: Kept<'_> = serde_json::from_slice(&bytes)
                    .map_err(|_| format!("{name} is not a file that scan has written: it is left as it is."))?;
                if kept.schema != SCHEMA || kept.version != env!("CARGO_PKG_VERSION") {
                    return Err(format!(
                        "{name} was written by another version of trailpass: remove it to start anew."
                    ));
                }
                if *kept.asked != *asked {
                    return Err(format!(
                        "{name} is another scan's (paths and options are not the same): name another file."
                    ));
                }
                for (moment, kept) in [(&mut arguments.since, &kept.since), (&mut arguments.until, &kept.until)] {
                    if let (Some(moment), Some(at)) = (moment, kept.as_ref().and_then(|at| at.parse().ok())) {
                        moment.at = at;
                    }
                }
                Found { place: kept.place.into_owned(), read: kept.read.into_owned(), tally: kept.tally.into_owned() }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::default(),
            Err(error) => return Err(format!("{name}: {error}")),
        };
        let since = arguments.since.as_ref().map(|since| since.at.to_string());
        let until = arguments.until.as_ref().map(|until| until.at.to_string());
        Ok((Self { file: file.to_owned(), asked, since, until, written: Instant::now() }, found))
    }

    /// Whether it is time to write again.
    pub fn is_due(&self) -> bool {
        self.written.elapsed() >= EVERY
    }

    /// Writes down how far it has come.
    pub fn keep(&mut self, place: &Place, read: &Read, tally: &Tally) -> Result<(), String> {
        let kept = Kept {
            schema: SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            asked: Cow::Borrowed(&self.asked),
            since: self.since.as_deref().map(Cow::Borrowed),
            until: self.until.as_deref().map(Cow::Borrowed),
            place: Cow::Borrowed(place),
            read: Cow::Borrowed(read),
            tally: Cow::Borrowed(tally),
        };
        let bytes = serde_json::to_vec(&kept).map_err(|error| error.to_string())?;
        self.written = Instant::now();
        write_private(&self.file, &bytes).map_err(|error| {
            format!("{}: how far it has come can't be kept: {error}", visible(&self.file.to_string_lossy()))
        })
    }

    /// All is read: there is nothing to go on with.
    pub fn end(&self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// What decides which records are read, and how they are judged.
fn asked(arguments: &Scan, setting: &Setting) -> Vec<String> {
    let typed = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.typed.clone());
    #[cfg(feature = "aws")]
    let lookup = arguments.lookup;
    #[cfg(not(feature = "aws"))]
    let lookup = false;
    vec![
        format!("paths {:?}", arguments.paths),
        format!("since {:?} until {:?}", typed(&arguments.since), typed(&arguments.until)),
        format!("accounts {:?} regions {:?}", arguments.accounts, arguments.regions),
        format!("lookup {lookup}"),
        format!("judged by {setting:?}"),
    ]
}
