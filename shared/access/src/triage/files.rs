//! What triage remembers beside the cases (of principals, accounts and storms), and what everything is called in the store.

use serde::{Deserialize, Serialize};

use super::{Found, read};
use crate::{
    case::{Audience, Case, Told},
    denial::Denial,
    notice::{
        Together,
        storm::{Storm, StormReason},
    },
    principal::PrincipalKind,
    scope,
};

/// What is remembered of a principal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalFile {
    /// New cases in the running hour.
    pub opened: Opened,
    /// The last cases, oldest first.
    pub recent: Vec<RecentCase>,
}

/// A case in a principal's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentCase {
    /// The case.
    pub id: String,
    /// The call whatever its cause.
    pub call_id: String,
    /// Seconds since 1970.
    pub opened_at: i64,
    /// Who was told.
    pub audience: Audience,
    /// What was refused.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
}

impl RecentCase {
    /// How it is named beside another.
    pub fn beside(&self) -> Together {
        Together { id: self.id.clone(), action: self.action.clone(), resource: self.resource.clone() }
    }
}

/// What is remembered of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFile {
    /// New cases in the running hour.
    pub opened: Opened,
}

/// New cases in one hour, alarms apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The hour since 1970.
    pub hour: i64,
    /// New cases.
    pub notices: u32,
    /// New alarms.
    pub alarms: u32,
}

impl Opened {
    pub(super) fn in_hour(self, hour: i64) -> Self {
        if self.hour == hour { self } else { Self { hour, ..Self::default() } }
    }

    pub(super) fn of(&mut self, audience: Audience) -> &mut u32 {
        match audience {
            Audience::Notices => &mut self.notices,
            Audience::Alarms => &mut self.alarms,
        }
    }
}

/// What went over the budget in one account and hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormFile {
    /// The account.
    pub account_id: String,
    /// Who is told.
    pub audience: Audience,
    /// When it began. Seconds since 1970.
    pub opened_at: i64,
    /// Denials that were counted and not posted.
    pub held: u64,
    /// Whose they were, as far as they are named.
    pub principals: Vec<String>,
    /// Which budget was used up first.
    pub over: Budget,
    /// Ids of the last denials counted.
    pub event_ids: Vec<String>,
    /// Whether people have been told.
    pub told: Told,
}

impl StormFile {
    /// When it began, as people and programs read it.
    pub fn began(&self) -> String {
        jiff::Timestamp::from_second(self.opened_at).map(|time| time.to_string()).unwrap_or_default()
    }

    /// What is told of it.
    pub fn storm<'a>(&'a self, began: &'a str) -> Storm<'a> {
        Storm {
            account_id: &self.account_id,
            opened_at: began,
            held: self.held,
            principals: &self.principals,
            reason: match self.over {
                Budget::Principal => StormReason::PrincipalBudget,
                Budget::Account => StormReason::AccountBudget,
            },
            alarm: self.audience == Audience::Alarms,
        }
    }
}

/// The two budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// One principal's.
    Principal,
    /// The account's.
    Account,
}

/// The key of a case.
pub fn case_key(id: &str) -> String {
    format!("CASE#{id}")
}

/// The key of a storm's file.
pub fn storm_key(storm: &StormFile) -> String {
    storm_key_of(&storm.account_id, storm.opened_at.div_euclid(3600), storm.audience)
}

pub(super) fn storm_key_of(account_id: &str, hour: i64, audience: Audience) -> String {
    format!("STORM#{account_id}/{}/{hour}", audience.word())
}

pub(super) fn account_key(account_id: &str) -> String {
    format!("ACCOUNT#{account_id}")
}

/// The key of a principal's file. Users and roles are named as IAM tells them apart: without path and case.
pub fn principal_key(denial: &Denial) -> String {
    let principal = &denial.caller.principal;
    let kind = match principal.kind {
        PrincipalKind::IamUser => "user",
        PrincipalKind::RoleSession | PrincipalKind::SsoSession | PrincipalKind::ServiceLinkedRole => "role",
        PrincipalKind::Root => "root",
        PrincipalKind::FederatedUser => "federated-user",
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => "outsider",
        PrincipalKind::IdentityCenterUser => "identity-center-user",
        PrincipalKind::AwsService => "service",
        PrincipalKind::AwsAccount => "account",
        PrincipalKind::Anonymous | PrincipalKind::Unknown => "unknown",
    };
    let name = principal.name.as_deref().or(principal.unique_id.as_deref()).unwrap_or("-");
    entity_key(principal.account_id.as_deref().unwrap_or("-"), kind, name)
}

/// The key of the file of the user or role that a denied IAM call would have changed, if that decides its scope.
pub fn named_entity_key(denial: &Denial) -> Option<String> {
    if !scope::is_policy_writing(denial) {
        return None;
    }
    let (kind, name) = scope::entity_named(denial)?;
    Some(entity_key(denial.place.account_id.as_deref()?, kind, name))
}

fn entity_key(account_id: &str, kind: &str, name: &str) -> String {
    // Names that IAM would not take may be of any length; a key may not.
    let name: String = name.chars().take(128).flat_map(char::to_lowercase).collect();
    format!("PRINCIPAL#{account_id}/{kind}/{name}")
}

/// The cases that may be open for the entity behind a [`named_entity_key`].
pub fn recent_cases(file: &Found) -> Vec<String> {
    read::<PrincipalFile>(file)
        .map(|file| file.recent.into_iter().map(|recent| case_key(&recent.id)).collect())
        .unwrap_or_default()
}

/// Whether a stored case is open. `now` in seconds.
pub fn is_open_case(found: &Found, now: i64) -> bool {
    read::<Case>(found).is_some_and(|case| case.is_open(now))
}
