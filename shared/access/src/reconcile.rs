//! Reconcile: does IAM match what was decided, as of now? If not, what has to change?
//!
//! Giving and taking back are one question, asked at different times. [`permission`] says what a decision entitles to, computed
//! anew from the case's record and never read from the table; [`step`] holds that against what IAM shows, and says what to do
//! and what to remember; [`answered`] says what to remember of IAM's answer. Asked again with nothing changed it does nothing. A
//! grant's end is remembered before the permission is given, and one that has to be taken back stays in that state until IAM
//! shows it gone.
//!
//! Whoever can write to the table can write what is remembered, too. So that is a note of how far we have come and no more: who
//! holds what, and until when, is always the decision's to say, and where the two differ the grant ends. Without an authentic
//! decision it ends as well. What nothing accounts for any more is found in IAM itself ([`orphaned_attachment`]).

mod effect;
mod plan;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    answer,
    arn::is_iam_name,
    case::{self, Case},
    decide::LONGEST,
    decision::{Answer, Decision, Revocation},
    diagnose::Setting,
    diagnosis::{Apply, Remedy, RemedyKind, TargetKind},
    grant::{self, GrantMode, OWN_POLICIES},
};

pub use effect::Effect;
pub use plan::{Change, Entity, Failure, Limits, Step, answered, given_again, holder, orphaned_attachment, step};

/// The grants of one holder that are remembered; only those that are over are ever dropped.
const REMEMBERED: usize = 100;

/// What one holder's grants may take, well below what a table takes of one document. Bytes.
const ROOM: usize = 300_000;

/// The key of what happened to a grant.
pub fn history_key(case_id: &str, opening: u64) -> String {
    format!("GRANT#{case_id}#{opening}#history")
}

/// What the names of all our inline policies begin with.
const INLINE_PREFIX: &str = "trailpass-";

/// A decision that could not be applied for this long lapses. Seconds.
pub const DECISION_LAPSES: i64 = 15 * 60;

/// How far `decide`'s clock may be ahead of ours. A decision from further ahead is none: it would be a grant without an end.
/// Seconds.
pub const CLOCK_SKEW: i64 = 5 * 60;

/// IAM shows changes late. What it doesn't show is believed to be gone only when it has not been seen for this long. Seconds.
pub const SETTLES: i64 = 5 * 60;

/// An approval that came to nothing is remembered until this long after its end, so that it is told once. Seconds.
const TRACED: i64 = 24 * 3600;

/// A user or a role, as IAM's APIs name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// An IAM user, by its name.
    User(String),
    /// A role, by its name without a path.
    Role(String),
}

/// What a grant gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// One of the stack's own policies, attached.
    Attached {
        /// Its ARN.
        policy_arn: String,
    },
    /// An inline policy that ends by itself.
    Inline {
        /// Its name: one grant, one policy.
        name: String,
        /// The document, with its end.
        document: String,
    },
}

/// What is remembered of one user's or role's grants, in one document: two grants that share one attachment must not end at the
/// same time, each believing that the other still needs it.
///
/// It is stored under [`key`], and read with [`HolderFile::read`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderFile {
    /// Oldest first; one for each opening of a case.
    pub grants: Vec<Grant>,
}

/// What is remembered of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// Who holds it.
    pub holder: Holder,
    /// IAM's unique id of the holder: a name may be somebody else's tomorrow.
    pub holder_id: String,
    /// What it gives.
    pub permission: Permission,
    /// Its end. Seconds since 1970.
    pub not_after: i64,
    /// When it was decided. Seconds since 1970.
    pub decided_at: i64,
    /// How far it has come.
    pub state: State,
    /// How many changes in a row have failed.
    pub failures: u32,
    /// No change is tried before. Seconds since 1970.
    pub retry_at: i64,
    /// Since when IAM has not shown it, though it should. Seconds since 1970.
    #[serde(default)]
    pub absent_since: Option<i64>,
}

/// How far a grant has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// To be given; IAM may hold it already.
    Giving,
    /// IAM took it, if it may not show it yet.
    Given,
    /// To be taken back; IAM may hold it still. One removal has to succeed, whatever IAM shows.
    Taking(End),
    /// IAM took the removal, and has yet to show it gone.
    Taken(End),
    /// Over: IAM does not hold it on our account.
    Ended(End),
}

