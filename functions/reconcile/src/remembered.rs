//! What reconcile remembers, and how it is kept together: a holder's grants, what happened to each, and which are unfinished.
//!
//! Three kinds of documents, all under `GRANT#`, which nobody else may write. `GRANT#AIDA…` holds one user's or role's grants;
//! `GRANT#CASE#OPENING#history` what happened to one of them and what people have been told; `GRANT#active` which of them a
//! sweep has to look at. They change in one commit, so that no grant begins without being listed. What is listed is only where
//! to look: whoever empties the list hides nothing from the sweep, which also asks IAM who holds our policies.

use std::collections::BTreeSet;

use access::{
    answer::subject,
    reconcile::{self, Effect, Grant, HolderFile, history_key},
};
use adapters::{
    audit::{self, Entry},
    store::{Document, Write},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key of the list of what is unfinished.
pub const ACTIVE: &str = "GRANT#active";

/// How often a sweep comes. Seconds.
const SWEEPS: i64 = 300;
/// What can be listed as unfinished. What is more was written by somebody else, and leaves no room for an end.
const LISTED: usize = 2_000;
/// The longest [unique id](https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html) that IAM gives.
const LONGEST_ID: usize = 128;
/// What is read of one decision's history. Bytes: well below what a table takes of one document.
const HISTORY: usize = 300_000;
/// What is over is kept this long for whoever looks back. Seconds.
const KEPT: i64 = 90 * 24 * 3600;

/// What is unfinished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Each once, in order.
    pub unfinished: BTreeSet<Unfinished>,
}

/// A grant that is not over, or a decision that people have not been told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unfinished {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// IAM's unique id of the holder, where something was to be given.
    #[serde(default)]
    pub holder_id: Option<String>,
    /// When its time is over, seconds since 1970: what is overdue is looked at first.
    #[serde(default)]
    pub not_after: Option<i64>,
}

impl Active {
    /// Reads the list; an entry that can't be read, or names no decision, is left out.
    pub fn read(body: &str) -> Self {
        #[derive(Deserialize)]
        struct Rows {
            unfinished: Vec<Value>,
        }
        let rows = serde_json::from_str::<Rows>(body).map(|rows| rows.unfinished).unwrap_or_default();
        let entries = rows.into_iter().filter_map(|row| serde_json::from_value::<Unfinished>(row).ok());
        let is_short = |id: &Option<String>| id.as_ref().is_none_or(|id| id.len() <= LONGEST_ID);
        let are_ours =
            entries.filter(|entry| subject(&entry.case_id, entry.opening).is_some() && is_short(&entry.holder_id));
        Self { unfinished: are_ours.take(LISTED).collect() }
    }

    /// In the order in which a sweep looks at them: what is overdue, then the rest, beginning each time at another, so that none is
    /// always the last for which no time is left. `now` in seconds.
    pub fn in_order(self, now: i64) -> Vec<Unfinished> {
        let (mut overdue, mut rest): (Vec<_>, Vec<_>) =
            self.unfinished.into_iter().partition(|entry| entry.not_after.is_some_and(|end| end <= now));
        overdue.sort_by_key(|entry| entry.not_after);
        let first = usize::try_from(now / SWEEPS).ok().and_then(|sweep| sweep.checked_rem(rest.len())).unwrap_or(0);
        rest.rotate_left(first);
        overdue.append(&mut rest);
        overdue
    }
}

/// What happened to one decision, and what people have been told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// What people have been told.
    #[serde(default)]
    pub told: Told,
    /// What shows that what was given works.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// Nothing is left to do or to tell.
    #[serde(default)]
    pub is_finished: bool,
}

/// What people have been told, channel by channel: after a failure only what is missing is told again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How far it had come when the topic was told last.
    #[serde(default)]
    pub topic: Option<String>,
    /// The same for Slack.
    #[serde(default)]
    pub slack: Option<String>,
    /// The same for the terminal.
    #[serde(default)]
    pub terminal: Option<String>,
    /// How often in a row telling has failed.
    #[serde(default)]
    pub failures: u32,
    /// The one reminder was sent.
    #[serde(default)]
    pub is_reminded: bool,
}

/// The three documents of one decision, as they were read together. A decision that gives nothing has no holder.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    file: Kept<HolderFile>,
    history: Kept<History>,
    active: Kept<Active>,
}

/// A document and what has become of it since it was read.
#[derive(Debug, Clone, Default)]
struct Kept<T> {
    key: Option<String>,
    version: Option<u64>,
    before: T,
    now: T,
}

impl<T: Clone + PartialEq + Serialize> Kept<T> {
    fn read(key: Option<String>, documents: &[Document], read: impl FnOnce(&str, &str) -> T) -> Self
    where
        T: Default,
    {
        let found = documents.iter().find(|document| Some(&document.key) == key.as_ref());
        let before = found.map(|found| read(&found.key, &found.body)).unwrap_or_default();
        Self { key, version: found.map(|found| found.version), now: before.clone(), before }
    }

    fn write(&self, expires: Option<i64>) -> Option<Write> {
        let key = self.key.clone().filter(|_| self.now != self.before)?;
        let body = serde_json::to_string(&self.now).ok()?;
        Some(Write { key, expected: self.version, body, expires })
    }
}

