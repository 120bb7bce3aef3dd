//! What every store has to do, as cases that run on each of them.
//!
//! Decides what [`adapters::store::Store`] means beyond its signatures. A case gets a store and a prefix of its own for its keys, so
//! that all of them can run on one table.

use adapters::store::{Committed, Document, MAX_DOCUMENT_BYTES, MAX_WRITES, Store, StoreError, Write};
use std::sync::Arc;

/// Calls the macro that is named with the names of all cases.
macro_rules! for_each_case {
    ($run:ident) => {
        $run! {
            a_new_document_has_version_1,
            a_second_new_document_is_a_conflict,
            the_same_content_from_another_writer_is_a_conflict,
            an_update_names_the_version_it_was_made_from,
            expires_comes_and_goes_and_hides_nothing,
            a_commit_is_made_whole_or_not_at_all,
            no_writes_are_yes,
            reading_keeps_the_order_and_leaves_out,
            hundreds_of_keys_are_read,
            any_text_comes_back,
            a_large_document_fits_and_a_larger_one_is_not_sent,
            what_no_store_takes,
            nothing_is_lost_between_writers,
        }
    };
}
pub(crate) use for_each_case;

pub async fn a_new_document_has_version_1<S: Store>(store: Arc<S>, prefix: String) {
    let key = format!("{prefix}a");
    assert_eq!(commit(&*store, &[new(&key, "{}")]).await, Committed::Yes);
    assert_eq!(get(&*store, &key).await, Some(document(&key, 1, "{}")));
}

pub async fn a_second_new_document_is_a_conflict<S: Store>(store: Arc<S>, prefix: String) {
    let key = format!("{prefix}a");
    assert_eq!(commit(&*store, &[new(&key, "1")]).await, Committed::Yes);
    assert_eq!(commit(&*store, &[new(&key, "2")]).await, Committed::Conflict);
    assert_eq!(get(&*store, &key).await, Some(document(&key, 1, "1")));
}

/// A store that took its own lost answer for a success by comparing contents would say `Yes` twice here.
pub async fn the_same_content_from_another_writer_is_a_conflict<S: Store>(store: Arc<S>, prefix: String) {
    let keys = [format!("{prefix}a"), format!("{prefix}b")];
    let both = || [new(&keys[0], "same"), new(&keys[1], "same")];
    assert_eq!(commit(&*store, &both()[..1]).await, Committed::Yes);
    assert_eq!(commit(&*store, &both()[..1]).await, Committed::Conflict);
    assert_eq!(commit(&*store, &both()[1..]).await, Committed::Yes);
    assert_eq!(commit(&*store, &both()).await, Committed::Conflict);
    let updates = [update(&keys[0], 1, "same"), update(&keys[1], 1, "same")];
    assert_eq!(commit(&*store, &updates).await, Committed::Yes);
    assert_eq!(commit(&*store, &updates).await, Committed::Conflict);
}

pub async fn an_update_names_the_version_it_was_made_from<S: Store>(store: Arc<S>, prefix: String) {
    let key = format!("{prefix}a");
    for absent in [0, 1, u64::MAX - 1] {
        assert_eq!(commit(&*store, &[update(&key, absent, "x")]).await, Committed::Conflict);
    }
    assert_eq!(commit(&*store, &[new(&key, "1")]).await, Committed::Yes);
    assert_eq!(commit(&*store, &[update(&key, 1, "2")]).await, Committed::Yes);
    for stale in [0, 1, 3] {
        assert_eq!(commit(&*store, &[update(&key, stale, "x")]).await, Committed::Conflict);
    }
    assert_eq!(commit(&*store, &[update(&key, 2, "3")]).await, Committed::Yes);
    assert_eq!(get(&*store, &key).await, Some(document(&key, 3, "3")));
}

