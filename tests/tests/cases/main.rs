//! Cases over time: what joins, what opens anew, who tells, and what a flood may cost. Time is a parameter here, so a day
//! passes in no time.
//!
//! Each test plays the part of the handler: reads, asks for the plan, writes it. A write whose version is not the one that
//! stands there is a mistake of the plan's, and fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

mod alarms;
mod blinding;
mod requests;

use access::{
    case::{Audience, Case, NoticeState, SlackMessage, Told},
    diagnose::{Diagnosed, Setting, diagnose},
    event,
    triage::{self, ACCOUNT_BUDGET, Documents, Found, Now, Outcome, PRINCIPAL_BUDGET, StormFile, Tell},
};
use tests::local::denials::{Denial, SCP, denial};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The beginning of an hour.
const START: i64 = 1_790_000_000 / HOUR * HOUR;
/// How long an invocation may take.
const LIFE: i64 = 30;

struct Desk {
    documents: Documents,
    /// Seconds since 1970.
    now: i64,
}

impl Desk {
    fn new() -> Self {
        Self { documents: Documents::new(), now: START }
    }

    fn clock(&self) -> Now {
        Now { ms: self.now * 1000, deadline_ms: (self.now + LIFE) * 1000 }
    }

    /// Plans and writes, principal by principal as the handler does; telling is left to the test.
    fn take(&mut self, denials: &[Denial]) -> Taken {
        self.take_diagnosed(diagnosed(denials))
    }

    fn take_diagnosed(&mut self, diagnosed: impl Iterator<Item = (usize, Diagnosed)>) -> Taken {
        let mut taken = Taken::default();
        for group in triage::group(diagnosed) {
            for planned in triage::plan(&group, &self.documents, self.clock()) {
                for change in planned.changes {
                    let standing = self.documents.get(&change.key).map(|found| found.version);
                    assert_eq!(change.expected, standing, "{}", change.key);
                    let version = standing.unwrap_or(0) + 1;
                    self.documents.insert(change.key, Found { version, body: change.body });
                    taken.writes += 1;
                }
                taken.outcomes.extend(planned.outcomes.into_iter().map(|(_, outcome)| outcome));
                taken.tell.extend(planned.tell);
            }
        }
        taken
    }

    /// Takes and tells, as when nothing goes wrong.
    fn settle(&mut self, denials: &[Denial]) -> Taken {
        let taken = self.take(denials);
        for tell in &taken.tell {
            self.told(tell);
        }
        taken
    }

    fn told(&mut self, tell: &Tell) {
        let key = match tell {
            Tell::Case(case, _) => triage::case_key(&case.id),
            Tell::Storm(storm) => triage::storm_key(storm),
            Tell::UpdateCase(..) | Tell::UpdateStorm(_) => return,
        };
        let before = match tell {
            Tell::Case(case, _) | Tell::UpdateCase(case, _) => case.told.clone(),
            Tell::Storm(storm) | Tell::UpdateStorm(storm) => storm.told.clone(),
        };
        let told = Told {
            notice: NoticeState::Sent,
            lease_until: 0,
            sns: Some("sns".to_owned()),
            slack: Some(SlackMessage { channel: "C1".to_owned(), ts: "1.2".to_owned() }),
            updated_at: self.now,
            ..before
        };
        let found = &self.documents[&key];
        let change = triage::told(found, &key, &told).expect("it is there");
        assert_eq!(change.expected, Some(found.version));
        self.documents.insert(key, Found { version: found.version + 1, body: change.body });
    }

    fn of<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let mut keys: Vec<&String> = self.documents.keys().filter(|key| key.starts_with(kind)).collect();
        keys.sort();
        keys.into_iter().map(|key| serde_json::from_str(&self.documents[key].body).expect("what was written")).collect()
    }

    fn cases(&self) -> Vec<Case> {
        self.of("CASE#")
    }

    fn case(&self) -> Case {
        let mut cases = self.cases();
        assert_eq!(cases.len(), 1);
        cases.remove(0)
    }

    fn storms(&self) -> Vec<StormFile> {
        self.of("STORM#")
    }
}

#[derive(Debug, Default)]
struct Taken {
    outcomes: Vec<Outcome>,
    tell: Vec<Tell>,
    writes: usize,
}

