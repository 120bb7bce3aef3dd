//! Storms: what went over a budget in one account and hour. It is counted, its last calls are kept, and it is told of as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Budget, Now, Outcome, Tell, UPDATE_EVERY};
use crate::{
    case::{Arrival, Arrivals, Audience, KEPT, NoticeState, Told},
    notice::storm::{HeldCall, KEPT_CALLS, Storm, StormReason},
};

/// Principals that are named.
const PRINCIPALS: usize = 20;
/// Actions that are counted apart.
const ACTIONS: usize = 40;
/// Ids of denials that are known again. A storm is large by nature: more are kept than for a case, so that a batch that comes
/// again counts once.
const EVENTS: usize = 4096;

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
    /// How often each action was refused, as far as they are counted apart.
    #[serde(default)]
    pub actions: BTreeMap<String, u64>,
    /// The last calls.
    #[serde(default)]
    pub calls: Vec<HeldCall>,
    /// Which budget was used up first.
    pub over: Budget,
    /// Ids of the last denials counted.
    pub event_ids: Vec<String>,
    /// Whether people have been told.
    pub told: Told,
    /// How many denials there were when people were last told.
    #[serde(default)]
    pub told_held: u64,
    /// How many principals were named by then.
    #[serde(default)]
    pub told_principals: usize,
}

impl StormFile {
    pub(super) fn begin(account_id: &str, audience: Audience, over: Budget, now: i64) -> Self {
        Self {
            account_id: account_id.to_owned(),
            audience,
            opened_at: now,
            held: 0,
            principals: Vec::new(),
            actions: BTreeMap::new(),
            calls: Vec::new(),
            over,
            event_ids: Vec::new(),
            told: Told::default(),
            told_held: 0,
            told_principals: 0,
        }
    }

    /// Counts the denials of what would have been one case. `name`: whose they are.
    pub(super) fn hold(&mut self, arrivals: &Arrivals, name: &str, now: Now) -> Vec<(Arrival, Outcome)> {
        let is_busy = self.told.notice == NoticeState::Pending && !self.told.is_free(now.ms);
        let mut outcomes = Vec::with_capacity(arrivals.each.len());
        for arrival in &arrivals.each {
            if self.event_ids.contains(&arrival.event) {
                outcomes.push((arrival.clone(), if is_busy { Outcome::Waiting } else { Outcome::Duplicate }));
                continue;
            }
            self.event_ids.push(arrival.event.clone());
            self.held += 1;
            self.keep(held_call(arrivals, arrival));
            outcomes.push((arrival.clone(), Outcome::Held));
        }
        let forgotten = self.event_ids.len().saturating_sub(EVENTS);
        self.event_ids.drain(..forgotten);
        let name = cut(name, 256);
        if self.principals.len() < PRINCIPALS && !self.principals.contains(&name) {
            self.principals.push(name);
        }
        outcomes
    }

    fn keep(&mut self, call: HeldCall) {
        let action = call.action.clone().unwrap_or_else(|| "-".to_owned());
        if self.actions.len() < ACTIONS || self.actions.contains_key(&action) {
            *self.actions.entry(action).or_default() += 1;
        }
        self.calls.push(call);
        let forgotten = self.calls.len().saturating_sub(KEPT_CALLS);
        self.calls.drain(..forgotten);
    }

    /// Whether it is to be written, and what is to be told of it. `was_held`: how many there were when it was read.
    pub(super) fn settle(&mut self, was_held: u64, now: Now) -> (bool, Option<Tell>) {
        let has_grown = self.held > was_held;
        let takes_over = self.told.is_free(now.ms);
        let again = has_grown && self.told.notice == NoticeState::Sent && self.is_news();
        if again {
            self.told = Told::leased(now.seconds(), now.lease());
        }
        if takes_over {
            self.told.take_over(now.seconds(), now.lease());
        }
        if takes_over || again {
            self.told_held = self.held;
            self.told_principals = self.principals.len();
            return (true, Some(Tell::Storm(self.clone())));
        }
        let is_old = now.seconds() - self.told.updated_at >= UPDATE_EVERY;
        let updates = has_grown && self.told.notice == NoticeState::Sent && is_old && self.told.slack.is_some();
        if updates {
            self.told.updated_at = now.seconds();
        }
        (has_grown, updates.then(|| Tell::UpdateStorm(self.clone())))
    }

    /// Whether it is another storm than the one that people were told of: ten times as large, or, where it is about the audit log
    /// itself, somebody else's as well. Both are bounded, whatever an attacker makes up.
    fn is_news(&self) -> bool {
        let is_tenfold = self.held >= self.told_held.max(1).saturating_mul(10);
        is_tenfold || self.audience == Audience::Alarms && self.principals.len() > self.told_principals
    }

    /// When it may be deleted. Seconds since 1970.
    pub(super) fn expires(&self) -> i64 {
        self.opened_at + KEPT
    }

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
            actions: &self.actions,
            calls: &self.calls,
            kept_as: storm_key(self),
            reason: match self.over {
                Budget::Principal => StormReason::PrincipalBudget,
                Budget::Account => StormReason::AccountBudget,
            },
            alarm: self.audience == Audience::Alarms,
        }
    }
}

/// The key of a storm's file.
pub fn storm_key(storm: &StormFile) -> String {
    storm_key_of(&storm.account_id, storm.opened_at.div_euclid(3600), storm.audience)
}

/// The key of the storm of an account, an hour since 1970 and an audience.
pub fn storm_key_of(account_id: &str, hour: i64, audience: Audience) -> String {
    format!("STORM#{account_id}/{}/{hour}", audience.word())
}

/// What is kept of a denial. Each text is cut, so that a storm fits into a document whatever a caller writes.
fn held_call(arrivals: &Arrivals, arrival: &Arrival) -> HeldCall {
    let diagnosis = &arrivals.first.diagnosis;
    let principal = &diagnosis.principal;
    let principal =
        arrivals.first.denial.caller.session_arn.as_ref().or(principal.arn.as_ref()).or(principal.name.as_ref());
    HeldCall {
        action: diagnosis.action.as_deref().map(|action| cut(action, 100)),
        resource: diagnosis.resource.as_deref().map(|resource| cut(resource, 200)),
        principal: principal.map(|principal| cut(principal, 200)),
        event_id: arrival.event_id.as_deref().map(|id| cut(id, 40)),
        time: Some(cut(&arrival.time, 32)).filter(|time| !time.is_empty()),
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