/// Why a grant ends, or never began.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Its time came.
    Expired,
    /// Somebody took it back.
    Revoked,
    /// It could not be given within a quarter of an hour of the decision.
    Lapsed,
    /// Somebody removed it by hand.
    RemovedByHand,
    /// Somebody changed it by hand, so that it allows something else than was approved.
    ChangedByHand,
    /// The user or role is gone, or another one bears its name.
    HolderGone,
    /// What the decision names may not be given, or may not be any more.
    NotEntitled(Reason),
    /// IAM will not have it.
    Refused(String),
}

/// Why a decision entitles to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// There is none that the code vouches for.
    NotDecided,
    /// It was a rejection.
    Rejected,
    /// There is no such case, or it has been opened anew since.
    NoSuchCase,
    /// Its end lies before its beginning, or too far behind it.
    Duration,
    /// It was decided later than now.
    InFuture,
    /// The case does not offer what the hash names.
    NotOffered,
    /// It was approved for another user or role than the case is about.
    OtherHolder,
    /// The stack grants nothing, or nothing of this kind.
    Mode,
    /// The guardrails protect the user or role, or AWS lets nobody change it.
    Protected,
    /// The user or role does not have the permissions boundary that the operator asks for.
    Boundary,
    /// What is remembered is not what was decided: one of the two was altered.
    Altered,
}

/// Everything that one grant depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What was decided, as far as the code vouches for it: a decision that was altered, copied or written by hand is none.
    pub decision: Option<&'a Decision>,
    /// The authentic revocation, if there is one.
    pub revocation: Option<&'a Revocation>,
    /// The case as the table holds it now.
    pub case: Option<&'a Case>,
    /// What the stack may grant, and the guardrails as they are now.
    pub setting: &'a Setting,
}

/// What a decision entitles to, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Who holds it.
    pub holder: Holder,
    /// IAM's unique id of the holder.
    pub holder_id: String,
    /// What is given.
    pub permission: Permission,
}

/// Computes what a decision entitles to from the case's own record, whatever else the table says.
pub fn permission(facts: &Facts<'_>) -> Result<Entitlement, Reason> {
    let decision = facts.decision.ok_or(Reason::NotDecided)?;
    if decision.answer != Answer::Approve {
        return Err(Reason::Rejected);
    }
    let is_its_case = |case: &&Case| case.id == decision.case_id && case.opening == decision.opening;
    let case = facts.case.filter(is_its_case).ok_or(Reason::NoSuchCase)?;
    if !has_end(decision.decided_at, decision.not_after) {
        return Err(Reason::Duration);
    }
    if facts.setting.mode == GrantMode::None {
        return Err(Reason::Mode);
    }
    let diagnosed = case.diagnosed(facts.setting);
    // A record under another case's id would be somebody else's denial.
    if diagnosed.case_id != case.id {
        return Err(Reason::NoSuchCase);
    }
    let is_named = |remedy: &&Remedy| remedy.apply == Apply::OnApproval && remedy.hash == decision.remedy;
    let remedy = diagnosed.diagnosis.remedies.iter().find(is_named).ok_or(Reason::NotOffered)?;
    let holder_id = diagnosed.diagnosis.principal.unique_id.clone().ok_or(Reason::OtherHolder)?;
    if decision.target_id.as_ref() != Some(&holder_id) {
        return Err(Reason::OtherHolder);
    }
    let holder = match remedy.target.kind {
        TargetKind::User => Holder::User(remedy.target.name.clone()),
        TargetKind::Role => Holder::Role(remedy.target.name.clone()),
        _ => return Err(Reason::NotOffered),
    };
    let permission = match (remedy.kind, &remedy.policy_arn, &remedy.policy) {
        (RemedyKind::AttachManagedPolicy, Some(arn), _) => Permission::Attached { policy_arn: arn.clone() },
        (RemedyKind::PutInlinePolicy, None, Some(policy)) => Permission::Inline {
            name: inline_name(&decision.case_id, decision.opening),
            document: policy.ending_at(&timestamp(decision.not_after).ok_or(Reason::Duration)?).to_json(),
        },
        _ => return Err(Reason::NotOffered),
    };
    Ok(Entitlement { holder, holder_id, permission })
}

