//! The policy simulator's word on a refused call: what it is asked, and what its answer is worth.
//!
//! AWS's old sentence gives no reason. For a routine action that may be answered with a grant all the same; for a sensitive one
//! only if the simulator, asked for the very call, says that no policy of the caller's allows it while the organization and the
//! permissions boundary do. Everything else (no answer, a condition that it lacked a value for, an answer that is not known here)
//! leaves the fix to a person. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use serde::{Deserialize, Serialize};

use crate::{denial::Denial, principal::PrincipalKind};

/// What the simulator says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It would be allowed now.
    Allowed,
    /// No policy of the caller's allows it; organization and boundary do.
    ImplicitDeny,
    /// A policy denies it.
    ExplicitDeny,
    /// The organization's policies do not allow it.
    DeniedByOrganization,
    /// The permissions boundary does not allow it.
    DeniedByBoundary,
    /// It does not say, or not for this very call.
    Unknown,
}

/// What the simulator is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user's or role's ARN, path included.
    pub principal_arn: String,
    /// The action.
    pub action: String,
    /// The resource, or `*`.
    pub resource: String,
    /// The values of the condition keys that the record gives. A policy that asks for another one leaves the answer open.
    pub context: Vec<(&'static str, Value)>,
}

/// The value of a condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A time, ISO 8601.
    Time(String),
    /// An address.
    Address(String),
}

/// The parts of an answer, as the simulator gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The decision: allowed, implicit deny, explicit deny, or a word that is not known here.
    pub decision: Verdict,
    /// What the organization's policies say. Absent where the account is in no organization.
    pub by_organization: Option<bool>,
    /// What the permissions boundary says. Absent where there is none.
    pub by_boundary: Option<bool>,
    /// Whether a policy asks for a condition key that the question had no value for.
    pub lacks_values: bool,
}

impl Answer {
    /// What it is worth.
    pub fn verdict(self) -> Verdict {
        match (self.by_organization, self.by_boundary) {
            _ if self.lacks_values => Verdict::Unknown,
            (Some(false), _) => Verdict::DeniedByOrganization,
            (_, Some(false)) => Verdict::DeniedByBoundary,
            _ => self.decision,
        }
    }
}

/// The question that a denial raises; `None` where the record does not say who, what or on what. `now`: seconds since 1970.
pub fn question(denial: &Denial, now: i64) -> Option<Question> {
    let principal = &denial.caller.principal;
    let arn = principal.arn.clone()?;
    let text = |value: Option<&str>| value.map(|value| Value::Text(value.to_owned()));
    let is_user = principal.kind == PrincipalKind::IamUser;
    let address = denial.record.source_ip_address.as_deref();
    let address = address.filter(|address| address.parse::<std::net::IpAddr>().is_ok());
    let context = [
        ("aws:userid", denial.caller.user_id().map(Value::Text)),
        ("aws:username", text(principal.name.as_deref().filter(|_| is_user))),
        ("aws:PrincipalArn", Some(Value::Text(arn.clone()))),
        ("aws:PrincipalAccount", text(principal.account_id.as_deref())),
        ("aws:PrincipalType", text(Some(if is_user { "User" } else { "AssumedRole" }))),
        ("aws:RequestedRegion", text(denial.place.region.as_deref())),
        ("aws:SourceIp", address.map(|address| Value::Address(address.to_owned()))),
        ("aws:CurrentTime", jiff::Timestamp::from_second(now).ok().map(|time| Value::Time(time.to_string()))),
    ];
    Some(Question {
        principal_arn: arn,
        action: denial.action.clone()?,
        resource: denial.resource.clone()?,
        context: context.into_iter().filter_map(|(key, value)| Some((key, value?))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let whole =
            Answer { decision: Verdict::ImplicitDeny, by_organization: None, by_boundary: None, lacks_values: false };
        for (answer, verdict) in [
            (whole, Verdict::ImplicitDeny),
            (Answer { by_organization: Some(true), by_boundary: Some(true), ..whole }, Verdict::ImplicitDeny),
            (Answer { by_organization: Some(false), ..whole }, Verdict::DeniedByOrganization),
            (Answer { by_boundary: Some(false), ..whole }, Verdict::DeniedByBoundary),
            (Answer { lacks_values: true, ..whole }, Verdict::Unknown),
            (Answer { decision: Verdict::Allowed, by_boundary: Some(false), ..whole }, Verdict::DeniedByBoundary),
            (Answer { decision: Verdict::ExplicitDeny, ..whole }, Verdict::ExplicitDeny),
        ] {
            assert_eq!(answer.verdict(), verdict, "{answer:?}");
        }
    }
}
