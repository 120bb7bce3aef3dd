//! The comment at the head of a file: what it changes, why, for whom and how dangerous that is, what it does not do, and which
//! denials it answers.
//!
//! It holds what callers wrote, and is read by shells, YAML and HCL, by linters and by editors. So all of it is ASCII, no line of it ends but
//! by us, and what a caller wrote stands between quotes as one word: no comment becomes a command, nor an order to a linter
//! (`shellcheck disable=…`) or to an editor (`vim: …`).

use std::fmt::Write;

use access::{
    commands,
    notice::{self, words},
};

use super::{Case, Planned};
use crate::{args::Language, output::count};

/// Above what keeps a module to its account.
pub const GUARD: &str = "# Written by trailpass explain --emit. Stops the whole module where the credentials are another\n# account's. Needs Terraform 1.2 or newer.\n";

/// Cases that are named; the index has all.
const NAMED: usize = 20;
/// Characters of a line.
const WIDTH: usize = 110;
/// What linters and editors obey in a comment, as the beginning of a word.
const ORDERS: [&str; 5] = ["shellcheck", "vi:", "vim", "ex:", "-*-"];

/// Writes the head of a file.
pub fn write(language: Language, file: &Planned<'_>) -> String {
    let remedy = file.remedy;
    let mut out = String::with_capacity(2048);
    if language == Language::Cli {
        out.push_str("#!/bin/sh\n");
    }
    line(
        &mut out,
        "Written by trailpass explain --emit. Callers wrote parts of the records it answers, and nobody has approved it:",
    );
    line(&mut out, "ask who wants it, and read it, before you use it.");
    out.push_str("#\n");
    item(&mut out, "Fix", &format!("{}.", notice::order(remedy)));
    file.reasons.iter().for_each(|reason| item(&mut out, "Why", reason));
    item(&mut out, "Reach", words::reach(remedy.reach));
    item(&mut out, "Risk", words::risk_in_words(remedy.risk));
    item(&mut out, "Use", &usage(language, file));
    for not in does_not(language, file) {
        item(&mut out, "Does not", not);
    }
    for rival in &file.rivals {
        item(&mut out, "Beware", &format!("{rival} makes the same thing: use one of the two, or merge them."));
    }
    let records = file.cases.iter().map(|case| case.records).sum();
    let (cases, records) = (count(file.cases.len() as u64, "case", "cases"), count(records, "record", "records"));
    item(&mut out, "Answers", &format!("{cases}, {records}:"));
    for case in file.cases.iter().take(NAMED) {
        out.push_str("#   ");
        push_case(&mut out, case);
        out.push('\n');
    }
    if file.cases.len() > NAMED {
        line(&mut out, &format!("  and {} more, all in {}", file.cases.len() - NAMED, super::index::NAME));
    }
    out.push('\n');
    out
}

fn usage(language: Language, file: &Planned<'_>) -> String {
    let account = commands::account(file.remedy);
    let whose = match account {
        Some(account) => format!("the credentials of account {account}"),
        None => "the right account's credentials (no record tells which that is)".to_owned(),
    };
    match language {
        Language::Cli => format!("Run it with {whose}."),
        Language::Terraform => {
            let guard = if account.is_some() { ", with account.tf, which stops it elsewhere," } else { "" };
            format!("Copy it{guard} into a module that runs with {whose}.")
        }
        Language::Cloudformation => {
            let elsewhere = if account.is_some() { " In another account it makes nothing." } else { "" };
            format!(
                "Deploy it as a stack of its own (trailpass-{}) with {whose}; deleting the stack takes the change back.{elsewhere}",
                file.suffix
            )
        }
    }
}

/// What somebody might think that it does.
fn does_not(language: Language, file: &Planned<'_>) -> Vec<&'static str> {
    if !commands::is_change(file.remedy) {
        return vec![
            "change anything: it shows what refused the call. What to change in that is for its owner to say.",
        ];
    }
    let end = match language {
        Language::Cli => "end: it lasts until somebody takes it back.",
        Language::Terraform => "end: it lasts until it is taken out of the module.",
        Language::Cloudformation => "end: it lasts as long as the stack.",
    };
    vec![end, "promise to be enough: AWS names one kind of policy at a time, and the next may refuse the same call."]
}

fn push_case(out: &mut String, case: &Case) {
    let _ = write!(out, "case {}, {} ({}): ", quoted(&case.id), case.rule.id(), case.rule.title());
    out.push_str(&quoted(&case.principal));
    out.push_str(" called ");
    match case.action.as_deref() {
        Some(action) => out.push_str(&quoted(action)),
        None => out.extend(["an action that is ", words::ABSENT]),
    }
    match case.resource.as_deref() {
        Some("*") => {}
        Some(resource) => out.extend([" on ", &quoted(resource)]),
        None => out.extend([" on a resource that is ", words::ABSENT]),
    }
    let _ = write!(out, ", {}", count(case.records, "record", "records"));
}

/// One line of our own.
fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {text}");
}

/// A label, and words behind it that are wrapped.
fn item(out: &mut String, label: &str, text: &str) {
    let mut width = WIDTH;
    let _ = write!(out, "# {label:<9}");
    for (at, word) in text.split_whitespace().enumerate() {
        let word = harmless(word);
        if at > 0 && word.len() + 1 > width {
            out.push_str("\n#          ");
            width = WIDTH;
        } else if at > 0 {
            out.push(' ');
        }
        width = width.saturating_sub(word.len() + 1);
        out.push_str(&word);
    }
    out.push('\n');
}

/// A word of a sentence: in ASCII, and no order to anybody.
fn harmless(word: &str) -> String {
    let quote = if ORDERS.iter().any(|order| word.starts_with(order)) { "'" } else { "" };
    word.chars().fold(quote.to_owned(), |mut out, character| {
        push_visible(&mut out, character, matches!(character, '!'..='~'));
        out
    })
}

/// What a caller wrote: one word, whatever is in it.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        push_visible(&mut out, character, matches!(character, '!'..='~') && !matches!(character, '"' | '\\'));
    }
    out.push('"');
    out
}

fn push_visible(out: &mut String, character: char, is_plain: bool) {
    if is_plain {
        out.push(character);
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_wrote_stays_one_word_of_a_comment() {
        for hostile in [
            "x\ntouch pwned",
            "x\r\ny",
            "\u{85}\u{2028}\u{2029}a: b",
            "x shellcheck disable=all",
            "x vim: set modeline:",
            "\" # \\",
            "\u{1b}[2J\u{202e}",
            "${file(\"/etc/passwd\")}",
            &"é ".repeat(5_000),
        ] {
            let word = quoted(hostile);
            assert!(word.is_ascii() && !word.contains(char::is_whitespace), "{word}");
            assert!(word.matches('"').count() == 2, "{word}");
            let mut text = String::new();
            item(&mut text, "Does", hostile);
            assert!(text.is_ascii() && text.lines().all(|line| line.starts_with("# ")), "{text}");
            assert!(!text.contains(" shellcheck") && !text.contains(" vim:"), "{text}");
        }
    }
}