pub async fn expires_comes_and_goes_and_hides_nothing<S: Store>(store: Arc<S>, prefix: String) {
    let key = format!("{prefix}a");
    let ends = [Some(4_000_000_000), None, Some(1), Some(0), Some(-1)];
    for (version, expires) in (1..).zip(ends) {
        let expected = (version > 1).then_some(version - 1);
        let write = Write { key: key.clone(), expected, body: "{}".to_owned(), expires };
        assert_eq!(commit(&*store, &[write]).await, Committed::Yes);
        assert_eq!(get(&*store, &key).await, Some(Document { expires, ..document(&key, version, "{}") }));
    }
}

pub async fn a_commit_is_made_whole_or_not_at_all<S: Store>(store: Arc<S>, prefix: String) {
    let [a, b, c] = ["a", "b", "c"].map(|name| format!("{prefix}{name}"));
    assert_eq!(commit(&*store, &[new(&a, "1"), new(&b, "1")]).await, Committed::Yes);
    for (i, stale) in [new(&a, "x"), update(&b, 7, "x"), update(&c, 1, "x")].into_iter().enumerate() {
        let mut writes = vec![update(&a, 1, "2"), update(&b, 1, "2"), new(&c, "1")];
        writes[i] = stale;
        assert_eq!(commit(&*store, &writes).await, Committed::Conflict, "{writes:?}");
        let found = read(&*store, &[&a, &b, &c]).await;
        assert_eq!(found, [document(&a, 1, "1"), document(&b, 1, "1")]);
    }
    assert_eq!(commit(&*store, &[update(&a, 1, "2"), update(&b, 1, "2"), new(&c, "1")]).await, Committed::Yes);
    let found = read(&*store, &[&a, &b, &c]).await;
    assert_eq!(found, [document(&a, 2, "2"), document(&b, 2, "2"), document(&c, 1, "1")]);
}

pub async fn no_writes_are_yes<S: Store>(store: Arc<S>, _: String) {
    assert_eq!(commit(&*store, &[]).await, Committed::Yes);
}

pub async fn reading_keeps_the_order_and_leaves_out<S: Store>(store: Arc<S>, prefix: String) {
    let [a, b, absent] = ["a", "b", "absent"].map(|name| format!("{prefix}{name}"));
    assert_eq!(commit(&*store, &[new(&a, "1"), new(&b, "1")]).await, Committed::Yes);
    assert_eq!(read(&*store, &[&b, &absent, &a, &b, &a]).await, [document(&b, 1, "1"), document(&a, 1, "1")]);
    assert_eq!(read(&*store, &[&absent]).await, []);
    assert_eq!(read(&*store, &[]).await, []);
}

pub async fn hundreds_of_keys_are_read<S: Store>(store: Arc<S>, prefix: String) {
    let keys: Vec<String> = (0..250).map(|i| format!("{prefix}{i}")).collect();
    let writes: Vec<Write> = keys.iter().map(|key| new(key, "1")).collect();
    for some in writes.chunks(MAX_WRITES) {
        assert_eq!(commit(&*store, some).await, Committed::Yes);
    }
    let found = read(&*store, &keys.iter().rev().collect::<Vec<_>>()).await;
    assert!(found.iter().map(|document| &document.key).eq(keys.iter().rev()), "{} of 250, in their order", found.len());
}

pub async fn any_text_comes_back<S: Store>(store: Arc<S>, prefix: String) {
    for (i, text) in ["", "{\"a\":\"\\u0000\"}", "\u{0}\u{1}\r\n\u{7f}", "ünï\u{1f512}\u{202e}", "'\"\\", "#v = :v"]
        .iter()
        .enumerate()
    {
        let key = format!("{prefix}{i}#{text}");
        assert_eq!(commit(&*store, &[new(&key, text)]).await, Committed::Yes, "{text:?}");
        assert_eq!(get(&*store, &key).await, Some(document(&key, 1, text)));
    }
}

