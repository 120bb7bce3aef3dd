//! The text as it grows: labels at the margin, answers beside them, lines broken where they can be.
//!
//! Colours are written here and nowhere else, so that everything else may be taken for text.

use std::fmt::{Display, Write};

use memchr::{memchr, memchr_iter, memrchr};

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
    /// The answer at hand, before its lines are broken: one buffer for all of them.
    answer: String,
}

impl Page {
    pub(in crate::notice) fn new(style: Style) -> Self {
        Self { out: String::with_capacity(3_072), style, answer: String::with_capacity(512) }
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
        // Only a label begins at the margin: a caller's name that runs on to the next line must not pass for one.
        self.answer(text, label.len() + 9, "    ");
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

    pub(in crate::notice) fn item(&mut self, label: &str, text: impl Display) {
        if label.is_empty() {
            self.out.push_str(MARGIN)
        } else {
            self.label(label)
        }
        self.answer(text, MARGIN.len(), MARGIN);
    }

    pub(in crate::notice) fn more(&mut self, text: impl Display) {
        self.item("", text);
    }

    fn answer(&mut self, text: impl Display, column: usize, margin: &str) {
        self.answer.clear();
        let _ = write!(self.answer, "{text}");
        wrap(&mut self.out, &self.answer, column, margin);
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
        let breaks = memchr_iter(b'\n', written.as_bytes());
        let total = breaks.clone().count();
        let is_long = |(index, at): &(usize, usize)| *index >= POLICY_LINES || *at > POLICY_BYTES;
        // The search is for the few that are long.
        if (total > POLICY_LINES || written.len() > POLICY_BYTES)
            && let Some((index, at)) = breaks.enumerate().find(is_long)
        {
            let end = self.out.floor_char_boundary(start + at.min(POLICY_BYTES));
            self.out.truncate(end);
            let _ = write!(self.out, "\n{MARGIN}… {} more lines: {whole}", total - index);
        }
        self.out.push('\n');
    }
}

/// Breaks at spaces; a word that is longer than a line (an ARN, a link) stays whole, so that it can be copied.
fn wrap(out: &mut String, text: &str, mut column: usize, margin: &str) {
    let mut rest = text;
    while column + rest.len() > WIDTH {
        // Behind the first character that the line has no room for; a space there is a place to break, too.
        let room = WIDTH.saturating_sub(column);
        let Some((near, far)) = split_behind(rest, room) else { break };
        let space = memrchr(b' ', near.as_bytes()).or_else(|| memchr(b' ', far.as_bytes()).map(|at| near.len() + at));
        let Some((line, next)) = space.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?))) else { break };
        out.push_str(line);
        out.push('\n');
        out.push_str(margin);
        (rest, column) = (next, margin.len());
    }
    out.push_str(rest);
    out.push('\n');
}

/// Splits a text behind its character of this number, counted from zero, if it has so many.
fn split_behind(text: &str, number: usize) -> Option<(&str, &str)> {
    // Nearly every text is ASCII, where characters are bytes.
    if text.as_bytes().get(..=number).is_some_and(<[u8]>::is_ascii) {
        return text.split_at_checked(number + 1);
    }
    let mut behind = text.chars();
    behind.nth(number)?;
    text.split_at_checked(text.len() - behind.as_str().len())
}
