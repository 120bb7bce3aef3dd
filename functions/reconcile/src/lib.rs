//! Reconcile: makes IAM match what was decided, as of now, and says what became of it.
//!
//! It is the one part that can change IAM, and nobody can call it from the internet. It believes nothing that it has not checked:
//! a stream's record is a reason to look, a decision counts with its code only, the remedy is computed anew from the case, and no
//! document from the table is ever sent to IAM. What it remembers is a note of how far it has come.

mod drive;
mod effect;
mod facts;
pub mod handle;
pub mod remembered;
mod requests;
mod rest;
mod simulated;
mod sweep;
pub mod tell;
