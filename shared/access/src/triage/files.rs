//! What triage remembers beside the cases (of principals and accounts), and what everything is called in the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Found, TOGETHER, read};
use crate::{
    case::{Audience, Case},
    decide::REQUEST_LAPSES,
    denial::Denial,
    notice::Together,
    principal::PrincipalKind,
    scope,
};

/// Actions remembered of an hour's alarms. More than there are to blind the log with, and few enough that what they open
/// is written in one transaction.
const ALARMED: usize = 64;

/// Recent cases remembered for a principal whatever they are.
const RECENT: usize = 32;

/// Calls remembered beside these, as long as somebody may answer: what a principal's budget makes of a day, and more.
const WAITING: usize = 400;

/// Cases that an hour's file names: twenty accounts that use their budgets up, and far below what a document may hold.
const LISTED: usize = 4_000;

/// What is remembered of a principal, or of all those whose names one may choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalFile {
    /// New cases in the running hour.
    pub opened: Opened,
    /// The actions of the running hour's alarms.
    #[serde(default)]
    pub alarmed: Vec<String>,
    /// The last cases, oldest first.
    pub recent: Vec<RecentCase>,
}

impl PrincipalFile {
    /// The last case that was opened for a call, as far as it is remembered.
    pub fn latest_of_call(&self, call_id: &str) -> Option<&RecentCase> {
        self.recent.iter().rev().find(|recent| recent.call_id == call_id)
    }

    /// Leaves out what nobody asks for any more. Of a call whose request may still wait, its last case stays known: otherwise a
    /// principal's other refusals would make it look overtaken, and nobody could approve it. `now` in seconds.
    pub(super) fn forget(&mut self, now: i64) {
        let old = self.recent.len().saturating_sub(RECENT);
        let mut calls = BTreeSet::new();
        let mut kept: Vec<RecentCase> = Vec::new();
        for (at, mut recent) in std::mem::take(&mut self.recent).into_iter().enumerate().rev() {
            let is_last = calls.insert(recent.call_id.clone());
            if at < old {
                if !is_last || now - recent.opened_at >= REQUEST_LAPSES || kept.len() >= WAITING {
                    continue;
                }
                // The longest part of it, which only says more of what is shown beside another.
                recent.resource = None;
            }
            kept.push(recent);
        }
        kept.reverse();
        self.recent = kept;
    }

    pub(super) fn in_hour(mut self, hour: i64) -> Self {
        if self.opened.hour != hour {
            self.opened = self.opened.in_hour(hour);
            self.alarmed.clear();
        }
        self
    }

    /// Takes an alarm's action down. Whether it is the first with this action in the running hour.
    pub(super) fn is_first_alarm(&mut self, action: Option<&str>) -> bool {
        let action: String = action.unwrap_or("-").chars().take(128).collect();
        let is_first = self.alarmed.len() < ALARMED && !self.alarmed.contains(&action);
        if is_first {
            self.alarmed.push(action);
        }
        is_first
    }
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
    /// Whose it is: [`Case::principal`].
    #[serde(default)]
    pub principal: String,
    /// What was refused.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
}

impl RecentCase {
    /// Whether it is shown beside a case at this time: another one of the same principal. Seconds since 1970.
    pub fn is_near(&self, case: &Case, at: i64) -> bool {
        self.id != case.id && self.principal == case.principal && (self.opened_at - at).abs() < TOGETHER
    }

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

/// The cases that were opened in one hour, so that somebody who looks for open ones need not know their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourFile {
    /// Oldest first.
    pub cases: Vec<OpenedCase>,
    /// How many more there were than are remembered.
    pub more: u64,
}

/// A case in an hour's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedCase {
    /// The case.
    pub id: String,
    /// Which opening of it.
    pub opening: u64,
}

