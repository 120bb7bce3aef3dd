//! Alarms over time: none is swallowed by a notice's case, by another alarm's flood, or by having been told once.

use access::{
    case::{Audience, Case, NoticeState},
    triage::{self, Outcome, StormFile, Tell},
};
use serde_json::{Value, json};
use tests::local::denials::{Denial, IDENTITY_DENY, QUARANTINE, denial};

use super::{DAY, Desk, HOUR, LIFE, MINUTE, call, diagnosed, invented};

fn guesses(user: &str, from: usize, to: usize) -> Vec<Denial> {
    (from..to).map(|n| denial(user, "DeleteTrail").on_trail(&format!("guess-{n}"))).collect()
}

fn told(tell: &[Tell]) -> Vec<&Case> {
    let of_cases = tell.iter().filter_map(|tell| if let Tell::Case(case, _) = tell { Some(&**case) } else { None });
    of_cases.collect()
}

/// Joining it, the alarm would reach nobody of the security team.
#[test]
fn an_alarm_never_joins_a_notices_case() {
    let mut desk = Desk::new();
    let (refused, quarantined) = (call().because(IDENTITY_DENY), call().because(QUARANTINE));
    desk.settle(std::slice::from_ref(&refused));
    let first = desk.case();
    let taken = desk.settle(&[quarantined.clone(), refused.another()]);
    let [Tell::Case(alarm, _)] = &taken.tell[..] else { panic!("{taken:?}") };
    assert_eq!((alarm.audience, alarm.count), (Audience::Alarms, 1));
    assert_eq!((alarm.linked.as_ref(), &alarm.call_id), (Some(&first.id), &first.call_id));
    // Nor a notice an alarm's.
    let mut desk = Desk::new();
    desk.settle(&[quarantined, refused]);
    let audiences: Vec<Audience> = desk.cases().iter().map(|case| case.audience).collect();
    assert!(audiences.contains(&Audience::Notices) && audiences.contains(&Audience::Alarms), "{audiences:?}");
}

#[test]
fn alarms_have_a_budget_that_noise_does_not_touch() {
    let mut desk = Desk::new();
    desk.settle(&invented("mallory", 0, 100));
    let alarms: Vec<Denial> =
        (0..12).map(|n| denial("mallory", "DeleteTrail").on_trail(&format!("guess-{n}"))).collect();
    let taken = desk.settle(&alarms);
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (10, 2));
    let audiences: Vec<Audience> = desk.storms().iter().map(|storm| storm.audience).collect();
    assert_eq!(audiences, [Audience::Alarms, Audience::Notices]);
    assert_eq!(desk.storms()[0].held, 2);
}

/// Neither the one who floods nor anybody else has a call hidden by it.
#[test]
fn the_first_alarm_with_an_action_is_never_held() {
    let mut desk = Desk::new();
    let mut batch = guesses("mallory", 0, 30);
    batch.push(denial("mallory", "StopLogging"));
    let taken = desk.settle(&batch);
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (11, 20));
    assert!(told(&taken.tell).iter().any(|case| case.diagnosis["action"] == "cloudtrail:StopLogging"));
    assert_eq!(desk.settle(&[denial("mallory", "StopLogging").on_trail("other")]).outcomes, [Outcome::Held]);
    // With the account's budget spent by ten users, too.
    for n in 0..10 {
        desk.settle(&guesses(&format!("user{n}"), 0, 15));
    }
    let taken = desk.settle(&[denial("eve", "StopLogging")]);
    assert_eq!((taken.outcomes.as_slice(), told(&taken.tell).len()), (&[Outcome::Posted][..], 1));
    let held = [denial("eve", "StopLogging").on_trail("other"), denial("eve", "StopLogging").on_trail("third")];
    assert_eq!(desk.settle(&held).outcomes, [Outcome::Held; 2]);
    // For an hour; the next has a first one again.
    desk.now += HOUR;
    desk.settle(&guesses("eve", 0, 20));
    assert_eq!(desk.settle(&[denial("eve", "StopLogging").on_trail("fourth")]).outcomes, [Outcome::Posted]);
}

