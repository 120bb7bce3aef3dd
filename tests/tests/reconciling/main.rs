//! The handler of reconcile, with the embedded store and a picture of IAM: grants from the decision to the end, what attackers
//! write into the table, and deaths between any two effects. Time is set ahead here, so hours pass in no time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, also in what its parts share"
)]

mod attacks;
mod deaths;
mod desk;
mod grants;
mod requests;
mod simulated;
