//! decide behind its door, with the embedded store: what attackers send, what people click, and what becomes of it.
//!
//! Everything goes in as API Gateway sends it. Every request's counts add up, which the desk asks of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, also in what its parts share"
)]

mod attacks;
mod clicks;
mod desk;
mod forged;
mod pages;
mod revoking;
mod rules;
mod signed;
mod signing;
mod written;
