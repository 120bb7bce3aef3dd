//! One grant, held against what IAM shows: what to change there, what to remember, and when to look again.
//!
//! Only one change at a time, and only after what it is for has been remembered: a crash between the two leaves a grant that
//! the next run finds as it is. What IAM shows is asked before each change and after it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CLOCK_SKEW, DECISION_LAPSES, End, Entitlement, Facts, Grant, Holder, HolderFile, Permission, REMEMBERED, Reason,
    SETTLES, State, TRACED, decided, has_end, is_own_policy, permission,
};
use crate::grant::GrantMode;

/// The longest pause between two tries. Seconds.
const LONGEST_PAUSE: i64 = 900;

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
    /// Make this change for another grant that shares the attachment and was given while this one was being taken back, and tell
    /// [`given_again`] the answer: our removal may have come after it.
    GiveAgain(Change),
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
    /// `NoSuchEntity`: there is no such user, role or policy, or it does not hang there. What is to be taken back is gone; what is
    /// to be given may do at another try, because IAM shows late what is new.
    Gone,
    /// IAM will not, whoever asks again (a protected role, a full quota, a malformed document).
    Lasting(String),
}

/// Whom to look at in IAM before [`step`] is asked. `None`: nobody, and `step` needs no entity.
pub fn holder(facts: &Facts<'_>, grant: Option<&Grant>) -> Option<Holder> {
    match grant {
        Some(grant) => Some(grant.holder.clone()),
        None => Some(decided(facts.decision?).ok()?.holder),
    }
}

