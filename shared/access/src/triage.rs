//! The verb of triage: what a batch of denials does to the cases, and who is to be told.
//!
//! Facts in, changes out. The caller reads the documents, asks [`plan`], writes the changes all or nothing, and tells people
//! where [`Planned::tell`] says so; when somebody else wrote first, it reads and asks again. Asked twice about the same batch,
//! the second plan changes nothing.
//!
//! The number of different cases is an attacker's to choose, so opening one has a budget for each principal and each account
//! and hour. What goes over it is held: counted in one storm for the account, which is told of once, and again when it has
//! grown tenfold. Alarms have budgets of their own, and no other noise eats into them; and a principal's first alarm with an
//! action is never held, so that no flood of one alarm hides another.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::{
    case::{Arrival, Arrivals, Audience, Case, KEPT, NoticeState, Told},
    denial::Denial,
    diagnose::Diagnosed,
    diagnosis::Response,
};

mod files;
mod opening;
mod request;
mod storm;

pub use files::{
    AccountFile, Budget, HourFile, Opened, OpenedCase, PrincipalFile, RecentCase, case_key, hour_key,
    is_latest_of_call, is_open_case, named_entity_key, principal_key, principal_key_of, recent_cases,
};
use files::{account_key, principal_name};
use opening::Opening;
pub use request::decision_keys;
pub use storm::{StormFile, storm_key, storm_key_of};

/// New cases of one principal in an hour.
pub const PRINCIPAL_BUDGET: u32 = 10;
/// New cases of one account in an hour.
pub const ACCOUNT_BUDGET: u32 = 100;
/// Cases of one principal within this time are shown together: a page of the console makes ten calls. Seconds.
pub const TOGETHER: i64 = 600;
/// A message in Slack is updated with its counter at most this often. Seconds.
const UPDATE_EVERY: i64 = 60;

/// A document as it was read: version and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub version: u64,
    /// Its content.
    pub body: String,
}

/// The documents that were read, by key.
pub type Documents = HashMap<String, Found>;

/// A document as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: String,
    /// The version that it was made from; `None`: it must not exist.
    pub expected: Option<u64>,
    /// Its content, JSON.
    pub body: String,
    /// When it may be deleted. Seconds since 1970.
    pub expires: Option<i64>,
}

impl Change {
    /// The document once it is so: a store counts versions one by one.
    pub fn written(&self) -> Found {
        Found { version: self.expected.map_or(1, |version| version.saturating_add(1)), body: self.body.clone() }
    }
}

/// The denials of one principal, by case, in the order of their arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// [`principal_key`].
    pub principal: String,
    /// The account whose trail holds the records; empty if they don't say.
    pub account_id: String,
    /// What a person calls the principal.
    pub name: String,
    /// One for each case.
    pub cases: Vec<Arrivals>,
}

/// The clock of one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// When this invocation is ended by force. Milliseconds since 1970.
    pub deadline_ms: i64,
}

impl Now {
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.ms.div_euclid(1000)
    }

    /// The hour that budgets are counted in.
    fn hour(self) -> i64 {
        self.seconds().div_euclid(3600)
    }

    /// After this nobody of this invocation can still be telling. One second is for clocks that differ.
    fn lease(self) -> i64 {
        self.deadline_ms + 1000
    }
}

/// Changes that are made together or not at all, and what follows once they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Empty: nothing to write.
    pub changes: Vec<Change>,
    /// For each denial how it is accounted for.
    pub outcomes: Vec<(Arrival, Outcome)>,
    /// Whom to tell of what.
    pub tell: Vec<Tell>,
}

/// How a denial is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It opened a case, whose notice is posted.
    Posted,
    /// It joined an open case.
    Joined,
    /// It had been counted before.
    Duplicate,
    /// It went over a budget and was counted in a storm.
    Held,
    /// It was counted before, but the notice of its case may still fail: it has to come again until that is known.
    Waiting,
}

/// What to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Tell {
    /// The notice of a case, with the others that it is shown beside.
    Case(Box<Case>, Vec<RecentCase>),
    /// A storm's notice.
    Storm(StormFile),
    /// A new counter in a message that is there.
    UpdateCase(Box<Case>, Vec<RecentCase>),
    /// The same for a storm.
    UpdateStorm(StormFile),
}

/// Whether the responder itself was refused: known by its role's ARN, which nobody else can bear.
pub fn is_own(denial: &Denial, own_roles: &[String]) -> bool {
    denial.caller.principal.arn.as_ref().is_some_and(|arn| own_roles.contains(arn))
}

/// Sorts what is to be posted by principal and case. `message`: which message of the batch each came in.
pub fn group(diagnosed: impl IntoIterator<Item = (usize, Diagnosed)>) -> Vec<Group> {
    // One principal may be refused in several accounts: each refusal is charged to the account that it was in.
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for (message, one) in diagnosed {
        if one.diagnosis.response == Response::Ignore {
            continue;
        }
        let key = principal_key(&one.denial);
        let account_id = one.denial.place.account_id.clone().unwrap_or_default();
        let group = groups.entry((key.clone(), account_id.clone())).or_insert_with(|| Group {
            principal: key,
            account_id,
            name: principal_name(&one.denial),
            cases: Vec::new(),
        });
        let arrival = Arrival::of(message, &one.denial);
        match group.cases.iter_mut().find(|case| case.first.case_id == one.case_id) {
            Some(case) => case.each.push(arrival),
            None => group.cases.push(Arrivals { first: one, each: vec![arrival] }),
        }
    }
    // Alarms first: whatever else fails or takes time, they have been told by then.
    let mut groups: Vec<Group> = groups.into_values().collect();
    let is_quiet = |group: &Group| group.cases.iter().all(|case| case.first.diagnosis.response != Response::RaiseAlarm);
    groups.sort_by_key(is_quiet);
    groups
}

