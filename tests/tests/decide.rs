//! Which answers count: one of each kind that doesn't, beside one that does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use access::{
    case::{Arrival, Arrivals, Case},
    decide::{Known, LONGEST, Outcome, REQUEST_LAPSES, Refusal, Request, decide},
    decision::{Answer, Approved, Channel, Decision},
    diagnose::{Setting, diagnose},
    diagnosis::Apply,
    event,
    grant::GrantMode,
    guardrails::Guardrails,
    reconcile::{Facts, Permission, Reason, permission},
};
use serde_json::Value;
use tests::sample::{TRAIL, lacking, role, setting, user};

const OPENED: i64 = 1_790_000_000;

fn exact() -> Setting {
    setting(GrantMode::Exact, "{}")
}

fn case(record: &Value) -> Case {
    let first = diagnose(event::read(&record.to_string()).remove(0).unwrap(), &exact(), false);
    let each = vec![Arrival {
        message: 0,
        event: "e".into(),
        event_id: None,
        time: String::new(),
        session: None,
        source_ip: None,
    }];
    Case::open(&Arrivals { first, each }, OPENED)
}

fn denied() -> Case {
    case(&lacking(user("alice"), "cloudtrail:GetTrailStatus", TRAIL))
}

fn offered(case: &Case, setting: &Setting) -> Option<String> {
    let remedies = case.diagnosed(setting).diagnosis.remedies;
    remedies.into_iter().find(|remedy| remedy.apply == Apply::OnApproval)?.hash
}

fn approval(case: &Case) -> Request {
    let by = Approved { approver: "saanvi".into(), channel: Channel::Slack, identity: "T1/U1".into() };
    Request { answer: Answer::Approve, remedy: offered(case, &exact()), duration: 3600, by }
}

fn answer(case: &Case, before: Option<&Decision>, request: &Request, setting: &Setting, now: i64) -> Outcome {
    decide(&Known { case, is_latest: true, before }, request, setting, "rules", |_| Ok(()), now)
}

