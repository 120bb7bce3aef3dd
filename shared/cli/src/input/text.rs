//! Finds AWS's sentence in what people paste: the output of the AWS CLI, an SDK's exception, Terraform's box, a quote.
//!
//! It only cuts: which lines belong to one sentence. Whether it is one, and what it says, `access` decides. Where a text
//! holds no such sentence the whole of it is handed on, since CloudTrail's own exceptions are worded differently.

use super::{Failure, Found, Position, What};

/// What to say of an input without content.
pub const EMPTY: &str = "empty. Expected are CloudTrail records in JSON (an event, a log file, the output of lookup-events) \
    or the text of an access-denied error.";

/// What to say of a folder.
pub const DIRECTORY: &str = "a directory. Name the files in it, for instance with: find DIRECTORY -name '*.json.gz' -exec trailpass \
    explain {} +";

/// The words that every refusal holds.
const VERB: &str = "is not authorized to perform";

/// The sentences in a text, each with its place.
pub fn found(bytes: &[u8], start: Position) -> Vec<Result<Found, Failure>> {
    if let Some(format) = binary(bytes) {
        return vec![Err(Failure { at: Some(start), why: format!("this is {format}.") })];
    }
    let text = String::from_utf8_lossy(bytes);
    let is_repaired = matches!(text, std::borrow::Cow::Owned(_));
    if is_python(&text) {
        return vec![Err(Failure { at: Some(start), why: neither(&text) })];
    }
    let sentences = sentences(&text);
    if sentences.is_empty() {
        return vec![Ok(Found { at: start, what: What::Text(text.into_owned()), is_repaired })];
    }
    let place = |line: u64| if line == 0 { start } else { Position { line: start.line + line, column: 1 } };
    sentences
        .into_iter()
        .map(|(line, text)| Ok(Found { at: place(line), what: What::Text(text), is_repaired }))
        .collect()
}

/// What to say of a text that is no refusal.
pub fn neither(text: &str) -> String {
    let hint = if is_python(text) {
        " It looks like a Python dict: print it with json.dumps."
    } else if text.trim_start().starts_with('<') {
        " It looks like HTML or XML: the file that was meant is elsewhere."
    } else {
        ""
    };
    format!("neither CloudTrail records in JSON nor the text of an access-denied error.{hint}")
}

/// A record as Python prints it. It must not be taken for a sentence that happens to stand in something.
fn is_python(text: &str) -> bool {
    let start = text.trim_start();
    (start.starts_with("{'") || start.starts_with("[{'"))
        && ["'eventSource'", "'detail'", "'Events'"].iter().any(|name| text.contains(name))
}

/// Formats that are no text, by their first bytes.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 8] = [
        (b"\xFF\xFE", "UTF-16 text, as PowerShell's > writes it: save it as UTF-8"),
        (b"\xFE\xFF", "UTF-16 text: save it as UTF-8"),
        (b"PK\x03\x04", "a ZIP archive: unpack it first"),
        (b"\x28\xB5\x2F\xFD", "Zstandard: unpack it first"),
        (b"BZh", "bzip2: unpack it first"),
        (b"\xFD7zXZ", "xz: unpack it first"),
        (b"\x1F\x8B", "gzip inside gzip: unpack it once more"),
        (b"PAR1", "Parquet: export the records as JSON first"),
    ];
    FORMATS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name)
}

/// Each refusal in the text with the number of its first line, counted from 0.
fn sentences(text: &str) -> Vec<(u64, String)> {
    let lines: Vec<String> = text.lines().map(plain).collect();
    let mut found = Vec::new();
    let mut paragraph = Vec::new();
    for (number, line) in (0..).zip(&lines) {
        if line.is_empty() {
            of_paragraph(&paragraph, &mut found);
            paragraph.clear();
        } else {
            paragraph.push((number, line.as_str()));
        }
    }
    of_paragraph(&paragraph, &mut found);
    found
}

/// A line without the frame that Terraform draws and the marks of a quotation; a JSON string as what it says.
fn plain(line: &str) -> String {
    let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '│' | '╷' | '╵' | '|' | '>'));
    match line.starts_with('"').then(|| serde_json::from_str::<String>(line.trim_end_matches(','))) {
        Some(Ok(inner)) => inner,
        _ => line.to_owned(),
    }
}

fn of_paragraph(lines: &[(u64, &str)], found: &mut Vec<(u64, String)>) {
    let has_verb = |text: &str| text.to_ascii_lowercase().contains(VERB);
    let join = |lines: &[(u64, &str)]| lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join(" ");
    // The frames of a stack trace follow an exception and are no part of what it says.
    let is_frame = |line: &str| line.starts_with("at ") && !has_verb(line);
    let first = lines.first().map_or(0, |(number, _)| *number);
    let lines: Vec<_> = lines.iter().copied().filter(|(_, line)| !is_frame(line)).collect();
    if !has_verb(&join(&lines)) {
        return;
    }
    let mut starts: Vec<_> =
        (0..).zip(&lines).filter(|(_, (_, line))| has_verb(line)).map(|(index, _): (usize, _)| index).collect();
    if starts.len() < 2 {
        // One sentence, on one line or over several.
        return found.push((first, join(&lines)));
    }
    // Several: each line with the words begins one. What stands before the first belongs to it.
    if let Some(start) = starts.first_mut() {
        *start = 0;
    }
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    for (start, end) in starts.iter().copied().zip(ends) {
        let part = lines.get(start..end).unwrap_or_default();
        found.push((part.first().map_or(first, |(number, _)| *number), join(part)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: cloudtrail:GetTrail";

    #[test]
    fn one_sentence_however_it_is_wrapped() {
        let terraform =
            format!("╷\n│ Error: api error AccessDeniedException: {SAID}\n│ \n│   with aws_cloudtrail.x,\n╵\n");
        assert_eq!(sentences(&terraform), [(1, format!("Error: api error AccessDeniedException: {SAID}"))]);
        let over_lines = SAID.replace("authorized to", "authorized\n   to");
        assert_eq!(sentences(&over_lines), [(0, SAID.to_owned())]);
        let stack = format!("Traceback:\n{SAID}\n    at Foo.bar (x.js:1:2)\n");
        assert_eq!(sentences(&stack), [(0, format!("Traceback: {SAID}"))]);
        assert_eq!(sentences(&format!("\"{SAID} on \\\"x\\\"\",\n")), [(0, format!("{SAID} on \"x\""))]);
    }

    #[test]
    fn several_sentences_are_several() {
        let two = format!("{SAID}\n{SAID}\nbecause of it\n\n> {SAID}\n\nnothing");
        assert_eq!(sentences(&two), [(0, SAID.to_owned()), (1, format!("{SAID} because of it")), (4, SAID.to_owned())]);
        assert_eq!(sentences("An error occurred\n\nelsewhere"), []);
    }
}