impl Taken {
    fn count(&self, wanted: Outcome) -> usize {
        self.outcomes.iter().filter(|outcome| **outcome == wanted).count()
    }
}

fn diagnosed(denials: &[Denial]) -> impl Iterator<Item = (usize, Diagnosed)> {
    denials.iter().enumerate().map(|(at, denial)| {
        let record = event::read(&denial.body()).remove(0).expect("a record");
        (at, diagnose(record, &Setting::default(), false))
    })
}

fn call() -> Denial {
    denial("bob", "GetTrailStatus")
}

fn invented(user: &str, from: usize, to: usize) -> Vec<Denial> {
    (from..to).map(|n| denial(user, "GetTrailStatus").on_trail(&format!("guess-{n}"))).collect()
}

#[test]
fn a_day_without_a_denial_closes_a_case() {
    let mut desk = Desk::new();
    desk.settle(&[call(), call()]);
    desk.now += DAY - 1;
    assert_eq!(desk.settle(&[call()]).outcomes, [Outcome::Joined]);
    assert_eq!((desk.case().count, desk.case().opening), (3, 1));
    // It counts from the last denial, not from the first.
    desk.now += DAY;
    let taken = desk.settle(&[call(), call()]);
    assert_eq!(taken.outcomes, [Outcome::Posted, Outcome::Joined]);
    assert!(matches!(&taken.tell[..], [Tell::Case(case, _)] if case.opening == 2));
    let case = desk.case();
    assert_eq!((case.count, case.opening, case.opened_at, case.event_ids.len()), (2, 2, desk.now, 2));
    assert_eq!(case.told.notice, NoticeState::Sent);
}

#[test]
fn a_closed_case_forgets_who_was_told() {
    let mut desk = Desk::new();
    desk.settle(&[call()]);
    desk.now += DAY;
    let taken = desk.take(&[call()]);
    let Tell::Case(case, _) = &taken.tell[0] else { panic!("told anew") };
    assert_eq!((&case.told.sns, &case.told.slack, case.told.notice), (&None, &None, NoticeState::Pending));
}

#[test]
fn whoever_opens_a_case_tells_and_others_wait_until_that_is_over() {
    let mut desk = Desk::new();
    let first = [call()];
    let opened = desk.take(&first);
    assert_eq!((opened.outcomes.as_slice(), opened.tell.len()), (&[Outcome::Posted][..], 1));
    // The one that opened it died. Until its deadline, and a second for clocks that differ, it might still be at work.
    desk.now += LIFE;
    let waiting = desk.take(&[first[0].clone(), call()]);
    assert_eq!((waiting.outcomes.as_slice(), waiting.tell.len()), (&[Outcome::Waiting, Outcome::Joined][..], 0));
    let waiting = desk.take(&first);
    assert_eq!((waiting.outcomes.as_slice(), waiting.tell.len(), waiting.writes), (&[Outcome::Waiting][..], 0, 0));
    desk.now += 1;
    let taken_over = desk.take(&first);
    assert_eq!((taken_over.outcomes.as_slice(), taken_over.writes), (&[Outcome::Duplicate][..], 1));
    assert!(matches!(&taken_over.tell[..], [Tell::Case(case, _)] if case.count == 2));
    // And has a lease of its own.
    let waiting = desk.take(&first);
    assert_eq!((waiting.outcomes.as_slice(), waiting.tell.len()), (&[Outcome::Waiting][..], 0));
    desk.told(&taken_over.tell[0]);
    let done = desk.take(&first);
    assert_eq!((done.outcomes.as_slice(), done.tell.len(), done.writes), (&[Outcome::Duplicate][..], 0, 0));
    assert_eq!(desk.case().count, 2);
}

#[test]
fn a_new_denial_takes_over_as_well() {
    let mut desk = Desk::new();
    desk.take(&[call()]);
    desk.now += LIFE + 1;
    let taken = desk.take(&[call()]);
    assert_eq!(taken.outcomes, [Outcome::Joined]);
    assert!(
        matches!(&taken.tell[..], [Tell::Case(case, _)] if case.count == 2 && case.told.lease_until == (desk.now + LIFE + 1) * 1000)
    );
}

