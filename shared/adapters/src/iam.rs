//! IAM: a user or role as it is, and one change of it at a time.
//!
//! Decides what each of IAM's refusals means to somebody who must neither lose a removal nor give twice: come again, give up,
//! the entity is gone, or a permission that we lack ourselves. What is changed, and whether, is the caller's. There are two:
//! AWS, and a picture of IAM on one machine, in which a grant can be rehearsed without touching anything.
//!
//! What IAM shows may be older than the last change of it
//! ([eventual consistency](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency)):
//! what is read here is what IAM says, not what is so.

#[cfg(feature = "iam")]
mod aws;
mod local;
#[cfg(feature = "iam")]
mod simulate;

use std::fmt;

use access::{
    reconcile::{Change, Entity, Holder},
    simulation::{Question, Verdict},
};

#[cfg(feature = "iam")]
pub use aws::AwsIam;
pub use local::LocalIam;

/// How many managed policies a user or role may have, unless the account's quota was raised.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const ATTACHABLE: usize = 10;

/// Where users and roles are.
#[derive(Debug)]
pub enum Iam {
    /// The account's.
    #[cfg(feature = "iam")]
    Aws(AwsIam),
    /// A picture of it on this machine.
    Local(LocalIam),
}

/// How much of a user or role is looked at. Each part is a call of its own, and inline policies are one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look<'a> {
    /// Itself, and the managed policies that are attached.
    Attached,
    /// Itself, and the one inline policy of this name.
    Inline(&'a str),
    /// Itself and all of its inline policies, whose sizes add up to a quota.
    AllInline,
}

/// Why IAM did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Throttled, changed by somebody else at this moment, out of order, or no answer: another try may do. A change may have been
    /// made all the same.
    Passing(String),
    /// IAM will not, whoever asks again.
    Lasting(String),
    /// There is no such user, role or policy.
    Gone(String),
    /// A permission that we lack ourselves: an operator's to mend, unless it is a limit that the operator has set.
    Denied(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(why) => write!(f, "IAM can't do it now: {why}"),
            Self::Lasting(why) => write!(f, "IAM refused: {why}"),
            Self::Gone(why) => write!(f, "IAM does not know it: {why}"),
            Self::Denied(why) => write!(f, "this program lacks a permission: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// How a change ended, with IAM's id of the request by which CloudTrail finds it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Whether it was made, as far as IAM has said.
    pub result: Result<(), Refusal>,
    /// IAM's id of the request, if it answered.
    pub request_id: Option<String>,
    /// It was made in a picture, and nowhere else.
    pub is_rehearsed: bool,
}

/// Who has a managed policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// Users and roles, each with IAM's unique id.
    pub entities: Vec<(Holder, String)>,
    /// Groups, to which no grant of ours ever attaches anything.
    pub groups: Vec<String>,
}

impl Iam {
    /// A user or role as it is now; `None` if there is none of this name. `id`: the unique id that it should have, by which the
    /// local picture makes somebody whom it has not met.
    #[cfg_attr(not(feature = "iam"), allow(unused_variables, reason = "the picture is always looked at whole"))]
    pub async fn look(&self, holder: &Holder, id: &str, look: Look<'_>) -> Result<Option<Entity>, Refusal> {
        match self {
            #[cfg(feature = "iam")]
            Self::Aws(aws) => aws.look(holder, look).await,
            Self::Local(local) => Ok(local.look(holder, id)),
        }
    }

    /// Whether this is a picture, in which changes are rehearsed.
    pub fn is_picture(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Makes one change. Every one of them may be made twice.
    pub async fn change(&self, change: &Change) -> Changed {
        match self {
            #[cfg(feature = "iam")]
            Self::Aws(aws) => aws.change(change).await,
            Self::Local(local) => local.change(change),
        }
    }

    /// Who has a managed policy attached; nobody if there is no such policy.
    pub async fn holders_of(&self, policy_arn: &str) -> Result<Holders, Refusal> {
        match self {
            #[cfg(feature = "iam")]
            Self::Aws(aws) => aws.holders_of(policy_arn).await,
            Self::Local(local) => Ok(local.holders_of(policy_arn)),
        }
    }

    /// What the policy simulator says of a call. The local picture has no policies of anybody's, and says nothing.
    #[cfg_attr(not(feature = "iam"), allow(unused_variables, reason = "nobody is there to be asked"))]
    pub async fn simulate(&self, question: &Question) -> Result<Verdict, Refusal> {
        match self {
            #[cfg(feature = "iam")]
            Self::Aws(aws) => aws.simulate(question).await,
            Self::Local(_) => Ok(Verdict::Unknown),
        }
    }
}