/// What to do about one decision. `grant`: what is remembered of it. `entity`: what IAM shows now under the name that [`holder`]
/// gives, `None` if there is no such user or role. `others`: what the same document remembers of the holder's other grants.
///
/// Look at IAM first and read the table after that: what was given in between is remembered by then.
pub fn step<'a>(
    facts: &Facts<'_>,
    limits: &Limits,
    grant: Option<&Grant>,
    entity: Option<&Entity>,
    mut others: impl Iterator<Item = &'a Grant>,
    now: i64,
) -> Step {
    let Some(grant) = grant else { return begin(facts, limits, entity, others, now) };
    let shared = match &grant.permission {
        Permission::Attached { policy_arn } => Some(policy_arn),
        Permission::Inline { .. } => None,
    };
    let shared = shared.filter(|_| others.any(|other| other.is_live(now) && other.shares_with(grant)));
    let own = facts.decision.ok_or(Reason::NotDecided).and_then(|decision| {
        let begun = Grant::begun(decision, decided(decision)?);
        if begun.holder_id == grant.holder_id { Ok(begun) } else { Err(Reason::OtherHolder) }
    });
    if let State::Ended(end) = &grant.state {
        // Held all the same, inside the time that was decided: somebody else wrote that note, or a change of ours reached IAM after it.
        let is_held = |own: &Grant| {
            now < own.not_after && entity.is_some_and(|it| it.id == own.holder_id && holds(it, &own.permission))
        };
        return match own {
            Ok(own) if shared.is_none() && is_held(&own) => {
                Step::Record(Grant { state: State::Taking(end.clone()), ..own })
            }
            Ok(_) | Err(_) => Step::Done,
        };
    }
    let in_state = |state: State| Step::Record(Grant { state, ..grant.afresh() });
    let vouched = match own {
        Ok(begun) if grant.is_as(&begun) => Some(begun),
        // Somebody wrote what is remembered. What the decision gave is what has to be taken back.
        Ok(begun) => {
            let end = grant.end().cloned().unwrap_or(End::NotEntitled(Reason::Altered));
            return Step::Record(Grant { state: State::Taking(end), ..begun });
        }
        Err(why) if !grant.is_ours() => return in_state(State::Ended(End::NotEntitled(why))),
        Err(why) if grant.end().is_none() => return in_state(State::Taking(End::NotEntitled(why))),
        Err(_) => None,
    };
    // Changes go by name: should another user or role come to bear it between a look and a change, it holds an orphan.
    let shown = entity;
    let entity = shown.filter(|entity| entity.id == grant.holder_id);
    let is_another = shown.is_some() && entity.is_none();
    let holds = entity.is_some_and(|entity| holds(entity, &grant.permission));
    // Nobody but us writes these two, and whoever did must not put anything off by them.
    let pause = Some(grant.retry_at).filter(|at| (now + 1..=now + LONGEST_PAUSE).contains(at));
    let absent_since = grant.absent_since.filter(|since| *since <= now + CLOCK_SKEW);
    let absent_from = |since| Step::Record(Grant { absent_since: since, ..grant.clone() });
    // Where another grant holds the same, nothing is taken back, and nothing has to be.
    let over = |end| if shared.is_some() { in_state(State::Ended(end)) } else { in_state(State::Taking(end)) };
    match (&grant.state, vouched) {
        (State::Giving, Some(_)) => {
            let entitled = permission(facts);
            if let Some(end) = end_of(facts, limits, grant, &entitled, entity, now) {
                return over(end);
            }
            let (Some(entity), Ok(entitled)) = (entity, entitled) else {
                return Step::Wait(grant.decided_at + DECISION_LAPSES);
            };
            match (obstacle(&entitled, entity), pause) {
                (Some(why), _) => in_state(State::Taking(End::Refused(why.to_owned()))),
                (None, Some(until)) => Step::Wait(until),
                // Even if IAM shows it: what it shows may be of a grant that has ended since.
                (None, None) => Step::Apply(giving(entitled)),
            }
        }
        (State::Given, Some(_)) => {
            if let Some(end) = end_of(facts, limits, grant, &permission(facts), entity, now) {
                return over(end);
            }
            match (entity.filter(|_| holds), absent_since) {
                (Some(entity), _) if !holds_as_decided(entity, &grant.permission) => {
                    in_state(State::Taking(End::ChangedByHand))
                }
                (Some(_), Some(_)) => absent_from(None),
                (Some(_), None) => Step::Wait(grant.not_after),
                (None, None) => absent_from(Some(now)),
                (None, Some(since)) if now < since + SETTLES => Step::Wait(grant.not_after.min(since + SETTLES)),
                // Somebody took it away by hand: that is said, and not undone.
                (None, Some(_)) if entity.is_some() => in_state(State::Taking(End::RemovedByHand)),
                (None, Some(_)) => in_state(State::Taking(End::HolderGone)),
            }
        }
        (State::Taking(end) | State::Taken(end), _) => {
            if let (Some(policy_arn), Some(_)) = (shared, entity) {
                return match pause.filter(|_| grant.failures > 0) {
                    Some(until) => Step::Wait(until),
                    None => Step::GiveAgain(Change::Attach(grant.holder.clone(), policy_arn.clone())),
                };
            }
            let is_gone = match (holds, &grant.state, absent_since) {
                (true, ..) => false,
                (false, State::Taken(_), _) => true,
                (false, _, since) => since.is_some_and(|since| now >= since + SETTLES),
            };
            match (absent_since, pause) {
                _ if is_gone => in_state(State::Ended(end.clone())),
                (Some(_), _) if holds => absent_from(None),
                (None, _) if !holds => absent_from(Some(now)),
                // What is done to this name now is done to somebody else.
                (Some(since), _) if is_another => Step::Wait(since + SETTLES),
                (_, Some(until)) => Step::Wait(until),
                // Even if IAM does not show it: it shows late what is new.
                _ => Step::Apply(taking(grant)),
            }
        }
        // What is not vouched for was sent to be taken back above, and what is over was left alone.
        (State::Giving | State::Given | State::Ended(_), _) => Step::Done,
    }
}

