//! A deployment on this machine, for tests of the whole: the real function, started as Lambda starts it, between stand-ins.
//!
//! Decides what is real and what is not. Real: triage's program, HTTP, the order in which things happen, a process that is
//! killed. Stand-ins, because the real ones can't run here: moto for AWS, a stub for Slack, a stub for Lambda's Runtime API. In
//! front of moto and Slack stands a proxy that counts what has an effect and, where a test asks for it, kills the function
//! before or after the n-th of them. Every port is the system's choice, and everything ends with the test, also if it panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's machinery fails loudly; clippy knows only the tests themselves"
)]

pub mod aws;
pub mod denials;
pub mod function;
pub mod http;
pub mod moto;
pub mod place;
pub mod proxy;
pub mod slack;
pub mod table;
pub mod template;
pub mod vouching;

use std::{future::Future, path::PathBuf, time::Duration};

/// The account that everything happens in.
pub const ACCOUNT: &str = "111122223333";
/// The Region that everything happens in.
pub const REGION: &str = "eu-west-1";

/// A file of the checkout.
pub fn in_checkout(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// A tool that `make tools` installs.
pub fn tool(name: &str) -> PathBuf {
    let path = in_checkout(".tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}

/// Asks again and again until there is an answer, for at most `within`; `what` says what was waited for in vain.
pub async fn until<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "waited {within:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs jobs side by side, a few at a time, and gives what they return in their order. A panic in one is a panic here.
pub async fn side_by_side<T, F>(at_once: usize, jobs: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut running = Vec::new();
    for job in jobs {
        let permits = permits.clone();
        running.push(tokio::spawn(async move {
            let _permit = permits.acquire().await.expect("never closed");
            job.await
        }));
    }
    let mut done = Vec::with_capacity(running.len());
    for job in running {
        match job.await {
            Ok(result) => done.push(result),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    done
}
