//! What costs budget: opening a case, and telling of an alarm once more. What goes over it is held.

use std::collections::BTreeMap;

use super::{
    ACCOUNT_BUDGET, AccountFile, Budget, Change, Documents, Found, Group, HourFile, Now, OpenedCase, Outcome,
    PRINCIPAL_BUDGET, Planned, PrincipalFile, RecentCase, StormFile, Tell, account_key, case_key, change, hour_key,
    read, storm_key, storm_key_of, together,
};
use crate::case::{Arrival, Arrivals, Audience, Case, KEPT, Told};

/// New cases of one principal: they share its budget, so they are written together.
pub(super) struct Opening<'a> {
    group: &'a Group,
    documents: &'a Documents,
    now: Now,
    principal: PrincipalFile,
    account: AccountFile,
    opened: Vec<OpenedCase>,
    storms: BTreeMap<Audience, StormFile>,
    changes: Vec<Change>,
    outcomes: Vec<(Arrival, Outcome)>,
    tell: Vec<Tell>,
    has_charged: bool,
}

impl<'a> Opening<'a> {
    pub(super) fn new(group: &'a Group, documents: &'a Documents, now: Now) -> Self {
        let principal: PrincipalFile = documents.get(&group.principal).and_then(read).unwrap_or_default();
        let mut account: AccountFile =
            documents.get(&account_key(&group.account_id)).and_then(read).unwrap_or_default();
        account.opened = account.opened.in_hour(now.hour());
        Self {
            group,
            documents,
            now,
            principal: principal.in_hour(now.hour()),
            account,
            opened: Vec::new(),
            storms: BTreeMap::new(),
            changes: Vec::new(),
            outcomes: Vec::new(),
            tell: Vec::new(),
            has_charged: false,
        }
    }

    pub(super) fn principal(&self) -> &PrincipalFile {
        &self.principal
    }

    /// Takes one notice out of the budgets, or says which of them is used up.
    ///
    /// A principal's first alarm with an action in an hour is always let through: whoever floods with invented trails must not
    /// thereby hide the call that matters, neither his own nor somebody else's.
    fn charge(&mut self, arrivals: &Arrivals) -> Result<(), Budget> {
        let diagnosis = &arrivals.first.diagnosis;
        let audience = Audience::of(diagnosis.response);
        let is_first = audience == Audience::Alarms && self.principal.is_first_alarm(diagnosis.action.as_deref());
        let of_principal = self.principal.opened.of(audience);
        let of_account = self.account.opened.of(audience);
        if !is_first && *of_principal >= PRINCIPAL_BUDGET {
            return Err(Budget::Principal);
        }
        if !is_first && *of_account >= ACCOUNT_BUDGET {
            return Err(Budget::Account);
        }
        *of_principal += 1;
        *of_account += 1;
        self.has_charged = true;
        Ok(())
    }

    /// Whether everybody is told anew of an open case. If so it has been charged.
    pub(super) fn may_tell_again(&mut self, case: &Case, arrivals: &Arrivals) -> bool {
        case.is_due_again(arrivals, self.now.seconds()) && self.charge(arrivals).is_ok()
    }

    /// Makes what was charged a part of this.
    pub(super) fn take(&mut self, planned: Planned) {
        self.changes.extend(planned.changes);
        self.outcomes.extend(planned.outcomes);
        self.tell.extend(planned.tell);
    }

