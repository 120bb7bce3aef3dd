//! Each event of `events/triage` beside what must come out: the notice as people read it, the diagnosis as programs do.
//!
//! `UPDATE_GOLDEN=1 cargo test -p tests --test golden` writes the expected files anew. Read what changed before you keep it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use std::collections::BTreeSet;

use access::{classify::Rule, diagnose::diagnose, grant::GrantMode};
use serde_json::Value;
use tests::{
    events,
    golden::{assert_none, compare},
    judge, origin, ways,
};

#[test]
fn every_event_says_what_is_expected() {
    let each = |name: String| {
        let file = events::folder().join(format!("{name}.expected.txt"));
        compare(&file, &events::explained(&events::json(&name))).err()
    };
    assert_none("changed", &events::names(".json").into_iter().filter_map(each).collect::<Vec<_>>());
}

#[test]
fn no_file_stands_alone() {
    let events: BTreeSet<_> = events::names(".json").into_iter().collect();
    let orphans = events::names(".expected.txt").into_iter().filter(|name| !events.contains(name));
    assert_none("expected of no event", &orphans.collect::<Vec<_>>());
    // An event without its expected file is a change that the first test reports.
    let is_strange = |name: &String| !name.ends_with(".json") && !name.ends_with(".expected.txt");
    assert_none(
        "neither an event nor what is expected of one",
        &events::names("").into_iter().filter(is_strange).collect::<Vec<_>>(),
    );
}

#[test]
fn every_rule_has_an_event() {
    let seen: BTreeSet<Rule> = events::all()
        .into_iter()
        .map(|(_, record)| diagnose(record, &events::setting(), false).diagnosis.rule)
        .collect();
    let missing: Vec<String> =
        // What succeeded is heeded by a deployed responder alone: `cases` has that.
        Rule::ALL.iter().filter(|rule| !rule.is_of_success() && !seen.contains(rule)).map(|rule| rule.id().to_owned()).collect();
    assert_none("rules without an event", &missing);
}

#[test]
fn the_order_of_members_says_nothing() {
    // Programs with Cedar in them keep the order of an object's members and those without it sort them: what one says of a stored
    // record, and the hash of each remedy, must be what the other says.
    fn turned(value: Value) -> Value {
        match value {
            Value::Object(members) => members.into_iter().rev().map(|(name, value)| (name, turned(value))).collect(),
            Value::Array(items) => items.into_iter().map(turned).collect(),
            other => other,
        }
    }
    for (name, record) in events::all() {
        let other = serde_json::from_value(turned(serde_json::to_value(&record).unwrap())).unwrap();
        let say = |record| diagnose(record, &events::setting(), false);
        let (one, other) = (say(record), say(other));
        assert_eq!((one.case_id, one.diagnosis), (other.case_id, other.diagnosis), "{name}");
    }
}

#[test]
fn what_is_said_keeps_the_contract() {
    let mut complaints = Vec::new();
    for (name, record) in events::all() {
        let input = serde_json::to_string(&record).unwrap();
        for mode in [GrantMode::None, GrantMode::Managed, GrantMode::Exact] {
            let setting = access::diagnose::Setting { mode, ..events::setting() };
            let diagnosed = diagnose(record.clone(), &setting, false);
            let value = serde_json::to_value(&diagnosed.diagnosis).unwrap();
            let mut found = judge::complaints(&value);
            found.extend(origin::invented(&input, &value).into_iter().map(|arn| format!("not from the input: {arn}")));
            found.extend(ways::complaints(&events::notice(&diagnosed, &diagnosed.call(), mode)));
            complaints.extend(found.into_iter().map(|complaint| format!("{name} ({mode:?}): {complaint}")));
        }
    }
    assert_none("against the contract", &complaints);
}

#[test]
fn the_first_is_the_pages_own() {
    // And so the first that `make run` plays.
    let (name, record) = events::all().remove(0);
    assert_eq!(name, "00-mateojackson");
    assert_eq!(
        record.error_message.as_deref(),
        Some(
            "User: arn:aws:iam::123456789012:user/mateojackson is not authorized to perform: cloudtrail:GetTrailStatus on resource: My-Trail"
        ),
    );
    let diagnosis = serde_json::to_value(&diagnose(record, &events::setting(), false).diagnosis).unwrap();
    assert_eq!(diagnosis["response"], "request-approval");
    assert_eq!(diagnosis["resource"], "arn:aws:cloudtrail:eu-west-1:123456789012:trail/My-Trail");
    let kinds: Vec<&str> =
        diagnosis["remedies"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["put-inline-policy", "attach-managed-policy", "attach-managed-policy"]);
}
