//! A table that may die under whoever works with it: the embedded store, until a test says that nothing answers any more.
//!
//! Decides nothing about what is stored; it counts calls, because a test kills between any two of them.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use adapters::store::{Committed, Document, Store, StoreError, Write, embedded::EmbeddedStore};

/// The embedded store, which can die: from the n-th call on, nothing answers any more.
#[derive(Debug)]
pub struct Table {
    /// The store, which can't.
    pub store: EmbeddedStore,
    folder: PathBuf,
    /// Reads so far.
    pub reads: AtomicUsize,
    /// The same of commits alone.
    pub commits: AtomicUsize,
    /// How many more calls are answered.
    left: AtomicUsize,
}

impl Table {
    /// In a folder of its own.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("trailpass-{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self {
            store: EmbeddedStore::open(&folder).unwrap(),
            folder,
            reads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            left: AtomicUsize::new(usize::MAX),
        }
    }

    /// Answers so many calls more.
    pub fn dies_after(&self, calls: usize) {
        self.left.store(calls, Ordering::Relaxed);
    }

    /// Answers again.
    pub fn revives(&self) {
        self.dies_after(usize::MAX);
    }

    fn call(&self) -> Result<(), StoreError> {
        let take = |left: usize| if left == usize::MAX { Some(left) } else { left.checked_sub(1) };
        let is_alive = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        is_alive.then_some(()).ok_or_else(|| StoreError::Unavailable("dead".into()))
    }

    /// Every document whose key begins so.
    pub fn all(&self, prefix: &str) -> Vec<Document> {
        self.store.all(prefix).unwrap()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Store for Table {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        self.call()?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.read(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        if writes.is_empty() {
            return Ok(Committed::Yes);
        }
        self.call()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.store.commit(writes).await
    }
}
