//! The audit: each answer, decision, change, refusal and end, as one line of the log and in the table beside what it is about.
//!
//! Decides the shape, which is the same for every line and for every function, so that a program can rely on it: `event`, `case`,
//! `opening`, and what is known of who, what, until when and by which decision. An absent fact is left out. The line has a target
//! of its own, which no log level switches off.

use access::{
    decision::{Channel, Decision},
    notice::progress::because,
    reconcile::{Change, Grant, Holder, Permission, State},
};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::{iam::Changed, telemetry};

/// Entries of one history. A grant that all goes well with has a dozen.
const ENTRIES: usize = 64;
/// The first entries, which say how it began, are never dropped.
const FIRST: usize = 8;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A grant has come further: `state` says how far, `end` why.
    Grant,
    /// IAM was asked for a change: `change`, `result` and IAM's `request_id`.
    Change,
    /// What hung on somebody under our names, and nothing accounted for, was taken away.
    Orphan,
    /// A decision or revocation that nothing vouches for.
    Unvouched,
    /// Something shows that a grant works, or does not: `state` says what.
    Effect,
    /// People were told: `state` says of what.
    Told,
    /// A request lapsed without an answer.
    Lapsed,
    /// An answer became a decision: `answer` says which.
    Decided,
    /// Somebody ended a grant early.
    Revoked,
    /// An answer came after somebody else's, which `result` and `decided_at` name.
    Already,
    /// An answer from somebody who is known did not count: `result` says why.
    Refused,
    /// Something came that nobody is proved to have sent, lately and for us: `result` says why.
    Unproved,
    /// Something could not be done: `result` says why.
    Failed,
}

impl What {
    /// The word in the line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Change => "change",
            Self::Orphan => "orphan",
            Self::Unvouched => "unvouched",
            Self::Effect => "effect",
            Self::Told => "told",
            Self::Lapsed => "lapsed",
            Self::Decided => "decided",
            Self::Revoked => "revoked",
            Self::Already => "already",
            Self::Refused => "refused",
            Self::Unproved => "unproved",
            Self::Failed => "failed",
        }
    }
}

/// The result of a change that was made in a picture of IAM.
const REHEARSED: &str = "rehearsed";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the line")]
pub struct Entry {
    pub event: What,
    /// Our clock, seconds since 1970.
    pub at: i64,
    #[serde(default)]
    pub case: String,
    #[serde(default)]
    pub opening: u64,
    /// `user/NAME` or `role/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_id: Option<String>,
    /// The managed policy's ARN, or the inline policy's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// IAM's operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// `made`, `rehearsed`, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What a person answered: `approve`, `reject` or `revoke`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The hash of the remedy that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The hash of the approval rules that allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Entries that stood before this one and are in the audit's log only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// Of a case, with nothing else known.
    pub fn new(event: What, case: &str, opening: u64, at: i64) -> Self {
        Self {
            event,
            at,
            case: case.to_owned(),
            opening,
            holder: None,
            holder_id: None,
            policy: None,
            state: None,
            end: None,
            change: None,
            result: None,
            request_id: None,
            answer: None,
            approver: None,
            identity: None,
            channel: None,
            remedy: None,
            rules: None,
            decided_at: None,
            not_after: None,
            left_out: 0,
        }
    }

    /// With who decided what.
    pub fn by(mut self, decision: Option<&Decision>) -> Self {
        let Some(decision) = decision else { return self };
        self.approver = Some(decision.by.approver.clone());
        self.identity = Some(decision.by.identity.clone());
        self.channel = Some(decision.by.channel);
        self.remedy.clone_from(&decision.remedy);
        self.rules = Some(decision.rules.clone());
        self.decided_at = Some(decision.decided_at);
        self.not_after = Some(decision.not_after);
        self
    }

    /// With who holds what, and how far it has come.
    pub fn of(mut self, grant: &Grant) -> Self {
        self.holder = Some(name(&grant.holder));
        self.holder_id = Some(grant.holder_id.clone());
        self.policy = Some(match &grant.permission {
            Permission::Attached { policy_arn } => policy_arn.clone(),
            Permission::Inline { name, .. } => name.clone(),
        });
        self.state = Some(
            match grant.state {
                State::Giving => "giving",
                State::Given => "given",
                State::Taking(_) => "taking",
                State::Taken(_) => "taken",
                State::Ended(_) => "ended",
            }
            .to_owned(),
        );
        self.end = grant.end().map(because);
        self.not_after = Some(grant.not_after);
        self.decided_at = Some(grant.decided_at);
        self
    }

    /// With what IAM was asked, and what it answered.
    pub fn answered(mut self, change: &Change, changed: &Changed) -> Self {
        let (operation, holder, policy) = parts(change);
        self.change = Some(operation.to_owned());
        self.holder = Some(name(holder));
        self.policy = Some(policy.to_owned());
        self.result = Some(changed.result.as_ref().map_or_else(ToString::to_string, |()| {
            if changed.is_rehearsed { REHEARSED.to_owned() } else { "made".to_owned() }
        }));
        self.request_id.clone_from(&changed.request_id);
        self
    }

