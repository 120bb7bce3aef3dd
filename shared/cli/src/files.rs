//! What is known of cases and grants, read by their keys and believed as little as possible.
//!
//! Four functions keep four kinds of documents of one case at one opening; here they are put together for whoever looks: the
//! lists, the answers, a page. Nothing is written. Everything may have been written by whoever can write to the table: a record that
//! stands under another key than its own is none, and a list's entry is only where to look. A decision's code is not checked, since
//! only `reconcile` can: what is shown of one is what the table says.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use access::{
    answer::{read_subject, subject},
    case::{Audience, Case},
    decision::{self, Decision, Revocation, Vouched},
    diagnose::{Diagnosed, Setting},
    diagnosis::{Apply, Remedy},
    reconcile::{self as grants, Grant, HolderFile, history_key},
    standing::{Facts, State},
    triage::{self, HourFile, PrincipalFile, StormFile},
};
use adapters::{
    audit::Entry,
    store::{Document, Store, StoreError},
};
use reconcile::remembered::{ACTIVE, Active};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Cases that are read for one list. A flood opens more, and nobody reads them one by one.
pub const MOST: usize = 1_000;
/// How many earlier openings of a case are looked at: a grant is for half a day at most, and a case is opened anew after a day.
const EARLIER: u64 = 8;
/// Accounts whose storms are looked for.
const ACCOUNTS: usize = 20;

/// A case at one of its openings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}#{}", self.case_id, self.opening)
    }
}

impl Subject {
    /// Only what can be one: nobody leads a reader to other keys by what they write into a list.
    fn checked(case_id: &str, opening: u64) -> Option<Self> {
        subject(case_id, opening).map(|_| Self { case_id: case_id.to_owned(), opening })
    }

    fn keys(&self) -> [String; 5] {
        let Self { case_id, opening } = self;
        [
            triage::case_key(case_id),
            decision::key(case_id, *opening),
            decision::revocation_key(case_id, *opening),
            decision::history_key(case_id, *opening),
            history_key(case_id, *opening),
        ]
    }
}

/// An opening and those before it of which something may still be given, the oldest first.
pub fn openings(case: &Case) -> Vec<Subject> {
    let of = |opening| Subject { case_id: case.id.clone(), opening };
    (case.opening.saturating_sub(EARLIER).max(1)..=case.opening).map(of).collect()
}

/// Everything that is known of a case at one opening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseFile {
    /// Which case, and which opening.
    pub subject: Subject,
    /// The case as it is now, which may be at a later opening.
    pub case: Option<Case>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// That it was taken back.
    pub revocation: Option<Revocation>,
    /// How far what was given has come.
    pub grant: Option<Grant>,
    /// The last case that was opened for the same call, as far as that is remembered.
    pub latest: Option<String>,
    /// The answers that did not count, oldest first.
    pub answers: Vec<Entry>,
    /// What was done about it, oldest first, with IAM's request ids.
    pub history: Vec<Entry>,
}

/// Which cases there are, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The cases.
    pub subjects: Vec<Subject>,
    /// How many more were opened.
    pub more: u64,
}

impl CaseFile {
    /// What is known of it, for saying how it stands.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            case: self.case.as_ref(),
            opening: self.subject.opening,
            decision: self.decision.as_ref(),
            revocation: self.revocation.as_ref(),
            grant: self.grant.as_ref(),
            latest: self.latest.as_deref(),
        }
    }

    /// How far it has come. `now` in seconds.
    pub fn state(&self, setting: &Setting, now: i64) -> State {
        let is_offered = self.case.as_ref().is_some_and(|case| !offers(case, &case.diagnosed(setting)).is_empty());
        self.facts().state(is_offered, now)
    }

    /// Whether what was given should be gone, and is not. `now` in seconds.
    pub fn is_overdue(&self, now: i64) -> bool {
        self.facts().is_overdue(now)
    }
}

