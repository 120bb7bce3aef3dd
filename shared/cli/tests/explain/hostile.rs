//! Strings that callers choose: nothing that a terminal obeys comes out raw, and no denial is lost by one.

use serde_json::json;

use super::*;

const FORMATS: [&str; 5] = ["text", "json", "slack", "sns", "html"];

/// Clears the screen, sets the window's title, turns the direction of the text, in one byte and in two.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{200b}\r\n\u{8}\u{7f}<script>alert(1)</script>'\"`$(id)|&*_<!channel>";

fn everywhere() -> Value {
    let mut record = denied(1);
    for name in [
        "userAgent",
        "sourceIPAddress",
        "requestID",
        "eventID",
        "eventTime",
        "awsRegion",
        "errorMessage",
        "vpcEndpointId",
    ] {
        record[name] = HOSTILE.into();
    }
    for name in ["principalId", "userName", "arn", "accountId"] {
        record["userIdentity"][name] = HOSTILE.into();
    }
    record["requestParameters"] = json!({ "name": HOSTILE, HOSTILE: HOSTILE });
    record
}

/// The records of a denial with one hostile field each, and one with all.
fn records() -> Vec<Value> {
    let mut records = vec![everywhere()];
    for name in ["userAgent", "sourceIPAddress", "requestID", "eventID", "eventName", "eventTime", "errorCode"] {
        records.push(with(denied(1), name, HOSTILE));
    }
    for sentence in [
        SENTENCE.replace("My-Trail", HOSTILE),
        SENTENCE.replace("mateojackson", HOSTILE),
        format!("{SENTENCE} {HOSTILE}"),
    ] {
        records.push(with(denied(1), "errorMessage", sentence));
    }
    for name in ["userName", "arn", "type", "principalId"] {
        let mut record = denied(1);
        record["userIdentity"][name] = HOSTILE.into();
        records.push(record);
    }
    records
}

#[track_caller]
fn assert_harmless(text: &str, what: &str) {
    let is_harmless =
        |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'));
    let bad = text.char_indices().find(|(_, c)| !is_harmless(*c));
    assert!(bad.is_none(), "{what}: {bad:?} in {}", text.escape_debug());
}

#[test]
fn nothing_that_a_terminal_obeys_comes_out() {
    for format in FORMATS {
        for record in records() {
            let ran = explain(&["--format", format], record.to_string());
            assert_eq!(ran.status, Some(0), "{format} {ran:#?}");
            assert_harmless(&ran.out, format);
            assert_harmless(&ran.said, format);
            if format == "json" {
                assert_eq!(ran.out.lines().count(), 1);
            }
        }
    }
}

#[test]
fn json_still_says_what_the_record_said() {
    let ran = explain_json(everywhere().to_string());
    assert_eq!(ran.event_ids(), [HOSTILE]);
}

#[test]
fn sentences_and_messages_are_made_visible() {
    for format in FORMATS {
        let ran = explain(&["--format", format], SENTENCE.replace("My-Trail", "a\u{1b}[31m\u{9b}1m"));
        assert_eq!(ran.status, Some(0), "{ran:#?}");
        assert_harmless(&ran.out, format);
    }
    let ran = explain(&["no\u{1b}[2Jfile", "--guardrails", "/dev/null"], "");
    assert_harmless(&ran.said, "guardrails");
    let ran = explain(&["no\u{1b}[2Jfile"], "");
    assert_harmless(&ran.said, "a file's name");
    ran.assert_says("no\\u{1b}[2Jfile");
    // An ignored record is named on standard error, and its strings are a caller's as well.
    let ran = explain(&[], with(succeeded(1), "eventName", HOSTILE).to_string());
    assert_harmless(&ran.said, "an ignored record");
    ran.assert_says("the call succeeded");
}

#[test]
fn bytes_that_are_no_text_cost_a_character_and_no_denial() {
    let record = with(denied(1), "userAgent", "@@").to_string();
    let (front, back) = record.split_once("@@").unwrap();
    // A lone byte, half a character before the quote, an overlong form, half a pair.
    for bytes in [&b"a\xFFb"[..], b"a\xE2\x82", b"\xC0\xAF", b"\xED\xA0\x80", b"\\ud800", b"tab\there", b"\x1b[2J"] {
        let input = [front.as_bytes(), bytes, back.as_bytes(), b"\n", denied(2).to_string().as_bytes()].concat();
        for format in FORMATS {
            assert_harmless(&explain(&["--format", format], &input).out, format);
        }
        let ran = explain_json(&input);
        assert_eq!((ran.event_ids(), ran.status), (vec!["e-1".into(), "e-2".into()], Some(0)), "{bytes:?} {ran:#?}");
        ran.assert_says("standard input, line 1, column 1: some bytes here are no valid text");
        assert_eq!(ran.members("response"), vec!["request-approval"; 2]);
    }
}

#[test]
fn a_name_that_was_not_text_is_never_granted_to() {
    let bytes = denied(1).to_string().into_bytes();
    let name = b"mateojackson";
    let mut changed = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        changed.extend_from_slice(&rest[..at]);
        changed.extend_from_slice(b"mateo\xFFjackson");
        rest = &rest[at + name.len()..];
    }
    changed.extend_from_slice(rest);
    let ran = explain_json(&changed);
    assert_eq!((ran.members("response"), ran.status), (vec!["suggest-fix".into()], Some(0)));
}