/// What a decision names, from its own words: it vouches for them, and they are still there when the case is gone or is another
/// one. That is enough to keep what was given, and to know what to take back. It is not enough to give anything.
pub(crate) fn decided(decision: &Decision) -> Result<Entitlement, Reason> {
    if decision.answer != Answer::Approve {
        return Err(Reason::Rejected);
    }
    let is_named = |shown: &&String| Some(grant::hash_of(shown)) == decision.remedy;
    let shown = decision.shown.as_ref().filter(is_named).ok_or(Reason::NotOffered)?;
    let shown: Value = serde_json::from_str(shown).map_err(|_| Reason::NotOffered)?;
    let word = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str);
    if word("/case") != Some(&decision.case_id) {
        return Err(Reason::NoSuchCase);
    }
    let holder = match (word("/target/kind"), word("/target/name")) {
        (Some("user"), Some(name)) => Holder::User(name.to_owned()),
        (Some("role"), Some(name)) => Holder::Role(name.to_owned()),
        _ => return Err(Reason::NotOffered),
    };
    let permission = match (word("/kind"), word("/policy_arn")) {
        (Some("attach-managed-policy"), Some(arn)) => Permission::Attached { policy_arn: arn.to_owned() },
        (Some("put-inline-policy"), None) => {
            let end = timestamp(decision.not_after).ok_or(Reason::Duration)?;
            let document = shown.get("policy").and_then(|policy| ending_at(policy.clone(), &end));
            Permission::Inline {
                name: inline_name(&decision.case_id, decision.opening),
                document: document.ok_or(Reason::NotOffered)?,
            }
        }
        _ => return Err(Reason::NotOffered),
    };
    // Whoever could have a decision vouched for must not thereby have something else taken from somebody.
    if !permission.is_ours() {
        return Err(Reason::NotOffered);
    }
    Ok(Entitlement { holder, holder_id: decision.target_id.clone().ok_or(Reason::OtherHolder)?, permission })
}

/// As `PolicyDocument::ending_at`, of a document that is read and not made.
fn ending_at(mut policy: Value, end: &str) -> Option<String> {
    for statement in policy.get_mut("Statement")?.as_array_mut()? {
        let conditions = statement.as_object_mut()?.entry("Condition").or_insert_with(|| json!({}));
        conditions.as_object_mut()?.insert("DateLessThan".to_owned(), json!({ "aws:CurrentTime": end }));
    }
    Some(policy.to_string())
}

/// Whether the end lies after the beginning, and not too far.
fn has_end(decided_at: i64, not_after: i64) -> bool {
    not_after.checked_sub(decided_at).is_some_and(|length| (1..=LONGEST).contains(&length))
}

/// The name of a grant's inline policy: nobody else's, and the same whenever it is asked.
pub fn inline_name(case_id: &str, opening: u64) -> String {
    format!("{INLINE_PREFIX}{case_id}-{opening}")
}

/// Whether a name is one that [`inline_name`] gives. An administrator may call a policy `trailpass-…`, too.
fn is_inline_name(name: &str) -> bool {
    let parts = name.strip_prefix(INLINE_PREFIX).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(id, opening)| {
        case::is_id(id) && opening.parse::<u64>().is_ok_and(|number| number.to_string() == opening)
    })
}

/// Whether a policy is one that the stack owns and attaches.
fn is_own_policy(arn: &str) -> bool {
    OWN_POLICIES.iter().any(|own| arn.strip_suffix(own.name).is_some_and(|front| front.ends_with(":policy/trailpass/")))
}

/// The key of everything that is remembered of one holder's grants.
pub fn key(holder_id: &str) -> String {
    format!("GRANT#{holder_id}")
}

/// As IAM reads dates: `2026-10-05T08:00:00Z`.
fn timestamp(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

impl Permission {
    /// Whether it is something that reconcile gives at all: whoever wrote something else into the table must not have it taken
    /// from somebody.
    fn is_ours(&self) -> bool {
        match self {
            Self::Attached { policy_arn } => is_own_policy(policy_arn),
            Self::Inline { name, .. } => is_inline_name(name),
        }
    }

    /// Whether both are the same. Two texts may be one document.
    fn is_same(&self, other: &Self) -> bool {
        let of = |text: &str| serde_json::from_str::<Value>(text).ok();
        match (self, other) {
            (Self::Inline { name, document }, Self::Inline { name: its, document: other }) => {
                name == its && (document == other || of(document).is_some_and(|one| Some(one) == of(other)))
            }
            _ => self == other,
        }
    }
}

impl Holder {
    /// Whether IAM takes the name for a user or a role. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    pub fn can_be(&self) -> bool {
        let (Self::User(name) | Self::Role(name)) = self;
        is_iam_name(name) && name.len() <= 64
    }
}

