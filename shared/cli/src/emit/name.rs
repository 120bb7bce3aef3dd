//! What a file is called: by rule, caller and action, so that a person finds it, and nothing that a caller wrote chooses where it
//! goes.
//!
//! Small letters, digits and dashes only, behind a rule's id: no separator, no dot in front, no dash in front, no device's name,
//! and no two that a file system without capitals would take for one. The end is a piece of the fingerprint of what the file
//! does, always: a file keeps its name when another of the same rule, caller and action comes to stand beside it.

use access::{classify::Rule, notice::words, principal::Principal};

/// Stands for the account's folder where no record tells the account.
pub const NO_ACCOUNT: &str = "unknown-account";

/// Characters of a fingerprint that a name ends with.
const SHORT: usize = 8;

/// A caller's name, or what kind of caller has none.
pub fn principal(principal: &Principal) -> String {
    principal.name.clone().unwrap_or_else(|| words::principal_kind(principal.kind).to_owned())
}

/// The part that a person reads.
pub fn stem(rule: Rule, principal: &str, action: Option<&str>) -> String {
    let mut stem = rule.id().to_ascii_lowercase();
    for (part, most) in [(principal, 40), (action.unwrap_or("unknown-action"), 60)] {
        let part = plain(part, most);
        if !part.is_empty() {
            stem.push('-');
            stem.push_str(&part);
        }
    }
    stem
}

/// Whatever is neither a letter nor a digit of ASCII is one dash, and none at the ends.
fn plain(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(most);
    for character in text.chars() {
        if out.len() == most {
            break;
        }
        if character.is_ascii_alphanumeric() {
            out.push(character.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// For each fingerprint, in the order of the fingerprints, a piece that no other one has: short, and whole where somebody has made
/// two that begin alike.
pub fn suffixes<'a>(sorted: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let all: Vec<&str> = sorted.collect();
    let short = |at: Option<usize>| at.and_then(|at| all.get(at)).and_then(|whole| whole.get(..SHORT));
    all.iter()
        .enumerate()
        .map(|(at, whole)| {
            let own = short(Some(at));
            let is_shared = own == short(at.checked_sub(1)) || own == short(Some(at + 1));
            own.filter(|_| !is_shared).unwrap_or(whole)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_caller_wrote_chooses_a_path() {
        for hostile in [
            "../../etc/passwd",
            "..\\..\\windows",
            "/etc/ssh/sshd_config",
            "-rf",
            "--help",
            ".bashrc",
            "CON",
            "nul.tf",
            "a\0b",
            "x\n#!/bin/sh",
            "\u{202e}fdp.exe",
            "*",
            "$(touch pwned)",
            "~",
            "",
            ".",
            "日本語",
            &"x".repeat(10_000),
        ] {
            let name = stem(Rule::NoIdentityAllow, hostile, Some(hostile));
            assert!(name.starts_with("ct101") && name.len() <= 110, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
            assert!(!name.ends_with('-') && !name.contains("--"), "{name}");
        }
        let named = stem(Rule::NoIdentityAllow, "Mateo.Jackson", Some("cloudtrail:GetTrailStatus"));
        assert_eq!(named, "ct101-mateo-jackson-cloudtrail-gettrailstatus");
        assert_eq!(stem(Rule::NoText, "x", None), "ct123-x-unknown-action");
    }

    #[test]
    fn fingerprints_that_begin_alike_are_told_apart() {
        let made = ["00000000aa", "11111111aa", "11111111ab", "11111111ac", "22222222aa"];
        let expected = ["00000000", "11111111aa", "11111111ab", "11111111ac", "22222222"];
        assert_eq!(suffixes(made.into_iter()), expected);
        assert_eq!(suffixes(["00000000aa"].into_iter()), ["00000000"]);
        assert_eq!(suffixes(std::iter::empty()), [""; 0]);
    }
}
