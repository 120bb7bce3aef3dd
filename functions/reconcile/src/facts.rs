//! The facts of one decision: read consistently, and believed only as far as its code vouches for them.
//!
//! Everything here may have been written by whoever can write to the table. A row that can't be read, that stands under another
//! key than its own, or whose code isn't `decide`'s, is none.

use std::sync::Mutex;

use access::{
    answer,
    case::Case,
    decision::{self, Decision, Revocation, Vouched},
    triage,
};
use adapters::{store::Document, vouch::Voucher};
use serde::de::DeserializeOwned;

use crate::handle::Trouble;

/// A decision by its key: a case at one of its openings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
}

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What was decided, as far as the code vouches for it.
    pub decision: Option<Decision>,
    /// The authentic revocation.
    pub revocation: Option<Revocation>,
    /// The case as the table holds it now.
    pub case: Option<Case>,
    /// How many rows stand there that nothing vouches for.
    pub unvouched: u64,
    /// Nobody could say what is vouched for.
    pub is_unverified: bool,
}

/// What this invocation has had verified: the same bytes are asked about once.
#[derive(Debug, Default)]
pub struct Verified(Mutex<Vec<(Vec<u8>, String, bool)>>);

impl Subject {
    /// The decision that a key is about: its own, or its revocation's.
    pub fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix("DECISION#")?.split('#');
        let (case_id, opening) = (parts.next()?, parts.next()?.parse().ok()?);
        answer::subject(case_id, opening)?;
        let subject = Self { case_id: case_id.to_owned(), opening };
        // Written again it has to be the same, so that one decision has one key.
        [decision::key(case_id, opening), decision::revocation_key(case_id, opening)]
            .contains(&key.to_owned())
            .then_some(subject)
    }

    /// What is read for it.
    pub fn keys(&self) -> Vec<String> {
        vec![
            decision::key(&self.case_id, self.opening),
            decision::revocation_key(&self.case_id, self.opening),
            triage::case_key(&self.case_id),
        ]
    }

    /// What is known where nobody can say what is vouched for: what it is about, so that people can be told.
    pub fn unverified(&self, documents: &[Document]) -> Known {
        Known { case: self.case(documents), is_unverified: true, ..Known::default() }
    }

    fn case(&self, documents: &[Document]) -> Option<Case> {
        let key = triage::case_key(&self.case_id);
        documents.iter().find(|document| document.key == key).and_then(|found| parsed(&found.body))
    }

    /// Takes the documents in. An error only if nobody could say whether a code is right.
    pub async fn known(
        &self,
        documents: &[Document],
        voucher: &Voucher,
        verified: &Verified,
    ) -> Result<Known, Trouble> {
        let body = |key: &str| documents.iter().find(|document| document.key == key).map(|found| found.body.as_str());
        let mut known = Known { case: self.case(documents), ..Known::default() };
        if let Some(body) = body(&decision::key(&self.case_id, self.opening)) {
            known.decision = match parsed::<Vouched<Decision>>(body) {
                Some(Vouched { record: decision, mac })
                    if (&decision.case_id, decision.opening) == (&self.case_id, self.opening)
                        && verified.verify(voucher, decision.message(), &mac).await? =>
                {
                    Some(decision)
                }
                _ => None,
            };
            known.unvouched += u64::from(known.decision.is_none());
        }
        if let Some(body) = body(&decision::revocation_key(&self.case_id, self.opening)) {
            known.revocation = match parsed::<Vouched<Revocation>>(body) {
                Some(Vouched { record: revocation, mac })
                    if (&revocation.case_id, revocation.opening) == (&self.case_id, self.opening)
                        && verified.verify(voucher, revocation.message(), &mac).await? =>
                {
                    Some(revocation)
                }
                _ => None,
            };
            known.unvouched += u64::from(known.revocation.is_none());
        }
        Ok(known)
    }
}

impl Verified {
    async fn verify(&self, voucher: &Voucher, message: Vec<u8>, code: &str) -> Result<bool, Trouble> {
        let kept = |(bytes, text, is_right): &(Vec<u8>, String, bool)| {
            (*bytes == message && text == code).then_some(*is_right)
        };
        if let Some(is_right) = self.lock().iter().find_map(kept) {
            return Ok(is_right);
        }
        let is_right = voucher.verify(&message, code).await.map_err(Trouble::Voucher)?;
        self.lock().push((message, code.to_owned(), is_right));
        Ok(is_right)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Vec<u8>, String, bool)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn parsed<T: DeserializeOwned>(body: &str) -> Option<T> {
    serde_json::from_str(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_name_a_decision() {
        let case = "2gd4tjkox2q74mauvvu6";
        let subject = Some(Subject { case_id: case.to_owned(), opening: 3 });
        assert_eq!(Subject::of_key(&decision::key(case, 3)), subject);
        assert_eq!(Subject::of_key(&decision::revocation_key(case, 3)), subject);
        for key in ["hour#497222", "a#3", "CASE#03", "CASE#+3", "CASE#3#b", "CASE#3#revoked#", "CASE#", "CASE#0", ""] {
            let key = format!("DECISION#{}", key.replace("CASE", case));
            assert_eq!(Subject::of_key(&key), None, "{key}");
        }
    }
}
