//! The documents of one machine, in a folder.
//!
//! Decides how a single process keeps what it knows over a restart, killed or not, without a server: one file of
//! [redb](https://www.redb.org), a transactional B-tree. `commit` returns when the data is on the disk.
//!
//! The calls block for the length of a transaction (an fsync, some milliseconds) instead of moving to another thread: the store
//! serves one operator at one machine, no transaction waits for anything but the disk, and a hand-over would cost more code than it saves time.

use super::{Committed, Document, Store, StoreError, Write, check, check_key};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::HashSet;
use std::path::Path;

/// version, expires, number of the write, body
type Row<'a> = (u64, Option<i64>, u64, &'a str);

const DOCUMENTS: TableDefinition<'_, &str, Row<'_>> = TableDefinition::new("documents");
/// Number of a write → the key written. Only the last write of each key is kept, so that this can't outgrow the documents.
const CHANGES: TableDefinition<'_, u64, &str> = TableDefinition::new("changes");

const FILE: &str = "trailpass.redb";

/// The store of one process in a folder of its own.
#[derive(Debug)]
pub struct EmbeddedStore {
    database: Database,
}

impl EmbeddedStore {
    /// Opens the folder, which is made if it isn't there (readable by its owner only: cases name people and resources).
    ///
    /// `InUse` if another process has it open.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", dir.display());
        private_folder(dir).map_err(|e| StoreError::Refused(named(&e)))?;
        let database = Database::create(dir.join(FILE)).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(dir.display().to_string()),
            other => StoreError::Corrupt(named(&other)),
        })?;
        // Reading wants tables that exist: they are made here, once.
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(DOCUMENTS).map_err(failed)?;
        transaction.open_table(CHANGES).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { database })
    }

    /// Every document whose key begins with `prefix`, in the order of the keys' bytes.
    pub fn all(&self, prefix: &str) -> Result<Vec<Document>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(DOCUMENTS).map_err(failed)?;
        let mut found = Vec::new();
        for entry in table.range(prefix..).map_err(failed)? {
            let (key, row) = entry.map_err(failed)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            found.push(document(key.value(), row.value()));
        }
        Ok(found)
    }

    /// The documents written after the write numbered `after` (0: all), each once, as it is now, with the number of its last
    /// write, in the order of those numbers. Numbers grow by one with each write and survive a restart. This stands in the place
    /// of a DynamoDB table's stream: like there, a change is a reason to look, not a fact to act on.
    pub fn changes(&self, after: u64) -> Result<Vec<(u64, Document)>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let transaction = self.database.begin_read().map_err(failed)?;
        let documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
        let changes = transaction.open_table(CHANGES).map_err(failed)?;
        let mut found = Vec::new();
        for entry in changes.range(first..).map_err(failed)? {
            let (number, key) = entry.map_err(failed)?;
            let row = documents.get(key.value()).map_err(failed)?;
            let row = row.ok_or_else(|| StoreError::Corrupt(format!("{} was changed and is gone", key.value())))?;
            found.push((number.value(), document(key.value(), row.value())));
        }
        Ok(found)
    }

    fn read_now(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(DOCUMENTS).map_err(failed)?;
        let mut seen = HashSet::with_capacity(keys.len());
        let mut found = Vec::new();
        for key in keys {
            check_key(key)?;
            if seen.insert(key)
                && let Some(row) = table.get(key.as_str()).map_err(failed)?
            {
                found.push(document(key, row.value()));
            }
        }
        Ok(found)
    }

    fn commit_now(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        check(writes)?;
        if writes.is_empty() {
            return Ok(Committed::Yes);
        }
        // redb has one write transaction at a time, so nothing changes between this look and the write. A transaction that is
        // dropped is rolled back.
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
            let mut changes = transaction.open_table(CHANGES).map_err(failed)?;
            let mut number = changes.last().map_err(failed)?.map_or(0, |(number, _)| number.value());
            for write in writes {
                let current = documents.get(write.key.as_str()).map_err(failed)?.map(|row| {
                    let (version, _, number, _) = row.value();
                    (version, number)
                });
                if current.map(|(version, _)| version) != write.expected {
                    return Ok(Committed::Conflict);
                }
                if let Some((_, earlier)) = current {
                    changes.remove(earlier).map_err(failed)?;
                }
                number += 1;
                let row = (write.version()?, write.expires, number, write.body.as_str());
                documents.insert(write.key.as_str(), row).map_err(failed)?;
                changes.insert(number, write.key.as_str()).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(Committed::Yes)
    }
}

impl Store for EmbeddedStore {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        self.read_now(keys)
    }

    async fn commit(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        self.commit_now(writes)
    }
}

fn document(key: &str, (version, expires, _, body): Row<'_>) -> Document {
    Document { key: key.to_owned(), version, body: body.to_owned(), expires }
}

/// A full disk, a failing one, a file that was tampered with: nothing that another try in the same second would change.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => StoreError::Unavailable(error.to_string()),
        other => StoreError::Corrupt(other.to_string()),
    }
}

#[cfg(unix)]
fn private_folder(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn private_folder(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}
