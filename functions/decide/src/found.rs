//! What the table holds about one answer, read consistently and believed as little as possible.
//!
//! Everything here may have been written by whoever can write to the table. A case that stands under another id than its own is
//! none. A decision's code is not checked, because this function can't: the decision that it finds is good for telling people.

use access::{
    case::Case,
    decision::{self, Decision, HourFile, Revocation, Vouched},
    triage,
};
use adapters::store::{Document, Store, StoreError, Write};
use serde::de::DeserializeOwned;

use crate::{answer::Asked, handle::KEPT, history::History};

/// Decisions that are listed of one hour. More than people make, and far below what a document may hold.
const LISTED: usize = 4_000;

/// The documents.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) case: Option<Case>,
    pub(crate) decision: Row<Decision>,
    pub(crate) revocation: Row<Revocation>,
    pub(crate) history: (Option<u64>, History),
    hour: (Option<u64>, HourFile),
}

/// What stands in the place of a record.
#[derive(Debug)]
pub(crate) enum Row<T> {
    None,
    /// Something else, with its version.
    Unreadable(u64),
    /// One of this case at this opening, with its version.
    Is(Box<Vouched<T>>, u64),
}

impl<T: DeserializeOwned> Row<T> {
    fn read(found: Option<&Document>, is_its: impl FnOnce(&T) -> bool) -> Self {
        let Some(found) = found else { return Self::None };
        match found.parsed::<Vouched<T>>() {
            Some(row) if is_its(&row.record) => Self::Is(Box::new(row), found.version),
            _ => Self::Unreadable(found.version),
        }
    }
}

impl<T> Row<T> {
    pub(crate) fn version(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Unreadable(version) | Self::Is(_, version) => Some(*version),
        }
    }
}

impl Found {
    /// Reads it all at once. `now` in seconds: a decision is listed in the hour in which it is made.
    pub(crate) async fn read(store: &impl Store, asked: &Asked, now: i64) -> Result<Self, StoreError> {
        let Asked { case_id, opening, .. } = asked;
        let keys = [
            triage::case_key(case_id),
            decision::key(case_id, *opening),
            decision::revocation_key(case_id, *opening),
            decision::history_key(case_id, *opening),
            decision::hour_key(now.div_euclid(3600)),
        ];
        let documents = store.read(&keys).await?;
        let [case, decision, revocation, history, hour] =
            keys.each_ref().map(|key| documents.iter().find(|found| found.key == *key));
        Ok(Self {
            case: case.and_then(Document::parsed).filter(|case: &Case| case.id == *case_id),
            decision: Row::read(decision, |its: &Decision| (&its.case_id, its.opening) == (case_id, *opening)),
            revocation: Row::read(revocation, |its: &Revocation| (&its.case_id, its.opening) == (case_id, *opening)),
            // What can't be read hides nothing that comes after it.
            history: (history.map(|found| found.version), history.and_then(Document::parsed).unwrap_or_default()),
            hour: (hour.map(|found| found.version), hour.and_then(Document::parsed).unwrap_or_default()),
        })
    }

    /// Whether there is, or was, something that could be answered there: nobody makes up openings of a case and has something
    /// written for each of them.
    pub(crate) fn is_about(&self, asked: &Asked) -> bool {
        self.case.as_ref().is_some_and(|case| case.opening == asked.opening) || matches!(self.decision, Row::Is(..))
    }

    /// The hour's list with this key in it.
    pub(crate) fn listed(&mut self, key: &str, now: i64) -> Write {
        let (expected, file) = &mut self.hour;
        if !file.keys.iter().any(|listed| listed == key) {
            file.keys.push(key.to_owned());
        }
        let forgotten = file.keys.len().saturating_sub(LISTED);
        file.keys.drain(..forgotten);
        let body = serde_json::to_string(file).unwrap_or_default();
        Write { key: decision::hour_key(now.div_euclid(3600)), expected: *expected, body, expires: Some(now + KEPT) }
    }
}
