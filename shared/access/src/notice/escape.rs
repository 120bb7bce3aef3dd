//! How a string that a caller can influence is made harmless before it is shown.
//!
//! First for the eye, whatever the way of writing: [`shown`] makes control characters, line breaks, direction overrides
//! and invisible characters visible, takes the link out of a URL, and bounds the length. Then for the place: Slack's
//! markup here, HTML by maud, a subject line in [`subject`]. A value is cut by characters, and says that it was.

use std::fmt::{self, Display, Write};

/// How many characters of a value are shown, at most.
pub const NAME: usize = 128;
/// An ARN may have 2,048 characters; no person reads more than this.
pub const ARN: usize = 600;
/// A client's own description.
pub const AGENT: usize = 160;
/// An explanation written by Trailpass around a caller's words.
pub const SENTENCE: usize = 1_200;
/// AWS cuts its own sentence at 1 KB.
pub const QUOTE: usize = 1_100;
/// Dates, Regions, accounts, addresses, ids.
pub const SHORT: usize = 64;
/// A command, whole: a cut command must not be pasted.
pub const COMMAND: usize = 16_384;

/// AWS's own documentation may stay a link; nothing else that came from outside may become one.
const OWN_LINK: &str = "://docs.aws.amazon.com/";

/// A value as it may be shown to a person.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    text: &'a str,
    max: usize,
    takes_links_out: bool,
}

/// A value for a person's eye, at most `max` characters and a note.
pub fn shown(text: &str, max: usize) -> Shown<'_> {
    Shown { text, max, takes_links_out: true }
}

/// A line that is meant to be pasted: made visible, too, but its URLs stay what they are.
pub fn exact(text: &str, max: usize) -> Shown<'_> {
    Shown { text, max, takes_links_out: false }
}

impl Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly every value is short and plain: one look at its bytes, one copy.
        if self.text.len() <= self.max && self.is_plain() {
            return out.write_str(self.text);
        }
        let mut written = 0;
        for (at, character) in self.text.char_indices() {
            if written >= self.max {
                let rest = self.text.get(at..).unwrap_or_default().chars().count();
                return write!(out, "… ({rest} more characters)");
            }
            written += 1;
            match character {
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                ':' if self.takes_links_out && is_link(self.text.get(at..)) => {
                    written += 2;
                    out.write_str("[:]")?;
                }
                hidden if is_hidden(hidden) => {
                    written += 7;
                    write!(out, "\\u{{{:x}}}", u32::from(hidden))?;
                }
                other => out.write_char(other)?,
            }
        }
        Ok(())
    }
}

impl Shown<'_> {
    /// Printable ASCII without the beginning of a link. Everything that is shown comes through here: two passes without a way out
    /// of the middle are what compilers make vectors of.
    fn is_plain(&self) -> bool {
        let bytes = self.text.as_bytes();
        let is_printable = bytes.iter().fold(true, |is, byte| is & matches!(byte, b' '..=b'~'));
        // A colon before a slash is all that a link needs, and ARNs have colons: look closer only where both meet.
        let begins_link = || bytes.array_windows().fold(false, |is, &[one, next]| is | (one == b':') & (next == b'/'));
        is_printable && !(self.takes_links_out && begins_link())
    }
}

fn is_link(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| rest.starts_with("://") && !rest.starts_with(OWN_LINK))
}

/// A character that moves the cursor, turns the direction of the text, or isn't seen at all.
pub fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'                        // C0, DEL, C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' // soft hyphen, joiner, Arabic mark, Hangul fillers
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'          // Khmer and Mongolian invisibles
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'          // zero width, separators, overrides
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'          // isolates, blank patterns
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'          // variation selectors, byte order mark
        | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'          // interlinear marks, no characters
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'     // shorthand and musical format controls
        | '\u{e0000}'..='\u{e0fff}')                                 // tags
        || u32::from(character) & 0xfffe == 0xfffe
}

