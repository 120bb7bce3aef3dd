//! The embedded store: the conformance, and what only a folder can do (be killed, be opened twice, list itself).

use crate::conformance::{self, commit, document, for_each_case, get, new, update};
use adapters::store::embedded::EmbeddedStore;
use adapters::store::{Committed, Store, StoreError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

macro_rules! a_test_for_each {
    ($($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $case() {
            let folder = Folder::new();
            let store = EmbeddedStore::open(&folder.0).expect("it opens");
            conformance::$case(Arc::new(store), "CASE#".to_owned()).await;
        }
    )*};
}
for_each_case!(a_test_for_each);

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = Folder::new();
    let nested = folder.0.join("a/b");
    let store = EmbeddedStore::open(&nested).expect("folders are made");
    assert_eq!(commit(&store, &[new("a", "1"), new("b", "1")]).await, Committed::Yes);
    assert_eq!(commit(&store, &[update("a", 1, "2")]).await, Committed::Yes);
    drop(store);
    let store = EmbeddedStore::open(&nested).expect("it opens again");
    assert_eq!(get(&store, "a").await, Some(document("a", 2, "2")));
    let expected = vec![(2, document("b", 1, "1")), (3, document("a", 2, "2"))];
    assert_eq!(store.changes(0), Ok(expected));
    assert_eq!(commit(&store, &[new("c", "1")]).await, Committed::Yes);
    assert_eq!(store.changes(3), Ok(vec![(4, document("c", 1, "1"))]));
}

#[tokio::test]
async fn all_is_a_prefix_in_order() {
    let folder = Folder::new();
    let store = EmbeddedStore::open(&folder.0).expect("it opens");
    let keys = ["CASE#b", "CASE#a", "CASE", "CASF#a", "DECISION#a", "CASE#\u{1f512}"];
    assert_eq!(commit(&store, &keys.map(|key| new(key, ""))).await, Committed::Yes);
    let found = |prefix: &str| store.all(prefix).unwrap().into_iter().map(|document| document.key).collect::<Vec<_>>();
    assert_eq!(found("CASE#"), ["CASE#a", "CASE#b", "CASE#\u{1f512}"]);
    assert_eq!(found("GRANT#"), Vec::<String>::new());
    assert_eq!(found("").len(), keys.len());
}

#[tokio::test]
async fn changes_are_numbered_and_each_document_comes_once() {
    let folder = Folder::new();
    let store = EmbeddedStore::open(&folder.0).expect("it opens");
    assert_eq!(store.changes(0), Ok(vec![]));
    assert_eq!(commit(&store, &[new("b", "1"), new("a", "1")]).await, Committed::Yes);
    assert_eq!(commit(&store, &[new("a", "x")]).await, Committed::Conflict);
    assert_eq!(commit(&store, &[new("c", "1"), update("b", 1, "2")]).await, Committed::Yes);
    let expected = vec![(2, document("a", 1, "1")), (3, document("c", 1, "1")), (4, document("b", 2, "2"))];
    assert_eq!(store.changes(0), Ok(expected.clone()));
    assert_eq!(store.changes(2), Ok(expected[1..].to_vec()));
    assert_eq!(store.changes(4), Ok(vec![]));
    assert_eq!(store.changes(u64::MAX), Ok(vec![]));
}

#[test]
fn a_second_process_is_told_so() {
    let folder = Folder::new();
    let _store = EmbeddedStore::open(&folder.0).expect("it opens");
    let mut other = another_process("opens", &folder.0);
    let said: Vec<String> = lines(&mut other).collect();
    assert!(other.wait().unwrap().success());
    let expected = StoreError::InUse(folder.0.display().to_string()).to_string();
    assert!(said.contains(&expected), "{said:?}");
}

#[test]
fn a_file_that_is_none_of_ours_is_said() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.0.join("trailpass.redb"), "not a database\n".repeat(1000)).unwrap();
    let error = EmbeddedStore::open(&folder.0).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(what) if what.contains(&*folder.0.to_string_lossy())), "{error:?}");
    std::fs::write(folder.0.join("file"), "").unwrap();
    assert!(matches!(EmbeddedStore::open(&folder.0.join("file")), Err(StoreError::Refused(_))));
}

/// A process counts in two documents and says each number once it is committed; it is killed in the middle of that, again and again.
#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    // Started by itself or by another test of this file, this is the process that opens the folder and is killed.
    if let Some(folder) = std::env::var_os("TRAILPASS_TEST_FOLDER") {
        return be_another_process(Path::new(&folder)).await;
    }
    let folder = Folder::new();
    let mut before = 0;
    for round in 1..=12 {
        let mut writer = another_process("counts", &folder.0);
        let mut said = lines(&mut writer);
        let mut numbers = said.by_ref().filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        let mut last = numbers.nth(round % 5).expect("it counts");
        writer.kill().expect("it is alive");
        writer.wait().unwrap();
        // What it said before it died and has not been read yet.
        last = numbers.last().unwrap_or(last);
        let store = EmbeddedStore::open(&folder.0).expect("it opens after a kill");
        let pair = store.read(&["left".to_owned(), "right".to_owned()]).await.unwrap();
        let [left, right] = &pair[..] else { panic!("{pair:?}") };
        assert_eq!((left.version, &left.body), (right.version, &right.body), "a commit came apart");
        assert!(left.version >= last && left.version > before, "{} after {last} and {before}", left.version);
        assert!(left.version <= last + 1, "more than was begun");
        assert_eq!(store.changes(0).unwrap().iter().map(|(number, _)| *number).max(), Some(2 * left.version));
        before = left.version;
    }
}

/// What the tests above run in a process of its own.
async fn be_another_process(folder: &Path) {
    match EmbeddedStore::open(folder) {
        // On a line of its own: the test runner has not ended its own.
        Err(error) => println!("\n{error}"),
        Ok(store) if std::env::var("TRAILPASS_TEST_DOES").is_ok_and(|does| does == "counts") => {
            println!();
            loop {
                let standing = get(&store, "left").await.map_or(0, |document| document.version);
                let writes = ["left", "right"].map(|key| match standing {
                    0 => new(key, "1"),
                    version => update(key, version, &(version + 1).to_string()),
                });
                assert_eq!(commit(&store, &writes).await, Committed::Yes);
                println!("committed {}", standing + 1);
            }
        }
        Ok(_) => println!("\nopened"),
    }
}

fn another_process(does: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("a test has a file"))
        .args(["--exact", "folder::what_was_committed_survives_a_kill", "--nocapture"])
        .env("TRAILPASS_TEST_FOLDER", folder)
        .env("TRAILPASS_TEST_DOES", does)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test can be started")
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok)
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("trailpass-store-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