/// What of a case can be approved, best first, computed anew as `decide` does it. The stack's guardrails are not known here: what
/// they forbid is refused by whoever decides.
pub fn offers(case: &Case, diagnosed: &Diagnosed) -> Vec<Remedy> {
    let remedies = diagnosed.diagnosis.remedies.iter().filter(|remedy| remedy.apply == Apply::OnApproval);
    // A record under another case's id: somebody wrote it there.
    remedies.filter(|_| diagnosed.case_id == case.id).cloned().collect()
}

/// A case as it is now.
pub async fn case(store: &impl Store, id: &str) -> Result<Option<Case>, StoreError> {
    let found = store.read(&[triage::case_key(id)]).await?;
    Ok(found.first().and_then(Document::parsed::<Case>).filter(|case| case.id == id))
}

/// The cases of the last hours. `now` in seconds.
pub async fn opened(store: &impl Store, hours: u16, now: i64) -> Result<Opened, StoreError> {
    let files: Vec<HourFile> = lists(store, triage::hour_key, hours, now).await?;
    let mut opened = Opened { more: files.iter().map(|file| file.more).sum(), ..Opened::default() };
    for file in files {
        let subjects = file.cases.iter().rev().filter_map(|case| Subject::checked(&case.id, case.opening));
        opened.subjects.extend(subjects);
    }
    let rest = opened.subjects.len().saturating_sub(MOST);
    opened.subjects.truncate(MOST);
    opened.more += u64::try_from(rest).unwrap_or(u64::MAX);
    Ok(opened)
}

/// What was held back of these hours in the accounts of these cases: a budget is used up by cases. `now` in seconds.
pub async fn storms(
    store: &impl Store,
    files: &[CaseFile],
    hours: u16,
    now: i64,
) -> Result<Vec<StormFile>, StoreError> {
    let accounts = files.iter().filter_map(|file| file.case.as_ref()?.diagnosis.get("account_id")?.as_str());
    let accounts: BTreeSet<&str> = accounts.take(MOST).collect();
    let hour = now.div_euclid(3600);
    let keys: Vec<String> = accounts
        .into_iter()
        .take(ACCOUNTS)
        .flat_map(|account| (0..i64::from(hours)).map(move |back| (account, hour - back)))
        .flat_map(|(account, hour)| {
            [Audience::Alarms, Audience::Notices].map(|audience| triage::storm_key_of(account, hour, audience))
        })
        .collect();
    let found = store.read(&keys).await?;
    // A record under another key than its own is none.
    let own =
        |document: &Document| document.parsed::<StormFile>().filter(|storm| triage::storm_key(storm) == document.key);
    let mut storms: Vec<StormFile> = found.iter().filter_map(own).collect();
    storms.sort_by_key(|storm| std::cmp::Reverse((storm.audience == Audience::Alarms, storm.opened_at)));
    Ok(storms)
}

/// What is given now, and, of the hours that are named, what was decided. `now` in seconds.
pub async fn given(store: &impl Store, hours: Option<u16>, now: i64) -> Result<Vec<Subject>, StoreError> {
    let active = store.read(&[ACTIVE.to_owned()]).await?.into_iter().next();
    let active = active.map(|found| Active::read(&found.body)).unwrap_or_default();
    let mut subjects: BTreeSet<Subject> =
        active.unfinished.iter().filter_map(|entry| Subject::checked(&entry.case_id, entry.opening)).collect();
    let hours = hours.unwrap_or(0);
    let decided: Vec<decision::HourFile> = lists(store, decision::hour_key, hours, now).await?;
    for key in decided.iter().flat_map(|file| &file.keys) {
        let named = key.strip_prefix("DECISION#").and_then(read_subject);
        subjects.extend(named.and_then(|(case_id, opening)| Subject::checked(case_id, opening)));
    }
    Ok(subjects.into_iter().take(MOST).collect())
}

