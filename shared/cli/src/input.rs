//! What an input holds, one thing after the other, whatever it came in.
//!
//! The form is told by content: gzip by its first bytes, JSON by how a value begins, and everything else is taken for the
//! text of an error. Nothing is lost in silence: what can't be read is a [`Failure`] with its position, and reading goes
//! on behind it. Records of a log file are handed out one by one as they are read, so memory holds one of them and not
//! the file.
//!
//! Bytes that are not UTF-8 are replaced by U+FFFD, which keeps the JSON around them whole: a bad byte in one string costs
//! that one character and not the denial. No name with U+FFFD in it is legal in AWS, so nothing is ever granted by it.

use std::{collections::VecDeque, fmt, io::Read};

use access::event::{self, NotARecord, Record};

mod grammar;
mod gzip;
mod json;
mod mend;
mod text;
mod window;

pub use text::neither;
use window::Window;

/// The largest single JSON value (one record, or one event) that is read. AWS's own limits are far below it.
pub const LARGEST_VALUE: usize = 16 << 20;
/// How much text may stand around a sentence.
const LONGEST_TEXT: usize = 1 << 20;

/// Something that was read.
#[derive(Debug)]
pub struct Found {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub what: What,
    /// Some of it could not be decoded and was replaced.
    pub is_repaired: bool,
}

/// The things that can be explained.
#[derive(Debug)]
pub enum What {
    /// A CloudTrail record.
    Record(Box<Record>),
    /// A text that may be AWS's sentence.
    Text(String),
}

/// A place in the input, after unpacking; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: u64,
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Something that could not be read.
#[derive(Debug)]
pub struct Failure {
    /// Where; `None` where the input as a whole is meant, or where the message names the byte.
    pub at: Option<Position>,
    /// What is wrong, and what becomes of the rest.
    pub why: String,
}

/// Reads one input. An iterator over what is found.
pub struct Reader<R> {
    window: Window<R>,
    inside: Inside,
    found: VecDeque<Result<Found, Failure>>,
    /// A value has just ended: a comma may follow it.
    is_behind_value: bool,
    has_begun: bool,
    is_over: bool,
}

/// Which list the next value is an element of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// None: values stand one after the other.
    Nothing,
    /// The list of a log file's `Records` and the like.
    Wrapping,
    /// A list that stands by itself.
    List,
}

/// Reads whatever this is, unpacking it if it is gzip.
pub fn read<'a>(bytes: impl Read + 'a) -> Reader<Box<dyn Read + 'a>> {
    reader(gzip::unpacked(bytes))
}

/// The same for what somebody else sends: at most so many bytes, counted after unpacking.
pub fn read_at_most<'a>(bytes: impl Read + 'a, most: u64) -> Reader<impl Read + 'a> {
    reader(gzip::AtMost::new(gzip::unpacked(bytes), most))
}

fn reader<R: Read>(unpacked: R) -> Reader<R> {
    Reader {
        window: Window::new(unpacked, LARGEST_VALUE),
        inside: Inside::Nothing,
        found: VecDeque::new(),
        is_behind_value: false,
        has_begun: false,
        is_over: false,
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Found, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.found.is_empty() && !self.is_over {
            let step = match self.inside {
                Inside::Nothing => self.step_outside(),
                Inside::Wrapping | Inside::List => self.step_inside(),
            };
            if let Err(broken) = step {
                self.broken(broken);
            }
        }
        self.found.pop_front()
    }
}

impl<R: Read> Reader<R> {
    fn fail(&mut self, at: Option<Position>, why: impl Into<String>) {
        self.found.push_back(Err(Failure { at, why: why.into() }));
    }

    /// Takes the whole value between the mark and here.
    fn take(&mut self) {
        let start = self.window.marked().position;
        let bytes = self.window.taken();
        let text = String::from_utf8_lossy(bytes);
        let is_repaired = matches!(text, std::borrow::Cow::Owned(_));
        let found = match bytes.first() {
            Some(b'"') if self.inside != Inside::Wrapping => string(&text, start, is_repaired),
            Some(b'{') => records(&text, start, is_repaired),
            _ => vec![Err(Failure { at: Some(start), why: format!("{}.", NotARecord::Form) })],
        };
        self.found.extend(found);
    }
}

/// A JSON string by itself, as `jq .errorMessage` or `--query Events[].CloudTrailEvent` prints it: JSON, or a sentence.
fn string(json: &str, start: Position, is_repaired: bool) -> Vec<Result<Found, Failure>> {
    match serde_json::from_str::<String>(json) {
        Ok(inner) if inner.trim_start().starts_with('{') => {
            // Positions inside a string that was itself quoted would help nobody: its beginning is named.
            let mut found = records(&inner, start, is_repaired);
            found.iter_mut().for_each(|one| {
                if let Err(failure) = one {
                    failure.at = Some(start);
                }
            });
            found
        }
        Ok(inner) => vec![Ok(Found { at: start, what: What::Text(inner), is_repaired })],
        Err(error) => vec![Err(syntax(&error, json, start))],
    }
}

/// The records of one JSON object, in whatever wrapping.
fn records(json: &str, start: Position, mut is_repaired: bool) -> Vec<Result<Found, Failure>> {
    let not_one = |not: NotARecord| Err(Failure { at: Some(start), why: format!("{not}.") });
    if event::is_too_much(json) {
        return vec![not_one(NotARecord::TooMany)];
    }
    let outer = match serde_json::from_str::<Record>(json) {
        Ok(outer) => outer,
        Err(error) => match serde_json::from_str(&mend::mended(json)).ok() {
            Some(outer) => {
                is_repaired = true;
                outer
            }
            None => return vec![Err(syntax(&error, json, start))],
        },
    };
    let found = event::unwrap(outer).into_iter().map(|one| match one {
        Ok(record) => Ok(Found { at: start, what: What::Record(Box::new(record)), is_repaired }),
        Err(not) => not_one(not),
    });
    found.collect()
}

/// The parser's error, at its place in the whole input. The parser counts bytes.
fn syntax(error: &serde_json::Error, json: &str, start: Position) -> Failure {
    let line = json.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.bytes().take(error.column().saturating_sub(1)).filter(|byte| byte & 0xC0 != 0x80).count() as u64;
    let at = match error.line() as u64 {
        0 | 1 => Position { line: start.line, column: start.column + before },
        lines => Position { line: start.line + lines - 1, column: 1 + before },
    };
    let whole = error.to_string();
    let why = whole.rfind(" at line ").and_then(|end| whole.get(..end)).unwrap_or(&whole);
    Failure { at: Some(at), why: format!("not JSON as CloudTrail writes it: {why}. This record is left out.") }
}
