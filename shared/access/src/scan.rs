//! What a pile of records amounts to: how many calls were refused, to whom, which and why, in memory that has a bound.
//!
//! Each record is diagnosed as `explain` diagnoses it, and counted here. A [`Batch`] is what one reader has found; a [`Tally`] takes
//! batches in, one after the other, so that the result depends on their order and on nothing else, however many readers there are.
//!
//! What has few values (response, rule, scenario, risk) is counted exactly. What callers choose (principals, resources, times) is
//! counted by case as long as there is room, and beyond that in one number: whoever can be refused can invent names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    classify::Rule,
    diagnose::Diagnosed,
    diagnosis::{Apply, Cause, Remedy, RemedyKind, Response, Risk, Scenario, TargetKind},
    notice,
    principal::PrincipalKind,
};

mod kept;
mod view;

use kept::Kept;
pub use view::{Bar, Grid, Ranked, Span, View};

/// Cases that a batch tells apart.
const CASES_OF_A_BATCH: usize = 500;
/// Denials after which a batch is to be handed in.
const DENIALS_OF_A_BATCH: usize = 16_384;
/// Cases that a tally tells apart.
const MOST_CASES: usize = 10_000;
/// Hours that a tally tells apart: more than two years of them.
const MOST_HOURS: usize = 20_000;
/// Events that are remembered for telling a second copy of one.
const MOST_SEEN: usize = 1 << 20;
/// Bytes of a text that are kept.
const LONGEST: usize = 400;

/// Which records are looked at. What is empty or absent asks for nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Recorded in one of these accounts.
    pub accounts: BTreeSet<String>,
    /// Made in one of these Regions.
    pub regions: BTreeSet<String>,
}

impl Filter {
    /// Whether every record is looked at.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a record of this time, account and Region is looked at. What the record doesn't say is not what is asked for.
    pub fn admits(&self, time: Option<&str>, account: Option<&str>, region: Option<&str>) -> bool {
        let is_in =
            |set: &BTreeSet<String>, value: Option<&str>| set.is_empty() || value.is_some_and(|v| set.contains(v));
        let is_in_time = || {
            let Some(time) = time.and_then(|time| time.parse::<Timestamp>().ok()) else { return false };
            self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
        };
        is_in(&self.accounts, account)
            && is_in(&self.regions, region)
            && (self.since.is_none() && self.until.is_none() || is_in_time())
    }
}

/// What is counted exactly, whatever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// What Trailpass would do.
    pub response: Response,
    /// Which row of the decision table says so.
    pub rule: Rule,
    /// The topic of AWS's page.
    pub scenario: Option<Scenario>,
    /// How dangerous the refused action is.
    pub risk: Option<Risk>,
}

/// Denials of one call, for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The case's id, as a responder would give it.
    pub id: String,
    /// What the first of them was found to be.
    pub finding: Finding,
    /// The account whose trail holds them.
    pub account_id: Option<String>,
    /// The Region of the call.
    pub region: Option<String>,
    /// What kind of caller.
    pub kind: PrincipalKind,
    /// The caller's name, or its ARN where it has none.
    pub principal: Option<String>,
    /// The caller's account, if it is another.
    pub foreign_account: Option<String>,
    /// The refused action.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
    /// Which kind of policy decided.
    pub cause: Cause,
    /// One sentence about the first of them.
    pub summary: String,
    /// The best remedy.
    pub fix: Option<Fix>,
    /// The first one's `eventID`.
    pub event_id: Option<String>,
    /// How many there are, each event once.
    pub count: u64,
    /// The time of the earliest, as the record has it.
    pub first: Option<String>,
    /// The time of the latest.
    pub last: Option<String>,
}

/// The best remedy of a case, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// What is to be changed.
    pub kind: RemedyKind,
    /// By whom.
    pub apply: Apply,
    /// On what kind of thing.
    pub target_kind: TargetKind,
    /// On which.
    pub target: String,
    /// As an order, fit to be shown.
    pub order: String,
}

/// What was read, beside the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Inputs that were read, whole or in part.
    pub inputs: u64,
    /// Files of a folder that were passed over: other services', digests, and what is no JSON.
    pub passed_over: u64,
    /// What could not be read.
    pub failures: u64,
    /// Somebody stopped it.
    pub is_interrupted: bool,
}

