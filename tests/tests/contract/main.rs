//! The contract's first part, sentence by sentence: a record for each, and what must be said of it.
//!
//! A row says what is held, gives a record, and what is expected as `name: value; name: value`. Whatever a row asks, the whole
//! diagnosis is judged, too (`tests::judge`). No expectation here was taken from what the program says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use serde_json::Value;
use tests::{golden::assert_none, judge, sample};

mod action;
mod cause;
mod errors;
mod owners;
mod principal;
mod remedies;
mod response;
mod scenario;
mod scope;
mod sentence;

/// What is held, the record, what is expected of it.
type Row<'a> = (&'static str, Value, &'a str);

/// Checks rows in grant mode `exact`, without guardrails.
#[track_caller]
fn check<'a>(rows: impl IntoIterator<Item = Row<'a>>) {
    let found = rows.into_iter().flat_map(|(what, record, expected)| {
        let diagnosis = sample::diagnosed(&record);
        differences(&diagnosis, expected).into_iter().map(move |difference| format!("{what}: {difference}"))
    });
    assert_none("against the contract", &found.collect::<Vec<_>>());
}

/// Where a diagnosis is not what is expected, and where it breaks the contract as a whole.
fn differences(diagnosis: &Value, expected: &str) -> Vec<String> {
    let mut found = judge::complaints(diagnosis);
    for pair in expected.split("; ").filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once(": ").unwrap_or_else(|| panic!("{pair:?} is no `name: value`"));
        let actual = named(diagnosis, name);
        let holds = if name == "why" { actual.contains(value) } else { actual == value };
        if !holds {
            found.push(format!("{name}: expected {value}, got {actual}"));
        }
    }
    found
}

/// A value of a diagnosis by its short name, as text; `null` for what is absent.
fn named(diagnosis: &Value, name: &str) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let remedies = sample::remedies(diagnosis);
    let list = |each: &dyn Fn(&Value) -> String| {
        if remedies.is_empty() { "none".to_owned() } else { remedies.iter().map(each).collect::<Vec<_>>().join(", ") }
    };
    match name {
        "kind" | "arn" | "name" | "unique_id" | "session_name" => text(&diagnosis["principal"][name]),
        "of" => text(&diagnosis["principal"]["account_id"]),
        "effect" | "policy_type" | "policy_arn" => text(&diagnosis["cause"][name]),
        "kinds" => list(&|remedy| text(&remedy["kind"])),
        "risks" => list(&|remedy| text(&remedy["risk"])),
        "applies" => list(&|remedy| text(&remedy["apply"])),
        "targets" => list(&|remedy| format!("{} {}", text(&remedy["target"]["kind"]), text(&remedy["target"]["name"]))),
        "policies" => list(&|remedy| text(&remedy["policy_arn"])),
        "why" => list(&|remedy| text(&remedy["why"])),
        "grants" => remedies.iter().filter(|remedy| remedy["apply"] == "on-approval").count().to_string(),
        _ => {
            assert!(diagnosis.get(name).is_some(), "{name} is no name of a diagnosis");
            text(&diagnosis[name])
        }
    }
}