fn decided(case: &Case) -> Decision {
    match answer(case, None, &approval(case), &exact(), OPENED + 60) {
        Outcome::Decided(decision) => *decision,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approval_fixes_what_is_given_to_whom_and_until_when() {
    let case = denied();
    let decision = decided(&case);
    assert_eq!((decision.decided_at, decision.not_after), (OPENED + 60, OPENED + 60 + 3600));
    assert_eq!(decision.remedy, offered(&case, &exact()));
    assert_eq!(decision.target_id, case.diagnosed(&exact()).diagnosis.principal.unique_id);
    let rejection = Request { answer: Answer::Reject, remedy: None, ..approval(&case) };
    let Outcome::Decided(no) = answer(&case, None, &rejection, &exact(), OPENED) else { panic!("a rejection counts") };
    assert_eq!((no.answer, no.remedy, no.target_id), (Answer::Reject, None, None));
}

#[test]
fn the_first_decision_counts() {
    let case = denied();
    let first = decided(&case);
    let second = Request { answer: Answer::Reject, ..approval(&case) };
    assert_eq!(answer(&case, Some(&first), &second, &exact(), OPENED + 90), Outcome::Already(Box::new(first)));
}

#[test]
fn what_does_not_count_says_why() {
    let case = denied();
    let right = approval(&case);
    let refused = |case: &Case, request: &Request, now| match answer(case, None, request, &exact(), now) {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let none = Request { remedy: None, ..right.clone() };
    let altered = Request { remedy: right.remedy.as_ref().map(|hash| hash.replace(&hash[..1], "z")), ..right.clone() };
    assert_eq!(refused(&case, &none, OPENED), Refusal::Stale);
    assert_eq!(refused(&case, &altered, OPENED), Refusal::Stale);
    for duration in [-1, 0, 59, LONGEST + 1, i64::MAX] {
        assert_eq!(refused(&case, &Request { duration, ..right.clone() }, OPENED), Refusal::Duration, "{duration}");
    }
    assert_eq!(refused(&case, &right, OPENED + REQUEST_LAPSES), Refusal::Closed, "no denial for a day");
    let busy = Case { seen_at: OPENED + REQUEST_LAPSES, ..case.clone() };
    assert_eq!(refused(&busy, &right, OPENED + REQUEST_LAPSES), Refusal::Lapsed, "still denied, but never answered");
    let alarm = self::case(&lacking(user("alice"), "cloudtrail:StopLogging", TRAIL));
    assert_eq!(refused(&alarm, &right, OPENED), Refusal::NothingToApprove);
    let known = Known { case: &case, is_latest: true, before: None };
    let by_hand = answer(&case, None, &right, &setting(GrantMode::None, "{}"), OPENED);
    assert_eq!(by_hand, Outcome::Refused(Refusal::NothingToApprove), "every remedy is by hand");
    let swapped = Case { id: case.id.clone(), ..self::case(&lacking(user("bob"), "cloudtrail:GetTrail", TRAIL)) };
    assert_eq!(refused(&swapped, &right, OPENED), Refusal::Closed, "somebody else's denial under this case's id");
    let by_rules = decide(&known, &right, &exact(), "r", |_| Err(vec!["own denial".into()]), OPENED);
    assert_eq!(by_rules, Outcome::Refused(Refusal::Rules(vec!["own denial".into()])));
}

#[test]
fn an_approval_of_an_older_case_of_the_call_is_stale() {
    let case = denied();
    let known = Known { case: &case, is_latest: false, before: None };
    let right = approval(&case);
    let answered = |request: &Request| decide(&known, request, &exact(), "rules", |_| Ok(()), OPENED);
    assert_eq!(answered(&right), Outcome::Refused(Refusal::Stale));
    // A rejection gives nothing, so that it need not be the latest.
    assert!(matches!(answered(&Request { answer: Answer::Reject, ..right }), Outcome::Decided(_)));
}

#[test]
fn the_rules_are_asked_of_the_remedy_that_was_named() {
    let case = denied();
    let right = approval(&case);
    let asked = std::cell::Cell::new(false);
    decide(
        &Known { case: &case, is_latest: true, before: None },
        &right,
        &exact(),
        "rules",
        |question| {
            asked.set(question.remedy.is_some_and(|remedy| remedy.hash == right.remedy));
            Ok(())
        },
        OPENED,
    );
    assert!(asked.get());
}

/// The same decision, held against another world.
fn entitled(decision: Option<&Decision>, case: Option<&Case>, setting: &Setting) -> Result<Permission, Reason> {
    permission(&Facts { decision, revocation: None, case, setting }).map(|entitlement| entitlement.permission)
}

#[test]
fn a_decision_entitles_to_exactly_what_was_shown() {
    for record in [
        lacking(user("alice"), "cloudtrail:GetTrailStatus", TRAIL),
        lacking(role("reader"), "cloudtrail:LookupEvents", ""),
    ] {
        let case = case(&record);
        let decision = decided(&case);
        let Ok(Permission::Inline { name, document }) = entitled(Some(&decision), Some(&case), &exact()) else {
            panic!("{record}")
        };
        assert_eq!(name, format!("trailpass-{}-1", case.id));
        let document: Value = serde_json::from_str(&document).unwrap();
        let conditions = &document["Statement"][0]["Condition"];
        assert_eq!(conditions["DateLessThan"]["aws:CurrentTime"], "2026-09-21T15:14:20Z");
        assert!(conditions["StringEquals"]["aws:userid"].is_string(), "{document}");
    }
}

#[test]
fn what_is_recomputed_is_believed_and_nothing_else() {
    let case = denied();
    let right = decided(&case);
    let reason = |decision: &Decision, case: &Case, setting: &Setting| {
        entitled(Some(decision), Some(case), setting).unwrap_err()
    };
    assert_eq!(entitled(None, Some(&case), &exact()), Err(Reason::NotDecided));
    assert_eq!(entitled(Some(&right), None, &exact()), Err(Reason::NoSuchCase));
    let anew = Case { opening: 2, ..case.clone() };
    assert_eq!(reason(&right, &anew, &exact()), Reason::NoSuchCase);
    // Somebody else's denial, stored under this case's id.
    let swapped = Case { id: case.id.clone(), ..self::case(&lacking(user("bob"), "cloudtrail:GetTrail", TRAIL)) };
    assert_eq!(reason(&right, &swapped, &exact()), Reason::NoSuchCase);
    assert_eq!(reason(&Decision { answer: Answer::Reject, ..right.clone() }, &case, &exact()), Reason::Rejected);
    assert_eq!(reason(&Decision { remedy: None, ..right.clone() }, &case, &exact()), Reason::NotOffered);
    assert_eq!(
        reason(&Decision { target_id: Some("AIDAOTHER".into()), ..right.clone() }, &case, &exact()),
        Reason::OtherHolder
    );
    for not_after in [right.decided_at, right.decided_at - 1, right.decided_at + LONGEST + 1] {
        assert_eq!(reason(&Decision { not_after, ..right.clone() }, &case, &exact()), Reason::Duration);
    }
    assert_eq!(reason(&right, &case, &setting(GrantMode::None, "{}")), Reason::Mode);
    assert_eq!(reason(&right, &case, &setting(GrantMode::Managed, "{}")), Reason::NotOffered, "the exact policy");
    let guarded = Guardrails::from_json(r#"{"protected":{"names":["ali*"]}}"#).unwrap();
    assert_eq!(reason(&right, &case, &Setting { mode: GrantMode::Exact, guardrails: guarded }), Reason::NotOffered);
}
