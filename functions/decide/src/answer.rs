//! An answer on its way: what is asked, what proves who asks it, and what people are told in the end.

use access::{
    answer::{
        aws::Wish,
        slack::{self, Expected, SlackAnswer},
    },
    approver::{Approver, Approvers},
    case::Case,
    decide,
    decision::{Answer, Channel},
};
use serde::{Deserialize, Serialize};

/// What somebody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// What is to be done.
    pub wish: Wish,
}

impl Asked {
    /// The word in the audit.
    pub fn word(&self) -> &'static str {
        match self.wish {
            Wish::Approve { .. } => "approve",
            Wish::Reject => "reject",
            Wish::Revoke => "revoke",
        }
    }
}

/// What proved who answers, and with it the way by which the answer came.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// Slack signed it, lately. Whether it was given to our app, by somebody of our workspace and in the case's own message, is
    /// asked here.
    Slack {
        /// What Slack sent.
        answer: &'a SlackAnswer,
        /// What is ours.
        ours: Expected<'a>,
    },
    /// STS said that this is who signed it.
    Aws {
        /// The caller's ARN.
        arn: &'a str,
    },
    /// Whoever may use this machine's own door, by the name of an approver.
    Local {
        /// The approver's name.
        name: &'a str,
    },
}

impl Proof<'_> {
    /// How the answer came.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Slack { .. } => Channel::Slack,
            Self::Aws { .. } => Channel::Aws,
            Self::Local { .. } => Channel::Local,
        }
    }

    /// The identity that was proved.
    pub fn identity(&self) -> String {
        match self {
            Self::Slack { answer, .. } => format!("{}/{}", answer.user_team_id, answer.user_id),
            Self::Aws { arn: text } | Self::Local { name: text } => (*text).to_owned(),
        }
    }

    /// The approver who this is. Somebody of another workspace, or in another message than the case's, is nobody, whatever
    /// their id.
    pub(crate) fn approver<'a>(&self, approvers: &'a Approvers, case: Option<&Case>) -> Result<&'a Approver, Refused> {
        let found = match self {
            Self::Slack { answer, ours } => {
                slack::checks(answer, ours, case.ok_or(Refused::NoSuchCase)?).map_err(Refused::Slack)?;
                approvers.by_slack(&answer.team_id, &answer.user_id)
            }
            Self::Aws { arn } => approvers.by_aws(arn),
            Self::Local { name } => approvers.iter().find(|approver| approver.name == *name),
        };
        found.ok_or(Refused::Unlisted)
    }
}

/// Why an answer from somebody who is known does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nobody knows who may answer.
    NoApprovers,
    /// Not an approver.
    Unlisted,
    /// It came by Slack, and not from where we asked.
    Slack(slack::Refusal),
    /// There is no such case.
    NoSuchCase,
    /// What was asked, when, and of what.
    Case(decide::Refusal),
    /// Nothing was approved that could be ended.
    NothingApproved,
    /// Something stands in the decision's place that is none. Somebody wrote it there.
    Unreadable,
}

impl Refused {
    /// For the person who answered.
    pub fn because(&self) -> String {
        match self {
            Self::NoApprovers => "nobody can answer until the list of approvers is mended".to_owned(),
            Self::Unlisted => "only an approver whom the approvers' file lists can answer".to_owned(),
            Self::Slack(refusal) => refusal.because().to_owned(),
            Self::NoSuchCase => "there is no such case".to_owned(),
            Self::Case(refusal) => refusal.because(),
            Self::NothingApproved => "nothing was approved that could be ended".to_owned(),
            Self::Unreadable => {
                "something stands in the decision's place that cannot be read: tell an operator".to_owned()
            }
        }
    }

    /// Whether it says that this person means us at all. Of whom it does not, nothing is kept in the table.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self, Self::Slack(_) | Self::NoSuchCase | Self::NoApprovers)
    }
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is given, until `not_after`.
    Approved,
    /// Nothing is given.
    Rejected,
    /// It is taken back.
    Revoked,
    /// Somebody, `by`, had decided before.
    Already,
    /// It does not count.
    Refused,
}

/// What the person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What came of it.
    pub outcome: Outcome,
    /// Whose decision it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The grant's end. Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
}

impl Reply {
    /// An answer that does not count.
    pub fn refused(because: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refused, by: None, because: Some(because.into()), not_after: None }
    }

    pub(crate) fn already(by: &str, what: Before, not_after: Option<i64>) -> Self {
        let did = match what {
            Before::Answered(Answer::Approve) => "approved it",
            Before::Answered(Answer::Reject) => "rejected it",
            Before::Revoked => "taken it back",
        };
        Self {
            outcome: Outcome::Already,
            by: Some(by.to_owned()),
            because: Some(format!("{by} had already {did}")),
            not_after,
        }
    }
}

/// What had been done before an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// A decision.
    Answered(Answer),
    /// A grant was taken back.
    Revoked,
}
