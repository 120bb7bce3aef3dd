//! Triage: denials in, cases and notices out.
//!
//! Reads, decides (in `access`), writes, tells. It can't change IAM, decides no approval, and nobody can call it from the
//! internet: what it says about a case is computed again by whoever acts on it.

pub mod handle;
mod simulated;
mod tell;

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn milliseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}