#[test]
fn the_same_plan_twice_changes_nothing() {
    let mut desk = Desk::new();
    let mut batch = vec![call(), call(), denial("eve", "StopLogging"), denial("bob", "ListTags")];
    batch.extend(invented("mallory", 0, 14));
    let first = desk.settle(&batch);
    assert_eq!((first.count(Outcome::Posted), first.count(Outcome::Joined), first.count(Outcome::Held)), (13, 1, 4));
    let again = desk.settle(&batch);
    assert_eq!((again.count(Outcome::Duplicate), again.writes, again.tell.len()), (18, 0, 0));
}

#[test]
fn the_last_256_denials_are_known_again() {
    let mut desk = Desk::new();
    let denials: Vec<Denial> = (0..300).map(|_| call()).collect();
    let taken = desk.settle(&denials);
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Joined)), (1, 299));
    assert_eq!((desk.case().count, desk.case().event_ids.len()), (300, 256));
    assert_eq!(desk.settle(&denials[44..]).count(Outcome::Duplicate), 256);
    assert_eq!(desk.case().count, 300);
    // Memory is bounded: what is older counts anew, and then it is among the last.
    assert_eq!(desk.settle(&denials[43..44]).outcomes, [Outcome::Joined]);
    assert_eq!((desk.case().count, desk.case().event_ids.len()), (301, 256));
    assert_eq!(desk.settle(&denials[43..44]).outcomes, [Outcome::Duplicate]);
}

#[test]
fn sessions_and_addresses_are_bounded() {
    let mut desk = Desk::new();
    let sessions =
        (0..40).map(|n| denial("x", "GetTrailStatus").by_role(tests::local::ACCOUNT, "Audit", &format!("session-{n}")));
    desk.settle(&sessions.collect::<Vec<_>>());
    let case = desk.case();
    assert_eq!((case.count, case.sessions.len(), case.source_ips.len()), (40, 10, 1));
    assert!(case.sessions.iter().all(|session| session.starts_with("session-")));
}

#[test]
fn a_message_is_updated_once_a_minute() {
    let mut desk = Desk::new();
    desk.settle(&[call()]);
    desk.now += MINUTE - 1;
    assert!(desk.settle(&[call()]).tell.is_empty());
    desk.now += 1;
    let taken = desk.settle(&[call()]);
    assert!(matches!(&taken.tell[..], [Tell::UpdateCase(case, _)] if case.count == 3));
    assert!(desk.settle(&[call()]).tell.is_empty(), "the next minute counts from there");
    desk.now += MINUTE;
    let same = [call()];
    assert_eq!(desk.settle(&same).tell.len(), 1);
    desk.now += MINUTE;
    assert!(desk.settle(&same).tell.is_empty(), "a repeated delivery is no news");
}

#[test]
fn a_principal_opens_ten_an_hour() {
    let mut desk = Desk::new();
    let taken = desk.settle(&invented("mallory", 0, 25));
    let budget = usize::try_from(PRINCIPAL_BUDGET).unwrap();
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (budget, 25 - budget));
    assert_eq!(desk.cases().len(), budget);
    let [storm] = &desk.storms()[..] else { panic!("one storm") };
    assert_eq!((storm.held, storm.principals.len(), storm.audience), (15, 1, Audience::Notices));
    assert_eq!(taken.tell.iter().filter(|tell| matches!(tell, Tell::Storm(_))).count(), 1);
    // Somebody else has a budget of his own, and what is open goes on being counted.
    assert_eq!(desk.settle(&[call()]).outcomes, [Outcome::Posted]);
    assert_eq!(desk.settle(&invented("mallory", 0, 10)).count(Outcome::Joined), 10);
    // More of it is the same storm, and nobody is told again.
    let taken = desk.settle(&invented("mallory", 25, 40));
    assert_eq!((taken.count(Outcome::Held), taken.tell.len(), taken.writes), (15, 0, 1));
    assert_eq!(desk.storms()[0].held, 30);
    // After a minute its message is.
    desk.now += MINUTE;
    let taken = desk.settle(&invented("mallory", 40, 41));
    assert!(matches!(&taken.tell[..], [Tell::UpdateStorm(storm)] if storm.held == 31));
    // Ten times as many are another storm than the one that people were told of.
    assert!(desk.settle(&invented("mallory", 41, 159)).tell.is_empty());
    let taken = desk.settle(&invented("mallory", 159, 160));
    let [Tell::Storm(storm)] = &taken.tell[..] else { panic!("told again: {taken:?}") };
    assert_eq!((storm.held, &storm.told.sns, &storm.told.slack), (150, &None, &None), "as a new message");
    assert!(desk.settle(&invented("mallory", 160, 400)).tell.is_empty());
    // The next hour is a new one.
    desk.now = START + HOUR;
    let taken = desk.settle(&invented("mallory", 500, 515));
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (budget, 15 - budget));
    assert_eq!(desk.storms().len(), 2);
}