/// What is never held is bounded all the same, by what is remembered of it.
#[test]
fn actions_that_nobody_knows_are_no_way_around_the_budget() {
    let mut desk = Desk::new();
    let made_up = (0..200).map(|n| denial("mallory", &format!("StopLogging{n}")).because(QUARANTINE));
    let taken = desk.settle(&made_up.collect::<Vec<_>>());
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (64, 136));
    assert!(taken.writes < 100, "one transaction holds a hundred writes");
}

fn federated(name: &str, trail: &str) -> Denial {
    let arn = format!("arn:aws:sts::{}:federated-user/{name}", tests::local::ACCOUNT);
    denial("x", "DeleteTrail").on_trail(trail).by(
        &arn,
        json!({
            "type": "FederatedUser", "principalId": format!("{}:{name}", tests::local::ACCOUNT), "arn": arn,
            "accountId": tests::local::ACCOUNT, "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {"sessionIssuer": {
                "type": "IAMUser", "principalId": "AIDAIOSFODNN7EXAMPLE", "accountId": tests::local::ACCOUNT,
                "arn": format!("arn:aws:iam::{}:user/mallory", tests::local::ACCOUNT), "userName": "mallory",
            }},
        }),
    )
}

#[test]
fn whoever_chooses_names_has_one_budget() {
    let mut desk = Desk::new();
    let many: Vec<Denial> = (0..100).map(|n| federated(&format!("x{}", n / 10), &format!("guess-{n}"))).collect();
    let taken = desk.settle(&many);
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (10, 90));
    let [storm] = &desk.storms()[..] else { panic!("one storm") };
    assert_eq!(storm.principals, ["federated users of IAM user mallory"]);
    assert!(storm.calls.iter().all(|call| call.principal.as_ref().unwrap().contains(":federated-user/x")));
    // It is that user's own, and nobody else's.
    assert_eq!(desk.settle(&[denial("mallory", "DeleteTrail").on_trail("mine")]).outcomes, [Outcome::Held]);
    assert_eq!(desk.settle(&[denial("bob", "DeleteTrail")]).outcomes, [Outcome::Posted]);
    // One budget, but not one principal: their cases aren't shown as each other's.
    let taken = Desk::new().settle(&[federated("a", "one"), federated("b", "two"), federated("a", "three")]);
    let beside = |tell: &Tell| if let Tell::Case(_, beside) = tell { beside.len() } else { 0 };
    assert_eq!(taken.tell.iter().map(beside).collect::<Vec<_>>(), [1, 0, 1]);
    // In another account its owner chooses the names.
    let abroad = (0..30).map(|n| {
        let role = format!("role{n}");
        denial("x", "DeleteTrail").on_trail(&format!("t{n}")).by_role("444455556666", &role, "s")
    });
    let mut desk = Desk::new();
    let taken = desk.settle(&abroad.collect::<Vec<_>>());
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (10, 20));
    assert_eq!(desk.storms()[0].principals, ["principals of account 444455556666"]);
}

#[test]
fn what_is_held_can_be_found() {
    let mut desk = Desk::new();
    desk.settle(&guesses("mallory", 0, 10));
    let held = guesses("mallory", 10, 310);
    desk.settle(&held);
    let [storm] = &desk.storms()[..] else { panic!("one storm") };
    assert_eq!((storm.held, storm.calls.len(), storm.actions["cloudtrail:DeleteTrail"]), (300, 64, 300));
    let last = held[299].record();
    let kept = serde_json::to_value(&storm.calls[63]).unwrap();
    let expected = json!({
        "action": "cloudtrail:DeleteTrail",
        "resource": format!("arn:aws:cloudtrail:{}:{}:trail/guess-309", tests::local::REGION, tests::local::ACCOUNT),
        "principal": last["userIdentity"]["arn"], "event_id": last["eventID"], "time": last["eventTime"],
    });
    assert_eq!(kept, expected);
}

