//! Calls that succeeded and blind the log or this responder: loud, nobody's to approve, and heeded where somebody asks for it only.

use access::{
    case::Audience,
    diagnose::{Diagnosed, Setting, diagnose},
    diagnosis::Response,
    event,
    grant::GrantMode,
    guardrails::Guardrails,
    notice::{
        Notice,
        text::{self, Style},
    },
    triage::{Outcome, Tell},
};
use serde_json::{Value, json};
use tests::local::denials::denial;

use super::{Desk, HOUR};

fn heeding() -> Setting {
    let guardrails = Guardrails::from_json(r#"{"alarm_on_blinding":true}"#).unwrap();
    Setting { mode: GrantMode::Exact, guardrails }
}

/// A call that succeeded.
fn called(service: &str, operation: &str, parameters: Value) -> Value {
    let mut record = denial("mallory", operation).calling(service, operation).with(parameters).record();
    for name in ["errorCode", "errorMessage"] {
        record.as_object_mut().unwrap().remove(name);
    }
    record
}

fn diagnosed(record: &Value, setting: &Setting) -> Diagnosed {
    diagnose(event::read(&record.to_string()).remove(0).unwrap(), setting, false)
}

fn stopped() -> Value {
    called("cloudtrail", "StopLogging", json!({ "name": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit" }))
}

#[test]
fn what_blinds_is_an_alarm_and_what_does_not_is_not() {
    let trail = json!({ "name": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit" });
    for (service, operation, rule) in [
        ("cloudtrail", "StopLogging", "CT911"),
        ("cloudtrail", "DeleteTrail", "CT911"),
        ("cloudtrail", "UpdateTrail", "CT911"),
        ("cloudtrail", "PutEventSelectors", "CT911"),
        ("cloudtrail", "StartLogging", "CT001"),
        ("cloudtrail", "GetTrailStatus", "CT001"),
        ("events", "PutRule", "CT912"),
        ("events", "EnableRule", "CT912"),
        ("events", "RemoveTargets", "CT912"),
        ("events", "ListRules", "CT001"),
        ("s3", "StopLogging", "CT001"),
    ] {
        let record = called(service, operation, trail.clone());
        let heeded = diagnosed(&record, &heeding()).diagnosis;
        assert_eq!(heeded.rule.id(), rule, "{service}:{operation}");
        let is_alarm = rule != "CT001";
        assert_eq!(heeded.response == Response::RaiseAlarm, is_alarm, "{service}:{operation}");
        assert!(heeded.remedies.is_empty() && heeded.scenario.is_none(), "{service}:{operation}");
        // To whoever reads a log it is a call that succeeded.
        let read = diagnosed(&record, &Setting { mode: GrantMode::Exact, ..Setting::default() }).diagnosis;
        assert_eq!((read.rule.id(), read.response), ("CT001", Response::Ignore), "{service}:{operation}");
    }
}

#[test]
fn a_refusal_or_an_error_is_no_success() {
    for code in ["AccessDenied", "TrailNotFoundException", "ThrottlingException"] {
        let mut record = stopped();
        record["errorCode"] = code.into();
        let rule = diagnosed(&record, &heeding()).diagnosis.rule;
        assert!(!rule.is_of_success(), "{code}: {rule:?}");
    }
}

#[test]
fn nobody_talks_it_down() {
    // Only AWS writes CloudFormation's address; who calls, with what client and under which name, is the caller's to choose.
    let deployed = |pointer: &str, value: Value| {
        let mut record = called("events", "PutRule", json!({ "name": "trailpass-DenialRule-1A2B" }));
        *record.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        diagnosed(&record, &heeding()).diagnosis.rule.id()
    };
    assert_eq!(deployed("/sourceIPAddress", json!("cloudformation.amazonaws.com")), "CT001");
    assert_eq!(deployed("/userAgent", json!("cloudformation.amazonaws.com")), "CT912");
    assert_eq!(deployed("/userIdentity/userName", json!("cloudformation.amazonaws.com")), "CT912");
    assert_eq!(deployed("/userIdentity", json!({ "type": "Root" })), "CT912");
    assert_eq!(deployed("/userIdentity", json!({ "type": "AWSService", "invokedBy": "x.amazonaws.com" })), "CT912");
    assert_eq!(deployed("/userIdentity", json!(null)), "CT912");
}

#[test]
fn what_people_read() {
    let diagnosed = diagnosed(&stopped(), &heeding());
    assert_eq!(
        diagnosed.diagnosis.summary,
        "mallory called cloudtrail:StopLogging on arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit: a call that can blind \
         the audit log succeeded."
    );
    let shown =
        Notice { diagnosis: &diagnosed.diagnosis, call: &diagnosed.call(), case: None, grant_mode: GrantMode::Exact };
    let text = text::write(&shown, Style::Plain);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "ALARM",
        "mallory called cloudtrail:StopLogging on arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit: a call that can blind",
        "Nobody was refused: a call that can blind the audit log succeeded.",
        "Look at the trail now",
        "If it was meant, nothing is to be done.",
    ] {
        assert!(words.contains(said), "{said}: {text}");
    }
    let posted = access::notice::slack::message(&shown).to_string();
    assert!(posted.contains("called cloudtrail:StopLogging, and it succeeded"), "{posted}");
    assert!(
        !words.contains("was refused cloudtrail")
            && !posted.contains("was refused cloudtrail")
            && !words.contains("can grant this"),
        "{text}"
    );
}

#[test]
fn it_opens_one_case_and_the_next_one_joins_it() {
    let mut desk = Desk::new();
    let mut take = |record: &Value| {
        let taken = desk.take_diagnosed(std::iter::once((0, diagnosed(record, &heeding()))));
        taken.tell.iter().for_each(|tell| desk.told(tell));
        desk.now += HOUR / 60;
        (taken.outcomes, taken.tell.len(), taken.tell)
    };
    let record = stopped();
    let (outcomes, _, tell) = take(&record);
    assert_eq!(outcomes, [Outcome::Posted]);
    assert!(matches!(&tell[..], [Tell::Case(case, _)] if case.audience == Audience::Alarms), "{tell:?}");
    assert_eq!(take(&record).0, [Outcome::Duplicate]);
    assert_eq!(take(&stopped()).0, [Outcome::Joined]);
    // Refused to somebody, and done by somebody, are two things.
    assert_ne!(
        diagnosed(&denial("mallory", "StopLogging").record(), &heeding()).case_id,
        diagnosed(&record, &heeding()).case_id
    );
}
