//! Decide: whether an answer counts. One pure call from what arrived to a decision, or to the reason why there is none.
//!
//! The remedy is computed anew from the case's record; the hash in the answer only has to match it. Who may answer what is the
//! approval rules' to say (`allows`): this file knows the case, the clock and what was decided before.

use crate::{
    case::Case,
    decision::{Answer, Approved, Decision},
    diagnose::{Diagnosed, Setting},
    diagnosis::{Apply, Remedy},
    grant,
};

/// A request for approval that nobody answered lapses after this long. Seconds.
pub const REQUEST_LAPSES: i64 = 24 * 3600;
/// No grant is longer, whatever the rules say. Seconds.
pub const LONGEST: i64 = 12 * 3600;

/// What arrived, from somebody who has been proved to be who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The answer.
    pub answer: Answer,
    /// The hash of the remedy that was shown, for an approval.
    pub remedy: Option<String>,
    /// How long the grant is to last, for an approval. Seconds.
    pub duration: i64,
    /// Who answered.
    pub by: Approved,
}

/// What the table says of the case that is answered.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The case.
    pub case: &'a Case,
    /// Whether the same call has not been refused for another cause since: [`crate::triage::is_latest_of_call`], asked of the
    /// document under [`crate::triage::principal_key_of`] the case. What is shown of an older case would not mend the call.
    pub is_latest: bool,
    /// What was decided of this opening before, authentic or not: whoever wrote it, a second one can't be written.
    pub before: Option<&'a Decision>,
}

/// What the rules are asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The case's diagnosis, computed anew.
    pub diagnosed: &'a Diagnosed,
    /// What would be given; `None` for a rejection.
    pub remedy: Option<&'a Remedy>,
    /// What arrived.
    pub request: &'a Request,
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It counts, if it is the first to be written.
    Decided(Box<Decision>),
    /// Somebody had decided before: the person is told who.
    Already(Box<Decision>),
    /// It does not count.
    Refused(Refusal),
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No denial has joined it for a day, or no denial is known that opened it.
    Closed,
    /// Nobody answered in time.
    Lapsed,
    /// Nothing about the case can be approved: it is by hand, or an alarm.
    NothingToApprove,
    /// What was shown is not what the case says now, nothing was named, or the call has a newer case.
    Stale,
    /// Not between a minute and [`LONGEST`].
    Duration,
    /// The approval rules say no, and why.
    Rules(Vec<String>),
}

impl Refusal {
    /// For the person who answered.
    pub fn because(&self) -> String {
        match self {
            Self::Closed => "the case is closed".to_owned(),
            Self::Lapsed => "nobody answered within a day, and the request has lapsed".to_owned(),
            Self::NothingToApprove => {
                "nothing about this case can be approved: a person has to make the change".to_owned()
            }
            Self::Stale => "what was shown is out of date: look at the case again".to_owned(),
            Self::Duration => format!("a grant lasts between a minute and {} hours", LONGEST / 3600),
            Self::Rules(why) if why.is_empty() => "the approval rules do not allow it".to_owned(),
            Self::Rules(why) => format!("the approval rules do not allow it: {}", why.join("; ")),
        }
    }
}

/// Decides. `rules` names the rules that `allows` speaks for; `now` in seconds since 1970.
pub fn decide(
    known: &Known<'_>,
    request: &Request,
    setting: &Setting,
    rules: &str,
    allows: impl FnOnce(&Question<'_>) -> Result<(), Vec<String>>,
    now: i64,
) -> Outcome {
    let Known { case, before, .. } = *known;
    if let Some(before) = before {
        return Outcome::Already(Box::new(before.clone()));
    }
    match judge(known, request, setting, allows, now) {
        Ok(Judged { target_id, shown }) => {
            let is_approval = request.answer == Answer::Approve;
            Outcome::Decided(Box::new(Decision {
                case_id: case.id.clone(),
                opening: case.opening,
                answer: request.answer,
                remedy: request.remedy.clone().filter(|_| is_approval),
                shown,
                target_id: target_id.filter(|_| is_approval),
                by: request.by.clone(),
                decided_at: now,
                not_after: if is_approval { now + request.duration } else { now },
                rules: rules.to_owned(),
            }))
        }
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// What is taken over from the case into a decision.
struct Judged {
    target_id: Option<String>,
    shown: Option<String>,
}

fn judge(
    &Known { case, is_latest, .. }: &Known<'_>,
    request: &Request,
    setting: &Setting,
    allows: impl FnOnce(&Question<'_>) -> Result<(), Vec<String>>,
    now: i64,
) -> Result<Judged, Refusal> {
    if !case.is_open(now) {
        return Err(Refusal::Closed);
    }
    if now - case.opened_at >= REQUEST_LAPSES {
        return Err(Refusal::Lapsed);
    }
    let diagnosed = case.diagnosed(setting);
    // A record under another case's id: somebody wrote it there, and `reconcile` will not believe it either.
    if diagnosed.case_id != case.id {
        return Err(Refusal::Closed);
    }
    let offers = || diagnosed.diagnosis.remedies.iter().filter(|remedy| remedy.apply == Apply::OnApproval);
    if offers().next().is_none() {
        return Err(Refusal::NothingToApprove);
    }
    let remedy = match request.answer {
        Answer::Reject => None,
        Answer::Approve => {
            let named = request.remedy.as_deref().filter(|_| is_latest).ok_or(Refusal::Stale)?;
            let remedy = offers().find(|remedy| remedy.hash.as_deref() == Some(named)).ok_or(Refusal::Stale)?;
            if !(60..=LONGEST).contains(&request.duration) {
                return Err(Refusal::Duration);
            }
            Some(remedy)
        }
    };
    allows(&Question { diagnosed: &diagnosed, remedy, request }).map_err(Refusal::Rules)?;
    Ok(Judged {
        target_id: diagnosed.diagnosis.principal.unique_id.clone(),
        shown: remedy.map(|remedy| grant::approved(&diagnosed.case_id, remedy)),
    })
}