pub async fn a_large_document_fits_and_a_larger_one_is_not_sent<S: Store>(store: Arc<S>, prefix: String) {
    let key = format!("{prefix}a");
    let too_large = Err(StoreError::TooLarge { what: key.clone(), bytes: 409_601, limit: MAX_DOCUMENT_BYTES });
    // 99: the attributes' names, two numbers and the token.
    let body = "x".repeat(MAX_DOCUMENT_BYTES - key.len() - 99 + 1);
    assert_eq!(store.commit(&[new(&key, &body)]).await, too_large);
    assert_eq!(store.commit(&[new(&format!("{prefix}b"), ""), new(&key, &body)]).await, too_large);
    // moto ends at 405,000 bytes already.
    let body = "x".repeat(404_000);
    assert_eq!(commit(&*store, &[new(&key, &body)]).await, Committed::Yes);
    assert_eq!(get(&*store, &key).await, Some(document(&key, 1, &body)));
    let many: Vec<Write> = (0..11).map(|i| new(&format!("{prefix}{i}"), &body)).collect();
    assert!(matches!(store.commit(&many).await, Err(StoreError::TooLarge { .. })));
}

pub async fn what_no_store_takes<S: Store>(store: Arc<S>, prefix: String) {
    let long = "k".repeat(2049);
    let many: Vec<Write> = (0..101).map(|i| new(&format!("{prefix}{i}"), "")).collect();
    let twice = [new(&format!("{prefix}a"), "1"), new(&format!("{prefix}a"), "2")];
    let last = [update(&format!("{prefix}a"), u64::MAX, "")];
    for writes in [&many[..], &twice, &last, &[new("", "")], &[new(&long, "")]] {
        assert!(matches!(store.commit(writes).await, Err(StoreError::Invalid(_))), "{} writes", writes.len());
    }
    for key in ["", &long] {
        assert!(matches!(store.read(&[key.to_owned()]).await, Err(StoreError::Invalid(_))));
    }
    assert_eq!(read(&*store, &[&format!("{prefix}a"), &format!("{prefix}0")]).await, []);
}

/// Eight writers count in one document; every other one counts in a second document by the same commit.
pub async fn nothing_is_lost_between_writers<S: Store + 'static>(store: Arc<S>, prefix: String) {
    const WRITERS: usize = 8;
    const TIMES: usize = 6;
    let both = [format!("{prefix}all"), format!("{prefix}half")];
    let keys = |writer: usize| both[..1 + writer % 2].to_vec();
    let tasks: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(count_up(store.clone(), keys(writer), TIMES))).collect();
    for task in tasks {
        task.await.expect("no writer panics");
    }
    let [all, half] = [WRITERS * TIMES, WRITERS * TIMES / 2].map(|sum| (sum as u64, sum.to_string()));
    let expected = [document(&both[0], all.0, &all.1), document(&both[1], half.0, &half.1)];
    assert_eq!(read(&*store, &[&both[0], &both[1]]).await, expected);
}

async fn count_up<S: Store>(store: Arc<S>, keys: Vec<String>, times: usize) {
    for _ in 0..times {
        while increment(&*store, &keys).await == Committed::Conflict {}
    }
}

async fn increment<S: Store>(store: &S, keys: &[String]) -> Committed {
    let standing = store.read(keys).await.expect("readable");
    let count = |key: &String| standing.iter().find(|document| document.key == *key);
    let writes: Vec<Write> = keys
        .iter()
        .map(|key| match count(key) {
            None => new(key, "1"),
            Some(document) => {
                let count: u64 = document.body.parse().expect("a number");
                update(key, document.version, &(count + 1).to_string())
            }
        })
        .collect();
    commit(store, &writes).await
}

pub fn new(key: &str, body: &str) -> Write {
    Write { key: key.to_owned(), expected: None, body: body.to_owned(), expires: None }
}

pub fn update(key: &str, expected: u64, body: &str) -> Write {
    Write { expected: Some(expected), ..new(key, body) }
}

pub fn document(key: &str, version: u64, body: &str) -> Document {
    Document { key: key.to_owned(), version, body: body.to_owned(), expires: None }
}

pub async fn commit<S: Store>(store: &S, writes: &[Write]) -> Committed {
    store.commit(writes).await.expect("the store answers")
}

pub async fn read<S: Store>(store: &S, keys: &[&String]) -> Vec<Document> {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    store.read(&keys).await.expect("the store answers")
}

pub async fn get<S: Store>(store: &S, key: &str) -> Option<Document> {
    read(store, &[&key.to_owned()]).await.pop()
}
