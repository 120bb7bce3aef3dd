//! What a case's page and the overview say beyond the notice: how it stands, who may approve, what happened.
//!
//! Computed from what is kept, for a serve on this machine and for a stack alike. Nothing is decided here: who may approve is a
//! courtesy, and whoever decides asks the rules again.

use std::collections::BTreeMap;

use access::{
    case::Case,
    decision::{Answer, Channel},
    diagnose::{Diagnosed, Setting},
    diagnosis::{Remedy, Response},
    notice::html::{Answering, Earlier, Event, GrantRow, May, Standing, Stands},
    reconcile::Holder,
    standing::{State, span},
};
use decide::authority::Authority;

use crate::{
    desk::time,
    files::{CaseFile, offers},
};

/// How a case stands, for its page.
#[derive(Debug, Default)]
pub struct View {
    state: String,
    is_loud: bool,
    is_answered: bool,
    offers: Vec<Remedy>,
    approvers: Vec<May>,
    events: Vec<Event>,
    can_revoke: bool,
    earlier: Vec<Earlier>,
}

impl View {
    /// Of a case at the opening that is shown, with what is known of those before it. `now` in seconds.
    pub fn of(
        file: &CaseFile,
        before: &[CaseFile],
        case: &Case,
        diagnosed: &Diagnosed,
        authority: &Authority,
        channel: Channel,
        now: i64,
    ) -> Self {
        let facts = file.facts();
        let offers = offers(case, diagnosed);
        let state = facts.sentence(!offers.is_empty(), diagnosed.diagnosis.response, now);
        let is_open = facts.state(!offers.is_empty(), now) == State::Open;
        let offers = if is_open { offers } else { Vec::new() };
        Self {
            state,
            is_loud: file.is_overdue(now) || before.iter().any(|file| file.is_overdue(now)),
            is_answered: file.decision.is_some(),
            approvers: offers
                .first()
                .map_or_else(Vec::new, |best| authority.who_may(&diagnosed.diagnosis, best, channel)),
            offers,
            events: before.iter().chain([file]).flat_map(events).collect(),
            can_revoke: facts.can_be_taken_back(),
            earlier: before.iter().filter_map(|file| earlier(file, diagnosed, now)).collect(),
        }
    }

    /// For the page. `approver`: as whom answers from the page count, where it takes any.
    pub fn standing<'a>(
        &'a self,
        opening: u64,
        approver: Option<&'a str>,
        is_rehearsal: bool,
        reply: Option<(&'a str, bool)>,
    ) -> Standing<'a> {
        let answering = |approver| Answering { approver, opening, can_revoke: self.can_revoke, reply };
        Standing {
            state: &self.state,
            is_loud: self.is_loud,
            is_answered: self.is_answered,
            offers: &self.offers,
            approvers: &self.approvers,
            events: &self.events,
            is_rehearsal,
            earlier: &self.earlier,
            answering: approver.map(answering),
        }
    }
}

/// What is still given of an opening before the one that is shown.
fn earlier(file: &CaseFile, diagnosed: &Diagnosed, now: i64) -> Option<Earlier> {
    let facts = file.facts();
    (facts.can_be_taken_back() || facts.is_overdue(now)).then(|| Earlier {
        opening: file.subject.opening,
        state: facts.sentence(false, diagnosed.diagnosis.response, now),
        can_revoke: facts.can_be_taken_back(),
    })
}

fn way(channel: Channel) -> &'static str {
    match channel {
        Channel::Slack => "in Slack",
        Channel::Aws => "with AWS credentials",
        Channel::Local => "on this machine",
    }
}

fn events(file: &CaseFile) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(decision) = &file.decision {
        let what = match decision.answer {
            Answer::Approve => format!("{} approved it until {}", decision.by.approver, time(decision.not_after)),
            Answer::Reject => format!("{} said no", decision.by.approver),
        };
        events.push(Event { at: decision.decided_at, what: format!("{what}, {}", way(decision.by.channel)) });
    }
    if let Some(revocation) = &file.revocation {
        let what = format!("{} took it back, {}", revocation.by.approver, way(revocation.by.channel));
        events.push(Event { at: revocation.revoked_at, what });
    }
    let entries = file.answers.iter().chain(&file.history);
    events.extend(entries.map(|entry| Event { at: entry.at, what: entry.sentence() }));
    events.sort_by_key(|event| event.at);
    events
}

/// What the overview says of what is given: what should be gone first, then what ends first.
pub fn grants(files: &[CaseFile], now: i64) -> Vec<GrantRow> {
    let held = |file: &&CaseFile| file.grant.as_ref().is_some_and(|grant| !grant.is_over());
    let mut files: Vec<&CaseFile> = files.iter().filter(held).collect();
    files.sort_by_key(|file| (!file.is_overdue(now), file.grant.as_ref().map(|grant| grant.not_after)));
    let row = |file: &CaseFile| {
        let grant = file.grant.as_ref()?;
        let (Holder::User(name) | Holder::Role(name)) = &grant.holder;
        let is_overdue = file.is_overdue(now);
        let left =
            if is_overdue { "should be gone".to_owned() } else { format!("{} left", span(grant.not_after - now)) };
        let by = file.decision.as_ref().map_or_else(|| "nobody knows whom".to_owned(), |its| its.by.approver.clone());
        Some(GrantRow { case_id: file.subject.case_id.clone(), holder: name.clone(), left, is_overdue, by })
    };
    files.into_iter().filter_map(row).collect()
}

