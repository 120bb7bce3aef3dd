//! One input to what is in it: quickly where it is what CloudTrail writes, and as `explain` reads it otherwise.
//!
//! The quick way takes a file only if it understands every byte of it. The moment it doesn't, the file is read again from its
//! beginning with care, so that what is found, and what is said of what can't be read, is the same either way.

use std::io::{ErrorKind, Read};

use access::{
    diagnose::{Setting, diagnose},
    event::{self, Record, skim::skim},
    scan::{Batch, Filter},
};
use libdeflater::Decompressor;

use super::{
    NAMED,
    walk::{Input, Unread},
};
use crate::{
    input::{self, What},
    output::visible,
};

/// What the inputs that are read at the same time may take together. Bytes, unpacked.
const TOGETHER: usize = 64 << 20;
/// What one of them may take at most, and at least.
const ALONE: (usize, usize) = (4 << 20, 32 << 20);
/// Batches of one of them that are held: what has more to say is read alone.
const BATCHES: usize = 4;
/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How records are judged, and which.
#[derive(Debug)]
pub struct Reading {
    setting: Setting,
    filter: Filter,
    largest: usize,
}

/// Room that one thread uses again and again.
pub struct Scratch {
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    decompressor: Decompressor,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { packed: Vec::new(), unpacked: Vec::new(), decompressor: Decompressor::new() }
    }
}

/// What could not be read of an input.
#[derive(Debug, Default)]
pub struct Failures {
    /// How many there are.
    pub count: u64,
    /// The first of them: where, and why, fit to be shown behind the input's name.
    pub named: Vec<String>,
}

/// What became of an input.
pub enum Outcome {
    /// It was read.
    Read {
        /// What was found.
        batches: Vec<Batch>,
        /// What could not be read.
        failures: Failures,
        /// How long it is, packed.
        bytes: u64,
    },
    /// It is too large to be read beside others.
    Large,
    /// It lay in a folder, and is neither packed nor JSON: no log.
    PassedOver,
    /// Nothing can be read now, and why: this one is still to be read.
    Outage(String),
}

impl Outcome {
    fn of(batches: Vec<Batch>, failures: Failures, bytes: u64) -> Self {
        if batches.len() > BATCHES { Self::Large } else { Self::Read { batches, failures, bytes } }
    }
}

impl Failures {
    fn add(&mut self, why: String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(why);
        }
    }
}

impl Reading {
    /// For so many threads.
    pub fn new(setting: Setting, filter: Filter, threads: usize) -> Self {
        let (least, most) = ALONE;
        Self { setting, filter, largest: (TOGETHER / threads.max(1)).clamp(least, most) }
    }

    /// Reads an input, if it is small enough.
    pub fn input(&self, input: &Input, scratch: &mut Scratch) -> Outcome {
        let Some(length) = input.length().filter(|length| *length <= self.largest as u64) else {
            return Outcome::Large;
        };
        scratch.packed.clear();
        // What grows while it is read is cut where it was when it was found.
        let read = input.open().map(|file| file.take(length).read_to_end(&mut scratch.packed));
        let mut failures = Failures::default();
        match read {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == ErrorKind::NetworkDown => {
                return Outcome::Outage(visible(&error.to_string()));
            }
            Ok(Err(error)) => failures.add(format!(": {}", visible(&error.to_string()))),
            Err(Unread::Itself(why)) => failures.add(format!(": {why}")),
            Err(Unread::Outage(why)) => return Outcome::Outage(why),
        }
        if failures.count > 0 {
            return Outcome::Read { batches: Vec::new(), failures, bytes: 0 };
        }
        if let Some(batches) = self.quickly(scratch) {
            return Outcome::of(batches, failures, length);
        }
        if matches!(input, Input::Lying(_)) && is_something_else(&scratch.packed) {
            return Outcome::PassedOver;
        }
        let mut batches = Vec::new();
        let failures = self.carefully(scratch.packed.as_slice(), |batch| {
            batches.push(batch);
            batches.len() <= BATCHES
        });
        Outcome::of(batches, failures, length)
    }

    /// Reads an input of any size, and hands in what it finds as it goes, until it is told to stop. An error is an outage: nothing was
    /// read.
    pub fn stream(&self, input: &Input, take: impl FnMut(Batch) -> bool) -> Result<Failures, String> {
        match input.open() {
            Ok(bytes) => Ok(self.carefully(bytes, take)),
            Err(Unread::Itself(why)) => {
                let mut failures = Failures::default();
                failures.add(format!(": {why}"));
                Ok(failures)
            }
            Err(Unread::Outage(why)) => Err(why),
        }
    }

