//! Logs as they lie in a bucket: `s3://BUCKET/PREFIX`, with the credentials of whoever runs this.
//!
//! Listed page by page and read several at a time, like files.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use adapters::{
    http::AwsError,
    s3::{self, Body, Bucket},
};
use jiff::civil::Date;
use tokio::runtime::Runtime;

use super::{
    network::{self, runtime},
    walk::{Found, Input, Unread, Wanted, day_of, is_no_log},
};
use crate::output::visible;

/// Objects that are fetched at the same time: each waits for the network most of its time.
pub const AT_ONCE: usize = 8;
/// After which the same is asked again, each time that AWS can't be reached.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Connections of one object that may break.
const BREAKS: usize = 5;

/// An object, not yet read.
#[derive(Debug, Clone)]
pub struct Object {
    bucket: Arc<Named>,
    key: String,
    length: u64,
}

#[derive(Debug)]
struct Named {
    name: String,
    bucket: Bucket,
}

/// Whether a path is a bucket's.
pub fn is_in_one(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with("s3://"))
}

/// What lies there; `None` for what is no bucket's address.
pub fn inputs(address: &str, wanted: Wanted<'_>) -> Option<Box<dyn Iterator<Item = Found>>> {
    let rest = address.strip_prefix("s3://")?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            return Some(Box::new(std::iter::once(Found::Failure {
                name: visible(address),
                why: Unread::Itself(why),
            })));
        }
    };
    let bucket = Arc::new(Named { name: name.to_owned(), bucket: runtime.block_on(Bucket::new(name)) });
    let behind = wanted.behind.map(|key| String::from_utf8_lossy(key).into_owned());
    Some(Box::new(Listing {
        runtime,
        bucket,
        prefix: prefix.to_owned(),
        since: wanted.since,
        page: Vec::new().into_iter(),
        next: Some(Next::Behind(behind)),
    }))
}

/// The objects, a page at a time.
struct Listing {
    runtime: &'static Runtime,
    bucket: Arc<Named>,
    prefix: String,
    since: Option<Date>,
    page: std::vec::IntoIter<s3::Object>,
    /// The page that is to be asked for.
    next: Option<Next>,
}

/// Which page comes next.
enum Next {
    /// The first one behind a key, or at all.
    Behind(Option<String>),
    /// The one that another page names.
    Page(String),
}

impl Iterator for Listing {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            while let Some(object) = self.page.next() {
                // What stands for a folder is empty and ends like one.
                if object.key.ends_with('/') && object.length == 0 {
                    continue;
                }
                if let Some(first) = self.first_wanted(&object.key) {
                    self.go_on_behind(first);
                    continue;
                }
                let bucket = Arc::clone(&self.bucket);
                let is_passed_over = is_no_log(Path::new(&object.key));
                let input = Input::Object(Object { bucket, key: object.key, length: object.length });
                return Some(if is_passed_over { Found::PassedOver(input) } else { Found::Input(input) });
            }
            let (behind, page) = match self.next.take()? {
                Next::Behind(behind) => (behind, None),
                Next::Page(page) => (None, Some(page)),
            };
            let ask =
                || self.runtime.block_on(self.bucket.bucket.page(&self.prefix, behind.as_deref(), page.as_deref()));
            match tried(ask) {
                Ok(found) => {
                    self.page = found.objects.into_iter();
                    self.next = found.next.map(Next::Page);
                }
                Err(why) => {
                    let name = visible(&format!("s3://{}/{}", self.bucket.name, self.prefix));
                    return Some(Found::Failure { name, why: unread(&why) });
                }
            }
        }
    }
}

impl Listing {
    /// Where the first day begins that is wanted, if this key is of an earlier one.
    fn first_wanted(&self, key: &str) -> Option<String> {
        let (before, day) = day_of(key)?;
        self.since.filter(|since| day < *since).map(|since| format!("{before}{}", since.strftime("%Y/%m/%d")))
    }

    /// Leaves out what comes up to there: on this page, and, where all of it does, without asking for those between.
    fn go_on_behind(&mut self, first: String) {
        while self.page.as_slice().first().is_some_and(|object| object.key <= first) {
            self.page.next();
        }
        if self.page.as_slice().is_empty() && self.next.is_some() {
            self.next = Some(Next::Behind(Some(first)));
        }
    }
}

impl Object {
    /// Its address.
    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.key)
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How long it was when it was listed.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its bytes.
    pub fn open(&self) -> Result<Box<dyn Read>, Unread> {
        let runtime = runtime().map_err(Unread::Itself)?;
        let body = self.from(runtime, 0).map_err(|why| unread(&why))?;
        Ok(Box::new(Bytes { runtime, object: self.clone(), body, piece: Vec::new(), at: 0, taken: 0, breaks: 0 }))
    }

    fn from(&self, runtime: &Runtime, first: u64) -> Result<Body, AwsError> {
        tried(|| runtime.block_on(self.bucket.bucket.get(&self.key, first)))
    }
}

fn tried<T>(ask: impl Fn() -> Result<T, AwsError>) -> Result<T, AwsError> {
    let wait = |length| {
        thread::sleep(length);
        true
    };
    network::tried(WAITS, wait, ask)
}

fn unread(why: &AwsError) -> Unread {
    let told = visible(&why.to_string());
    match why {
        AwsError::Unavailable(_) => Unread::Outage(told),
        AwsError::Denied(_) | AwsError::Refused(_) => Unread::Itself(told),
    }
}

/// An object's bytes, for whoever reads without waiting in another way.
struct Bytes {
    runtime: &'static Runtime,
    object: Object,
    body: Body,
    piece: Vec<u8>,
    at: usize,
    /// How many were handed out before this piece.
    taken: u64,
    breaks: usize,
}

impl Bytes {
    /// The next piece; a connection that breaks is made anew, from where it broke.
    fn refill(&mut self) -> io::Result<bool> {
        self.taken += self.piece.len() as u64;
        (self.piece, self.at) = (Vec::new(), 0);
        loop {
            match self.runtime.block_on(self.body.next()) {
                None => return Ok(false),
                Some(Ok(piece)) => {
                    self.piece = piece;
                    return Ok(true);
                }
                Some(Err(_)) if self.breaks < BREAKS => {
                    self.breaks += 1;
                    self.body = self.object.from(self.runtime, self.taken).map_err(network_down)?;
                }
                Some(Err(why)) => return Err(network_down(why)),
            }
        }
    }
}

fn network_down(why: AwsError) -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, why.to_string())
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if !self.refill()? {
                return Ok(0);
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
