//! Triage: denials in, cases and notices out.
//!
//! Reads, decides (in `access`), writes, tells. It can't change IAM, decides no approval, and nobody can call it from the
//! internet: what it says about a case is computed again by whoever acts on it.

mod canary;
mod evidence;
pub mod handle;
mod simulated;
mod tell;
