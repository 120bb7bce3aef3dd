//! Which files a path stands for, in an order that stays.
//!
//! A path is a file, a folder, standard input, or what lies in a bucket below a prefix. A trail's bucket holds other things beside its
//! log files: digests, and what other services keep below the same account. They are passed over by where they lie, and counted.
//! Everything else is told by what is in it.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use jiff::civil::Date;
use walkdir::{DirEntry, WalkDir};

use crate::{explain::unopened, output::visible};

/// Something to be read.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file that somebody named.
    File(PathBuf),
    /// A file that lay in a folder.
    Lying(PathBuf),
    /// Whatever comes.
    Stdin,
    /// An object of a bucket.
    #[cfg(feature = "aws")]
    Object(super::bucket::Object),
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// This.
    Input(Input),
    /// A file that is no log.
    PassedOver(Input),
    /// Nothing that can be read.
    Failure {
        /// Where, fit to be shown.
        name: String,
        /// Why.
        why: Unread,
    },
}

/// Why something can't be read, fit to be shown.
#[derive(Debug)]
pub enum Unread {
    /// Because of what it is: the others can be.
    Itself(String),
    /// Because nothing can be read now.
    #[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "files don't wait for a network"))]
    Outage(String),
}

/// What of a path is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// What comes after this input, by its [key](Input::key); everything without one.
    pub behind: Option<&'a [u8]>,
    /// Log files of this day and later, where a file's place says its day.
    pub since: Option<Date>,
}

impl Input {
    /// Its name, fit to be shown.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Lying(path) => visible(&path.to_string_lossy()),
            Self::Stdin => "standard input".to_owned(),
            #[cfg(feature = "aws")]
            Self::Object(object) => visible(&object.name()),
        }
    }

    /// What stands for it in the order of its source.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::File(path) | Self::Lying(path) => path.as_os_str().as_bytes().to_vec(),
            Self::Stdin => Vec::new(),
            #[cfg(feature = "aws")]
            Self::Object(object) => object.key().as_bytes().to_vec(),
        }
    }

    /// How long it is, as far as that is known before it is read.
    pub fn length(&self) -> Option<u64> {
        match self {
            // A pipe has no length that means anything.
            Self::File(path) | Self::Lying(path) => {
                fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|of| of.len())
            }
            Self::Stdin => None,
            #[cfg(feature = "aws")]
            Self::Object(object) => Some(object.length()),
        }
    }

    /// Opens it.
    pub fn open(&self) -> Result<Box<dyn io::Read>, Unread> {
        match self {
            Self::File(path) | Self::Lying(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(Unread::Itself(unopened(&error, path))),
            },
            Self::Stdin => Ok(Box::new(io::stdin())),
            #[cfg(feature = "aws")]
            Self::Object(object) => object.open(),
        }
    }
}

/// Everything that a path stands for: itself, or what is in it, by name. Links to folders aren't followed: they could lead in a circle.
pub fn inputs(path: &Path, wanted: Wanted<'_>) -> Box<dyn Iterator<Item = Found>> {
    #[cfg(feature = "aws")]
    if let Some(found) = path.to_str().and_then(|address| super::bucket::inputs(address, wanted)) {
        return found;
    }
    if path == Path::new("-") {
        return Box::new(std::iter::once(Found::Input(Input::Stdin)));
    }
    match fs::metadata(path) {
        Ok(of) if of.is_dir() => Box::new(folder(path, wanted)),
        // It was read, or it is wanted.
        Ok(_) => Box::new(wanted.behind.is_none().then(|| Found::Input(Input::File(path.to_owned()))).into_iter()),
        Err(error) => Box::new(std::iter::once(failure(path, unopened(&error, path)))),
    }
}

fn failure(path: &Path, why: String) -> Found {
    Found::Failure { name: visible(&path.to_string_lossy()), why: Unread::Itself(why) }
}

