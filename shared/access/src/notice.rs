//! The notice: what people are told about one refused call, in five ways.
//!
//! One [`Notice`] goes in; [`text`], [`slack`], [`sns`] and [`html`] write it, and the fifth way is the JSON of the
//! [`Diagnosis`] itself. Nothing is judged here: the diagnosis has decided, and [`Call`] and [`CaseFacts`] only add what
//! is shown. What every way says alike stands in [`words`], `facts` and `advice`; how a caller's string is made harmless stands in
//! `escape`, and each way encodes the result once more for where it goes.

pub use advice::{order, reason};
pub use escape::is_hidden;
pub use slack::outcome::time;

pub use crate::grant::GrantMode;
use crate::{diagnosis::Diagnosis, request};

mod advice;
mod escape;
mod facts;
pub mod html;
mod policy;
pub mod progress;
pub mod slack;
pub mod sns;
pub mod storm;
pub mod text;
pub mod words;

/// Everything that a notice is written from.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice<'a> {
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    /// Facts of the call that are shown and not judged.
    pub call: &'a Call,
    /// The case that the call belongs to; `None` where a lone record is explained.
    pub case: Option<CaseFacts<'a>>,
    /// What may be granted at all, for saying what could be approved elsewhere.
    pub grant_mode: GrantMode,
}

/// Facts of the call that are shown, not judged. A field that the record does not give is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The called service's DNS name.
    pub event_source: Option<String>,
    /// The API operation.
    pub event_name: Option<String>,
    /// Where the request came from: an address, or an AWS service's name.
    pub source_ip: Option<String>,
    /// The client, as it called itself: anybody can write anything there.
    pub user_agent: Option<String>,
    /// AWS's error code.
    pub error_code: Option<String>,
    /// AWS's sentence, partly written by the caller.
    pub error_message: Option<String>,
    /// The VPC endpoint that the request went through.
    pub vpc_endpoint_id: Option<String>,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// What the request would have set.
    pub settings: Vec<request::Setting>,
}

/// What is known of the case beyond its first denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFacts<'a> {
    /// The case's id.
    pub id: &'a str,
    /// How many denials it holds.
    pub count: u64,
    /// The time of the first, ISO 8601, UTC.
    pub first_seen: &'a str,
    /// The time of the last.
    pub last_seen: &'a str,
    /// The names of the sessions seen, bounded by the store.
    pub sessions: &'a [String],
    /// The addresses seen, bounded by the store.
    pub source_ips: &'a [String],
    /// An earlier case of the same call with another cause: its fix was made, and the next policy showed.
    pub linked: Option<&'a str>,
    /// Other cases of this principal within ten minutes.
    pub together: &'a [Together],
    /// What was looked up when it was opened, in sentences.
    pub evidence: Vec<String>,
    /// Where the case can be read.
    pub page_url: Option<&'a str>,
}

/// Another case of the same principal, at about the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// Its id.
    pub id: String,
    /// What was refused there.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
}
