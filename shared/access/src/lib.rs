//! The domain of Trailpass: what a refused CloudTrail call means, and what mends it.
//!
//! Pure: no I/O, no clock, no environment, no async, no SDK. `now` is a parameter.
//!
//! The steps, in order: [`event`] → [`message`] → [`denial`] → [`scope`] and [`classify`] → [`propose`] → [`diagnose`].
//! Two more verbs follow an [`answer`]: [`decide`] and [`reconcile`], with the [`decision`] between them.
//! The nouns they use: [`principal`], [`arn`], [`action`], [`policy_document`], [`guardrails`], [`grant`], [`case`],
//! [`approver`], [`diagnosis`]. What people see: [`notice`] and [`commands`]. With the feature `rules`, who may approve what:
//! `approval_rules`.

pub mod action;
pub mod answer;
#[cfg(feature = "rules")]
pub mod approval_rules;
pub mod approver;
pub mod arn;
pub mod blinding;
pub mod case;
pub mod classify;
pub mod commands;
pub mod decide;
pub mod decision;
pub mod denial;
pub mod diagnose;
pub mod diagnosis;
pub mod event;
pub mod evidence;
mod framing;
pub mod grant;
pub mod guardrails;
pub mod link;
pub mod message;
pub mod notice;
pub mod policy_document;
pub mod principal;
pub mod propose;
pub mod reconcile;
pub mod request;
pub mod scan;
pub mod scope;
pub mod simulation;
pub mod standing;
pub mod triage;