impl HourFile {
    pub(super) fn add(&mut self, case: OpenedCase) {
        if self.cases.len() < LISTED {
            self.cases.push(case);
        } else {
            self.more += 1;
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

/// The key of the list of an hour's cases.
pub fn hour_key(hour: i64) -> String {
    format!("OPENED#{hour}")
}

pub(super) fn account_key(account_id: &str) -> String {
    format!("ACCOUNT#{account_id}")
}

/// The key of the file that a principal's cases are charged to. Users and roles are named as IAM tells them apart: without path
/// and case.
///
/// A budget for each name would be none for somebody who chooses names: a federated user is charged to the IAM user who
/// made the session, and all principals of another account, where its owner makes them up, are charged to that account.
pub fn principal_key(denial: &Denial) -> String {
    let principal = &denial.caller.principal;
    let name = principal.name.as_deref();
    let (kind, name) = match principal.kind {
        _ if is_foreign(denial) => ("account", None),
        PrincipalKind::IamUser => ("user", name),
        PrincipalKind::RoleSession | PrincipalKind::SsoSession | PrincipalKind::ServiceLinkedRole => ("role", name),
        PrincipalKind::Root => ("root", name),
        PrincipalKind::FederatedUser => match denial.caller.issuer.as_deref() {
            Some(issuer) => ("user", Some(issuer)),
            None => ("federated-user", None),
        },
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => ("outsider", None),
        PrincipalKind::IdentityCenterUser => ("identity-center-user", name),
        PrincipalKind::AwsService => ("service", name),
        PrincipalKind::AwsAccount => ("account", None),
        PrincipalKind::Anonymous | PrincipalKind::Unknown => ("unknown", None),
    };
    // A user or role whose name is missing still has its id, which IAM chose.
    let has_own_id = matches!(kind, "user" | "role" | "identity-center-user");
    let name = name.or(principal.unique_id.as_deref().filter(|_| has_own_id)).unwrap_or("-");
    entity_key(principal.account_id.as_deref().unwrap_or("-"), kind, name)
}

/// What a person calls whoever is behind a [`principal_key`].
pub(super) fn principal_name(denial: &Denial) -> String {
    let principal = &denial.caller.principal;
    let account = principal.account_id.as_deref();
    match (principal.kind, account) {
        (_, Some(theirs)) if is_foreign(denial) => format!("principals of account {theirs}"),
        (PrincipalKind::FederatedUser, _) => match denial.caller.issuer.as_deref() {
            Some(issuer) => format!("federated users of IAM user {issuer}"),
            None => "federated users without an IAM user behind them".to_owned(),
        },
        (PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser, _) => "users of identity providers".to_owned(),
        _ => principal.arn.clone().or_else(|| principal.name.clone()).unwrap_or_else(|| "not named".to_owned()),
    }
}

/// The caller is another account's than the one that refused.
fn is_foreign(denial: &Denial) -> bool {
    let theirs = denial.caller.principal.account_id.as_deref();
    matches!((theirs, denial.place.account_id.as_deref()), (Some(theirs), Some(ours)) if theirs != ours)
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

/// The key of the file that a case was charged to: `decide` asks [`is_latest_of_call`] of it.
pub fn principal_key_of(case: &Case) -> String {
    principal_key(&Denial::of(case.record.clone()))
}

/// Whether a case is the last that was opened for its call: no other cause has been seen since. Where the file is gone, or has
/// forgotten the case for newer ones, that can't be told, and counts as no.
pub fn is_latest_of_call(file: Option<&Found>, case: &Case) -> bool {
    let file = file.and_then(read::<PrincipalFile>).unwrap_or_default();
    file.latest_of_call(&case.call_id).is_some_and(|recent| recent.id == case.id)
}

/// The cases that may be open for the entity behind a [`named_entity_key`].
pub fn recent_cases(file: &Found) -> Vec<String> {
    read::<PrincipalFile>(file)
        .map(|file| file.recent.into_iter().rev().take(RECENT).map(|recent| case_key(&recent.id)).collect())
        .unwrap_or_default()
}

/// Whether a stored case is open. `now` in seconds.
pub fn is_open_case(found: &Found, now: i64) -> bool {
    read::<Case>(found).is_some_and(|case| case.is_open(now))
}
