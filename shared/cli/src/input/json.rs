//! Values one after the other, and where to go on behind one that is broken.
//!
//! Values stand by themselves or in a list of records; text may stand between them. At most one of them is kept.

use std::io::{self, Read};

use super::{
    Inside, LARGEST_VALUE, LONGEST_TEXT, Reader,
    grammar::{Broken, Scanned, Want, begins_json, missing, scan},
    text,
};

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
                } else if matches!(scan(&mut self.window, Want::Value, &[], true)?, Scanned::List) {
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
                    scan(&mut self.window, Want::CommaOrEnd, b"{", false)?;
                }
                self.is_behind_value = true;
            }
            Some(_) => {
                self.window.mark();
                if self.is_behind_value {
                    return Err(missing(Want::CommaOrEnd));
                }
                scan(&mut self.window, Want::Value, &[], false)?;
                self.take();
                self.is_behind_value = true;
            }
        }
        Ok(())
    }

    /// Says what broke, and goes to where reading can go on.
    pub(super) fn broken(&mut self, broken: Broken) {
        let (began, here) = (self.window.marked().position, self.window.here().position);
        let what = match broken {
            Broken::Io(error) => return self.stopped(&error),
            Broken::TooLarge => {
                // Reading is behind it already.
                self.is_behind_value = true;
                return self.fail(
                    Some(began),
                    format!("this value is larger than {} MiB. It is left out.", LARGEST_VALUE >> 20),
                );
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
        let (began, broke) = (self.window.marked(), self.window.here());
        // An element that only lacks the comma before it is whole.
        if began == broke && in_list && begins_json(&mut self.window)? {
            self.is_behind_value = false;
            return Ok(true);
        }
        // Records of one list begin with the same name. Inside a string its quotes would be escaped.
        let start = self.window.taken().splitn(3, |byte| *byte == b'"').take(2).collect::<Vec<_>>().join(&b'"');
        let is_in_line = in_list && !is_end && start.len() > 2;
        self.window.back();
        let mut before = 0;
        loop {
            before = self.window.peek()?.filter(|byte| !byte.is_ascii_whitespace()).unwrap_or(before);
            self.window.bump();
            self.window.mark();
            let Some(byte) = self.window.peek()? else { break };
            let here = self.window.here();
            let is_line = here.is_first && here.position.line > began.position.line && here.indent <= began.indent;
            if matches!(byte, b'{' | b'[') && is_line && begins_json(&mut self.window)? {
                // Elements of one list stand under each other; what stands elsewhere is no element of it.
                if !(in_list && began.is_first && here.indent == began.indent) {
                    self.inside = Inside::Nothing;
                }
                self.is_behind_value = false;
                return Ok(true);
            }
            let is_same_line = here.position.line == began.position.line;
            if byte == b'{' && before == b',' && is_in_line && is_same_line && self.window.is_at(&start)? {
                self.is_behind_value = false;
                return Ok(true);
            }
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
            if bytes.len() < LONGEST_TEXT {
                bytes.push(byte)
            } else {
                is_too_long = true
            }
            self.window.bump();
            self.window.mark();
        }
        self.is_behind_value = false;
        if is_too_long {
            let why = format!(
                "{} (It is longer than {} MiB.)",
                text::neither(&String::from_utf8_lossy(&bytes)),
                LONGEST_TEXT >> 20
            );
            self.fail(Some(start), why);
        } else {
            self.found.extend(text::found(&bytes, start));
        }
        Ok(())
    }
}