/// 400 KB are the most that a table takes. What stands in a record is bounded before; this holds whatever comes.
#[test]
fn a_storm_fits_into_a_document() {
    let mut desk = Desk::new();
    let worst = "\u{1}".repeat(2000);
    let (_, usual) = diagnosed(&guesses("mallory", 0, 1)).next().unwrap();
    let flood = (0..7000).map(|n| {
        let mut one = usual.clone();
        one.case_id = format!("case-{n}");
        one.diagnosis.action = Some(format!("{n}{worst}"));
        one.diagnosis.resource = Some(worst.clone());
        one.denial.caller.principal.arn = Some(format!("{}{worst}", n % 30));
        one.denial.caller.principal.name = Some(format!("{}", n % 30));
        one.denial.caller.session_arn = Some(worst.clone());
        one.denial.record.request_id = None;
        one.denial.record.event_id = Some(format!("{n}{worst}"));
        one.denial.record.event_time = Some(worst.clone());
        (n, one)
    });
    desk.take_diagnosed(flood);
    let [storm] = &desk.storms()[..] else { panic!("one storm") };
    assert_eq!((storm.calls.len(), storm.event_ids.len(), storm.principals.len()), (64, 4096, 20));
    let body = &desk.documents[&triage::storm_key(storm)].body;
    assert!((300_000..400_000).contains(&body.len()), "{}", body.len());
}

#[test]
fn a_storm_of_alarms_is_told_again_for_another_principal() {
    let mut desk = Desk::new();
    let taken = desk.settle(&guesses("mallory", 0, 12));
    assert!(taken.tell.iter().any(|tell| matches!(tell, Tell::Storm(storm) if storm.held == 2)));
    assert!(desk.settle(&guesses("mallory", 12, 14)).tell.is_empty());
    let taken = desk.settle(&guesses("eve", 0, 11));
    let storms: Vec<_> =
        taken.tell.iter().filter_map(|t| if let Tell::Storm(s) = t { Some(s) } else { None }).collect();
    assert!(
        matches!(&storms[..], [storm] if storm.held == 5 && storm.principals.len() == 2 && storm.told.sns.is_none())
    );
    // Whoever was to tell and died leaves it to the next.
    let taken = desk.take(&guesses("bob", 0, 11));
    assert!(taken.tell.iter().any(|tell| matches!(tell, Tell::Storm(_))));
    desk.now += LIFE + 1;
    let taken = desk.take(&guesses("bob", 11, 12));
    assert!(matches!(&taken.tell[..], [Tell::Storm(storm)] if storm.held == 7), "{taken:?}");
    // A storm of notices isn't.
    let mut desk = Desk::new();
    desk.settle(&invented("mallory", 0, 12));
    assert!(desk.settle(&invented("eve", 0, 11)).tell.iter().all(|tell| matches!(tell, Tell::Case(..))));
    // And it ends: principals are named up to a number.
    let mut desk = Desk::new();
    let mut times = 0;
    for n in 0..60 {
        let taken = desk.settle(&guesses(&format!("user{n:02}"), 0, 12));
        times += taken.tell.iter().filter(|tell| matches!(tell, Tell::Storm(_))).count();
    }
    assert!((15..=24).contains(&times), "{times}");
}