/// What to do about a decision of which nothing is remembered.
fn begin<'a>(
    facts: &Facts<'_>,
    limits: &Limits,
    entity: Option<&Entity>,
    others: impl Iterator<Item = &'a Grant>,
    now: i64,
) -> Step {
    let Some((decision, own)) = facts.decision.and_then(|decision| Some((decision, decided(decision).ok()?))) else {
        return Step::Done;
    };
    let begun = Grant::begun(decision, own);
    let entity = entity.filter(|entity| entity.id == begun.holder_id);
    let end = end_of(facts, limits, &begun, &permission(facts), entity, now);
    let Some(end) = end else { return Step::Record(begun) };
    // It is told once: what was dropped to keep the document small must not come back with every sweep.
    let is_crowded = others.filter(|other| other.is_over()).count() >= REMEMBERED;
    if is_crowded || now >= decision.not_after.saturating_add(TRACED) {
        return Step::Done;
    }
    // What was remembered of it may be lost, and IAM hold it.
    let is_held = entity.is_some_and(|entity| holds(entity, &begun.permission));
    let state = if is_held { State::Taking(end) } else { State::Ended(end) };
    Step::Record(Grant { state, ..begun })
}

/// What hangs on one of those who hold a policy of ours, as `ListEntitiesForPolicy` names them by name and unique id, while nothing that
/// is remembered accounts for it: a document was lost, or somebody attached it, or somebody keeps it from ending. Attached policies
/// have no end of their own, so that nobody may hold one for ever. This also finds who has been renamed, and keeps policies and id. An
/// inline policy can't be found in this way, and need not be: it ends by itself.
///
/// `file`: what is remembered under that id, read after the list, and after [`step`] has been asked about all that is in it.
/// `is_believed`: whether a note of it counts. Anybody who can write to the table can write one.
pub fn orphaned_attachment(
    policy_arn: &str,
    holder: &Holder,
    id: &str,
    file: &HolderFile,
    is_believed: impl Fn(&Grant) -> bool,
) -> Option<Change> {
    let is_it = |grant: &Grant| {
        let permission = &grant.permission;
        let is_same = matches!(permission, Permission::Attached { policy_arn: own } if own == policy_arn);
        is_same && !grant.is_over() && grant.holder == *holder && grant.holder_id == id
    };
    let is_orphan = is_own_policy(policy_arn) && !file.grants.iter().any(|grant| is_it(grant) && is_believed(grant));
    is_orphan.then(|| Change::Detach(holder.clone(), policy_arn.to_owned()))
}

/// What to remember once IAM has answered [`Step::GiveAgain`]. The other grant is looked after by its own decision: what IAM will not
/// have is found there.
pub fn given_again(grant: &Grant, answer: &Result<(), Failure>, now: i64) -> Grant {
    match (answer, &grant.state) {
        (Err(Failure::Passing), _) => grant.put_off(now),
        (_, State::Taking(end) | State::Taken(end)) => Grant { state: State::Ended(end.clone()), ..grant.afresh() },
        (_, State::Giving | State::Given | State::Ended(_)) => grant.clone(),
    }
}

/// What to remember once IAM has answered a change that [`step`] asked for. `grant`: what is remembered by then, read anew: another
/// run may have been there in between.
pub fn answered(grant: &Grant, change: &Change, answer: &Result<(), Failure>, now: i64) -> Grant {
    let in_state = |state: State| Grant { state, ..grant.afresh() };
    match (change, answer, &grant.state) {
        (Change::Attach(..) | Change::Put(..), answer, state) => match (answer, state) {
            (Ok(()), State::Giving) => in_state(State::Given),
            // It may have been made all the same, so it is taken back before it counts as refused.
            (Err(Failure::Lasting(why)), State::Giving) => in_state(State::Taking(End::Refused(why.clone()))),
            (Err(Failure::Passing | Failure::Gone), State::Giving) => grant.put_off(now),
            // It came too late: another run had taken it back already.
            (Ok(()) | Err(Failure::Passing | Failure::Lasting(_)), State::Taken(end) | State::Ended(end)) => {
                in_state(State::Taking(end.clone()))
            }
            (Err(Failure::Gone), State::Taken(_) | State::Ended(_)) | (_, State::Given | State::Taking(_)) => {
                grant.clone()
            }
        },
        (Change::Detach(..) | Change::Delete(..), answer, State::Taking(end) | State::Taken(end)) => match answer {
            Ok(()) | Err(Failure::Gone) => {
                Grant { retry_at: now + grant.pause(), ..in_state(State::Taken(end.clone())) }
            }
            // What has to be taken back is never given up.
            Err(Failure::Passing | Failure::Lasting(_)) => grant.put_off(now),
        },
        (Change::Detach(..) | Change::Delete(..), _, State::Giving | State::Given | State::Ended(_)) => grant.clone(),
    }
}

