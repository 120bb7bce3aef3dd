//! The stores' conformance: every case on each store there is.
//!
//! Decides which worlds the cases run in: a folder of their own on this machine, and one table of an emulated DynamoDB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(any(feature = "aws", feature = "embedded"))]
mod conformance;
#[cfg(feature = "embedded")]
mod folder;
#[cfg(feature = "aws")]
mod moto;
#[cfg(feature = "aws")]
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;
#[cfg(feature = "aws")]
mod table;
