//! The whole on one machine: the real function between stand-ins for what surrounds it.
//!
//! Decides what happens outside when it works, when it is asked twice, when somebody answers wrongly or not at all, when it
//! is killed, and when it is flooded. What is asserted of every batch (metrics that add up, a log of JSON lines) stands in
//! `tests::local`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, also in what its parts share"
)]

mod again;
mod browser;
mod canary;
mod decisions;
mod desk;
mod effect;
mod evidence;
mod flood;
mod grants;
mod history;
mod killed;
mod limits;
mod offers;
mod outage;
mod road;
mod role;
mod scope;
mod serve;
mod start;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tests::local::{REGION, aws::Keys, function::Counts};

/// Triage's program.
const TRIAGE: &str = env!("CARGO_BIN_EXE_triage-as-deployed");

/// The one that changes IAM.
const RECONCILE: &str = env!("CARGO_BIN_EXE_reconcile-as-deployed");

/// The one that takes answers.
const DECIDE: &str = env!("CARGO_BIN_EXE_decide-as-deployed");

/// What an administrator types.
const TRAILPASS: &str = env!("CARGO_BIN_EXE_trailpass-as-typed");

/// The time that the template gives an invocation.
const USUAL: Duration = Duration::from_secs(30);

/// A short life, for what ends with an invocation's deadline.
const SHORT: Duration = Duration::from_secs(4);

/// The command as somebody types it who has these keys, where AWS is at this address: nothing of whoever runs the tests is in it.
fn typed(aws: &str, keys: &Keys) -> Command {
    let mut command = Command::new(TRAILPASS);
    command.env_clear().stdin(Stdio::null()).envs([
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", &keys.id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", "/nonexistent"),
    ]);
    command
}

fn received(received: u64) -> Counts {
    Counts { received, ..Counts::default() }
}

fn bodies<'a>(denials: impl IntoIterator<Item = &'a tests::local::denials::Denial>) -> Vec<String> {
    denials.into_iter().map(tests::local::denials::Denial::body).collect()
}

/// Told whole: nothing is pending, and every channel has a message of its own.
fn assert_told(case: &Value) {
    let told = &case["told"];
    assert_eq!(told["notice"], "sent", "{told}");
    assert!(told["sns"].is_string() && told["slack"]["ts"].is_string(), "{told}");
}
