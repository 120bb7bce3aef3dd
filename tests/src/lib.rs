//! What the tests share: the events and what must come out, records to break, and the contract as a judge of JSON.
//!
//! Nothing here asks `access` what is right. Words, risks and conditions are written down a second time, from the
//! contract, so that a slip on one side shows on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails loudly"
)]

pub mod actions;
pub mod events;
pub mod fuzz;
pub mod golden;
pub mod judge;
#[cfg(feature = "local")]
pub mod local;
pub mod origin;
pub mod sample;
pub mod ways;
