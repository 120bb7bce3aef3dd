//! Decisions: what an approver's answer becomes once it counts, and the bytes that vouch for it.
//!
//! `decide` writes them, once for each opening of a case, and `reconcile` believes them only with a message authentication code
//! over [`Decision::message`] that nobody else could have made. Whatever a grant depends on stands in that message, so that a
//! decision which was altered, copied to another case, or written into the table by hand is none.

use serde::{Deserialize, Serialize};

use crate::framing::framed;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Give what the hash names, for a time.
    Approve,
    /// Give nothing.
    Reject,
}

impl Answer {
    /// The word in the schema of the approval rules, in the audit, and in what the code vouches for.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// How the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A button in Slack, the request signed by Slack.
    Slack,
    /// A signed `GetCallerIdentity`, vouched for by STS.
    Aws,
    /// The page or the command of one machine, by whoever may read that machine's token. No stack's.
    Local,
}

/// Who answered, and what proved it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approved {
    /// The approver's name in the operator's list.
    pub approver: String,
    /// How the answer came.
    pub channel: Channel,
    /// The identity that was proved: `TEAM/USER` in Slack, an ARN in AWS, the user's name on one machine.
    pub identity: String,
}

/// One decision. There is one for each opening of a case; the first to be written counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// What was decided.
    pub answer: Answer,
    /// The hash of the remedy that was shown, for an approval.
    pub remedy: Option<String>,
    /// What that is the hash of ([`crate::grant::approved`]), for an approval: what was decided can be read when the case is
    /// gone. Enough to keep a grant and to take it back, and never to give one.
    #[serde(default)]
    pub shown: Option<String>,
    /// IAM's unique id of the user or role that it is for.
    pub target_id: Option<String>,
    /// Who decided.
    pub by: Approved,
    /// When. Seconds since 1970, `decide`'s clock.
    pub decided_at: i64,
    /// The grant's end, fixed here and nowhere else. Seconds since 1970; equal to `decided_at` for a rejection.
    pub not_after: i64,
    /// The hash of the approval rules that allowed it.
    pub rules: String,
}

/// A grant's end before its time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revocation {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// Who took it back.
    pub by: Approved,
    /// When. Seconds since 1970.
    pub revoked_at: i64,
}

/// A decision or a revocation as it is stored, with the code over its message that makes it one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched<T> {
    /// What was decided.
    pub record: T,
    /// The code over its message.
    pub mac: String,
}

/// The decisions of one hour, so that a sweep finds those whose stream record was lost. What it names is only where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourFile {
    /// The decisions' keys, oldest first.
    pub keys: Vec<String>,
}

/// The key of the list of an hour's decisions. The hour since 1970.
pub fn hour_key(hour: i64) -> String {
    format!("DECISION#hour#{hour}")
}

/// The key of a case's decision.
pub fn key(case_id: &str, opening: u64) -> String {
    format!("DECISION#{case_id}#{opening}")
}

/// The key of its revocation.
pub fn revocation_key(case_id: &str, opening: u64) -> String {
    format!("{}#revoked", key(case_id, opening))
}

/// The key of what was answered beside the decision: too late, or refused.
pub fn history_key(case_id: &str, opening: u64) -> String {
    format!("{}#history", key(case_id, opening))
}

impl Decision {
    /// What the code vouches for.
    pub fn message(&self) -> Vec<u8> {
        vouched(&[
            Some("trailpass.decision/1"),
            Some(&self.case_id),
            Some(&self.opening.to_string()),
            Some(self.answer.word()),
            self.remedy.as_deref(),
            self.shown.as_deref(),
            self.target_id.as_deref(),
            Some(&self.by.approver),
            Some(self.by.channel.word()),
            Some(&self.by.identity),
            Some(&self.decided_at.to_string()),
            Some(&self.not_after.to_string()),
            Some(&self.rules),
        ])
    }
}

impl Revocation {
    /// What the code vouches for.
    pub fn message(&self) -> Vec<u8> {
        vouched(&[
            Some("trailpass.revocation/1"),
            Some(&self.case_id),
            Some(&self.opening.to_string()),
            Some(&self.by.approver),
            Some(self.by.channel.word()),
            Some(&self.by.identity),
            Some(&self.revoked_at.to_string()),
        ])
    }
}

impl Channel {
    /// The word in the schema of the approval rules, and in what the code vouches for.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Aws => "aws",
            Self::Local => "local",
        }
    }
}

fn vouched(parts: &[Option<&str>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    framed(parts.iter().copied(), |piece| bytes.extend_from_slice(piece));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        Decision {
            case_id: "case".into(),
            opening: 1,
            answer: Answer::Approve,
            remedy: Some("hash".into()),
            shown: Some("shown".into()),
            target_id: Some("AIDA".into()),
            by: Approved { approver: "saanvi".into(), channel: Channel::Aws, identity: "arn".into() },
            decided_at: 10,
            not_after: 20,
            rules: "rules".into(),
        }
    }

    #[test]
    fn every_field_is_vouched_for() {
        let whole = decision();
        let changes: [fn(&mut Decision); 12] = [
            |d| d.case_id = "cas".into(),
            |d| d.opening = 11,
            |d| d.answer = Answer::Reject,
            |d| d.remedy = None,
            |d| d.remedy = Some("ehash".into()),
            |d| d.shown = Some("how".into()),
            |d| d.target_id = Some(String::new()),
            |d| d.by.approver = "saanvi2".into(),
            |d| d.by.channel = Channel::Slack,
            |d| d.by.identity = "arn2".into(),
            |d| d.not_after = 21,
            |d| d.rules = "other".into(),
        ];
        for change in changes {
            let mut other = decision();
            change(&mut other);
            assert_ne!(other.message(), whole.message(), "{other:?}");
        }
        let mut later = decision();
        later.decided_at = 11;
        assert_ne!(later.message(), whole.message());
    }

    #[test]
    fn a_revocation_is_no_decision() {
        let revocation = Revocation { case_id: "case".into(), opening: 1, by: decision().by, revoked_at: 10 };
        assert_ne!(revocation.message(), decision().message());
        assert_ne!(key("a", 1), revocation_key("a", 1));
    }
}