/// One denial among those of a batch.
#[derive(Debug, Clone, Copy)]
struct Denied {
    /// Its case among the batch's, if there was room.
    case: Option<u32>,
    /// Names the event; `None` where the record has no `eventID`.
    event: Option<u64>,
    /// Hours since 1970.
    hour: Option<i32>,
    response: Response,
}

/// What one reader has found.
#[derive(Debug, Default)]
pub struct Batch {
    left_out: u64,
    findings: BTreeMap<Finding, u64>,
    cases: Vec<Case>,
    index: HashMap<(String, Rule), u32>,
    denied: Vec<Denied>,
}

impl Batch {
    /// A record that the filter doesn't admit.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// So many calls that succeeded.
    pub fn succeeded(&mut self, count: u64) {
        if count > 0 {
            let finding = Finding { response: Response::Ignore, rule: Rule::NoError, scenario: None, risk: None };
            *self.findings.entry(finding).or_default() += count;
        }
    }

    /// A record.
    pub fn add(&mut self, diagnosed: &Diagnosed) {
        let diagnosis = &diagnosed.diagnosis;
        let finding = Finding {
            response: diagnosis.response,
            rule: diagnosis.rule,
            scenario: diagnosis.scenario,
            risk: diagnosis.risk,
        };
        *self.findings.entry(finding).or_default() += 1;
        if finding.response == Response::Ignore {
            return;
        }
        let time = diagnosis.event_time.as_deref();
        let hour = time.and_then(|time| time.parse::<Timestamp>().ok()).map(|time| time.as_second().div_euclid(3600));
        let case = self.case_of(diagnosed, finding);
        if let Some(case) = case.and_then(|at| self.cases.get_mut(at as usize)) {
            case.widen(time);
        }
        self.denied.push(Denied {
            case,
            event: diagnosis.event_id.as_deref().map(named),
            hour: hour.and_then(|hour| i32::try_from(hour).ok()),
            response: finding.response,
        });
    }

    /// Whether it is to be handed in before it grows.
    pub fn is_full(&self) -> bool {
        self.denied.len() >= DENIALS_OF_A_BATCH || self.cases.len() >= CASES_OF_A_BATCH
    }

    fn case_of(&mut self, diagnosed: &Diagnosed, finding: Finding) -> Option<u32> {
        let key = (diagnosed.case_id.clone(), finding.rule);
        if let Some(known) = self.index.get(&key) {
            return Some(*known);
        }
        let at = u32::try_from(self.cases.len()).ok().filter(|_| self.cases.len() < CASES_OF_A_BATCH)?;
        self.cases.push(Case::of(diagnosed, finding));
        self.index.insert(key, at);
        Some(at)
    }
}

/// All that was found. It can be written down and taken up again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Kept", from = "Kept")]
pub struct Tally {
    left_out: u64,
    findings: BTreeMap<Finding, u64>,
    cases: Vec<Case>,
    index: HashMap<(String, Rule), usize>,
    /// Denials of events that had been counted.
    repeated: u64,
    /// Denials of cases for which there was no room.
    others: u64,
    /// By hours since 1970: to be fixed by hand, to be approved, alarms.
    hours: BTreeMap<i32, [u64; 3]>,
    /// Denials without a time, or of a time for which there was no room.
    untimed: u64,
    seen: HashSet<u64>,
}

impl Tally {
    /// Takes in what a reader has found.
    pub fn take(&mut self, batch: Batch) {
        self.left_out += batch.left_out;
        for (finding, count) in batch.findings {
            *self.findings.entry(finding).or_default() += count;
        }
        let mut cases: Vec<Option<Case>> = batch.cases.into_iter().map(Some).collect();
        let mut places: Vec<Option<usize>> = vec![None; cases.len()];
        for denied in batch.denied {
            if denied.event.is_some_and(|event| !self.is_first(event)) {
                self.repeated += 1;
                continue;
            }
            let at = denied.case.map(|at| at as usize);
            // A case's first denial brings the case.
            if let Some(at) = at
                && let Some(case) = cases.get_mut(at).and_then(Option::take)
                && let Some(place) = places.get_mut(at)
            {
                *place = self.place_of(case);
            }
            let case = at.and_then(|at| places.get(at).copied().flatten()).and_then(|at| self.cases.get_mut(at));
            match case {
                Some(case) => case.count += 1,
                None => self.others += 1,
            }
            self.count_hour(denied);
        }
    }

