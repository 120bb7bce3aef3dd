//! How results reach the terminal or the next program.
//!
//! Each result is written whole and at once, so that what is read from a pipe is seen as it comes. Whatever a caller put
//! into a record, nothing that a terminal obeys leaves here raw: the notices see to their texts, JSON is written with
//! invisible characters escaped, and messages of our own go through [`visible`].

use std::{
    ffi::OsStr,
    fmt::{Display, Write as _},
    io::{self, IsTerminal, Write},
};

use access::notice::{is_hidden, text::Style, words::thousands};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Whether text for a terminal may hold colours: <https://no-color.org>.
pub fn style() -> Style {
    let variable = |name| std::env::var_os(name);
    style_for(io::stdout().is_terminal(), variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

fn style_for(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Style {
    let is_unwanted = no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb");
    if is_terminal && !is_unwanted { Style::Colour } else { Style::Plain }
}

/// How wide the terminal is that reads our output; `None` where a program does.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// Writes one result to standard output, now.
pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something on standard error. If nobody listens there, the result stands all the same.
pub fn say(message: impl Display) {
    let _ = writeln!(io::stderr().lock(), "trailpass: {message}");
}

/// A value as one line of JSON, in which every character that could act on a terminal is escaped.
pub fn json_line(value: &impl Serialize) -> io::Result<String> {
    let mut line = Vec::with_capacity(4096);
    value.serialize(&mut Serializer::with_formatter(&mut line, Visible))?;
    line.push(b'\n');
    String::from_utf8(line).map_err(io::Error::other)
}

/// A text of unknown origin, for a message on a terminal: no longer than a person reads.
pub fn visible(text: &str) -> String {
    const MOST: usize = 600;
    let mut out = String::with_capacity(text.len().min(2 * MOST));
    for (index, character) in text.chars().enumerate() {
        if index == MOST {
            out.push('…');
            break;
        }
        if is_hidden(character) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// A number with its noun.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// JSON on one line. serde escapes what JSON demands; this escapes what terminals obey, too.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_hidden) {
            let (plain, hidden) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut hidden = hidden.chars();
            if let Some(character) = hidden.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = hidden.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let style = |terminal, no_color: Option<&str>, term: Option<&str>| {
            style_for(terminal, no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert_eq!(style(true, None, Some("xterm")), Style::Colour);
        assert_eq!(style(true, Some(""), None), Style::Colour);
        assert_eq!(style(true, Some("0"), Some("xterm")), Style::Plain);
        assert_eq!(style(true, None, Some("dumb")), Style::Plain);
        assert_eq!(style(false, None, Some("xterm")), Style::Plain);
    }

    #[test]
    fn json_says_the_same_with_nothing_invisible() {
        let hostile = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}é\u{e0041}\"\\";
        let line = json_line(&hostile).unwrap();
        assert_eq!(line, "\"a\\u001b[31m\\u009b2J\\u007f\\u202eé\\udb40\\udc41\\\"\\\\\"\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), hostile);
        assert_eq!(visible("x\u{1b}[2J\n"), "x\\u{1b}[2J\\u{a}");
    }
}
