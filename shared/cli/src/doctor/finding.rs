//! What the doctor says of one part: how it stands, and what to do about it.

use adapters::http::AwsError;
use serde_json::{Value, json};

use crate::output::visible;

/// The shape of a line.
const SCHEMA: &str = "trailpass.finding/1";

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it has to be.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It could not be looked at: it is not said to be in order.
    Unknown,
    /// Something does not arrive, is not told, or is not bounded.
    Problem,
}

impl State {
    /// The word, for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
        }
    }
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which question: a word that stays.
    pub check: &'static str,
    /// Of what: a resource's name in the template, mostly.
    pub subject: String,
    /// How it stands.
    pub state: State,
    /// In a sentence.
    pub says: String,
    /// What mends it; empty where nothing has to be.
    pub fix: String,
}

impl Finding {
    /// A part that is as it has to be.
    pub fn ok(check: &'static str, subject: &str, says: impl Into<String>) -> Self {
        Self::new(check, subject, State::Ok, says, "")
    }

    /// Something that does not work.
    pub fn problem(check: &'static str, subject: &str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, subject, State::Problem, says, fix)
    }

    /// Something that somebody should know.
    pub fn warning(check: &'static str, subject: &str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, subject, State::Warning, says, fix)
    }

    /// A part that could not be looked at.
    pub fn unknown(check: &'static str, subject: &str, why: &AwsError) -> Self {
        let fix = match why {
            AwsError::Denied(_) => "run this with credentials that may look at it",
            AwsError::Unavailable(_) => "run this again",
            AwsError::Refused(_) => "look at it by hand",
        };
        Self::new(check, subject, State::Unknown, format!("it could not be looked at: {why}"), fix)
    }

    fn new(check: &'static str, subject: &str, state: State, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, subject: visible(subject), state, says: visible(&says.into()), fix: visible(&fix.into()) }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "schema": SCHEMA, "check": self.check, "subject": self.subject, "state": self.state.word(), "says": self.says,
            "fix": Some(&self.fix).filter(|fix| !fix.is_empty()),
        })
    }
}
