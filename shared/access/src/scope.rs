//! Scope: whether a denial is CloudTrail's business, and which topic of the troubleshooting page it belongs to.
//!
//! Everything that is looked at here was either written by AWS (`eventSource`, `invokedBy`, the sentence's action) or only
//! widens what people are told. `userAgent` decides nothing: callers choose it.

use serde_json::Value;

use crate::{
    action,
    arn::Arn,
    denial::{Denial, Refusal},
    diagnosis::Scenario,
    guardrails::{Guardrails, log_group},
    principal::PrincipalKind,
};

/// The other service whose permission a call needed, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// CloudTrail itself.
    CloudTrail,
    /// `iam:PassRole`.
    PassRole,
    /// Making or changing a role (`iam:CreateRole`, `iam:PutRolePolicy`, …): its holder could become anybody.
    RoleMaking,
    /// AWS Config.
    Config,
    /// CloudWatch Logs.
    Logs,
    /// S3.
    S3,
    /// KMS.
    Kms,
    /// SNS.
    Sns,
    /// STS.
    Sts,
    /// Any other.
    Other,
}

impl Service {
    /// The service of the refused action.
    pub fn of(denial: &Denial) -> Self {
        match (denial.service(), denial.operation()) {
            ("cloudtrail" | "cloudtrail-data" | "", _) => Self::CloudTrail,
            ("iam", "PassRole") => Self::PassRole,
            ("iam", operation) if is_role_making(operation) => Self::RoleMaking,
            ("config", _) => Self::Config,
            ("logs", _) => Self::Logs,
            ("s3", _) => Self::S3,
            ("kms", _) => Self::Kms,
            ("sns", _) => Self::Sns,
            ("sts", _) => Self::Sts,
            _ => Self::Other,
        }
    }
}

/// Whether the denial is about CloudTrail at all. `has_open_case`: the entity that a denied IAM call names has one here.
pub fn is_in_scope(denial: &Denial, guardrails: &Guardrails, has_open_case: bool) -> bool {
    let record = &denial.record;
    // A text by itself, with no record around it.
    let is_bare = record.event_source.is_none() && record.event_name.is_none() && record.user_identity.is_none();
    if record.is_of_cloudtrail()
        || denial.action.as_deref().is_some_and(action::is_cloudtrail)
        || denial.is_through_cloudtrail
    {
        return true;
    }
    let arn = denial.resource_arn();
    let text = denial.resource.as_deref().unwrap_or_default();
    let is_trail_resource = arn.as_ref().is_some_and(|arn| guardrails.trail_resources.contain(arn, text));
    match Service::of(denial) {
        // A bare text without an action is CloudTrail's only if its error is: "Access Denied" alone may be anybody's.
        Service::CloudTrail => is_bare && (denial.refusal != Refusal::AccessDenied || is_operated_by_member(denial)),
        // The page shows the sentence alone. A record of it has the event source of the service that wanted the role: what is handed to
        // another service than CloudTrail is that service's business, whatever the role is called.
        Service::PassRole => {
            let is_anothers = record.event_source.as_deref().is_some_and(|source| source != "iam.amazonaws.com");
            is_bare && arn.is_none()
                || !is_anothers && (is_trail_resource || arn.as_ref().is_some_and(names_cloudtrail_role))
        }
        Service::S3 => {
            is_trail_resource
                || s3_path(denial).is_some_and(|path| {
                    let bucket = path.split('/').next().unwrap_or_default();
                    guardrails.trail_resources.contain_bucket(bucket) || is_log_file_key(&path)
                })
        }
        Service::Logs => {
            is_trail_resource
                || arn.as_ref().and_then(log_group).is_some_and(|group| group.starts_with("aws-cloudtrail-logs-"))
        }
        Service::Kms | Service::Sns => is_trail_resource,
        Service::Sts => {
            denial.operation().starts_with("AssumeRole")
                && (is_trail_resource || arn.as_ref().is_some_and(names_cloudtrail_role))
        }
        Service::RoleMaking | Service::Other => {
            is_policy_writing(denial) && (names_cloudtrail_policy(denial) || has_open_case)
        }
        Service::Config => false,
    }
}

