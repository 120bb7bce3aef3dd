//! One grant, held against what IAM shows: what to change there, what to remember, and when to look again.
//!
//! Only one change at a time, and only after what it is for has been remembered: a crash between the two leaves a grant that
//! the next run finds as it is. What IAM shows is asked before each change and after it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DECISION_LAPSES, End, Entitlement, Facts, Grant, Holder, HolderFile, INLINE_PREFIX, Permission, Reason, State,
    is_own_policy, permission,
};
use crate::guardrails::Guardrails;

/// The longest pause between two tries. Seconds.
const LONGEST_PAUSE: i64 = 3600;

/// A user or a role as IAM shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entity {
    /// IAM's unique id.
    pub id: String,
    /// Its path, with both slashes.
    pub path: String,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// ARNs of the managed policies that are attached.
    pub attached: BTreeSet<String>,
    /// Its inline policies: name and document, as JSON.
    pub inline: BTreeMap<String, String>,
    /// How many managed policies it may have.
    pub attachable: usize,
}

/// What the operator allows of users and roles themselves, beside the guardrails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Where set, an inline policy is only given to who has this permissions boundary.
    pub boundary: Option<String>,
}

/// One call that changes IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `AttachUserPolicy` or `AttachRolePolicy`.
    Attach(Holder, String),
    /// `DetachUserPolicy` or `DetachRolePolicy`.
    Detach(Holder, String),
    /// `PutUserPolicy` or `PutRolePolicy`: name and document.
    Put(Holder, String, String),
    /// `DeleteUserPolicy` or `DeleteRolePolicy`.
    Delete(Holder, String),
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Remember this, then ask again.
    Record(Grant),
    /// Make this change, look at IAM, then ask again.
    Apply(Change),
    /// Nothing before this time, in seconds since 1970.
    Wait(i64),
    /// Nothing, ever.
    Done,
}

/// Why a change was not made, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Throttled, out of order, or no answer: another try may do.
    Passing,
    /// IAM will not, whoever asks again (a protected role, a full quota, a malformed document).
    Lasting(String),
}

/// What to do about one decision. `grant`: what is remembered of it. `entity`: its holder as IAM shows it now, `None` if there is
/// no such user or role. `others`: what the same document remembers of the holder's other grants.
pub fn step<'a>(
    facts: &Facts<'_>,
    limits: &Limits,
    grant: Option<&Grant>,
    entity: Option<&Entity>,
    mut others: impl Iterator<Item = &'a Grant>,
    now: i64,
) -> Step {
    let entitled = permission(facts);
    let Some(grant) = grant else {
        return match (facts.decision, entitled) {
            (Some(decision), Ok(entitlement)) => Step::Record(Grant::begun(decision, entitlement)),
            // There is nothing to remember of what was never to be given.
            _ => Step::Done,
        };
    };
    let in_state = |state: State| Step::Record(Grant { state, failures: 0, retry_at: 0, ..grant.clone() });
    if !grant.is_ours() && !grant.is_over() {
        return in_state(State::Ended(End::NotEntitled(Reason::NotOffered)));
    }
    // Changes go by name: should another user or role come to bear it between a look and a change, it holds an orphan.
    let entity = entity.filter(|entity| entity.id == grant.holder_id);
    let holds = entity.is_some_and(|entity| holds(entity, &grant.permission));
    match &grant.state {
        State::Ended(_) => Step::Done,
        State::Giving | State::Given => {
            if let Some(end) = end_of(facts, grant, &entitled, now) {
                return in_state(State::Taking(end));
            }
            let Some(entity) = entity else { return in_state(State::Ended(End::HolderGone)) };
            if holds && !holds_as_decided(entity, &grant.permission) {
                return in_state(State::Taking(End::ChangedByHand));
            }
            match (&grant.state, holds) {
                (State::Giving, true) => in_state(State::Given),
                (State::Giving, false) if now >= grant.decided_at + DECISION_LAPSES => {
                    in_state(State::Taking(End::Lapsed))
                }
                (State::Giving, false) => match obstacle(grant, limits, &facts.setting.guardrails, entity) {
                    Some(why) => in_state(State::Taking(End::Refused(why.to_owned()))),
                    None if now < grant.retry_at => Step::Wait(grant.retry_at),
                    None => Step::Apply(giving(grant)),
                },
                // Somebody took it away by hand: that is said, and not undone.
                (_, false) => in_state(State::Ended(End::RemovedByHand)),
                (_, true) => Step::Wait(grant.not_after),
            }
        }
        State::Taking(end) => {
            let is_needed = others.any(|other| other.is_live(now) && other.shares_with(grant));
            if !holds || is_needed {
                return in_state(State::Ended(end.clone()));
            }
            if now < grant.retry_at {
                return Step::Wait(grant.retry_at);
            }
            Step::Apply(taking(grant))
        }
    }
}

