//! The closed enumerations in plain English: one place for every word that several ways of writing share.
//!
//! Everything here is a constant or a `match`, so that a new variant does not compile until somebody has found words
//! for it. No sentence promises more than its word means: an implicit deny says that a permission is missing, not that
//! nothing else stands in the way.

use crate::{
    diagnosis::{Effect, PolicyType, Reach, RemedyKind, Response, Risk, Scenario, TargetKind},
    principal::PrincipalKind,
};

/// What stands where a fact is absent. Never a blank, never a guess.
pub const ABSENT: &str = "not in the record";

/// A response as a badge: what is asked of the reader.
pub fn badge(response: Response) -> &'static str {
    match response {
        Response::Ignore => "Ignored",
        Response::SuggestFix => "Fix by hand",
        Response::RequestApproval => "Approval asked",
        Response::RaiseAlarm => "Alarm",
    }
}

/// A badge in capitals, as the first words of a headline.
pub fn shout(response: Response) -> &'static str {
    match response {
        Response::Ignore => "IGNORED",
        Response::SuggestFix => "FIX BY HAND",
        Response::RequestApproval => "APPROVAL ASKED",
        Response::RaiseAlarm => "ALARM",
    }
}

/// What happens now, by itself.
///
/// `is_case`: it is a case of a running responder. A record that is only explained makes nobody do anything.
pub fn what_happens(response: Response, is_case: bool) -> &'static str {
    match response {
        Response::RequestApproval if !is_case => {
            "A responder would ask an approver. Until somebody approves, nothing changes; a grant is for a few hours and then ends."
        }
        Response::RaiseAlarm if !is_case => {
            "A responder would tell the security audience. Nobody is offered a button: no approval can grant this, whoever asks."
        }
        Response::Ignore => "Nothing: this is counted and not posted.",
        Response::SuggestFix => "Nothing by itself. Only a person can make this change.",
        Response::RequestApproval => {
            "An approver is asked. Until somebody approves, nothing changes; a grant is for a few hours and then ends."
        }
        Response::RaiseAlarm => {
            "The security audience is told. Nobody is offered a button: no approval can grant this, whoever asks."
        }
    }
}

/// The word of the contract, for programs and their filters.
pub fn response(response: Response) -> &'static str {
    match response {
        Response::Ignore => "ignore",
        Response::SuggestFix => "suggest-fix",
        Response::RequestApproval => "request-approval",
        Response::RaiseAlarm => "raise-alarm",
    }
}

/// The word of the contract.
pub fn scenario(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::NotAuthorized => "not-authorized",
        Scenario::Integration => "integration",
        Scenario::AllowOthers => "allow-others",
        Scenario::OutsideAccount => "outside-account",
        Scenario::Delivery => "delivery",
    }
}

/// The word of the contract.
pub fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Routine => "routine",
        Risk::Sensitive => "sensitive",
        Risk::Tampering => "tampering",
    }
}

/// A risk with what it means.
pub fn risk_in_words(risk: Risk) -> &'static str {
    match risk {
        Risk::Routine => "routine: it reads configuration",
        Risk::Sensitive => "sensitive: it goes beyond reading CloudTrail's configuration",
        Risk::Tampering => "tampering: it can blind, redirect, destroy or expose the audit log",
    }
}

/// A kind of caller, as a noun without an article.
pub fn principal_kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "root user",
        PrincipalKind::IamUser => "IAM user",
        PrincipalKind::RoleSession => "role",
        PrincipalKind::SsoSession => "role of IAM Identity Center",
        PrincipalKind::ServiceLinkedRole => "service-linked role",
        PrincipalKind::FederatedUser => "federated user",
        PrincipalKind::SamlUser => "SAML user",
        PrincipalKind::WebIdentityUser => "web identity user",
        PrincipalKind::IdentityCenterUser => "IAM Identity Center user",
        PrincipalKind::AwsService => "AWS service",
        PrincipalKind::AwsAccount => "principal of an AWS account",
        PrincipalKind::Anonymous => "unsigned request",
        PrincipalKind::Unknown => "caller of an unrecognised form",
    }
}