/// The topic of the page, whatever is done about the denial.
pub fn scenario(denial: &Denial) -> Scenario {
    match denial.refusal {
        refusal if refusal.is_delivery() => return Scenario::Delivery,
        Refusal::DependencyPermissions | Refusal::ServiceLinkedRolePermissions => return Scenario::Integration,
        Refusal::OperationNotPermitted | Refusal::NotManagementAccount | Refusal::TrustedAccessOff => {
            return Scenario::NotAuthorized;
        }
        Refusal::ChannelPermissions => return Scenario::OutsideAccount,
        _ => {}
    }
    let service = Service::of(denial);
    if denial.is_through_cloudtrail && service != Service::CloudTrail {
        Scenario::Integration
    } else if is_policy_writing(denial) {
        Scenario::AllowOthers
    } else if is_from_outside(denial) || is_operated_by_member(denial) {
        Scenario::OutsideAccount
    } else if matches!(service, Service::CloudTrail | Service::Sts) || is_log_reading(denial) {
        Scenario::NotAuthorized
    } else {
        Scenario::Integration
    }
}

/// Whether the caller's account is not the resource's owner's, or the caller is not in any account yet.
pub fn is_from_outside(denial: &Denial) -> bool {
    let principal = &denial.caller.principal;
    if matches!(principal.kind, PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser | PrincipalKind::Anonymous) {
        return true;
    }
    match (principal.account_id.as_deref(), denial.owner.as_deref().or(denial.place.account_id.as_deref())) {
        (Some(caller), Some(owner)) => caller != owner,
        _ => principal.kind == PrincipalKind::AwsAccount,
    }
}

/// CloudTrail's own words when a member account reaches for an organization's trail or event data store. There is no
/// policy in them, and none in the member account mends it. Observed: hashicorp/terraform issue 35028.
pub fn is_operated_by_member(denial: &Denial) -> bool {
    let message = denial.record.error_message.as_deref().unwrap_or_default();
    denial.sentence.is_none()
        && denial.refusal == Refusal::AccessDenied
        && denial.service() != "s3"
        && message.to_ascii_lowercase().contains("do not have permission to operate on this resource")
}

/// A call that gives a user, a role or a group a policy.
pub fn is_policy_writing(denial: &Denial) -> bool {
    denial.service() == "iam"
        && matches!(
            denial.operation(),
            "AttachUserPolicy"
                | "AttachRolePolicy"
                | "AttachGroupPolicy"
                | "PutUserPolicy"
                | "PutRolePolicy"
                | "PutGroupPolicy"
        )
}

/// The user, role or group that a denied IAM call would have changed, as `("user", "bob")`.
pub fn entity_named(denial: &Denial) -> Option<(&str, &str)> {
    let from_request = [("userName", "user"), ("roleName", "role"), ("groupName", "group")]
        .into_iter()
        .find_map(|(parameter, kind)| Some((kind, denial.record.parameter(parameter)?)));
    from_request.or_else(|| {
        if let Some((kind, _, name)) = denial.resource_arn().and_then(|arn| arn.entity()) {
            return Some((kind, name));
        }
        let (kind, name) = denial.resource.as_deref()?.split_once(' ')?;
        matches!(kind, "user" | "role" | "group").then_some((kind, name.trim()))
    })
}