    /// The same for a person, without its time.
    pub fn sentence(&self) -> String {
        let sentence = self.itself();
        match self.left_out {
            0 => sentence,
            left_out => format!("({left_out} more before this are in the audit's log only.) {sentence}"),
        }
    }

    fn itself(&self) -> String {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "it is not known what".to_owned());
        let who = self.approver.as_ref().or(self.identity.as_ref()).cloned().unwrap_or_else(|| "Somebody".to_owned());
        let holder = self.holder.clone().unwrap_or_else(|| "somebody".to_owned());
        let why = self.end.as_ref().or(self.result.as_ref()).map(|why| format!(": {why}")).unwrap_or_default();
        match self.event {
            What::Grant => format!("The grant to {holder} is {}{why}", said(&self.state)),
            What::Change | What::Orphan if self.result.as_deref() == Some(REHEARSED) => {
                format!("Rehearsed: {} of {} on {holder}", said(&self.change), said(&self.policy))
            }
            What::Change | What::Orphan => {
                format!(
                    "IAM was asked for {} of {} on {holder}: {}",
                    said(&self.change),
                    said(&self.policy),
                    said(&self.result)
                )
            }
            What::Unvouched => format!("Something stood in a decision's place that nothing vouches for{why}"),
            What::Effect => format!("Whether it works: {}", said(&self.state)),
            What::Told => format!("People were told: {}", said(&self.state)),
            What::Lapsed => "Nobody answered in time".to_owned(),
            What::Decided => format!("{who} answered: {}", said(&self.answer)),
            What::Revoked => format!("{who} took it back"),
            What::Already => format!("{who} came too late with {}{why}", said(&self.answer)),
            What::Refused => format!("{who}'s answer did not count: {}{why}", said(&self.answer)),
            What::Unproved => format!("An answer came that nobody is proved to have sent{why}"),
            What::Failed => format!("{who}'s answer could not be taken{why}"),
        }
    }

    /// Writes the line.
    pub fn log(&self) {
        info!(
            target: telemetry::AUDIT,
            event = self.event.word(),
            at = self.at,
            case = self.case,
            opening = self.opening,
            holder = self.holder.as_deref(),
            holder_id = self.holder_id.as_deref(),
            policy = self.policy.as_deref(),
            state = self.state.as_deref(),
            end = self.end.as_deref(),
            change = self.change.as_deref(),
            result = self.result.as_deref(),
            request_id = self.request_id.as_deref(),
            answer = self.answer.as_deref(),
            approver = self.approver.as_deref(),
            identity = self.identity.as_deref(),
            channel = self.channel.map(Channel::word),
            remedy = self.remedy.as_deref(),
            rules = self.rules.as_deref(),
            decided_at = self.decided_at,
            not_after = self.not_after,
        );
    }
}

/// Adds an entry to a history; of too many, some from the middle go, and the one behind them says how many.
pub fn append(entries: &mut Vec<Entry>, entry: Entry) {
    entries.push(entry);
    if entries.len() > ENTRIES {
        let gone = entries.remove(FIRST);
        if let Some(next) = entries.get_mut(FIRST) {
            next.left_out += gone.left_out + 1;
        }
    }
}

/// IAM's operation, whom it is about, and the policy.
fn parts(change: &Change) -> (&'static str, &Holder, &str) {
    match change {
        Change::Attach(holder @ Holder::User(_), arn) => ("AttachUserPolicy", holder, arn),
        Change::Attach(holder @ Holder::Role(_), arn) => ("AttachRolePolicy", holder, arn),
        Change::Detach(holder @ Holder::User(_), arn) => ("DetachUserPolicy", holder, arn),
        Change::Detach(holder @ Holder::Role(_), arn) => ("DetachRolePolicy", holder, arn),
        Change::Put(holder @ Holder::User(_), name, _) => ("PutUserPolicy", holder, name),
        Change::Put(holder @ Holder::Role(_), name, _) => ("PutRolePolicy", holder, name),
        Change::Delete(holder @ Holder::User(_), name) => ("DeleteUserPolicy", holder, name),
        Change::Delete(holder @ Holder::Role(_), name) => ("DeleteRolePolicy", holder, name),
    }
}

fn name(holder: &Holder) -> String {
    match holder {
        Holder::User(name) => format!("user/{name}"),
        Holder::Role(name) => format!("role/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_bounded_and_keeps_its_beginning() {
        let mut entries = Vec::new();
        for at in 0..200 {
            append(&mut entries, Entry::new(What::Told, "case", 1, at));
        }
        let times: Vec<i64> = entries.iter().map(|entry| entry.at).collect();
        assert_eq!((times.len(), times[0], times[7], times[8], times[63]), (ENTRIES, 0, 7, 144, 199));
        let left_out: Vec<u64> = entries.iter().map(|entry| entry.left_out).filter(|count| *count > 0).collect();
        assert_eq!((left_out, entries[8].left_out), (vec![136], 136));
    }
}