impl Remembered {
    /// The keys to read.
    pub fn keys(case_id: &str, opening: u64, holder_id: Option<&str>) -> Vec<String> {
        let file = holder_id.map(reconcile::key);
        file.into_iter().chain([history_key(case_id, opening), ACTIVE.to_owned()]).collect()
    }

    /// Takes the documents in.
    pub fn read(case_id: &str, opening: u64, holder_id: Option<&str>, documents: &[Document]) -> Self {
        Self {
            file: Kept::read(holder_id.map(reconcile::key), documents, HolderFile::read),
            history: Kept::read(Some(history_key(case_id, opening)), documents, |_, body| {
                // What happened once is no reason to stop: an unreadable history begins anew.
                Some(body)
                    .filter(|body| body.len() <= HISTORY)
                    .and_then(|body| serde_json::from_str(body).ok())
                    .unwrap_or_default()
            }),
            active: Kept::read(Some(ACTIVE.to_owned()), documents, |_, body| Active::read(body)),
        }
    }

    /// The holder's grants.
    pub fn file(&self) -> &HolderFile {
        &self.file.now
    }

    /// What happened, and what was told.
    pub fn history(&self) -> &History {
        &self.history.now
    }

    /// The same, to be changed.
    pub fn history_mut(&mut self) -> &mut History {
        &mut self.history.now
    }

    /// Remembers a grant as it is now, and what happened to it.
    pub fn remember(&mut self, grant: Grant, entry: Entry) {
        let unfinished = Unfinished {
            case_id: grant.case_id.clone(),
            opening: grant.opening,
            holder_id: Some(grant.holder_id.clone()),
            not_after: Some(grant.not_after),
        };
        self.forget_of(&grant.case_id, grant.opening, Some(&grant.holder_id));
        self.active.now.unfinished.insert(unfinished);
        self.history.now.is_finished = false;
        audit::append(&mut self.history.now.entries, entry);
        self.file.now.remember(grant);
    }

    /// Whether a sweep has to look at it again.
    pub fn set_finished(&mut self, case_id: &str, opening: u64, holder_id: Option<&str>, is_finished: bool) {
        let is_it = |entry: &Unfinished| entry.case_id == case_id && entry.opening == opening;
        self.history.now.is_finished = is_finished;
        if is_finished {
            self.active.now.unfinished.retain(|entry| !is_it(entry));
        } else if !self.active.now.unfinished.iter().any(is_it) {
            let holder_id = holder_id.map(str::to_owned);
            let case_id = case_id.to_owned();
            self.active.now.unfinished.insert(Unfinished { case_id, opening, holder_id, not_after: None });
        }
    }

    /// Takes it off the list, and leaves no other trace: nothing of it was ever decided.
    pub fn forget(&mut self, case_id: &str, opening: u64) {
        self.active.now.unfinished.retain(|entry| (entry.case_id.as_str(), entry.opening) != (case_id, opening));
    }

    /// The same for what is remembered of it under one holder.
    pub fn forget_of(&mut self, case_id: &str, opening: u64, holder_id: Option<&str>) {
        let is_it = |entry: &Unfinished| {
            (entry.case_id.as_str(), entry.opening, entry.holder_id.as_deref()) == (case_id, opening, holder_id)
        };
        self.active.now.unfinished.retain(|entry| !is_it(entry));
    }

    /// What has to be written. `now` in seconds.
    pub fn writes(&self, now: i64) -> Vec<Write> {
        let is_over = self.file.now.grants.iter().all(Grant::is_over);
        let writes = [
            self.file.write(is_over.then_some(now + KEPT)),
            self.history.write(self.history.now.is_finished.then_some(now + KEPT)),
            self.active.write(None),
        ];
        writes.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_comes_first_and_the_rest_takes_turns() {
        let entry = |case: &str, not_after| Unfinished {
            case_id: case.to_owned(),
            opening: 1,
            holder_id: None,
            not_after: Some(not_after),
        };
        let all = [entry("a", 9_000), entry("b", 100), entry("c", 9_000), entry("d", 50), entry("e", 9_000)];
        let order = |now| {
            let list = Active { unfinished: all.iter().cloned().collect() };
            list.in_order(now).into_iter().map(|entry| entry.case_id).collect::<String>()
        };
        assert_eq!([order(300), order(600), order(900)], ["dbcea", "dbeac", "dbace"]);
        assert_eq!(Active::default().in_order(300), []);
    }

    #[test]
    fn what_cannot_be_read_hides_nothing_else() {
        let id = "2gd4tjkox2q74mauvvu6";
        let list = format!(
            r#"{{"unfinished":[7,{{"case_id":"{id}","opening":1}},{{"case_id":"{id}"}},{{"case_id":"{id}","opening":0}},{{"case_id":"{}","opening":1}}]}}"#,
            "x".repeat(2_100)
        );
        let read = Active::read(&list);
        assert_eq!(read.unfinished.len(), 1);
        assert_eq!(Active::read("nonsense"), Active::default());
    }
}
