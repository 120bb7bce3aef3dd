//! Writes the events of `events/triage` as seeds for the fuzz targets: each as it stands, and each of its sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a developer's tool may stop loudly")]

use std::fs;

use tests::events;

fn main() {
    let corpus = events::repository().join("tests/fuzz/corpus");
    let [sentences, records] = ["sentence", "record"].map(|target| corpus.join(target));
    for folder in [&sentences, &records] {
        fs::create_dir_all(folder).expect("a folder for seeds");
    }
    for name in events::names(".json") {
        fs::write(records.join(&name), events::json(&name)).expect("a seed");
    }
    for (at, (name, record)) in events::all().into_iter().enumerate() {
        if let Some(message) = record.error_message {
            fs::write(sentences.join(format!("{name}-{at}")), message).expect("a seed");
        }
    }
}
