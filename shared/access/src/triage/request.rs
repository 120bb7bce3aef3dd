//! Whether denials still join an open case, or what was asked of people about it is over, so that it has to be asked anew.
//!
//! A request is answered once. A call that goes on being refused after the grant has ended, or after nobody has answered in time, would
//! otherwise join a case that can never be approved again. What is read here of a decision is not verified, and need not be: a forged
//! one brings a new notice, which is charged to the same budgets as any other.

use jiff::Timestamp;

use super::{Documents, Group, Now, case_key, read};
use crate::{
    case::{Arrival, Arrivals, Case},
    decide::REQUEST_LAPSES,
    decision::{self, Answer, Decision, Vouched},
    diagnosis::Response,
    notice::words,
    reconcile::SETTLES,
};

/// The keys of the decisions about the open cases of a group, once the cases have been read.
pub fn decision_keys(group: &Group, documents: &Documents, now: Now) -> Vec<String> {
    let open = group.cases.iter().filter_map(|arrivals| open_case(arrivals, documents, now));
    open.filter(is_request).map(|case| decision::key(&case.id, case.opening)).collect()
}

/// The case that these denials join.
pub(super) fn joined(arrivals: &Arrivals, documents: &Documents, now: Now) -> Option<Case> {
    open_case(arrivals, documents, now).filter(|case| !is_over(case, arrivals, documents, now))
}

fn open_case(arrivals: &Arrivals, documents: &Documents, now: Now) -> Option<Case> {
    let found = documents.get(&case_key(&arrivals.first.case_id))?;
    read::<Case>(found).filter(|case| case.is_open(now.seconds()))
}

fn is_request(case: &Case) -> bool {
    case.diagnosis.get("response").is_some_and(|word| word == words::response(Response::RequestApproval))
}

fn is_over(case: &Case, arrivals: &Arrivals, documents: &Documents, now: Now) -> bool {
    // What was counted before asks for nothing.
    let new: Vec<&Arrival> = arrivals.each.iter().filter(|arrival| !case.event_ids.contains(&arrival.event)).collect();
    if new.is_empty() || !is_request(case) {
        return false;
    }
    let found = documents.get(&decision::key(&case.id, case.opening));
    let decision = found.and_then(read::<Vouched<Decision>>).map(|vouched| vouched.record);
    match decision {
        // Denials keep coming for minutes after a change of IAM, and records come late: what counts is when it was refused.
        Some(decision) if decision.answer == Answer::Approve => {
            let end = decision.not_after.saturating_add(SETTLES);
            new.iter().any(|arrival| arrival.time.parse::<Timestamp>().is_ok_and(|time| time.as_second() > end))
        }
        // A no holds for as long as the request would have.
        Some(_) | None => now.seconds() - case.opened_at >= REQUEST_LAPSES,
    }
}
