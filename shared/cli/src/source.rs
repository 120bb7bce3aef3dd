//! Where cases and grants are: a deployed stack, or (not yet) a running `trailpass serve`.
//!
//! The verbs ask here and know nothing of what is behind it. Each place reads the same records, and answers go to the one that
//! decides: nothing is ever decided, or written, by this program. Another place is another member of [`Source`], with an arm in each
//! of its functions.

mod sign;
pub mod stack;

use std::{fmt, process::ExitCode};

use access::{answer::aws::Wish, case::Case, decision::Channel, diagnose::Setting};
use adapters::sts::Caller;
use decide::{answer::Reply, authority::Authority};

use crate::{
    args::Where,
    files::{CaseFile, Opened, Subject},
};

/// One of the places.
#[derive(Debug)]
pub enum Source {
    /// A deployed stack.
    Stack(Box<stack::Stack>),
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What was typed can't be meant, and what to type instead. Status 2.
    Usage(String),
    /// It can't be done, and why. Status 1.
    Failed(String),
}

impl Source {
    /// The place that is meant.
    pub async fn open(place: &Where) -> Result<Self, Failure> {
        match place.stack.as_deref() {
            Some(name) => Ok(Self::Stack(Box::new(stack::Stack::open(name).await?))),
            None => Err(Failure::Usage("no --stack given: name the deployed stack with --stack NAME".to_owned())),
        }
    }

    /// What may be given there.
    pub fn setting(&self) -> &Setting {
        match self {
            Self::Stack(stack) => stack.setting(),
        }
    }

    /// How answers come in there.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Stack(_) => Channel::Aws,
        }
    }

    /// The cases of the last hours.
    pub async fn opened(&self, hours: u16, now: i64) -> Result<Opened, Failure> {
        match self {
            Self::Stack(stack) => stack.opened(hours, now).await,
        }
    }

    /// What is given now, and what was decided in these hours.
    pub async fn given(&self, hours: Option<u16>, now: i64) -> Result<Vec<Subject>, Failure> {
        match self {
            Self::Stack(stack) => stack.given(hours, now).await,
        }
    }

    /// What is known of each.
    pub async fn read(&self, subjects: &[Subject]) -> Result<Vec<CaseFile>, Failure> {
        match self {
            Self::Stack(stack) => stack.read(subjects).await,
        }
    }

    /// A case as it is now.
    pub async fn case(&self, id: &str) -> Result<Option<Case>, Failure> {
        match self {
            Self::Stack(stack) => stack.case(id).await,
        }
    }

    /// Who may answer there, and by which rules.
    pub async fn authority(&self) -> Authority {
        match self {
            Self::Stack(stack) => stack.authority().await,
        }
    }

    /// Who runs this.
    pub async fn caller(&self) -> Result<Caller, Failure> {
        match self {
            Self::Stack(stack) => stack.caller().await,
        }
    }

    /// Answers, and gives what came of it.
    pub async fn send(&self, subject: &Subject, wish: Wish) -> Result<Reply, Failure> {
        match self {
            Self::Stack(stack) => stack.send(subject, wish).await,
        }
    }
}

impl Failure {
    /// The exit status.
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text) | Self::Failed(text)) = self;
        out.write_str(text)
    }
}
