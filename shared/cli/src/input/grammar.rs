//! JSON's grammar, as far as it says where a value ends and where it breaks.
//!
//! It looks at the form and not at the content: the moment a value breaks is known, so a missing bracket does not swallow
//! the rest of the file. What a value means, and whether its numbers and words are any, the parser behind this says.

use std::io::{self, Read};

use super::window::Window;

/// As deep as the parser goes.
const DEEPEST: usize = 127;
/// The lists whose elements are handed out one by one: a log file's (or a batch's), SQS's, `lookup-events`'s.
const LISTS: [&[u8]; 3] = [b"\"Records\"", b"\"Messages\"", b"\"Events\""];

/// Why a value is broken.
pub enum Broken {
    /// Something else was expected here.
    Syntax(&'static str),
    /// The input ends inside the value.
    End,
    /// The value is larger than anything that is read.
    TooLarge,
    /// Reading failed.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
}

/// How a scan ended.
pub enum Scanned {
    /// Behind the value.
    Value,
    /// Behind the opening bracket of one of the [`LISTS`].
    List,
}

/// Goes to the end of a value, or into a list of records. What is too large is read over, not kept.
pub fn scan<R: Read>(
    window: &mut Window<R>,
    mut want: Want,
    open: &[u8],
    may_be_wrapping: bool,
) -> Result<Scanned, Broken> {
    let mut open = open.to_vec();
    let mut is_list_next = false;
    loop {
        let Some(byte) = window.peek()? else { return Err(Broken::End) };
        match (byte, want) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => window.bump(),
            (b'}', Want::NameOrEnd) | (b']', Want::ValueOrEnd) | (b'}' | b']', Want::CommaOrEnd) => {
                let opening = if byte == b'}' { b'{' } else { b'[' };
                if open.pop() != Some(opening) {
                    return Err(Broken::Syntax("this bracket closes what is not open"));
                }
                window.bump();
                want = Want::CommaOrEnd;
            }
            (b',', Want::CommaOrEnd) => {
                want = if open.last() == Some(&b'{') { Want::Name } else { Want::Value };
                window.bump();
            }
            (b':', Want::Colon) => {
                want = Want::Value;
                window.bump();
            }
            (b'"', Want::Name | Want::NameOrEnd) => {
                let before = window.taken().len();
                string(window)?;
                let name = window.taken().get(before..).unwrap_or_default();
                is_list_next = may_be_wrapping && open.len() == 1 && LISTS.contains(&name);
                want = Want::Colon;
                continue;
            }
            (b'"', Want::Value | Want::ValueOrEnd) => {
                string(window)?;
                want = Want::CommaOrEnd;
            }
            (b'{' | b'[', Want::Value | Want::ValueOrEnd) => {
                if open.len() >= DEEPEST {
                    return Err(Broken::Syntax("this is nested more than 127 deep"));
                }
                window.bump();
                if byte == b'[' && is_list_next {
                    return Ok(Scanned::List);
                }
                open.push(byte);
                want = if byte == b'{' { Want::NameOrEnd } else { Want::ValueOrEnd };
            }
            (b'0'..=b'9' | b'-' | b't' | b'f' | b'n', Want::Value | Want::ValueOrEnd) => {
                while matches!(window.peek()?, Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.')) {
                    window.bump();
                }
                want = Want::CommaOrEnd;
            }
            _ => return Err(missing(want)),
        }
        if open.is_empty() {
            return if window.is_overflowing() { Err(Broken::TooLarge) } else { Ok(Scanned::Value) };
        }
    }
}

/// Whether a JSON value begins here that may hold a record. `[2026-10-05] ERROR` and `{ Error: …` are text.
pub fn begins_json<R: Read>(window: &mut Window<R>) -> io::Result<bool> {
    let first = window.peek()?;
    let mut ahead = 1;
    let second = loop {
        match window.look(ahead)? {
            Some(b' ' | b'\t' | b'\r' | b'\n') if ahead < 4096 => ahead += 1,
            other => break other,
        }
    };
    Ok(match first {
        Some(b'{') => matches!(second, Some(b'"' | b'}') | None),
        Some(b'[') => matches!(second, Some(b'{' | b'[' | b'"' | b']') | None),
        Some(b'"') => second == Some(b'{'),
        _ => false,
    })
}

/// Goes behind a string. A line never breaks inside one, so a quote that is missing costs one line.
fn string<R: Read>(window: &mut Window<R>) -> Result<(), Broken> {
    const LINE: Broken = Broken::Syntax("a line ends inside a string (was the text wrapped, or a quote lost?)");
    window.bump();
    loop {
        match window.peek()? {
            None => return Err(Broken::End),
            Some(b'"') => {
                window.bump();
                return Ok(());
            }
            Some(b'\n') => return Err(LINE),
            Some(b'\\') => {
                window.bump();
                match window.peek()? {
                    Some(b'\n') => return Err(LINE),
                    Some(_) => window.bump(),
                    None => return Err(Broken::End),
                }
            }
            Some(_) => window.bump_while(|byte| !matches!(byte, b'"' | b'\\' | b'\n')),
        }
    }
}

pub fn missing(want: Want) -> Broken {
    Broken::Syntax(match want {
        Want::Value => "a value is missing here",
        Want::ValueOrEnd => "a value or a closing bracket is missing here",
        Want::Name | Want::NameOrEnd => "a name in double quotes is missing here",
        Want::Colon => "a colon is missing here",
        Want::CommaOrEnd => "a comma or a closing bracket is missing here",
    })
}
