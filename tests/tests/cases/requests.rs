//! A call that goes on being refused: what was asked about it is over at some time, and is asked anew.

use access::{
    case::NoticeState,
    decision::{self, Answer, Approved, Channel, Decision, Vouched},
    diagnose::{Diagnosed, Setting, diagnose},
    event,
    grant::GrantMode,
    triage::{self, Found, Outcome, Tell},
};

use super::{DAY, Desk, HOUR, MINUTE, START, Taken, call};
use tests::local::denials::{Denial, denial};

fn iso(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).expect("a time").to_string()
}

/// The denial, refused at this time, where grants can be made.
fn refused(denial: &Denial, time: i64) -> impl Iterator<Item = (usize, Diagnosed)> {
    let mut record = event::read(&denial.body()).remove(0).expect("a record");
    record.event_time = Some(iso(time));
    let setting = Setting { mode: GrantMode::Exact, ..Setting::default() };
    std::iter::once((0, diagnose(record, &setting, false)))
}

impl Desk {
    fn settle_at(&mut self, denial: &Denial, time: i64) -> Taken {
        let taken = self.take_diagnosed(refused(denial, time));
        taken.tell.iter().for_each(|tell| self.told(tell));
        taken
    }

    fn decided(&mut self, answer: Answer, not_after: i64) {
        let case = self.case();
        let by = Approved { approver: "saanvi".into(), channel: Channel::Slack, identity: "T1/U1".into() };
        let record = Decision {
            case_id: case.id.clone(),
            opening: case.opening,
            answer,
            remedy: None,
            shown: None,
            target_id: None,
            by,
            decided_at: self.now,
            not_after,
            rules: "rules".into(),
        };
        let body = serde_json::to_string(&Vouched { record, mac: "of nobody's".into() }).expect("JSON");
        self.documents.insert(decision::key(&case.id, case.opening), Found { version: 1, body });
    }
}

#[test]
fn what_nobody_answered_in_a_day_is_asked_anew() {
    let mut desk = Desk::new();
    assert_eq!(desk.settle_at(&call(), START).outcomes, [Outcome::Posted]);
    let mut last = call();
    for hour in 1..24 {
        desk.now = START + hour * HOUR;
        last = call();
        assert_eq!(desk.settle_at(&last, desk.now).outcomes, [Outcome::Joined], "{hour}");
    }
    desk.now = START + DAY;
    // What comes once more asks for nothing.
    assert_eq!(desk.settle_at(&last, desk.now - HOUR).outcomes, [Outcome::Duplicate]);
    let taken = desk.settle_at(&call(), desk.now);
    assert_eq!(taken.outcomes, [Outcome::Posted]);
    assert!(matches!(&taken.tell[..], [Tell::Case(case, _)] if case.opening == 2 && case.count == 1));
    assert_eq!((desk.case().opened_at, desk.case().told.notice), (desk.now, NoticeState::Sent));
}

#[test]
fn after_a_grant_the_next_denial_asks_anew() {
    let mut desk = Desk::new();
    desk.settle_at(&call(), START);
    let end = START + HOUR;
    desk.decided(Answer::Approve, end);
    let keys = || vec![decision::key(&desk.case().id, 1)];
    let group = triage::group(refused(&call(), START)).remove(0);
    assert_eq!(triage::decision_keys(&group, &desk.documents, desk.clock()), keys());
    // While it lasts, and for as long as IAM may take to show its end; a record of then that comes late joins, too.
    for (now, time) in [(START + 60, START + 60), (end + MINUTE, end + MINUTE), (end + HOUR, end - MINUTE)] {
        desk.now = now;
        assert_eq!(desk.settle_at(&call(), time).outcomes, [Outcome::Joined], "{}", time - end);
    }
    desk.now = end + 2 * HOUR;
    assert_eq!(desk.settle_at(&call(), desk.now).outcomes, [Outcome::Posted]);
    assert_eq!(desk.case().opening, 2);
    assert_eq!(desk.settle_at(&call(), desk.now).outcomes, [Outcome::Joined], "it is another request");
}

#[test]
fn a_no_holds_for_a_day() {
    let mut desk = Desk::new();
    desk.settle_at(&call(), START);
    desk.decided(Answer::Reject, START);
    desk.now = START + DAY - 1;
    assert_eq!(desk.settle_at(&call(), desk.now).outcomes, [Outcome::Joined]);
    desk.now += 1;
    assert_eq!(desk.settle_at(&call(), desk.now).outcomes, [Outcome::Posted]);
}

#[test]
fn what_is_no_request_goes_on() {
    let mut desk = Desk::new();
    let alarm = denial("bob", "StopLogging");
    desk.settle_at(&alarm, START);
    desk.now = START + DAY - 1;
    desk.settle_at(&alarm.another(), desk.now);
    desk.now += HOUR;
    assert_eq!(desk.settle_at(&alarm.another(), desk.now).outcomes, [Outcome::Joined]);
    let group = triage::group(refused(&alarm, START)).remove(0);
    assert!(triage::decision_keys(&group, &desk.documents, desk.clock()).is_empty());
}

#[test]
fn a_request_waits_beside_a_day_of_other_refusals() {
    let mut desk = Desk::new();
    desk.settle(&[denial("alice", "GetTrailStatus").on("arn:aws:cloudtrail:eu-west-1:111122223333:trail/first")]);
    let first = desk.case();
    let is_latest =
        |desk: &Desk| triage::is_latest_of_call(desk.documents.get(&triage::principal_key_of(&first)), &first);
    for hour in 0..23 {
        desk.now = START + hour * HOUR;
        for trail in 0..10 {
            let arn = format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/t-{hour}-{trail}");
            desk.settle(&[denial("alice", "GetTrailStatus").on(&arn)]);
        }
        assert!(is_latest(&desk), "{hour}");
    }
    let file = &desk.documents[&triage::principal_key_of(&first)];
    assert!(file.body.len() < 100_000, "{} bytes", file.body.len());

    // Once nobody can answer any more, it is forgotten.
    desk.now = START + DAY + HOUR;
    desk.settle(&[denial("alice", "ListTrails").on("*")]);
    assert!(!is_latest(&desk));
}