/// Whether somebody was refused while giving a policy to themselves.
pub fn is_self_grant(denial: &Denial) -> bool {
    let Some((kind, name)) = entity_named(denial).filter(|_| is_policy_writing(denial)) else { return false };
    let principal = &denial.caller.principal;
    let (own_kind, own) = match principal.kind {
        PrincipalKind::IamUser => ("user", principal.name.as_deref()),
        PrincipalKind::RoleSession | PrincipalKind::SsoSession | PrincipalKind::ServiceLinkedRole => {
            ("role", principal.name.as_deref())
        }
        // GetFederationToken names a session as its maker likes; it has its maker's permissions and no others.
        PrincipalKind::FederatedUser => ("user", denial.caller.issuer.as_deref()),
        _ => return false,
    };
    // Another account's alice is somebody else. IAM names entities of the account that is asked.
    let named_in =
        denial.resource_arn().and_then(|arn| arn.account_id().map(str::to_owned)).or(denial.place.account_id.clone());
    // IAM's names are unique without regard to case.
    named_in == principal.account_id && own_kind == kind && own.is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// A read of what CloudTrail has written.
pub fn is_log_reading(denial: &Denial) -> bool {
    let operation = denial.operation();
    match denial.service() {
        "s3" => operation.starts_with("GetObject") || operation.starts_with("ListBucket"),
        "kms" => operation == "Decrypt",
        "logs" => {
            ["Get", "Filter", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
                || matches!(operation, "StartQuery" | "StartLiveTail" | "Unmask")
        }
        _ => false,
    }
}

/// `bucket/[prefix/]AWSLogs/[o-…/]111122223333/CloudTrail[-Digest|-Insight]/…`
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>
pub fn is_log_file_key(resource: &str) -> bool {
    let mut parts = resource.split('/').skip(1).skip_while(|part| *part != "AWSLogs").skip(1).peekable();
    if parts.peek().is_some_and(|part| part.starts_with("o-")) {
        parts.next();
    }
    parts.next().is_some_and(crate::arn::is_account_id)
        && parts.next().is_some_and(|part| matches!(part, "CloudTrail" | "CloudTrail-Digest" | "CloudTrail-Insight"))
}

/// `bucket/key` as AWS's sentence or the request names it. Keys may hold characters that no ARN here may, and are still keys.
fn s3_path(denial: &Denial) -> Option<String> {
    let said = denial.sentence.as_ref().and_then(|sentence| sentence.resource.as_deref());
    let path = said.and_then(|text| text.split_once(":s3:::")).map(|(_, path)| path.to_owned());
    path.or_else(|| {
        let bucket = denial.record.parameter("bucketName")?;
        Some(format!("{bucket}/{}", denial.record.parameter("key").unwrap_or_default()))
    })
}

/// Which calls make a role, or make one more powerful.
fn is_role_making(operation: &str) -> bool {
    matches!(
        operation,
        "CreateRole"
            | "AttachRolePolicy"
            | "PutRolePolicy"
            | "UpdateAssumeRolePolicy"
            | "CreatePolicy"
            | "CreatePolicyVersion"
            | "PutRolePermissionsBoundary"
            | "DeleteRolePermissionsBoundary"
            | "AttachUserPolicy"
            | "PutUserPolicy"
            | "AttachGroupPolicy"
            | "PutGroupPolicy"
            | "SetDefaultPolicyVersion"
            | "AddUserToGroup"
            | "CreateAccessKey"
    )
}

fn names_cloudtrail_role(arn: &Arn) -> bool {
    matches!(arn.entity(), Some(("role", _, name)) if name.to_ascii_lowercase().contains("cloudtrail"))
}

/// Whether the request attaches a CloudTrail policy, or writes one that holds CloudTrail's actions.
fn names_cloudtrail_policy(denial: &Denial) -> bool {
    let named = |parameter| denial.record.parameter(parameter).map(str::to_ascii_lowercase);
    let attaches =
        named("policyArn").is_some_and(|arn| arn.rsplit('/').next().is_some_and(|name| name.contains("cloudtrail")));
    let writes = match denial.record.request_parameters.as_ref().and_then(|p| p.get("policyDocument")) {
        // Written as JSON in a string, percent-encoded in some records, where the colon becomes %3A.
        Some(Value::String(document)) => mentions_cloudtrail_action(document),
        Some(document @ Value::Object(_)) => mentions_cloudtrail_action(&document.to_string()),
        _ => false,
    };
    attaches || writes
}

fn mentions_cloudtrail_action(document: &str) -> bool {
    let lower = document.to_ascii_lowercase();
    ["cloudtrail:", "cloudtrail%3a", "cloudtrail-data:", "cloudtrail-data%3a"]
        .iter()
        .any(|prefix| lower.contains(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_log_files() {
        for key in [
            "b/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/x.json.gz",
            "b/a/prefix/AWSLogs/o-abc123/111122223333/CloudTrail-Digest/x",
            "b/AWSLogs/111122223333/CloudTrail-Insight/",
        ] {
            assert!(is_log_file_key(key), "{key}");
        }
        for key in [
            "b/AWSLogs/111122223333/Config/x",
            "b/AWSLogs/CloudTrail/x",
            "AWSLogs/111122223333/CloudTrail/x",
            "b/x",
            "b",
        ] {
            assert!(!is_log_file_key(key), "{key}");
        }
    }
}