/// The documents that [`plan`] looks at.
pub fn keys(group: &Group, now: Now) -> Vec<String> {
    let mut keys: Vec<String> = group.cases.iter().map(|case| case_key(&case.first.case_id)).collect();
    keys.push(group.principal.clone());
    keys.push(account_key(&group.account_id));
    keys.push(hour_key(now.hour()));
    keys.extend(
        [Audience::Notices, Audience::Alarms].map(|audience| storm_key_of(&group.account_id, now.hour(), audience)),
    );
    keys
}

/// The cases of a group that would be opened now, not joined: of these something may have to be found out first.
pub fn opens<'a>(group: &'a mut Group, documents: &'a Documents, now: Now) -> impl Iterator<Item = &'a mut Arrivals> {
    group.cases.iter_mut().filter(move |arrivals| request::joined(arrivals, documents, now).is_none())
}

/// What one principal's denials change. The parts are independent of each other: each is committed on its own.
pub fn plan(group: &Group, documents: &Documents, now: Now) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut opening = Opening::new(group, documents, now);
    for arrivals in &group.cases {
        let key = case_key(&arrivals.first.case_id);
        let found = documents.get(&key);
        match request::joined(arrivals, documents, now) {
            Some(case) => {
                let again = opening.may_tell_again(&case, arrivals);
                let joined = join(case, found.map(|f| f.version), arrivals, opening.principal(), again, now);
                // Telling again is charged like telling at first, and is written with what it is charged to.
                if again { opening.take(joined) } else { planned.push(joined) }
            }
            None => opening.add(arrivals, found),
        }
    }
    planned.extend(opening.finish());
    planned
}

/// More denials of a case that is open. `again`: everybody is told anew.
fn join(
    mut case: Case,
    version: Option<u64>,
    arrivals: &Arrivals,
    principal: &PrincipalFile,
    again: bool,
    now: Now,
) -> Planned {
    let counted: Vec<bool> = arrivals.each.iter().map(|arrival| case.event_ids.contains(&arrival.event)).collect();
    let new = case.join(arrivals, now.seconds());
    let takes_over = case.told.is_free(now.ms);
    let is_pending = case.told.notice == NoticeState::Pending;
    let is_old = now.seconds() - case.told.updated_at >= UPDATE_EVERY;
    let updates = new > 0 && !is_pending && !again && is_old && case.told.slack.is_some();
    if again {
        case.told = Told::leased(now.seconds(), now.lease());
    }
    if takes_over {
        case.told.take_over(now.seconds(), now.lease());
    }
    if updates {
        case.told.updated_at = now.seconds();
    }
    let mut seen = Vec::new();
    let outcomes = arrivals.each.iter().zip(counted).map(|(arrival, was_counted)| {
        let is_repeat = was_counted || seen.contains(&&arrival.event);
        seen.push(&arrival.event);
        let outcome = match (is_repeat, is_pending && !takes_over) {
            (false, _) => Outcome::Joined,
            // Its first delivery may have died while telling: only a sent notice lets it go.
            (true, true) => Outcome::Waiting,
            (true, false) => Outcome::Duplicate,
        };
        (arrival.clone(), outcome)
    });
    let outcomes = outcomes.collect();
    let together = together(principal, &case, now);
    let changes = if new > 0 || takes_over {
        vec![change(&case_key(&case.id), version, &case, Some(case.expires()))]
    } else {
        Vec::new()
    };
    let tell = match (takes_over || again, updates) {
        (true, _) => vec![Tell::Case(Box::new(case), together)],
        (false, true) => vec![Tell::UpdateCase(Box::new(case), together)],
        (false, false) => Vec::new(),
    };
    Planned { changes, outcomes, tell }
}

/// The principal's other cases of the last ten minutes.
fn together(principal: &PrincipalFile, case: &Case, now: Now) -> Vec<RecentCase> {
    principal.recent.iter().filter(|recent| recent.is_near(case, now.seconds())).cloned().collect()
}

fn read<T: serde::de::DeserializeOwned>(found: &Found) -> Option<T> {
    serde_json::from_str(&found.body).ok()
}

fn change<T: Serialize>(key: &str, expected: Option<u64>, body: &T, expires: Option<i64>) -> Change {
    Change { key: key.to_owned(), expected, body: serde_json::to_string(body).unwrap_or_default(), expires }
}

/// Records that people were told, in whatever the case's or storm's document holds by now.
pub fn told(found: &Found, key: &str, told: &Told) -> Option<Change> {
    let mut body: serde_json::Value = serde_json::from_str(&found.body).ok()?;
    *body.get_mut("told")? = serde_json::to_value(told).ok()?;
    // A case counts from its last denial; a storm has only its beginning.
    let since = body.get("seen_at").or_else(|| body.get("opened_at")).and_then(serde_json::Value::as_i64);
    let expires = since.map(|since| since + KEPT);
    Some(Change { key: key.to_owned(), expected: Some(found.version), body: body.to_string(), expires })
}
