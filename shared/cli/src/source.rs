//! Where cases and grants are: a deployed stack, or a running `trailpass serve`.
//!
//! The verbs ask here and know nothing of what is behind it. Each place reads the same records, and answers go to the one that
//! decides: nothing is ever decided, or written, by this program.

mod local;
#[cfg(feature = "aws")]
mod sign;
#[cfg(feature = "aws")]
pub mod stack;

use std::{
    fmt,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use access::{
    answer::aws::Wish,
    approver::{Approver, Approvers},
    case::Case,
    decision::Channel,
    diagnose::Setting,
    triage::StormFile,
};
use adapters::store::StoreError;
use decide::{answer::Reply, authority::Authority};
use local::Local;

use crate::{
    args::Where,
    files::{self, CaseFile, Opened, Subject},
    output::{self, visible},
};

/// One of the places.
#[derive(Debug)]
pub enum Source {
    /// A deployed stack.
    #[cfg(feature = "aws")]
    Stack(Box<stack::Stack>),
    /// A serve on this machine.
    Local(Box<Local>),
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What was typed can't be meant, and what to type instead. Status 2.
    Usage(String),
    /// It can't be done, and why. Status 1.
    Failed(String),
}

/// Runs a verb that waits for others; why it could not be done is said, and is the exit status.
pub fn run(verb: impl Future<Output = Result<ExitCode, Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|why| Failure::Failed(why.to_string())).and_then(|runtime| runtime.block_on(verb));
    done.unwrap_or_else(|failure| {
        output::say(&failure);
        failure.status()
    })
}

impl Source {
    /// The place that is meant.
    pub async fn open(place: &Where) -> Result<Self, Failure> {
        match place.stack.as_deref() {
            #[cfg(feature = "aws")]
            Some(name) => Ok(Self::Stack(Box::new(stack::Stack::open(name).await?))),
            #[cfg(not(feature = "aws"))]
            Some(_) => Err(Failure::Usage(
                "this program was built without AWS: build it with the feature `aws` to speak to a stack".to_owned(),
            )),
            None => Ok(Self::Local(Box::new(Local::open(&place.data)?))),
        }
    }

    /// What may be given there.
    pub fn setting(&self) -> &Setting {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => stack.setting(),
            Self::Local(local) => local.setting(),
        }
    }

    /// Where its own pages are, if it has any that take answers.
    pub fn own_pages(&self) -> Option<String> {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(_) => None,
            Self::Local(local) => Some(local.pages()),
        }
    }

    /// How answers come in there.
    pub fn channel(&self) -> Channel {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(_) => Channel::Aws,
            Self::Local(_) => Channel::Local,
        }
    }

    /// The time there. Seconds since 1970.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs());
        let now = since.ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0);
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(_) => now,
            Self::Local(local) => now.saturating_add(local.ahead()),
        }
    }

    /// The cases of the last hours.
    pub async fn opened(&self, hours: u16, now: i64) -> Result<Opened, Failure> {
        let opened = match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => files::opened(stack.store(), hours, now).await,
            Self::Local(local) => files::opened(local.as_ref(), hours, now).await,
        };
        opened.map_err(|why| self.unread(&why))
    }

    /// What was held back of these hours in the accounts of these cases.
    pub async fn storms(&self, files: &[CaseFile], hours: u16, now: i64) -> Result<Vec<StormFile>, Failure> {
        let storms = match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => files::storms(stack.store(), files, hours, now).await,
            Self::Local(local) => files::storms(local.as_ref(), files, hours, now).await,
        };
        storms.map_err(|why| self.unread(&why))
    }

    /// What is given now, and what was decided in these hours.
    pub async fn given(&self, hours: Option<u16>, now: i64) -> Result<Vec<Subject>, Failure> {
        let given = match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => files::given(stack.store(), hours, now).await,
            Self::Local(local) => files::given(local.as_ref(), hours, now).await,
        };
        given.map_err(|why| self.unread(&why))
    }

    /// What is known of each.
    pub async fn read(&self, subjects: &[Subject]) -> Result<Vec<CaseFile>, Failure> {
        let read = match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => files::read(stack.store(), subjects).await,
            Self::Local(local) => files::read(local.as_ref(), subjects).await,
        };
        read.map_err(|why| self.unread(&why))
    }

    /// A case as it is now.
    pub async fn case(&self, id: &str) -> Result<Option<Case>, Failure> {
        let case = match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => files::case(stack.store(), id).await,
            Self::Local(local) => files::case(local.as_ref(), id).await,
        };
        case.map_err(|why| self.unread(&why))
    }

    /// Who may answer there, and by which rules.
    pub async fn authority(&self) -> Authority {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => stack.authority().await,
            Self::Local(local) => local.authority().await,
        }
    }

    /// Who runs this, in words, and which of the approvers that is.
    pub async fn myself<'a>(&self, approvers: &'a Approvers) -> Result<(String, Option<&'a Approver>), Failure> {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => {
                let caller = stack.caller().await?;
                let approver = approvers.by_aws(&caller.arn);
                Ok((caller.arn, approver))
            }
            Self::Local(local) => {
                let name = local.approver();
                Ok((name.to_owned(), approvers.iter().find(|approver| approver.name == name)))
            }
        }
    }

    /// Answers, and gives what came of it.
    pub async fn send(&self, subject: &Subject, wish: Wish) -> Result<Reply, Failure> {
        match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => stack.send(subject, wish).await,
            Self::Local(local) => local.send(subject, &wish).await,
        }
    }

    fn unread(&self, why: &StoreError) -> Failure {
        Failure::Failed(match self {
            #[cfg(feature = "aws")]
            Self::Stack(stack) => stack.unread(why),
            Self::Local(_) => match why {
                StoreError::Unavailable(why) => visible(why),
                other => visible(&other.to_string()),
            },
        })
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