/// The same as the subject of a sentence, where there is no name to put behind it.
pub fn nameless(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "the root user",
        PrincipalKind::IamUser => "an IAM user",
        PrincipalKind::RoleSession => "a role",
        PrincipalKind::SsoSession => "a role of IAM Identity Center",
        PrincipalKind::ServiceLinkedRole => "a service-linked role",
        PrincipalKind::FederatedUser => "a federated user",
        PrincipalKind::SamlUser => "a SAML user",
        PrincipalKind::WebIdentityUser => "a web identity user",
        PrincipalKind::IdentityCenterUser => "an IAM Identity Center user",
        PrincipalKind::AwsService => "an AWS service",
        PrincipalKind::AwsAccount => "a principal that is named only by its account",
        PrincipalKind::Anonymous => "a request that nobody signed",
        PrincipalKind::Unknown => "a caller of an unrecognised form",
    }
}

/// A kind of policy, with where it is found.
pub fn policy_type(policy_type: PolicyType) -> &'static str {
    match policy_type {
        PolicyType::IdentityBasedPolicy => "identity-based policy (on the user, its groups or the role)",
        PolicyType::ResourceBasedPolicy => "resource-based policy (on the resource itself)",
        PolicyType::PermissionsBoundary => "permissions boundary (the ceiling of the user or role)",
        PolicyType::SessionPolicy => "session policy (passed when the session began)",
        PolicyType::ServiceControlPolicy => "service control policy (the organization's ceiling for the account)",
        PolicyType::ResourceControlPolicy => "resource control policy (the organization's ceiling for its resources)",
        PolicyType::VpcEndpointPolicy => "VPC endpoint policy (on the endpoint the call went through)",
        PolicyType::RoleTrustPolicy => "role trust policy (who may assume the role)",
    }
}

/// A kind of policy, short, for a column of a table.
pub fn policy_type_short(policy_type: PolicyType) -> &'static str {
    match policy_type {
        PolicyType::IdentityBasedPolicy => "identity-based policy",
        PolicyType::ResourceBasedPolicy => "resource-based policy",
        PolicyType::PermissionsBoundary => "permissions boundary",
        PolicyType::SessionPolicy => "session policy",
        PolicyType::ServiceControlPolicy => "service control policy",
        PolicyType::ResourceControlPolicy => "resource control policy",
        PolicyType::VpcEndpointPolicy => "VPC endpoint policy",
        PolicyType::RoleTrustPolicy => "role trust policy",
    }
}

/// An effect, as AWS calls it.
pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::ImplicitDeny => "implicit deny",
        Effect::ExplicitDeny => "explicit deny",
        Effect::Unknown => "reason not given",
    }
}

/// Whom a change reaches.
pub fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::OneSession => "this session of the role and no other",
        Reach::AllSessions => "everybody who assumes the role",
        Reach::OneUser => "this user only",
        Reach::AllMembers => "every member of the group",
        Reach::AllAssignees => "everybody assigned the permission set, in every account that has it",
        Reach::OtherAccount => "the other account, as far as it lets its own principals",
        Reach::CloudtrailService => "the CloudTrail service only",
        Reach::EveryoneUnderPolicy => "everybody to whom the changed policy applies",
        Reach::Nobody => "nobody: no permission is given",
    }
}

/// What a remedy is made on.
pub fn target_kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::User => "IAM user",
        TargetKind::Role => "role",
        TargetKind::Group => "group",
        TargetKind::PermissionSet => "permission set",
        TargetKind::Account => "account",
        TargetKind::Organization => "organization",
        TargetKind::Bucket => "bucket",
        TargetKind::Topic => "topic",
        TargetKind::Key => "KMS key",
        TargetKind::LogRole => "CloudWatch Logs role",
        TargetKind::LogGroup => "log group",
        TargetKind::EventDataStore => "event data store",
        TargetKind::Channel => "channel",
        TargetKind::Dashboard => "dashboard",
        TargetKind::Policy => "policy",
        TargetKind::Trail => "trail",
        TargetKind::VpcEndpoint => "VPC endpoint",
    }
}

