//! Decide: takes answers, finds out whose they are and whether they count, and writes down those that do.
//!
//! It faces the internet, and therefore it can touch nothing in IAM and write no case: all that it can do is to write one decision
//! for each opening of a case, with a code that `reconcile` checks. It can make that code and can't check one, so what stands in
//! the place of a decision is believed for nothing but telling people that their answer came too late.

pub mod answer;
pub mod authority;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
pub mod door;
mod found;
pub mod handle;
pub mod history;
#[cfg(feature = "aws")]
mod pages;
#[cfg(feature = "aws")]
mod request;
mod revoke;
#[cfg(feature = "aws")]
mod slack;