fn folder(path: &Path, wanted: Wanted<'_>) -> impl Iterator<Item = Found> + use<> {
    let walk = WalkDir::new(path).sort_by_file_name().into_iter();
    let is_shown = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let behind = wanted.behind.map(|key| PathBuf::from(OsStr::from_bytes(key)));
    // Names are sorted folder by folder, and paths compare in that way, too.
    let is_taken = move |path: &Path| behind.as_deref().is_some_and(|behind| path <= behind);
    let is_old = move |path: &Path| {
        let day = path.to_str().and_then(day_of);
        day.zip(wanted.since).is_some_and(|((_, day), since)| day < since)
    };
    walk.filter_entry(is_shown).filter_map(move |entry| match entry {
        Ok(entry) if is_taken(entry.path()) || is_old(entry.path()) || entry.path().is_dir() => None,
        Ok(entry) if is_no_log(entry.path()) => Some(Found::PassedOver(Input::Lying(entry.into_path()))),
        Ok(entry) => Some(Found::Input(Input::Lying(entry.into_path()))),
        Err(error) => {
            let path = error.path().unwrap_or(Path::new("")).to_owned();
            let why =
                error.io_error().map_or_else(|| "this can't be walked through.".to_owned(), |io| unopened(io, &path));
            (!is_taken(&path)).then(|| failure(&path, why))
        }
    })
}

/// The day on which a log file was delivered, where it lies as in a trail's bucket (`AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/2026/10/05/…`),
/// and what stands before the day. No event in it is later.
pub(super) fn day_of(path: &str) -> Option<(&str, Date)> {
    let mut at = path.starts_with("AWSLogs/").then_some(0).or_else(|| path.find("/AWSLogs/").map(|at| at + 1))?;
    let mut next = || {
        let (name, _) = path.get(at..)?.split_once('/')?;
        at += name.len() + 1;
        Some(name)
    };
    next()?;
    let account = next().filter(|name| !name.starts_with("o-")).or_else(&mut next)?;
    if !is_account(account) || next()? != "CloudTrail" {
        return None;
    }
    next()?;
    let [year, month, day] = [next()?, next()?, next()?];
    let before = path.get(..at - "2026/10/05/".len())?;
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((before, date))
}

fn is_account(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a file lies where a bucket keeps what is no log file of CloudTrail's: `AWSLogs/[o-…/]ACCOUNT/SERVICE/…`.
pub(super) fn is_no_log(path: &Path) -> bool {
    let mut names = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    if !names.any(|name| name == "AWSLogs") {
        return false;
    }
    let service = names.find(|name| !name.starts_with("o-") && !is_account(name));
    // A name behind which nothing follows is a file's.
    service.is_some_and(|service| !matches!(service, "CloudTrail" | "CloudTrail-Insight") && names.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_the_logs_is_told_by_where_it_lies() {
        for (path, is_passed_over) in [
            ("b/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/05/x.json.gz", false),
            ("b/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/2026/10/05/x.json.gz", false),
            ("b/AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/x.json.gz", false),
            ("b/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x.json.gz", true),
            ("b/AWSLogs/111122223333/Config/eu-west-1/x.json.gz", true),
            ("b/AWSLogs/o-exampleorgid/111122223333/vpcflowlogs/x.gz", true),
            ("AWSLogs/111122223333/x.json", false),
            ("AWSLogs/x.json", false),
            ("logs/Config/x.json", false),
            ("Config/AWSLogs/x.json", false),
        ] {
            assert_eq!(is_no_log(Path::new(path)), is_passed_over, "{path}");
        }
    }

    #[test]
    fn a_day_is_where_a_bucket_has_it() {
        for (path, day) in [
            (
                "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/05/x.json.gz",
                Some(("AWSLogs/111122223333/CloudTrail/eu-west-1/", "2026-10-05")),
            ),
            (
                "/logs/p/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/2026/10/05/x",
                Some(("/logs/p/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/", "2026-10-05")),
            ),
            ("AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/10/05/x.json.gz", None),
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/05", None),
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/13/05/x", None),
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/26/010/05/x", None),
            ("AWSLogs/1111/CloudTrail/eu-west-1/2026/10/05/x", None),
            ("MyAWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/05/x", None),
            ("2026/10/05/x", None),
        ] {
            let found = day_of(path).map(|(before, day)| (before.to_owned(), day.to_string()));
            assert_eq!(found, day.map(|(before, day)| (before.to_owned(), day.to_owned())), "{path}");
        }
    }
}
