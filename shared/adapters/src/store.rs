//! Versioned documents: what the functions remember between two calls.
//!
//! Decides how two writers of one document stay out of each other's way: every document has a version, a write names the
//! version that it was made from, and a set of writes happens whole or not at all. Nothing is ever locked, so a writer that dies
//! leaves nothing behind. There are two stores, DynamoDB ([`dynamodb`]) and a folder of one machine ([`embedded`]); one suite of
//! tests runs on both, and both keep DynamoDB's limits, so that what works on a laptop works when deployed.
//!
//! A document whose `expires` has passed is a document like any other here: it is read, and it can be written. DynamoDB
//! deletes it some time later ([within a few days](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html)),
//! the embedded store never. Whoever cares compares `expires` with the clock.

use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::fmt;
use std::future::Future;

#[cfg(feature = "aws")]
pub mod dynamodb;
#[cfg(feature = "embedded")]
pub mod embedded;

/// Writes in one [`Store::commit`], [DynamoDB's limit](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html) for a transaction.
pub const MAX_WRITES: usize = 100;
/// Bytes of one document as DynamoDB counts them: [400 KB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items), names of attributes included.
pub const MAX_DOCUMENT_BYTES: usize = 400 * 1024;
/// Bytes of all documents of one commit, DynamoDB's limit for a transaction.
pub const MAX_COMMIT_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a key, DynamoDB's limit for a partition key.
pub const MAX_KEY_BYTES: usize = 2048;

/// What the attributes cost beside key and body: their names (`pk`, `version`, `body`, `expires`, `token`: 25 bytes), two
/// numbers (21 bytes each at most) and the token (32 bytes).
const ATTRIBUTES_BYTES: usize = 25 + 2 * 21 + 32;

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, unique in the table.
    pub key: String,
    /// How many times it was written: 1 for a new one.
    pub version: u64,
    /// Its content, JSON. The store never looks into it.
    pub body: String,
    /// When it may be deleted, in seconds since 1970; `None`: never.
    pub expires: Option<i64>,
}

impl Document {
    /// Its content, if it is one of these. Whoever can write to the table may have written anything.
    pub fn parsed<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.body).ok()
    }
}

/// A document as it shall be. Its version becomes `expected + 1`, or 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The document's name.
    pub key: String,
    /// The version this was made from; `None`: there must be no such document.
    pub expected: Option<u64>,
    /// The new content, JSON.
    pub body: String,
    /// When it may be deleted, in seconds since 1970; `None`: never.
    pub expires: Option<i64>,
}

impl Write {
    /// The version that the document will have.
    fn version(&self) -> Result<u64, StoreError> {
        self.expected
            .unwrap_or(0)
            .checked_add(1)
            .ok_or_else(|| StoreError::Invalid("the expected version is the largest number there is".to_owned()))
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.body.len() + ATTRIBUTES_BYTES
    }
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Every write was made, durably.
    Yes,
    /// Some document has another version than was expected; nothing was written. Read again, decide again.
    Conflict,
}

/// Why the store gave no answer. After an error of [`Store::commit`] it is not known whether the writes were made, except
/// for `Invalid` and `TooLarge`, which are found before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The caller's mistake: two writes of one key, no key, more than [`MAX_WRITES`].
    Invalid(String),
    /// More than a table takes, found before sending.
    TooLarge {
        /// The document, or how many of them.
        what: String,
        /// Its size as DynamoDB counts.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// Throttled, timed out, out of order or not reached: worth another try, later.
    Unavailable(String),
    /// A permission that we lack ourselves: counted, and an operator's to mend.
    Denied(String),
    /// Refused for another reason that a second try doesn't change (no such table, say).
    Refused(String),
    /// What is stored is not what this module writes.
    Corrupt(String),
    /// Another process has the folder open (embedded store only).
    InUse(String),
}

impl StoreError {
    /// Whether the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "a write that no store takes: {what}"),
            Self::TooLarge { what, bytes, limit } => {
                write!(f, "{what}: {bytes} bytes, and at most {limit} can be stored")
            }
            Self::Unavailable(why) => write!(f, "the store can't be reached now: {why}"),
            Self::Denied(why) => write!(f, "this program lacks a permission on its store: {why}"),
            Self::Refused(why) => write!(f, "the store refused: {why}"),
            Self::Corrupt(what) => write!(f, "the store holds something unreadable: {what}"),
            Self::InUse(folder) => write!(f, "{folder} is in use by another process: only one at a time can open it"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Where the documents are.
pub trait Store: Send + Sync {
    /// The documents of these keys as they are now: whatever was committed before the call is seen. In the order of the keys;
    /// a key that isn't there is left out, one that is named twice comes once. Any number of keys.
    fn read(&self, keys: &[String]) -> impl Future<Output = Result<Vec<Document>, StoreError>> + Send;

    /// Makes all the writes or none. No writes at all are `Yes`.
    fn commit(&self, writes: &[Write]) -> impl Future<Output = Result<Committed, StoreError>> + Send;
}

/// What several parts of one process share.
impl<S: Store> Store for std::sync::Arc<S> {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        S::read(self, keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        S::commit(self, writes).await
    }
}

/// What holds for both stores and is known before anything is sent.
#[cfg_attr(not(any(feature = "aws", feature = "embedded")), allow(dead_code))]
fn check(writes: &[Write]) -> Result<(), StoreError> {
    if writes.len() > MAX_WRITES {
        return Err(StoreError::Invalid(format!("{} writes in one commit; at most {MAX_WRITES}", writes.len())));
    }
    let mut seen = HashSet::with_capacity(writes.len());
    let mut all = 0;
    for write in writes {
        write.version()?;
        check_key(&write.key)?;
        if !seen.insert(write.key.as_str()) {
            return Err(StoreError::Invalid(format!("two writes of {}", write.key)));
        }
        let bytes = write.bytes();
        if bytes > MAX_DOCUMENT_BYTES {
            return Err(StoreError::TooLarge { what: write.key.clone(), bytes, limit: MAX_DOCUMENT_BYTES });
        }
        all += bytes;
    }
    if all > MAX_COMMIT_BYTES {
        return Err(StoreError::TooLarge {
            what: format!("{} documents", writes.len()),
            bytes: all,
            limit: MAX_COMMIT_BYTES,
        });
    }
    Ok(())
}

#[cfg_attr(not(any(feature = "aws", feature = "embedded")), allow(dead_code))]
fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(StoreError::Invalid("an empty key".to_owned()));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(StoreError::Invalid(format!("a key of {} bytes; at most {MAX_KEY_BYTES}", key.len())));
    }
    Ok(())
}