impl Grant {
    /// How long to wait after so many failures.
    fn pause(&self) -> i64 {
        (30_i64 << self.failures.min(10)).min(LONGEST_PAUSE)
    }

    /// After another failure.
    fn put_off(&self, now: i64) -> Self {
        Self { failures: self.failures.saturating_add(1), retry_at: now + self.pause(), ..self.clone() }
    }
}

/// Why the grant has to end now, or must not begin. `grant` is as it was decided. A case that is gone takes nothing away from a
/// grant that runs; time, mode, guardrails and boundary count without it.
fn end_of(
    facts: &Facts<'_>,
    limits: &Limits,
    grant: &Grant,
    entitled: &Result<Entitlement, Reason>,
    entity: Option<&Entity>,
    now: i64,
) -> Option<End> {
    if now >= grant.not_after {
        return Some(End::Expired);
    }
    if grant.decided_at > now + CLOCK_SKEW {
        return Some(End::NotEntitled(Reason::InFuture));
    }
    if !has_end(grant.decided_at, grant.not_after) {
        return Some(End::NotEntitled(Reason::Duration));
    }
    if facts.revocation.is_some_and(|revocation| grant.is_of(&revocation.case_id, revocation.opening)) {
        return Some(End::Revoked);
    }
    let is_inline = matches!(grant.permission, Permission::Inline { .. });
    if facts.setting.mode == GrantMode::None || is_inline && facts.setting.mode != GrantMode::Exact {
        return Some(End::NotEntitled(Reason::Mode));
    }
    if let Some(entity) = entity {
        let (Holder::User(name) | Holder::Role(name)) = &grant.holder;
        let is_aws_own = entity.path.starts_with("/aws-service-role/") || entity.path.starts_with("/aws-reserved/");
        if is_aws_own || facts.setting.guardrails.protect_entity(name, &entity.path) {
            return Some(End::NotEntitled(Reason::Protected));
        }
        if is_inline && limits.boundary.is_some() && entity.boundary != limits.boundary {
            return Some(End::NotEntitled(Reason::Boundary));
        }
    }
    match entitled {
        Err(Reason::NoSuchCase) if grant.state == State::Given => {}
        Err(why) => return Some(End::NotEntitled(*why)),
        Ok(_) => {}
    }
    let is_late = grant.state == State::Giving && now >= grant.decided_at + DECISION_LAPSES;
    is_late.then_some(if entity.is_some() { End::Lapsed } else { End::HolderGone })
}

/// What IAM has against it, before it is tried.
fn obstacle(entitlement: &Entitlement, entity: &Entity) -> Option<&'static str> {
    match &entitlement.permission {
        Permission::Attached { policy_arn }
            if entity.attached.len() >= entity.attachable && !entity.attached.contains(policy_arn) =>
        {
            Some("as many policies are attached as IAM takes")
        }
        Permission::Inline { name, document }
            if inline_size(entity, name) + size(document) > inline_limit(&entitlement.holder) =>
        {
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

/// Of the others: one of this name is replaced.
fn inline_size(entity: &Entity, name: &str) -> usize {
    entity.inline.iter().filter(|(its, _)| *its != name).map(|(_, document)| size(document)).sum()
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

/// From what was computed anew: no document out of the table is ever sent to IAM.
fn giving(Entitlement { holder, permission, .. }: Entitlement) -> Change {
    match permission {
        Permission::Attached { policy_arn } => Change::Attach(holder, policy_arn),
        Permission::Inline { name, document } => Change::Put(holder, name, document),
    }
}

fn taking(grant: &Grant) -> Change {
    match &grant.permission {
        Permission::Attached { policy_arn } => Change::Detach(grant.holder.clone(), policy_arn.clone()),
        Permission::Inline { name, .. } => Change::Delete(grant.holder.clone(), name.clone()),
    }
}
