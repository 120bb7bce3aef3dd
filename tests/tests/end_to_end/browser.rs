//! A real browser on what these tests have started: `tests/browser/walk.py`.

use std::process::Command;

use tests::local::{in_checkout, tool};

/// Walks through pages, and fails with what it found.
pub async fn walk(arguments: &[&str]) {
    let mut command = Command::new(tool("python"));
    command.arg(in_checkout("tests/browser/walk.py")).args(arguments);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