/// What has become of the cases that are listed, at the openings at which they are now. `now` in seconds.
pub fn stands(files: &[CaseFile], setting: &Setting, now: i64) -> BTreeMap<String, Stands> {
    let is_now = |file: &&CaseFile| file.case.as_ref().is_some_and(|case| case.opening == file.subject.opening);
    let of = |file: &CaseFile| match file.state(setting, now) {
        State::Open | State::ByHand => Stands::Open,
        State::Lapsed | State::Closed | State::Overtaken(_) => Stands::Closed,
        State::Approved(_) | State::Rejected(_) | State::Revoked(_) | State::Over(_) => Stands::Answered,
    };
    files.iter().filter(is_now).map(|file| (file.subject.case_id.clone(), of(file))).collect()
}

/// What was answered, newest first.
pub fn answers(files: &[CaseFile]) -> Vec<Event> {
    let answer = |file: &CaseFile| {
        let decision = file.decision.as_ref()?;
        let did = match decision.answer {
            Answer::Approve => "approved",
            Answer::Reject => "rejected",
        };
        let (at, by) = (decision.decided_at, &decision.by.approver);
        Some(Event { at, what: format!("{}: {by} {did} case {}", time(at), file.subject.case_id) })
    };
    let mut events: Vec<Event> = files.iter().filter_map(answer).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

/// Cases opened in each of the last hours, oldest first: notices, then alarms.
pub fn hours(cases: impl Iterator<Item = (i64, Response)>, now: i64) -> [(u64, u64); 24] {
    let mut hours = [(0, 0); 24];
    for (opened_at, response) in cases {
        let back = (now.div_euclid(3600) - opened_at.div_euclid(3600)).try_into().unwrap_or(usize::MAX);
        let hour = 23_usize.checked_sub(back).and_then(|at| hours.get_mut(at));
        if let Some((notices, alarms)) = hour {
            *(if response == Response::RaiseAlarm { alarms } else { notices }) += 1;
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use access::{
        diagnose::diagnose,
        event,
        reconcile::{End, Grant, Permission, State as GrantState},
    };
    use serde_json::json;

    use super::*;
    use crate::files::Subject;

    const NOW: i64 = 1_800_000_000;

    fn file(opening: u64, state: GrantState) -> CaseFile {
        let grant = Grant {
            case_id: "2gd4tjkox2q74mauvvu6".to_owned(),
            opening,
            holder: Holder::User("alice".to_owned()),
            holder_id: "AIDAEXAMPLE1".to_owned(),
            permission: Permission::Attached { policy_arn: "arn:aws:iam::111122223333:policy/p".to_owned() },
            not_after: NOW - 60,
            decided_at: NOW - 3660,
            state,
            failures: 3,
            retry_at: NOW,
            absent_since: None,
        };
        let subject = Subject { case_id: grant.case_id.clone(), opening };
        let decision = json!({
            "case_id": grant.case_id, "opening": opening, "answer": "approve", "remedy": "ab", "target_id": grant.holder_id,
            "by": { "approver": "saanvi", "identity": "x", "channel": "aws" }, "decided_at": NOW - 3660, "not_after": NOW - 60, "rules": "r",
        });
        CaseFile {
            subject,
            case: None,
            decision: Some(serde_json::from_value(decision).unwrap()),
            revocation: None,
            grant: Some(grant),
            latest: None,
            answers: Vec::new(),
            history: Vec::new(),
        }
    }

    #[test]
    fn what_is_still_given_of_an_earlier_opening_is_shown_and_can_be_taken_back() {
        let record = json!({ "eventVersion": "1", "errorCode": "AccessDenied", "eventSource": "cloudtrail.amazonaws.com", "eventName": "GetTrail" });
        let record = event::read(&record.to_string()).remove(0).unwrap();
        let diagnosed = diagnose(record, &Setting::default(), false);
        let is_earlier = |state| earlier(&file(1, state), &diagnosed, NOW);
        let held = is_earlier(GrantState::Taking(End::Expired)).expect("it should be gone, and is not");
        assert!(
            held.can_revoke && held.opening == 1 && held.state.contains("It should be gone, and is not"),
            "{held:?}"
        );
        assert_eq!(is_earlier(GrantState::Ended(End::Expired)), None);
        let gone = CaseFile { decision: None, ..file(1, GrantState::Given) };
        assert!(earlier(&gone, &diagnosed, NOW).is_some_and(|held| !held.can_revoke));
    }
}