    pub(super) fn add(&mut self, arrivals: &Arrivals, closed: Option<&Found>) {
        if let Err(over) = self.charge(arrivals) {
            return self.hold(arrivals, over);
        }
        let seconds = self.now.seconds();
        let mut case = match closed.and_then(read::<Case>) {
            Some(closed) => closed.reopen(arrivals, seconds),
            None => Case::open(arrivals, seconds),
        };
        case.told = Told::leased(seconds, self.now.lease());
        let recent = self.principal.recent.iter().rev();
        case.linked = recent.clone().find(|r| r.call_id == case.call_id && r.id != case.id).map(|r| r.id.clone());
        case.shown_under = self.shown_under(&case);
        self.remember(&case, arrivals);
        let version = closed.map(|found| found.version);
        self.changes.push(change(&case_key(&case.id), version, &case, Some(case.expires())));
        let mut seen: Vec<&str> = Vec::new();
        for arrival in &arrivals.each {
            let outcome = match (seen.contains(&arrival.event.as_str()), seen.is_empty()) {
                (true, _) => Outcome::Duplicate,
                (false, true) => Outcome::Posted,
                (false, false) => Outcome::Joined,
            };
            seen.push(&arrival.event);
            self.outcomes.push((arrival.clone(), outcome));
        }
        self.opened.push(OpenedCase { id: case.id.clone(), opening: case.opening });
        self.tell.push(Tell::Case(Box::new(case), Vec::new()));
    }

    /// The case in whose thread a notice is posted. An alarm is in nobody's: in a thread it would notify only those who
    /// follow that.
    fn shown_under(&self, case: &Case) -> Option<String> {
        let is_above = |r: &&RecentCase| r.audience == Audience::Notices && r.is_near(case, case.opened_at);
        let above = self.principal.recent.iter().find(is_above).filter(|_| case.audience == Audience::Notices);
        above.map(|r| r.id.clone())
    }

    fn remember(&mut self, case: &Case, arrivals: &Arrivals) {
        let diagnosis = &arrivals.first.diagnosis;
        self.principal.recent.retain(|r| r.id != case.id);
        self.principal.recent.push(RecentCase {
            id: case.id.clone(),
            call_id: case.call_id.clone(),
            opened_at: case.opened_at,
            audience: case.audience,
            principal: case.principal.clone(),
            action: diagnosis.action.clone(),
            resource: diagnosis.resource.clone().map(|resource| resource.chars().take(256).collect()),
        });
        self.principal.forget(self.now.seconds());
    }

    fn hold(&mut self, arrivals: &Arrivals, over: Budget) {
        let audience = Audience::of(arrivals.first.diagnosis.response);
        let key = storm_key_of(&self.group.account_id, self.now.hour(), audience);
        let storm = self.storms.entry(audience).or_insert_with(|| {
            let found = self.documents.get(&key).and_then(read::<StormFile>);
            found.unwrap_or_else(|| StormFile::begin(&self.group.account_id, audience, over, self.now.seconds()))
        });
        self.outcomes.extend(storm.hold(arrivals, &self.group.name, self.now));
    }

    pub(super) fn finish(mut self) -> Option<Planned> {
        for mut storm in std::mem::take(&mut self.storms).into_values() {
            let key = storm_key(&storm);
            let found = self.documents.get(&key);
            let was_held = found.and_then(read::<StormFile>).map_or(0, |before| before.held);
            let (is_changed, tell) = storm.settle(was_held, self.now);
            if is_changed {
                self.changes.push(change(&key, found.map(|f| f.version), &storm, Some(storm.expires())));
            }
            self.tell.extend(tell);
        }
        if self.has_charged {
            let file = &self.group.principal;
            let week = Some(self.now.seconds() + 7 * 24 * 3600);
            self.changes.push(change(file, self.documents.get(file).map(|f| f.version), &self.principal, week));
            let account = account_key(&self.group.account_id);
            self.changes.push(change(&account, self.documents.get(&account).map(|f| f.version), &self.account, week));
        }
        if !self.opened.is_empty() {
            let key = hour_key(self.now.hour());
            let found = self.documents.get(&key);
            let mut file: HourFile = found.and_then(read).unwrap_or_default();
            self.opened.into_iter().for_each(|case| file.add(case));
            let expires = Some(self.now.seconds() + KEPT);
            self.changes.push(change(&key, found.map(|f| f.version), &file, expires));
        }
        for tell in &mut self.tell {
            if let Tell::Case(case, beside) = tell {
                *beside = together(&self.principal, case, self.now);
            }
        }
        (!self.outcomes.is_empty()).then_some(Planned {
            changes: self.changes,
            outcomes: self.outcomes,
            tell: self.tell,
        })
    }
}
