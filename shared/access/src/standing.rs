//! How a case stands at one of its openings: whether it can be answered, what was answered, and what became of that.
//!
//! For people who look: a page, a list. Put together from what several functions keep, each believed as far as it can be: a decision's code
//! is not checked here, since only `reconcile` can.

use crate::{
    case::Case,
    decide::REQUEST_LAPSES,
    decision::{Answer, Decision, Revocation},
    diagnosis::Response,
    notice::{progress::because, time},
    reconcile::{Grant, State as GrantState},
};

/// What is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The case as it is now, which may be at a later opening.
    pub case: Option<&'a Case>,
    /// Which opening is meant.
    pub opening: u64,
    /// What was decided.
    pub decision: Option<&'a Decision>,
    /// That it was taken back.
    pub revocation: Option<&'a Revocation>,
    /// How far what was given has come.
    pub grant: Option<&'a Grant>,
    /// The last case that was opened for the same call, as far as that is remembered: only that one can be approved.
    pub latest: Option<&'a str>,
}

/// How far an opening of a case has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It can be answered.
    Open,
    /// It can't be approved: a person has to make the change, or it is an alarm.
    ByHand,
    /// Nobody answered in time.
    Lapsed,
    /// No denial has joined it for a day, or it has been opened anew.
    Closed,
    /// The same call was refused for another reason since: the newer case, where it is known.
    Overtaken(Option<String>),
    /// Somebody said yes: who.
    Approved(String),
    /// Somebody said no: who.
    Rejected(String),
    /// Somebody took it back: who.
    Revoked(String),
    /// What was given is over, and who had given it.
    Over(String),
}

impl State {
    /// For programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ByHand => "by-hand",
            Self::Lapsed => "lapsed",
            Self::Closed => "closed",
            Self::Overtaken(_) => "overtaken",
            Self::Approved(_) => "approved",
            Self::Rejected(_) => "rejected",
            Self::Revoked(_) => "revoked",
            Self::Over(_) => "over",
        }
    }

    /// Whose answer it is.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Approved(by) | Self::Rejected(by) | Self::Revoked(by) | Self::Over(by) => Some(by),
            Self::Open | Self::ByHand | Self::Lapsed | Self::Closed | Self::Overtaken(_) => None,
        }
    }
}

impl Facts<'_> {
    /// How far it has come. `is_offered`: something of the case can be approved. `now` in seconds.
    pub fn state(&self, is_offered: bool, now: i64) -> State {
        if let Some(revocation) = self.revocation {
            return State::Revoked(revocation.by.approver.clone());
        }
        if let Some(decision) = self.decision {
            let by = decision.by.approver.clone();
            return match decision.answer {
                Answer::Reject => State::Rejected(by),
                Answer::Approve if self.grant.is_some_and(Grant::is_over) => State::Over(by),
                Answer::Approve => State::Approved(by),
            };
        }
        let Some(case) = self.case.filter(|case| case.opening == self.opening) else {
            return State::Closed;
        };
        if !is_offered {
            State::ByHand
        } else if !case.is_open(now) {
            State::Closed
        } else if now - case.opened_at >= REQUEST_LAPSES {
            State::Lapsed
        } else if self.latest != Some(case.id.as_str()) {
            State::Overtaken(self.latest.map(str::to_owned))
        } else {
            State::Open
        }
    }

    /// Whether what was given should be gone, and is not. `now` in seconds.
    pub fn is_overdue(&self, now: i64) -> bool {
        let is_due = |grant: &Grant| grant.not_after <= now || grant.end().is_some() || self.revocation.is_some();
        self.grant.is_some_and(|grant| !grant.is_over() && is_due(grant))
    }

    /// Whether something is given, or on its way, that can still be taken back.
    pub fn can_be_taken_back(&self) -> bool {
        let is_approved = self.decision.is_some_and(|decision| decision.answer == Answer::Approve);
        self.revocation.is_none() && is_approved && self.grant.is_none_or(|grant| !grant.is_over())
    }

    /// The same in a sentence. `response`: what is asked of people. `now` in seconds.
    pub fn sentence(&self, is_offered: bool, response: Response, now: i64) -> String {
        match self.state(is_offered, now) {
            State::Open => {
                let lapses = self.case.map_or(now, |case| case.opened_at + REQUEST_LAPSES);
                format!("Nobody has answered yet. It can be answered until {}.", time(lapses))
            }
            State::ByHand if response == Response::RaiseAlarm => "An alarm: nothing of it can be approved.".to_owned(),
            State::ByHand => "It can't be approved: if it was meant, a person has to make the change.".to_owned(),
            State::Lapsed => "Nobody answered within a day: the request has lapsed, and nothing is given.".to_owned(),
            State::Closed => {
                "No denial has joined it for a day: it is closed, and opens anew with the next one.".to_owned()
            }
            State::Overtaken(Some(newer)) => {
                format!("The same call was refused for another reason since: answer the newer case, {newer}.")
            }
            State::Overtaken(None) => {
                "It can't be told whether the same call was refused for another reason since, so it can't be approved."
                    .to_owned()
            }
            State::Rejected(by) => format!("{by} said no: nothing is given."),
            State::Revoked(by) if self.grant.is_some_and(|grant| !grant.is_over()) => {
                format!("{by} took it back; it is being removed.")
            }
            State::Revoked(by) => format!("{by} took it back."),
            State::Over(by) => {
                let end = self.grant.and_then(Grant::end).map(because).unwrap_or_default();
                format!("{by} approved it, and it is over. {end}")
            }
            State::Approved(by) => {
                let until = self.decision.map_or(now, |decision| decision.not_after);
                let end = time(until);
                match self.grant.map(|grant| &grant.state) {
                    _ if self.is_overdue(now) => {
                        format!("{by} approved it until {end}. It should be gone, and is not.")
                    }
                    Some(GrantState::Given) => format!("{by} approved it until {end}: {} left.", span(until - now)),
                    None if until <= now => format!("{by} approved it until {end}: its time is over."),
                    _ => format!("{by} approved it until {end}. It is being given."),
                }
            }
        }
    }
}

/// A span of seconds as people read it: `1 h 5 min`.
pub fn span(seconds: i64) -> String {
    let minutes = seconds.saturating_abs() / 60;
    match (minutes / (24 * 60), minutes / 60, minutes % 60) {
        (0, 0, 0) => "under a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, ..) => format!("{days} d"),
    }
}