#[test]
fn an_account_opens_a_hundred_an_hour() {
    let mut desk = Desk::new();
    let everybody: Vec<Denial> = (0..12).flat_map(|n| invented(&format!("user{n:02}"), 0, 10)).collect();
    let taken = desk.settle(&everybody);
    let budget = usize::try_from(ACCOUNT_BUDGET).unwrap();
    assert_eq!((taken.count(Outcome::Posted), taken.count(Outcome::Held)), (budget, 120 - budget));
    let [storm] = &desk.storms()[..] else { panic!("one storm") };
    assert_eq!((storm.held, storm.principals.len(), storm.over), (20, 2, triage::Budget::Account));
}

#[test]
fn a_storm_is_told_of_by_whoever_finds_it_untold() {
    let mut desk = Desk::new();
    let flood = invented("mallory", 0, 12);
    desk.take(&flood);
    let again = desk.take(&flood[10..]);
    assert_eq!((again.outcomes.as_slice(), again.tell.len()), (&[Outcome::Waiting; 2][..], 0));
    desk.now += LIFE + 1;
    let again = desk.take(&flood[10..]);
    assert!(matches!(&again.tell[..], [Tell::Storm(storm)] if storm.held == 2), "{again:?}");
    desk.told(&again.tell[0]);
    let again = desk.take(&flood[10..]);
    assert_eq!((again.outcomes.as_slice(), again.tell.len(), again.writes), (&[Outcome::Duplicate; 2][..], 0, 0));
}

/// Budgets and storms are the account's whose trail holds the record; one who knocks at several is in each one's.
#[test]
fn a_storm_is_the_refusing_accounts() {
    let mut desk = Desk::new();
    let elsewhere = |n: usize| {
        denial("mallory", "GetTrailStatus")
            .on(&format!("arn:aws:cloudtrail:eu-west-1:444455556666:trail/guess-{n}"))
            .in_account("444455556666")
    };
    let mut batch = vec![denial("mallory", "GetTrailStatus")];
    batch.extend((0..20).map(elsewhere));
    desk.settle(&batch);
    let accounts: Vec<String> = desk.storms().into_iter().map(|storm| storm.account_id).collect();
    assert_eq!(accounts, ["444455556666"]);
}

#[test]
fn cases_of_ten_minutes_stand_together() {
    let mut desk = Desk::new();
    desk.settle(&[call()]);
    let first = desk.case().id;
    desk.now += 10 * MINUTE - 1;
    let taken = desk.settle(&[denial("bob", "ListTags"), denial("bob", "StopLogging")]);
    let [Tell::Case(second, beside), Tell::Case(alarm, _)] = &taken.tell[..] else { panic!("{taken:?}") };
    assert_eq!(second.shown_under.as_deref(), Some(first.as_str()));
    assert!(
        beside.iter().any(|other| other.id == first) && !beside.iter().any(|other| other.id == second.id),
        "{beside:?}"
    );
    assert_eq!(alarm.shown_under, None, "an alarm is another channel's");
    desk.now += 10 * MINUTE;
    let taken = desk.settle(&[denial("bob", "GetInsightSelectors")]);
    let [Tell::Case(late, beside)] = &taken.tell[..] else { panic!("{taken:?}") };
    assert_eq!((late.shown_under.as_deref(), beside.len()), (None, 0));
    // Nobody else's.
    let taken = desk.settle(&[denial("carol", "GetTrailStatus")]);
    let [Tell::Case(other, beside)] = &taken.tell[..] else { panic!("{taken:?}") };
    assert_eq!((other.shown_under.as_deref(), beside.len()), (None, 0));
}