/// The lists of the last hours, the newest first. What can't be read hides nothing else.
async fn lists<T: DeserializeOwned>(
    store: &impl Store,
    key: impl Fn(i64) -> String,
    hours: u16,
    now: i64,
) -> Result<Vec<T>, StoreError> {
    let hour = now.div_euclid(3600);
    let keys: Vec<String> = (0..i64::from(hours)).map(|back| key(hour - back)).collect();
    Ok(store.read(&keys).await?.iter().filter_map(Document::parsed).collect())
}

/// What is known of each, in the same order.
pub async fn read(store: &impl Store, subjects: &[Subject]) -> Result<Vec<CaseFile>, StoreError> {
    let keys: Vec<String> = subjects.iter().flat_map(Subject::keys).collect();
    let documents = store.read(&keys).await?;
    let found: HashMap<&str, &Document> = documents.iter().map(|document| (document.key.as_str(), document)).collect();
    let mut files: Vec<CaseFile> = subjects.iter().map(|subject| file(subject, &found)).collect();
    // What reconcile has not finished it knows by its holder, whatever has become of the decision.
    let active = store.read(&[ACTIVE.to_owned()]).await?.into_iter().next();
    let unfinished = active.map(|found| Active::read(&found.body).unfinished).unwrap_or_default();
    let holder_of = |file: &CaseFile| {
        let subject = &file.subject;
        let known = unfinished.iter().find(|its| its.case_id == subject.case_id && its.opening == subject.opening);
        let decided = file.decision.as_ref().and_then(|decision| decision.target_id.as_deref());
        known.and_then(|its| its.holder_id.as_deref()).or(decided).map(grants::key)
    };
    let holders: Vec<String> = files.iter().filter_map(holder_of).collect::<BTreeSet<_>>().into_iter().collect();
    let holders = store.read(&holders).await?;
    let holders: HashMap<&str, HolderFile> =
        holders.iter().map(|found| (found.key.as_str(), HolderFile::read(&found.key, &found.body))).collect();
    let principal_of = |file: &CaseFile| file.case.as_ref().map(triage::principal_key_of);
    let principals: Vec<String> = files.iter().filter_map(principal_of).collect::<BTreeSet<_>>().into_iter().collect();
    let principals = store.read(&principals).await?;
    let principals: HashMap<&str, PrincipalFile> =
        principals.iter().filter_map(|found| Some((found.key.as_str(), found.parsed()?))).collect();
    for file in &mut files {
        if let (Some(case), Some(key)) = (&file.case, principal_of(file)) {
            let latest = principals.get(key.as_str()).and_then(|its| its.latest_of_call(&case.call_id));
            file.latest = latest.map(|recent| recent.id.clone());
        }
        let its = holder_of(file).and_then(|key| holders.get(key.as_str()));
        file.grant = its.and_then(|its| its.grant(&file.subject.case_id, file.subject.opening).cloned());
    }
    Ok(files)
}

fn file(subject: &Subject, found: &HashMap<&str, &Document>) -> CaseFile {
    let keys = subject.keys();
    let [case, decision, revocation, answers, history] = keys.each_ref().map(|key| found.get(key.as_str()).copied());
    let is_its = |case_id: &str, opening: u64| (case_id, opening) == (subject.case_id.as_str(), subject.opening);
    let record = |row: Vouched<Decision>| row.record;
    let end = |row: Vouched<Revocation>| row.record;
    CaseFile {
        case: case.and_then(Document::parsed::<Case>).filter(|case| case.id == subject.case_id),
        decision: decision
            .and_then(Document::parsed)
            .map(record)
            .filter(|its: &Decision| is_its(&its.case_id, its.opening)),
        revocation: revocation
            .and_then(Document::parsed)
            .map(end)
            .filter(|its: &Revocation| is_its(&its.case_id, its.opening)),
        grant: None,
        latest: None,
        answers: answers.and_then(Document::parsed::<decide::history::History>).unwrap_or_default().entries,
        history: history.and_then(Document::parsed::<reconcile::remembered::History>).unwrap_or_default().entries,
        subject: subject.clone(),
    }
}
