//! The history of what did not count: answers that were refused, or came too late, beside the decision that they are about.
//!
//! Decides how much of it there can be, because whoever may click may click often. A list is bounded, and of people whom the
//! approvers' file doesn't list it takes a few only: they can neither make it grow nor push out what others answered. The log has
//! every line.

use access::decision;
use adapters::{
    audit::{self, Entry},
    store::{Committed, Document, Store, StoreError, Write},
    telemetry::Metric,
};
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::{
    answer::Asked,
    found::Found,
    handle::{Decide, KEPT, Report},
};

/// Entries of people who may not answer at all.
const STRANGERS: usize = 8;
/// How often it is tried although others write, too.
const TRIES: u32 = 3;

/// What did not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    #[serde(default)]
    pub entries: Vec<Entry>,
}

impl History {
    /// Adds an entry. `false`: there are enough of its kind.
    fn add(&mut self, entry: Entry) -> bool {
        let is_stranger = |entry: &Entry| entry.approver.is_none();
        if is_stranger(&entry) && self.entries.iter().filter(|entry| is_stranger(entry)).count() >= STRANGERS {
            return false;
        }
        audit::append(&mut self.entries, entry);
        true
    }
}

impl<S: Store> Decide<S> {
    /// Writes down an answer that did not count. What can't be written changes nothing about the answer: the log has it.
    pub(crate) async fn keep(&self, found: &Found, asked: &Asked, entry: Entry, report: &mut Report) {
        let (version, history) = found.history.clone();
        if let Err(why) = self.kept(version, history, asked, entry).await {
            error!(case = asked.case_id, %why, "an answer that did not count stands in the log alone");
            report.add(Metric::OwnDenials, u64::from(matches!(why, StoreError::Denied(_))));
        }
    }

    async fn kept(
        &self,
        mut version: Option<u64>,
        mut history: History,
        asked: &Asked,
        entry: Entry,
    ) -> Result<(), StoreError> {
        let key = decision::history_key(&asked.case_id, asked.opening);
        for _ in 0..TRIES {
            if !history.add(entry.clone()) {
                return Ok(());
            }
            let body = serde_json::to_string(&history).unwrap_or_default();
            let write = Write { key: key.clone(), expected: version, body, expires: Some(entry.at + KEPT) };
            if self.store.commit(&[write]).await? == Committed::Yes {
                return Ok(());
            }
            let found = self.store.read(std::slice::from_ref(&key)).await?.into_iter().next();
            version = found.as_ref().map(|found| found.version);
            history = found.as_ref().and_then(Document::parsed).unwrap_or_default();
        }
        Err(StoreError::Unavailable("others kept writing in between".to_owned()))
    }
}
