//! A window on a stream of bytes that knows its line and column.
//!
//! It keeps what lies between a mark and the present place, so that a value can be taken whole when its end is found, and
//! looked at again when it turns out to be broken. What lies before the mark is forgotten, and so is a value that grows
//! over the limit: reading then goes on to its end without keeping it.

use std::io::{self, Read};

use super::Position;

/// How much is read at once.
const PIECE: usize = 1 << 16;

/// Where in its line a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub position: Position,
    /// Blanks at the beginning of the line.
    pub indent: u64,
    /// Only blanks stand before it on its line.
    pub is_first: bool,
}

/// The window.
pub struct Window<R> {
    reader: R,
    bytes: Vec<u8>,
    mark: usize,
    at: usize,
    here: Place,
    marked: Place,
    largest: usize,
    is_overflowing: bool,
    is_over: bool,
}

impl<R: Read> Window<R> {
    /// At the beginning of a stream. At most `largest` bytes are kept between the mark and the present place.
    pub fn new(reader: R, largest: usize) -> Self {
        let start = Place { position: Position { line: 1, column: 1 }, indent: 0, is_first: true };
        Self {
            reader,
            bytes: Vec::new(),
            mark: 0,
            at: 0,
            here: start,
            marked: start,
            largest,
            is_overflowing: false,
            is_over: false,
        }
    }

    /// The byte at the present place; `None` at the end. An error is told once, and is the end.
    pub fn peek(&mut self) -> io::Result<Option<u8>> {
        self.look(0)
    }

    /// The byte some places ahead.
    pub fn look(&mut self, ahead: usize) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.bytes.get(self.at + ahead) {
                return Ok(Some(*byte));
            }
            if self.is_over {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.mark > 0 {
            self.bytes.drain(..self.mark);
            self.at -= self.mark;
            self.mark = 0;
        }
        let length = self.bytes.len();
        self.bytes.resize(length + PIECE, 0);
        let result = loop {
            match self.reader.read(self.bytes.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = result.as_ref().copied().unwrap_or(0);
        self.bytes.truncate(length + count);
        self.is_over = count == 0;
        result.map(|_| ())
    }

    /// Goes on by one byte.
    pub fn bump(&mut self) {
        let Some(&byte) = self.bytes.get(self.at) else { return };
        self.at += 1;
        self.forget_what_is_too_much();
        let here = &mut self.here;
        if byte == b'\n' {
            *here = Place { position: Position { line: here.position.line + 1, column: 1 }, indent: 0, is_first: true };
            return;
        }
        // The second and later bytes of a character don't count.
        here.position.column += u64::from(byte & 0xC0 != 0x80);
        if here.is_first {
            match byte {
                b' ' | b'\t' | b'\r' => here.indent += 1,
                _ => here.is_first = false,
            }
        }
    }

    /// Goes on over bytes of a kind (none of them a line's end), as far as they have been read already.
    pub fn bump_while(&mut self, is_such: impl Fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_such(*byte)).unwrap_or(rest.len());
        let such = rest.get(..length).unwrap_or_default();
        self.here.position.column += such.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        self.here.is_first &= length == 0;
        self.at += length;
        self.forget_what_is_too_much();
    }

    fn forget_what_is_too_much(&mut self) {
        if self.at - self.mark > self.largest {
            self.mark = self.at;
            self.is_overflowing = true;
        }
    }

    /// Forgets everything before the present place, and keeps everything from here on.
    pub fn mark(&mut self) {
        self.mark = self.at;
        self.marked = self.here;
        self.is_overflowing = false;
    }

    /// Whether more lies behind the mark than is kept: it can be neither taken nor gone back to.
    pub fn is_overflowing(&self) -> bool {
        self.is_overflowing
    }

    /// What lies between the mark and the present place.
    pub fn taken(&self) -> &[u8] {
        self.bytes.get(self.mark..self.at).unwrap_or_default()
    }

    /// Goes back to the mark, if all since then is still there.
    pub fn back(&mut self) {
        if !self.is_overflowing {
            self.at = self.mark;
            self.here = self.marked;
        }
    }

    /// The present place.
    pub fn here(&self) -> Place {
        self.here
    }

    /// The place of the mark.
    pub fn marked(&self) -> Place {
        self.marked
    }

    /// Whether these bytes come next.
    pub fn is_at(&mut self, text: &[u8]) -> io::Result<bool> {
        for (ahead, byte) in text.iter().enumerate() {
            if self.look(ahead)? != Some(*byte) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
