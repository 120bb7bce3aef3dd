//! Finds where JSON values begin and end, one after the other, without keeping more than one of them.
//!
//! It looks at the grammar and not at the content: the moment a value breaks, reading can go on with the next one, and a
//! missing bracket does not swallow the rest of the file. What the values mean is `access`'s business.

use std::io::{self, Read};

use super::{Inside, LARGEST_VALUE, LONGEST_TEXT, Reader, text, window::Window};

/// As deep as the parser behind this goes.
const DEEPEST: usize = 127;
/// The lists whose elements are handed out one by one: a log file's (or a batch's), SQS's, `lookup-events`'s.
const LISTS: [&[u8]; 3] = [b"\"Records\"", b"\"Messages\"", b"\"Events\""];
/// How every record begins in a log file that CloudTrail wrote. Inside a string its quotes would be escaped.
const RECORD: &[u8] = b"{\"eventVersion\"";

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

/// What the grammar wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
}

/// How a scan ended.
enum Scanned {
    /// Behind the value.
    Value,
    /// Behind the opening bracket of one of the [`LISTS`].
    List,
}

impl<R: Read> Reader<R> {
    /// One step between values that stand by themselves.
    pub(super) fn step_outside(&mut self) -> Result<(), Broken> {
        if !self.has_begun && self.window.is_at(b"\xEF\xBB\xBF")? {
            (0..3).for_each(|_| self.window.bump());
        }
        match self.window.peek()? {
            None => {
                self.is_over = true;
                if !self.has_begun {
                    self.fail(None, text::EMPTY);
                }
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') => self.window.bump(),
            Some(b',') if self.is_behind_value => self.window.bump(),
            Some(byte) => {
                self.has_begun = true;
                if !begins_json(&mut self.window)? {
                    return self.text();
                }
                self.window.mark();
                if byte == b'[' {
                    self.window.bump();
                    self.inside = Inside::List;
                    self.is_behind_value = false;
                } else if matches!(self.scan(Want::Value, &[], true)?, Scanned::List) {
                    self.inside = Inside::Wrapping;
                    self.is_behind_value = false;
                } else {
                    self.take();
                    self.is_behind_value = true;
                }
            }
        }
        Ok(())
    }

    /// One step in a list whose elements are handed out one by one.
    pub(super) fn step_inside(&mut self) -> Result<(), Broken> {
        match self.window.peek()? {
            None => {
                self.window.mark();
                return Err(Broken::End);
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') => self.window.bump(),
            Some(b',') if self.is_behind_value => {
                self.window.bump();
                self.is_behind_value = false;
            }
            Some(b']') => {
                self.window.mark();
                self.window.bump();
                let inside = std::mem::replace(&mut self.inside, Inside::Nothing);
                if inside == Inside::Wrapping {
                    self.scan(Want::CommaOrEnd, b"{", false)?;
                }
                self.is_behind_value = true;
            }
            Some(_) => {
                self.window.mark();
                if self.is_behind_value {
                    return Err(missing(Want::CommaOrEnd));
                }
                self.scan(Want::Value, &[], false)?;
                self.take();
                self.is_behind_value = true;
            }
        }
        Ok(())
    }

    /// Goes to the end of a value, or into a list of records. What is too large is read over, not kept.
    fn scan(&mut self, mut want: Want, open: &[u8], may_be_wrapping: bool) -> Result<Scanned, Broken> {
        let mut open = open.to_vec();
        let mut is_list_next = false;
        let window = &mut self.window;
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

    /// Says what broke, and goes to where reading can go on.
    pub(super) fn broken(&mut self, broken: Broken) {
        let (began, here) = (self.window.marked().position, self.window.here().position);
        let what = match broken {
            Broken::Io(error) => return self.stopped(&error),
            Broken::TooLarge => {
                // Reading is behind it already.
                self.is_behind_value = true;
                return self.fail(Some(began), format!("this value is larger than {} MiB. It is left out.", LARGEST_VALUE >> 20));
            }
            Broken::Syntax(what) => what,
            Broken::End => "the input ends before its JSON does: it is cut off",
        };
        let is_end = matches!(broken, Broken::End);
        let (is_resumed, stopped) = match self.resume(is_end) {
            Ok(is_resumed) => (is_resumed, None),
            Err(error) => (false, Some(error)),
        };
        let now = self.window.here().position;
        let rest = match is_resumed {
            true if now == here => "What follows is read all the same.".to_owned(),
            true => format!("What begins at {began} is left out; reading goes on at {now}."),
            false if is_end && began == here => "What comes before is read.".to_owned(),
            false => format!("What begins at {began} is left out, and so is everything behind it."),
        };
        self.fail(Some(here), format!("{}{what}. {rest}", if is_end { "" } else { "not JSON: " }));
        // Damaged gzip often shows as broken JSON first: the real reason is said, too.
        stopped.iter().for_each(|error| self.stopped(error));
    }

    /// Reading itself failed, and is over. The reader knows the byte, which says more than a line that was never whole.
    fn stopped(&mut self, error: &io::Error) {
        self.is_over = true;
        let is_directory = error.kind() == io::ErrorKind::IsADirectory;
        self.fail(None, if is_directory { text::DIRECTORY.to_owned() } else { error.to_string() });
    }

    /// Goes to the next place that looks like the beginning of a value: a line that is indented no more than the broken
    /// value's, or, in a log file that is one long line, the next record. False at the end of the input.
    fn resume(&mut self, is_end: bool) -> io::Result<bool> {
        let in_list = self.inside != Inside::Nothing;
        let failed = self.window.marked();
        let failed_at = self.window.here();
        self.window.back();
        // An element that only lacks the comma before it is whole.
        if failed_at == failed && in_list && begins_json(&mut self.window)? {
            self.is_behind_value = false;
            return Ok(true);
        }
        self.window.bump();
        loop {
            self.window.mark();
            let here = self.window.here();
            match self.window.peek()? {
                None => break,
                Some(b'{' | b'[') if here.is_first && here.position.line > failed.position.line => {
                    if here.indent <= failed.indent && begins_json(&mut self.window)? {
                        // Elements of one list stand under each other; what stands elsewhere is no element of it.
                        if !(in_list && failed.is_first && here.indent == failed.indent) {
                            self.inside = Inside::Nothing;
                        }
                        self.is_behind_value = false;
                        return Ok(true);
                    }
                }
                Some(b'{') if in_list && !is_end && here.position.line == failed.position.line => {
                    if self.window.is_at(RECORD)? {
                        self.is_behind_value = false;
                        return Ok(true);
                    }
                }
                Some(_) => {}
            }
            self.window.bump();
        }
        self.inside = Inside::Nothing;
        self.is_over = true;
        Ok(false)
    }

    /// Lines that are no JSON, up to the next line that is: the text of an error, one hopes.
    fn text(&mut self) -> Result<(), Broken> {
        let start = self.window.here().position;
        let mut bytes = Vec::new();
        let mut is_too_long = false;
        while let Some(byte) = self.window.peek()? {
            let is_line = self.window.here().is_first && self.window.here().position.line > start.line;
            if is_line && matches!(byte, b'{' | b'[') && begins_json(&mut self.window)? {
                break;
            }
            if bytes.len() < LONGEST_TEXT { bytes.push(byte) } else { is_too_long = true }
            self.window.bump();
            self.window.mark();
        }
        self.is_behind_value = false;
        if is_too_long {
            let why = format!("{} (It is longer than {} MiB.)", text::neither(&String::from_utf8_lossy(&bytes)), LONGEST_TEXT >> 20);
            self.fail(Some(start), why);
        } else {
            self.found.extend(text::found(&bytes, start));
        }
        Ok(())
    }
}

/// Whether a JSON value begins here that may hold a record. `[2026-10-05] ERROR` and `{ Error: …` are text.
fn begins_json<R: Read>(window: &mut Window<R>) -> io::Result<bool> {
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
            Some(_) => window.bump(),
        }
    }
}

fn missing(want: Want) -> Broken {
    Broken::Syntax(match want {
        Want::Value => "a value is missing here",
        Want::ValueOrEnd => "a value or a closing bracket is missing here",
        Want::Name | Want::NameOrEnd => "a name in double quotes is missing here",
        Want::Colon => "a colon is missing here",
        Want::CommaOrEnd => "a comma or a closing bracket is missing here",
    })
}
