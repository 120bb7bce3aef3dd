//! Patience: how long somebody outside may keep an invocation waiting, and what follows from having waited in vain.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// A circuit breaker: open once a call has waited in vain. A quick refusal says nothing about the next call; a slow one does.
#[derive(Debug, Default)]
pub struct Breaker(AtomicBool);

impl Breaker {
    /// Makes a call with as much patience as the deadline leaves, `most` at the most. The call is told when it will be cut off.
    pub async fn call<T, E, F>(
        &self,
        party: &str,
        deadline: SystemTime,
        most: Duration,
        call: impl FnOnce(Instant) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: From<String> + fmt::Debug,
    {
        const SLOW: Duration = Duration::from_secs(2);
        if self.0.load(Ordering::Relaxed) {
            return Err(format!("{party} let an earlier call wait in vain: tried again another time").into());
        }
        let begun = Instant::now();
        let patience = patience(deadline, most);
        // Boxed: the SDKs' futures lie so deep inside each other that the compiler would give up on one more layer.
        let result = tokio::time::timeout(patience, Box::pin(call(begun + patience))).await;
        let was_silent = result.is_err();
        let result =
            result.unwrap_or_else(|_| Err(format!("{party} gave no answer in {} ms", patience.as_millis()).into()));
        if was_silent || result.is_err() && begun.elapsed() > SLOW {
            self.0.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Mostly half of the time that is left, so that there is some for another channel.
fn patience(deadline: SystemTime, most: Duration) -> Duration {
    /// So that the result can still be written.
    const WRITING: Duration = Duration::from_secs(1);
    /// What is cut off may have arrived and is sent again: near the end a late answer is better than a second notice.
    const LEAST: Duration = Duration::from_secs(3);
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(WRITING);
    (left / 2).max(LEAST.min(left)).min(most)
}