    /// As `explain` reads it.
    fn carefully(&self, bytes: impl Read, mut take: impl FnMut(Batch) -> bool) -> Failures {
        let mut failures = Failures::default();
        let mut batch = Batch::default();
        for found in input::read(bytes) {
            match found {
                Ok(found) => match found.what {
                    What::Record(record) => self.record(*record, &mut batch),
                    What::Text(_) => failures.add(format!(
                        ", {}: text, and no record of CloudTrail's. trailpass explain reads sentences.",
                        found.at
                    )),
                },
                Err(failure) => {
                    let at = failure.at.map(|at| format!(", {at}")).unwrap_or_default();
                    failures.add(format!("{at}: {}", visible(&failure.why)));
                }
            }
            if batch.is_full() && !take(std::mem::take(&mut batch)) {
                return failures;
            }
        }
        take(batch);
        failures
    }

    /// Judges a record and counts it.
    pub fn record(&self, record: Record, batch: &mut Batch) {
        let (time, account) = (record.event_time.as_deref(), record.recipient_account_id.as_deref());
        if self.admits(time, account, record.aws_region.as_deref()) {
            batch.add(&diagnose(record, &self.setting, false));
        } else {
            batch.leave_out();
        }
    }

    fn admits(&self, time: Option<&str>, account: Option<&str>, region: Option<&str>) -> bool {
        self.filter.is_open() || self.filter.admits(time, account, region)
    }

    /// What is in a log file that has nothing unusual; `None` for every other.
    fn quickly(&self, scratch: &mut Scratch) -> Option<Vec<Batch>> {
        let bytes = match scratch.packed.starts_with(&GZIP) {
            true => unpacked(&scratch.packed, &mut scratch.unpacked, &mut scratch.decompressor, self.largest)?,
            false => scratch.packed.as_slice(),
        };
        self.log(std::str::from_utf8(bytes).ok()?)
    }

    /// The records of `{"Records":[…]}`, or of records one after the other.
    fn log(&self, text: &str) -> Option<Vec<Batch>> {
        let mut rest = unblank(text);
        let list = behind(rest, &["{", "\"Records\"", ":", "["]);
        rest = list.unwrap_or(rest);
        let (mut batches, mut batch) = (Vec::new(), Batch::default());
        let mut successes = 0;
        while rest.starts_with('{') {
            let skimmed = skim(rest)?;
            let (record, next) = rest.split_at_checked(skimmed.length)?;
            if !skimmed.is_success {
                self.whole(record, &mut batch)?;
            } else if self.admits(skimmed.time.as_deref(), skimmed.account.as_deref(), skimmed.region.as_deref()) {
                successes += 1;
            } else {
                batch.leave_out();
            }
            rest = unblank(next);
            if list.is_some() {
                match rest.strip_prefix(',') {
                    Some(next) => rest = unblank(next),
                    None => rest = behind(rest, &["]", "}"])?,
                }
            }
            if batch.is_full() {
                batches.push(std::mem::take(&mut batch));
            }
            if rest.is_empty() || batches.len() > BATCHES {
                batch.succeeded(successes);
                batches.push(batch);
                return Some(batches);
            }
        }
        None
    }

    /// A record, or whatever it is wrapped in; `None` where any of it is none.
    fn whole(&self, json: &str, batch: &mut Batch) -> Option<()> {
        if json.len() >= input::LARGEST_VALUE || event::is_too_much(json) {
            return None;
        }
        let outer: Record = serde_json::from_str(json).ok()?;
        let records: Result<Vec<Record>, _> = event::unwrap(outer).into_iter().collect();
        records.ok()?.into_iter().for_each(|record| self.record(record, batch));
        Some(())
    }
}

/// Whether a file is neither packed nor JSON. What is empty, or only blank, was a log once.
fn is_something_else(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    !bytes.starts_with(&GZIP) && !matches!(bytes.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'"'))
}

/// What stands behind these, one after the other, with blanks between them.
fn behind<'a>(text: &'a str, parts: &[&str]) -> Option<&'a str> {
    parts.iter().try_fold(text, |rest, part| Some(unblank(rest.strip_prefix(part)?)))
}

fn unblank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// What a gzip file of one member unpacks to, if that is no more than so many bytes.
///
/// The library reads one member, and does not say whether more follows. The last four bytes are the length of the last member, so that
/// they stand at the end of the first one, too, if it has that length and isn't the last: where they stand anywhere else, it is not known.
fn unpacked<'a>(
    packed: &[u8],
    into: &'a mut Vec<u8>,
    decompressor: &mut Decompressor,
    largest: usize,
) -> Option<&'a [u8]> {
    let (before, end) = packed.split_last_chunk::<4>()?;
    let length = u32::from_le_bytes(*end) as usize;
    if length > largest || memchr::memmem::find(before, end).is_some() {
        return None;
    }
    if into.len() < length {
        into.resize(length, 0);
    }
    let into = into.get_mut(..length)?;
    let written = decompressor.gzip_decompress(packed, into).ok()?;
    (written == length).then_some(into)
}