impl HolderFile {
    /// Reads the document that is stored under `key`. What can't be one of this holder's grants is left out, of two that are the same
    /// grant all but the first, and what is more than a document takes: somebody else wrote them, and what can't be read, or leaves no
    /// room to note an end, must not keep the rest from ending.
    pub fn read(key: &str, body: &str) -> Self {
        #[derive(Deserialize)]
        struct Rows {
            grants: Vec<Value>,
        }
        let rows = serde_json::from_str::<Rows>(body).map(|rows| rows.grants).unwrap_or_default();
        let mut file = Self::default();
        let mut room = ROOM;
        for row in rows {
            let length = row.to_string().len();
            let Ok(grant) = serde_json::from_value::<Grant>(row) else { continue };
            let is_its = self::key(&grant.holder_id) == key && answer::subject(&grant.case_id, grant.opening).is_some();
            if is_its && length <= room && file.grant(&grant.case_id, grant.opening).is_none() {
                room -= length;
                file.grants.push(grant);
            }
        }
        file
    }

    /// The grant of one opening of a case.
    pub fn grant(&self, case_id: &str, opening: u64) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.is_of(case_id, opening))
    }

    /// Everything beside that grant.
    pub fn others(&self, case_id: &str, opening: u64) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| !grant.is_of(case_id, opening))
    }

    /// Remembers a grant as it is now.
    pub fn remember(&mut self, grant: Grant) {
        match self.grants.iter_mut().find(|known| known.is_of(&grant.case_id, grant.opening)) {
            Some(known) => *known = grant,
            None => self.grants.push(grant),
        }
        let over = self.grants.len().saturating_sub(REMEMBERED);
        let mut left = over;
        self.grants.retain(|grant| {
            let is_dropped = left > 0 && grant.is_over();
            left -= usize::from(is_dropped);
            !is_dropped
        });
    }
}

impl Grant {
    fn is_of(&self, case_id: &str, opening: u64) -> bool {
        self.case_id == case_id && self.opening == opening
    }

    /// What is remembered before anything is given.
    pub fn begun(decision: &Decision, entitlement: Entitlement) -> Self {
        Self {
            case_id: decision.case_id.clone(),
            opening: decision.opening,
            holder: entitlement.holder,
            holder_id: entitlement.holder_id,
            permission: entitlement.permission,
            not_after: decision.not_after,
            decided_at: decision.decided_at,
            state: State::Giving,
            failures: 0,
            retry_at: 0,
            absent_since: None,
        }
    }

    /// The same, with nothing gone wrong yet.
    fn afresh(&self) -> Self {
        Self { failures: 0, retry_at: 0, absent_since: None, ..self.clone() }
    }

    /// Whether it is the grant that was decided, however far it has come.
    fn is_as(&self, decided: &Self) -> bool {
        self.shares_with(decided) && (self.decided_at, self.not_after) == (decided.decided_at, decided.not_after)
    }

    /// Why it ends, or ended.
    pub fn end(&self) -> Option<&End> {
        match &self.state {
            State::Giving | State::Given => None,
            State::Taking(end) | State::Taken(end) | State::Ended(end) => Some(end),
        }
    }

    /// Whether it is something that reconcile gives, for this case.
    fn is_ours(&self) -> bool {
        let is_its = match &self.permission {
            Permission::Attached { .. } => true,
            Permission::Inline { name, .. } => *name == inline_name(&self.case_id, self.opening),
        };
        self.permission.is_ours() && is_its
    }

    /// Whether it is to be taken back, or its time is over. `now` in seconds.
    pub fn has_to_end(&self, now: i64) -> bool {
        self.end().is_some() || now >= self.not_after
    }

    /// Whether nothing is left to do, for ever.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether IAM has to hold it now: an overlapping grant's end must not take it away. `now` in seconds.
    pub fn is_live(&self, now: i64) -> bool {
        matches!(self.state, State::Giving | State::Given) && now < self.not_after
    }

    /// Whether a note of it may be true, as far as its own words go. `now` in seconds.
    pub fn may_be_live(&self, now: i64) -> bool {
        self.is_live(now) && has_end(self.decided_at, self.not_after) && self.decided_at <= now + CLOCK_SKEW
    }

    /// Whether both are one and the same entry in IAM.
    pub fn shares_with(&self, other: &Self) -> bool {
        self.holder_id == other.holder_id && self.holder == other.holder && self.permission.is_same(&other.permission)
    }
}
