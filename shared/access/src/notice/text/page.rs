//! The text as it grows: labels at the margin, answers beside them, lines broken where they can be.
//!
//! Colours are written here and nowhere else, so that everything else may be taken for text.

use std::fmt::Write;

use super::{Style, escape, policy};
use crate::{diagnosis::Response, policy_document::PolicyDocument};

/// Lines are broken before this column, where there is a space to break at.
const WIDTH: usize = 96;
/// The column of the answers.
pub(super) const MARGIN: &str = "         ";
/// A policy of more lines is read elsewhere.
const POLICY_LINES: usize = 120;
/// The same in bytes, for a policy of few and endless lines.
const POLICY_BYTES: usize = 12_000;

/// The text as it grows.
pub(in crate::notice) struct Page {
    pub(in crate::notice) out: String,
    style: Style,
}

impl Page {
    pub(in crate::notice) fn new(style: Style) -> Self {
        Self { out: String::with_capacity(3_072), style }
    }

    pub(in crate::notice) fn headline(&mut self, label: &str, response: Response, text: escape::Shown<'_>) {
        let colour = match response {
            Response::RaiseAlarm => "\x1b[1;97;41m",
            Response::RequestApproval => "\x1b[1;30;46m",
            Response::SuggestFix => "\x1b[1;30;43m",
            Response::Ignore => "\x1b[2m",
        };
        // Without a colour, too, an alarm is the loudest line on the screen.
        let (before, after) = match (self.style, response) {
            (Style::Colour, _) => (colour, " \x1b[0m "),
            (Style::Plain, Response::RaiseAlarm) => ("!!!", " !!! "),
            (Style::Plain, _) => ("", ": "),
        };
        self.out.push_str(before);
        if !before.is_empty() {
            self.out.push(' ');
        }
        self.out.push_str(label);
        self.out.push_str(after);
        wrap(&mut self.out, &text.to_string(), label.len() + 9, "");
        self.gap();
    }

    pub(in crate::notice) fn label(&mut self, label: &str) {
        let (on, off) = match self.style {
            Style::Plain => ("", ""),
            Style::Colour => ("\x1b[1m", "\x1b[0m"),
        };
        self.out.push_str(on);
        self.out.push_str(label);
        self.out.push_str(off);
        self.out.push_str(MARGIN.get(label.len()..).unwrap_or(" "));
    }

    pub(in crate::notice) fn item(&mut self, label: &str, text: &str) {
        if label.is_empty() {
            self.out.push_str(MARGIN)
        } else {
            self.label(label)
        }
        wrap(&mut self.out, text, MARGIN.len(), MARGIN);
    }

    pub(in crate::notice) fn more(&mut self, text: &str) {
        self.item("", text);
    }

    /// An empty line, never two.
    pub(in crate::notice) fn gap(&mut self) {
        if !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A policy, cut where it is endless.
    pub(in crate::notice) fn policy(&mut self, document: &PolicyDocument, whole: &str) {
        let start = self.out.len();
        policy::write(&mut self.out, document, MARGIN);
        let written = self.out.get(start..).unwrap_or_default();
        let is_long = |(index, (at, _)): &(usize, (usize, &str))| *index >= POLICY_LINES || *at > POLICY_BYTES;
        let breaks: usize = written.matches('\n').count();
        let cut =
            written.match_indices('\n').enumerate().find(is_long).map(|(index, (at, _))| (start + at, breaks - index));
        if let Some((at, rest)) = cut {
            let end = self.out.floor_char_boundary(at.min(start + POLICY_BYTES));
            self.out.truncate(end);
            let _ = write!(self.out, "\n{MARGIN}… {rest} more lines: {whole}");
        }
        self.out.push('\n');
    }
}

/// Breaks at spaces; a word that is longer than a line (an ARN, a link) stays whole, so that it can be copied.
/// One walk over the bytes: a character is counted at its first byte.
fn wrap(out: &mut String, text: &str, mut column: usize, margin: &str) {
    let (mut line, mut word, mut width) = (0, 0, 0);
    if column + text.len() <= WIDTH {
        out.push_str(text);
        out.push('\n');
        return;
    }
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if byte == b' ' {
            (word, width) = (at + 1, 0);
        } else if byte & 0xc0 != 0x80 {
            width += 1;
        }
        if byte & 0xc0 != 0x80 {
            column += 1;
        }
        if column > WIDTH && word > line {
            out.push_str(text.get(line..word - 1).unwrap_or_default());
            out.push('\n');
            out.push_str(margin);
            (line, column) = (word, margin.len() + width);
        }
    }
    out.push_str(text.get(line..).unwrap_or_default());
    out.push('\n');
}