/// What is changed in an account, where the record does not say which one.
pub fn somewhere_in(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::UpdateBucketPolicy => "a bucket in ",
        RemedyKind::UpdateTopicPolicy => "a topic in ",
        RemedyKind::UpdateKeyPolicy => "a KMS key in ",
        RemedyKind::UpdateLogRole | RemedyKind::ChangeTrustPolicy => "a role in ",
        RemedyKind::PutResourcePolicy => "a resource in ",
        RemedyKind::ChangeVpcEndpointPolicy => "an endpoint in ",
        _ => "",
    }
}

/// A remedy as an order, and the word that leads over to its target. Where there is no policy to show, nothing says "this".
pub fn remedy(kind: RemedyKind, has_policy: bool) -> (&'static str, &'static str) {
    match (kind, has_policy) {
        (RemedyKind::AttachManagedPolicy, _) => ("Attach this managed policy", "to"),
        (RemedyKind::PutInlinePolicy, true) => ("Add this inline policy", "to"),
        (RemedyKind::PutInlinePolicy, false) => ("Allow the action in a policy of the caller,", "in"),
        (RemedyKind::ChangePermissionSet, true) => ("Add this policy", "to"),
        (RemedyKind::ChangePermissionSet, false) => ("Allow the action in the caller's permission set,", "in"),
        (RemedyKind::CreateCrossAccountRole, _) => ("Create a role that the outside caller may assume,", "in"),
        (RemedyKind::PutResourcePolicy, true) => ("Put this resource-based policy", "on"),
        (RemedyKind::PutResourcePolicy, false) => ("Let the caller in through the resource-based policy", "of"),
        (RemedyKind::UpdateBucketPolicy, true) => ("Add this to the policy", "of"),
        (RemedyKind::UpdateBucketPolicy, false) => ("Correct the policy", "of"),
        (RemedyKind::UpdateTopicPolicy, true) => ("Add this to the access policy", "of"),
        (RemedyKind::UpdateTopicPolicy, false) => ("Correct the access policy", "of"),
        (RemedyKind::UpdateKeyPolicy, true) => ("Add this to the policy", "of"),
        (RemedyKind::UpdateKeyPolicy, false) => ("Correct the policy", "of"),
        (RemedyKind::UpdateLogRole, true) => ("Add this to the trust or the permissions", "of"),
        (RemedyKind::UpdateLogRole, false) => ("Correct the trust or the permissions", "of"),
        (RemedyKind::CreateServiceLinkedRole, _) => ("Create CloudTrail's service-linked role", "in"),
        (RemedyKind::ChangePermissionsBoundary, _) => ("Let the action pass in the permissions boundary", "of"),
        (RemedyKind::ChangeServiceControlPolicy, _) => ("Let the action pass in the service control policies", "of"),
        (RemedyKind::ChangeResourceControlPolicy, _) => ("Let the action pass in the resource control policies", "of"),
        (RemedyKind::ChangeVpcEndpointPolicy, _) => ("Let the action pass in the endpoint policy", "of"),
        (RemedyKind::ChangeSessionPolicy, _) => ("Begin the session with a policy that allows the action", "for"),
        (RemedyKind::ChangeTrustPolicy, _) => ("Let the caller in through the trust policy", "of"),
        (RemedyKind::RemoveExplicitDeny, _) => ("Remove or narrow the statement that denies the action", "at"),
        (RemedyKind::UseHomeRegionOrOwner, _) => ("Make the call, in the home Region,", "from"),
    }
}

/// How long something lasts: `1 hour`, `15 minutes`.
pub fn minutes(minutes: i64) -> String {
    let (count, unit) = if minutes % 60 == 0 { (minutes / 60, "hour") } else { (minutes, "minute") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A number in groups of three digits: 1,234,567.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
