//! The canary: a call that this function's role lacks, made every hour, whose refusal has to come back like everybody's.
//!
//! It goes the whole way: the schedule, a queue, this function, CloudTrail, the trail, the rule that sees reads, the queue, and this
//! function once more. Where anything on it is broken, what is counted here stays away, and an alarm hangs on that. Nobody can send
//! it for us: what counts is the role's own ARN, which AWS writes into the record, and a time that is not long ago.

use access::denial::{Denial, Refusal};

/// The schedule's message. Nothing else is one, and none asks for anything else.
pub(crate) const MESSAGE: &str = r#"{"trailpass":"canary"}"#;

/// A read that takes no resource. Reads are what a rule in the wrong state no longer sees.
const ACTION: &str = "cloudtrail:ListTrails";

/// What is older proves nothing of now. Seconds.
const FRESH: i64 = 30 * 60;

/// Whether a refusal of our own is the canary's: of this call, and not by what it came with.
pub(crate) fn is_canary(denial: &Denial) -> bool {
    denial.refusal == Refusal::AccessDenied && denial.action.as_deref() == Some(ACTION)
}

/// Whether it shows that refusals come in now. `now` in seconds since 1970.
pub(crate) fn is_fresh(denial: &Denial, now: i64) -> bool {
    denial.record.seconds().is_some_and(|time| (now - time).abs() < FRESH)
}

/// Makes the call. Whatever becomes of it is heard of by what comes back, or doesn't.
#[cfg(feature = "aws")]
pub(crate) async fn send() {
    use adapters::{cloudtrail::CloudTrail, http::AwsError};
    match CloudTrail::of(None).await.list_trails().await {
        Err(AwsError::Denied(_)) => tracing::info!("the canary was sent"),
        Err(why) => tracing::error!(%why, "the canary could not be sent"),
        Ok(()) => tracing::error!(
            action = ACTION,
            "this function's role may make the call that it has to lack: no canary comes back"
        ),
    }
}

#[cfg(not(feature = "aws"))]
#[allow(clippy::unused_async, reason = "with AWS there is somebody to wait for")]
pub(crate) async fn send() {}