/// What hangs on a user or role under our names while nothing that is remembered accounts for it: a document was lost, or somebody
/// put it there. Attached policies have no end of their own, so that nobody may hold one for ever.
pub fn orphans(holder: &Holder, entity: &Entity, file: &HolderFile) -> Vec<Change> {
    let is_accounted_for = |is_same: &dyn Fn(&Permission) -> bool| {
        file.grants.iter().any(|grant| !grant.is_over() && grant.holder == *holder && is_same(&grant.permission))
    };
    let attached = entity.attached.iter().filter(|arn| is_own_policy(arn)).filter(|arn| {
        !is_accounted_for(&|permission| matches!(permission, Permission::Attached { policy_arn } if policy_arn == *arn))
    });
    let inline = entity.inline.keys().filter(|name| name.starts_with(INLINE_PREFIX)).filter(|name| {
        !is_accounted_for(&|permission| matches!(permission, Permission::Inline { name: own, .. } if own == *name))
    });
    let attached = attached.map(|arn| Change::Detach(holder.clone(), arn.clone()));
    attached.chain(inline.map(|name| Change::Delete(holder.clone(), name.clone()))).collect()
}

/// What to remember of a change that failed.
pub fn failed(grant: &Grant, failure: &Failure, now: i64) -> Grant {
    let pause = (30_i64 << grant.failures.min(10)).min(LONGEST_PAUSE);
    let later = Grant { failures: grant.failures.saturating_add(1), retry_at: now + pause, ..grant.clone() };
    match (failure, &grant.state) {
        // It may have been made all the same, so it is taken back before it counts as refused.
        (Failure::Lasting(why), State::Giving) => {
            Grant { state: State::Taking(End::Refused(why.clone())), failures: 0, retry_at: 0, ..grant.clone() }
        }
        // What has to be taken back is never given up.
        (Failure::Lasting(_) | Failure::Passing, _) => later,
    }
}

/// Why the grant has to end now, if it has to.
fn end_of(facts: &Facts<'_>, grant: &Grant, entitled: &Result<Entitlement, Reason>, now: i64) -> Option<End> {
    if now >= grant.not_after {
        return Some(End::Expired);
    }
    if facts.revocation.is_some_and(|revocation| grant.is_of(&revocation.case_id, revocation.opening)) {
        return Some(End::Revoked);
    }
    match (entitled, facts.decision) {
        // What is remembered may have been written by hand: it must be what the decision entitles to.
        (Ok(entitlement), Some(decision)) => {
            let begun = Grant::begun(decision, entitlement.clone());
            let is_same =
                begun.shares_with(grant) && (begun.not_after, begun.decided_at) == (grant.not_after, grant.decided_at);
            (!is_same).then_some(End::NotEntitled(Reason::NotOffered))
        }
        // A case that closes, or opens anew, ends no grant that runs.
        (Err(Reason::NoSuchCase), _) if grant.state == State::Given => None,
        (Err(reason), _) => Some(End::NotEntitled(*reason)),
        (Ok(_), None) => Some(End::NotEntitled(Reason::NotDecided)),
    }
}

/// What IAM or the operator has against it, before it is tried.
fn obstacle(grant: &Grant, limits: &Limits, guardrails: &Guardrails, entity: &Entity) -> Option<&'static str> {
    let name = match &grant.holder {
        Holder::User(name) | Holder::Role(name) => name,
    };
    if entity.path.starts_with("/aws-service-role/") || entity.path.starts_with("/aws-reserved/") {
        return Some("AWS lets nobody change this role");
    }
    if guardrails.protect_entity(name, &entity.path) {
        return Some("the guardrails protect this principal");
    }
    match &grant.permission {
        Permission::Attached { .. } if entity.attached.len() >= entity.attachable => {
            Some("as many policies are attached as IAM takes")
        }
        Permission::Inline { .. } if limits.boundary.is_some() && entity.boundary != limits.boundary => {
            Some("it does not have the permissions boundary that the operator asks for")
        }
        Permission::Inline { document, .. } if inline_size(entity) + size(document) > inline_limit(&grant.holder) => {
            Some("its inline policies leave no room for another")
        }
        _ => None,
    }
}

/// What IAM takes in all inline policies of one user or role, white space aside.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
fn inline_limit(holder: &Holder) -> usize {
    match holder {
        Holder::User(_) => 2_048,
        Holder::Role(_) => 10_240,
    }
}

fn inline_size(entity: &Entity) -> usize {
    entity.inline.values().map(|document| size(document)).sum()
}

fn size(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

/// Whether an inline policy still says what was decided. IAM gives documents back as they came, but nobody promises it.
fn holds_as_decided(entity: &Entity, permission: &Permission) -> bool {
    let Permission::Inline { name, document } = permission else { return true };
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    entity.inline.get(name).is_some_and(|found| parsed(found) == parsed(document))
}

fn holds(entity: &Entity, permission: &Permission) -> bool {
    match permission {
        Permission::Attached { policy_arn } => entity.attached.contains(policy_arn),
        Permission::Inline { name, .. } => entity.inline.contains_key(name),
    }
}

fn giving(grant: &Grant) -> Change {
    match &grant.permission {
        Permission::Attached { policy_arn } => Change::Attach(grant.holder.clone(), policy_arn.clone()),
        Permission::Inline { name, document } => Change::Put(grant.holder.clone(), name.clone(), document.clone()),
    }
}

fn taking(grant: &Grant) -> Change {
    match &grant.permission {
        Permission::Attached { policy_arn } => Change::Detach(grant.holder.clone(), policy_arn.clone()),
        Permission::Inline { name, .. } => Change::Delete(grant.holder.clone(), name.clone()),
    }
}