    fn is_first(&mut self, event: u64) -> bool {
        if self.seen.len() < MOST_SEEN { self.seen.insert(event) } else { !self.seen.contains(&event) }
    }

    fn place_of(&mut self, case: Case) -> Option<usize> {
        let key = (case.id.clone(), case.finding.rule);
        if let Some(&at) = self.index.get(&key) {
            if let Some(known) = self.cases.get_mut(at) {
                known.widen(case.first.as_deref());
                known.widen(case.last.as_deref());
            }
            return Some(at);
        }
        let at = self.cases.len();
        (at < MOST_CASES).then(|| {
            self.cases.push(case);
            self.index.insert(key, at);
            at
        })
    }

    fn count_hour(&mut self, denied: Denied) {
        let column = match denied.response {
            Response::Ignore => return,
            Response::SuggestFix => 0,
            Response::RequestApproval => 1,
            Response::RaiseAlarm => 2,
        };
        let has_room = self.hours.len() < MOST_HOURS;
        let hour = denied.hour.filter(|hour| has_room || self.hours.contains_key(hour));
        match hour.map(|hour| self.hours.entry(hour).or_default()).and_then(|counts| counts.get_mut(column)) {
            Some(count) => *count += 1,
            None => self.untimed += 1,
        }
    }

    /// How many records there were, without those that the filter did not admit.
    pub fn records(&self) -> u64 {
        self.findings.values().sum()
    }

    /// How many the filter did not admit.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Denials that a responder would tell somebody of, copies of one event included.
    pub fn denials(&self) -> u64 {
        self.findings.iter().filter(|(finding, _)| finding.response != Response::Ignore).map(|(_, count)| count).sum()
    }

    /// Of these, second copies of an event: several trails log the same call.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Denials of further cases than are told apart.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Exact counts of every record.
    pub fn findings(&self) -> &BTreeMap<Finding, u64> {
        &self.findings
    }

    /// The cases in the order in which they were found.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }
}

impl Case {
    fn of(diagnosed: &Diagnosed, finding: Finding) -> Self {
        let diagnosis = &diagnosed.diagnosis;
        let principal = &diagnosis.principal;
        let foreign =
            principal.account_id.as_deref().filter(|account| diagnosis.account_id.as_deref() != Some(account));
        Self {
            id: diagnosed.case_id.clone(),
            finding,
            account_id: diagnosis.account_id.as_deref().map(cut),
            region: diagnosis.region.as_deref().map(cut),
            kind: principal.kind,
            principal: principal.name.as_deref().or(principal.arn.as_deref()).map(cut),
            foreign_account: foreign.map(cut),
            action: diagnosis.action.as_deref().map(cut),
            resource: diagnosis.resource.as_deref().map(cut),
            cause: Cause { policy_arn: diagnosis.cause.policy_arn.as_deref().map(cut), ..diagnosis.cause },
            summary: cut(&diagnosis.summary),
            fix: diagnosis.remedies.first().map(Fix::of),
            event_id: diagnosis.event_id.as_deref().map(cut),
            count: 0,
            first: None,
            last: None,
        }
    }

    /// Times are ISO 8601 in UTC, as CloudTrail writes them, so their order is that of their letters. Others don't count.
    fn widen(&mut self, time: Option<&str>) {
        let Some(time) = time.filter(|time| time.len() <= 32 && time.parse::<Timestamp>().is_ok()) else { return };
        if self.first.as_deref().is_none_or(|first| time < first) {
            self.first = Some(time.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| last < time) {
            self.last = Some(time.to_owned());
        }
    }
}

impl Fix {
    fn of(remedy: &Remedy) -> Self {
        Self {
            kind: remedy.kind,
            apply: remedy.apply,
            target_kind: remedy.target.kind,
            target: cut(&remedy.target.name),
            order: cut(&notice::order(remedy)),
        }
    }
}

fn cut(text: &str) -> String {
    match text.len() <= LONGEST {
        true => text.to_owned(),
        false => format!("{}…", text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()),
    }
}

/// A number that stands for an event. Two events share one in eighteen million million million.
fn named(event_id: &str) -> u64 {
    Sha256::digest(event_id.as_bytes()).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