/// Stopping the log is tried every hour: one mail on the first day is not enough.
#[test]
fn an_alarm_that_goes_on_is_told_again() {
    let mut desk = Desk::new();
    let stop = denial("eve", "StopLogging");
    desk.settle(std::slice::from_ref(&stop));
    for _ in 0..59 {
        desk.now += MINUTE;
        let taken = desk.settle(&[stop.another()]);
        assert!(matches!(&taken.tell[..], [Tell::UpdateCase(..)]), "within the hour the message is updated: {taken:?}");
    }
    desk.now += MINUTE;
    let again = stop.another();
    let taken = desk.settle(std::slice::from_ref(&again));
    assert_eq!(taken.outcomes, [Outcome::Joined]);
    let [case] = told(&taken.tell)[..] else { panic!("told again: {taken:?}") };
    assert_eq!((case.count, case.opening, &case.told.sns, &case.told.slack), (61, 1, &None, &None));
    assert_eq!(desk.case().told.notice, NoticeState::Sent);
    // What comes twice is no news, however late.
    desk.now += HOUR;
    let taken = desk.settle(&[again]);
    assert_eq!((taken.outcomes.as_slice(), taken.tell.len(), taken.writes), (&[Outcome::Duplicate][..], 0, 0));
    // If nobody could be told, the next does.
    let taken = desk.take(&[stop.another()]);
    assert_eq!(told(&taken.tell).len(), 1);
    desk.now += LIFE + 1;
    assert!(matches!(&desk.take(&[stop.another()]).tell[..], [Tell::Case(case, _)] if case.count == 63));
    // A notice is told once.
    let mut desk = Desk::new();
    desk.settle(&[call()]);
    desk.now += HOUR;
    assert!(matches!(&desk.settle(&[call()]).tell[..], [Tell::UpdateCase(..)]));
}

/// Otherwise whoever opens ten alarms an hour would be heard of in two hundred messages an hour in the end.
#[test]
fn telling_again_costs_budget() {
    let mut desk = Desk::new();
    for hour in 0..4 {
        desk.settle(&guesses("mallory", hour * 10, hour * 10 + 10));
        desk.now += HOUR;
    }
    let again: Vec<Denial> = guesses("mallory", 0, 40);
    let taken = desk.settle(&again);
    assert_eq!((taken.count(Outcome::Joined), told(&taken.tell).len()), (40, 10));
    let updated = taken.tell.iter().filter(|tell| matches!(tell, Tell::UpdateCase(..))).count();
    assert_eq!(updated, 30, "the others' messages are updated");
}

#[test]
fn an_alarm_stands_in_the_channel() {
    let mut desk = Desk::new();
    desk.settle(&[denial("eve", "StopLogging"), call()]);
    desk.now += MINUTE;
    let taken = desk.settle(&[denial("eve", "DeleteTrail"), denial("bob", "ListTags")]);
    let under: Vec<bool> = told(&taken.tell).iter().map(|case| case.shown_under.is_some()).collect();
    assert_eq!(under, [false, true], "{taken:?}");
    let [Tell::Case(_, beside), ..] = &taken.tell[..] else { panic!("{taken:?}") };
    assert_eq!(beside.len(), 1, "which doesn't keep it from naming the other");
}

/// What an earlier version has stored is read as ever, and what it could not know is made up for.
#[test]
fn documents_of_an_earlier_version_are_read() {
    let mut desk = Desk::new();
    let stop = denial("eve", "StopLogging");
    desk.settle(std::slice::from_ref(&stop));
    desk.settle(&guesses("mallory", 0, 12));
    let new = ["told_at", "principal", "alarmed", "actions", "calls", "told_held", "told_principals"];
    for (_, found) in desk.documents.iter_mut() {
        let mut body: Value = serde_json::from_str(&found.body).unwrap();
        let without = |part: &mut Value| {
            if let Some(fields) = part.as_object_mut() {
                fields.retain(|name, _| !new.contains(&name.as_str()));
            }
        };
        without(&mut body);
        without(&mut body["told"]);
        body["recent"].as_array_mut().into_iter().flatten().for_each(without);
        // Looking at a member makes it.
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        found.body = body.to_string();
    }
    desk.now += DAY / 2;
    assert_eq!(desk.settle(&[stop.another()]).outcomes, [Outcome::Joined]);
    let before = desk.storms().remove(0);
    assert_eq!((before.held, before.actions.len()), (2, 0));
    desk.now -= DAY / 2;
    // The first of them is, as far as that is known now, the hour's first alarm.
    desk.settle(&guesses("mallory", 12, 15));
    let storm: StormFile = serde_json::from_str(&desk.documents[&triage::storm_key(&before)].body).unwrap();
    assert_eq!((storm.held, storm.actions["cloudtrail:DeleteTrail"]), (4, 2));
}