#[test]
fn another_cause_is_linked_to_the_last_of_the_same_call() {
    let mut desk = Desk::new();
    desk.settle(&[call()]);
    let first = desk.case().id;
    desk.now += 3 * DAY;
    desk.settle(&[denial("bob", "ListTags"), call().because(SCP)]);
    let linked: Vec<Option<String>> =
        desk.cases().into_iter().filter(|case| case.id != first).map(|case| case.linked).collect();
    assert_eq!(linked.len(), 2);
    assert_eq!(linked.iter().flatten().collect::<Vec<_>>(), [&first]);
}

#[test]
fn the_latest_case_of_a_call_is_told_by_the_principals_file() {
    let mut desk = Desk::new();
    let is_latest =
        |desk: &Desk, case: &Case| triage::is_latest_of_call(desk.documents.get(&triage::principal_key_of(case)), case);
    desk.settle(&[call()]);
    let first = desk.case();
    assert!(is_latest(&desk, &first));
    desk.settle(&[call(), denial("bob", "ListTags")]);
    assert!(is_latest(&desk, &first), "another call, and the same once more");
    desk.settle(&[call().because(SCP)]);
    let second = desk.cases().into_iter().find(|case| case.linked.as_ref() == Some(&first.id)).unwrap();
    assert!(!is_latest(&desk, &first));
    assert!(is_latest(&desk, &second));
    desk.now += 3 * DAY;
    desk.settle(&[call()]);
    assert!(is_latest(&desk, &first) && !is_latest(&desk, &second), "the old cause, anew");
    assert!(!triage::is_latest_of_call(None, &first), "it can't be told");
}

#[test]
fn that_somebody_was_told_is_written_beside_whatever_happened_since() {
    let mut desk = Desk::new();
    let opened = desk.take(&[call()]);
    desk.take(&[call(), call()]);
    desk.told(&opened.tell[0]);
    let case = desk.case();
    assert_eq!((case.count, case.told.notice, case.told.sns.as_deref()), (3, NoticeState::Sent, Some("sns")));
    let key = triage::case_key(&case.id);
    let found = desk.documents[&key].clone();
    let change = triage::told(&found, &key, &case.told).unwrap();
    assert_eq!((change.expected, change.expires), (Some(found.version), Some(case.seen_at + 90 * DAY)));
    let strange = |body: &str| triage::told(&Found { version: 1, body: body.to_owned() }, &key, &case.told);
    assert!(strange("{}").is_none() && strange("no JSON").is_none(), "what is no case stays as it is");
    // A member that a later version adds is kept.
    let newer = found.body.replacen('{', r#"{"added_later":1,"#, 1);
    let change = triage::told(&Found { version: 7, body: newer }, &key, &case.told).unwrap();
    assert!(change.body.contains(r#""added_later":1"#) && change.expected == Some(7));
}

#[test]
fn first_and_last_are_cloudtrails_times() {
    let mut desk = Desk::new();
    // Deliveries are out of order.
    let at = |time: &str| call().at(time);
    desk.settle(&[at("2026-10-05T08:00:05Z"), at("2026-10-05T08:00:01Z")]);
    desk.settle(&[at("2026-10-05T08:00:03Z"), at("2026-10-05T08:00:09Z")]);
    let case = desk.case();
    assert_eq!((case.first_seen.as_str(), case.last_seen.as_str()), ("2026-10-05T08:00:01Z", "2026-10-05T08:00:09Z"));
}

#[test]
fn an_hours_cases_are_listed() {
    let mut desk = Desk::new();
    let listed = |desk: &Desk, at: i64| -> Vec<(String, u64)> {
        let found = desk.documents.get(&triage::hour_key(at / HOUR));
        let file: Option<triage::HourFile> = found.map(|found| serde_json::from_str(&found.body).unwrap());
        file.unwrap_or_default().cases.into_iter().map(|case| (case.id, case.opening)).collect()
    };
    let once = call();
    desk.settle(std::slice::from_ref(&once));
    let id = desk.case().id;
    // Who joins is not opened, and a repeat changes nothing.
    desk.settle(&[once, call()]);
    assert_eq!(listed(&desk, START), [(id.clone(), 1)]);
    desk.now += 2 * DAY;
    desk.settle(&[call()]);
    assert_eq!(listed(&desk, desk.now), [(id, 2)], "opened anew, and in another hour's list");
}