/// Escapes text for Slack and keeps within a budget of characters, as Slack counts them: after the escaping.
///
/// Words that Slack could read as markup (a star, an underscore, `:emoji:`, a fake mention) are put into code spans,
/// where it reads nothing; actions and ARNs look right in them, too.
pub fn prose(out: &mut String, text: &str, max: usize) {
    let mut left = max;
    for (index, word) in text.split(' ').enumerate() {
        let core = word.trim_end_matches(['.', ',', ';', ':', ')', '!', '?']).trim_start_matches('(');
        let is_clock = core.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        let needs_code = !is_clock && core.contains([':', '*', '_', '~', '`', '<', '>', '&', '@', '#', '/', '"', '|']);
        let mut piece = String::with_capacity(word.len() + 3);
        if needs_code {
            let start = word.len() - word.trim_start_matches('(').len();
            let end = start + core.len();
            piece.push_str(word.get(..start).unwrap_or_default());
            code(&mut piece, core, left.saturating_sub(8).min(ARN));
            piece.push_str(word.get(end..).unwrap_or_default());
        } else {
            piece.push_str(word);
        }
        let length = piece.chars().count() + 1;
        if length >= left {
            out.push('…');
            return;
        }
        left -= length;
        if index > 0 {
            out.push(' ');
        }
        out.push_str(&piece);
    }
}

/// A value in a Slack code span that it can't break out of; at most `max` characters between the backticks.
pub fn code(out: &mut String, value: &str, max: usize) {
    out.push('`');
    push_slack(out, value, max);
    out.push('`');
}

/// A value for Slack's plain places, cut to what the place takes.
pub fn push_slack(out: &mut String, value: &str, max: usize) {
    let mut left = max.saturating_sub(1);
    for character in value.chars() {
        let (piece, length) = match character {
            '&' => ("&amp;", 5),
            '<' => ("&lt;", 4),
            '>' => ("&gt;", 4),
            // A backtick would end the span, and Slack has no way to write one inside it.
            '`' => ("'", 1),
            _ => ("", 1),
        };
        if length > left {
            out.push('…');
            return;
        }
        left -= length;
        if piece.is_empty() { out.push(character) } else { out.push_str(piece) }
    }
}

/// A subject that SNS takes: printable ASCII, begins with a letter (the caller sees to that), 99 characters at most.
pub fn subject(text: &str) -> String {
    let mut line = String::with_capacity(99);
    for character in text.chars() {
        if line.len() == 99 {
            line.truncate(96);
            line.push_str("...");
            break;
        }
        line.push(if matches!(character, ' '..='~') { character } else { '?' });
    }
    line
}

/// A time of CloudTrail's (`2026-10-05T08:00:01Z`) as people read it; anything else as it came.
pub fn time(text: &str) -> String {
    match (text.get(..10), text.get(10..11), text.get(11..19), text.get(19..)) {
        (Some(date), Some("T"), Some(clock), Some("Z")) if is_digits_and(date, b'-') && is_digits_and(clock, b':') => {
            format!("{date} {clock} UTC")
        }
        _ => shown(text, SHORT).to_string(),
    }
}

/// The clock's part alone (`08:00 UTC`), where the day is the same as another time's.
pub fn clock(text: &str, other: &str) -> String {
    let whole = time(text);
    let is_same_day = text.get(..10).is_some() && text.get(..10) == other.get(..10);
    match whole.get(11..16) {
        Some(clock) if is_same_day && whole.ends_with(" UTC") => format!("{clock} UTC"),
        _ => whole,
    }
}

fn is_digits_and(text: &str, separator: u8) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == separator)
}

/// A case's id, where it may stand in a relative URL as it is: nothing in it climbs, ends the segment or makes a scheme.
pub fn link_id(id: &str) -> Option<&str> {
    let is_safe = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (is_safe && !id.is_empty() && id.len() <= 256).then_some(id)
}

/// A URL that may become a link: of the web, and without a character that could end the link's markup.
pub fn web_url(url: &str) -> Option<&str> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_clean = url
        .bytes()
        .all(|b| (b'!'..=b'~').contains(&b) && !matches!(b, b'<' | b'>' | b'|' | b'"' | b'\'' | b'`' | b'\\'));
    (is_web && is_clean && url.len() <= 2_000).then_some(url)
}
