//! What setting up Config, CloudWatch Logs, S3, KMS or SNS with a trail lacks.
//!
//! AWS's documented policy for the CloudWatch Logs integration lets its holder create any role and give it any policy,
//! which is an administrator by another name
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_id-based-policy-examples.html#grant-cloudwatch-permissions-for-cloudtrail-users>).
//! So a role that somebody with the right to makes once, and a PassRole limited to it, stand here instead.

use super::{
    Proposal, allow, by_hand, callers_target, ceilings, delivery, inline_kind, literal_resource,
    own::{self, is_policy_action},
    partition,
};
use crate::{
    arn::is_iam_name,
    classify::Rule,
    denial::Denial,
    diagnosis::{Effect, PolicyType, Reach, Remedy, RemedyKind, Target, TargetKind},
    policy_document::{PolicyDocument, Trustee},
    scope,
};

/// The name that CloudTrail's console gives this role.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/send-cloudtrail-events-to-cloudwatch-logs.html>
const LOG_ROLE: &str = "CloudTrail_CloudWatchLogs_Role";

pub(super) fn propose(proposal: &Proposal) -> Vec<Remedy> {
    let denial = proposal.denial;
    match proposal.rule {
        Rule::PassRole => vec![pass_role(proposal, None).unwrap_or_else(|| own::without_policies(denial))],
        Rule::RoleMaking => {
            let named = denial.resource_arn().and_then(|arn| arn.entity());
            let name = match named {
                Some(("role", _, name)) if is_iam_name(name) => name,
                _ => LOG_ROLE,
            };
            let mut remedies = vec![delivery::log_role(
                denial,
                name,
                "make this role once, by somebody who may: CloudTrail writes to CloudWatch Logs with it. The permissions that were \
                 refused here are not the fix, since they would let their holder become an administrator",
            )];
            // The role that is to be made goes by this name.
            remedies.extend(pass_role(proposal, Some(name)));
            remedies
        }
        Rule::Dependency | Rule::ServiceLinkedRole => vec![organization_resource(denial)],
        Rule::Config if is_read(denial.operation()) => with_exact(denial, [console_config(denial)]),
        Rule::Key => by_key_policy(denial),
        Rule::Topic | Rule::Bucket if denial.cause.policy_type == Some(PolicyType::ResourceBasedPolicy) => {
            own_policy(denial)
        }
        _ => with_exact(denial, []),
    }
}

/// `iam:PassRole` on one role, to CloudTrail only: the role that was refused, the configured one, or the one that is `to_make`.
fn pass_role(proposal: &Proposal, to_make: Option<&str>) -> Option<Remedy> {
    let denial = proposal.denial;
    let (target, reach) = callers_target(denial);
    if target.kind == TargetKind::Account {
        return None;
    }
    let kind = inline_kind(denial);
    let named = literal_resource(denial).filter(|r| r.contains(":role/")).map(str::to_owned);
    let is_named = named.is_some();
    let in_account = |name: &str| {
        let account = denial.place.account_id.as_deref().or(denial.caller.principal.account_id.as_deref())?;
        is_iam_name(name).then(|| format!("arn:{}:iam::{account}:role/{name}", partition(denial)))
    };
    let configured = || {
        let role = proposal.guardrails.trail_resources.roles.iter().find(|role| !role.is_empty())?;
        if role.starts_with("arn:") { Some(role.clone()) } else { in_account(role) }
    };
    let Some(role) = named.or_else(configured).or_else(|| in_account(to_make?)) else {
        let why = "the record names no role: find the one that the trail is to use and what it may do, then allow iam:PassRole on \
                   it, to cloudtrail.amazonaws.com only";
        return Some(by_hand(denial, kind, reach, target, why));
    };
    let statement = allow("PassTheLogRoleToCloudTrail", &["iam:PassRole"], &role).when(
        "StringEquals",
        "iam:PassedToService",
        "cloudtrail.amazonaws.com",
    );
    let why = if is_named {
        "lets the caller hand this one role to CloudTrail and to no other service; check what the role may do first"
    } else {
        "lets the caller hand one role to CloudTrail and to no other service; the record names no role, so check that this one is \
         meant, and what it may do"
    };
    Some(by_hand(denial, kind, reach, target, why).with_policy(PolicyDocument::of(statement)))
}

/// The refused action on the refused resource, before whatever else helps.
fn with_exact<const N: usize>(denial: &Denial, others: [Remedy; N]) -> Vec<Remedy> {
    let mut remedies = Vec::with_capacity(N + 1);
    let (target, reach) = callers_target(denial);
    if target.kind == TargetKind::Account {
        return vec![own::without_policies(denial)];
    }
    let action = denial.action.as_deref().filter(|action| is_policy_action(action));
    if let (Some(action), Some(resource)) = (action, resource_for(denial)) {
        let why = format!(
            "allows the caller the one action that was refused{}; the console makes several calls, so the next one may be refused, too",
            if resource == "*" { ", which AWS limits to no resource" } else { "" }
        );
        let kind = inline_kind(denial);
        let policy = PolicyDocument::of(allow("TrailpassIntegration", &[action], &resource));
        remedies.push(by_hand(denial, kind, reach, target.clone(), why).with_policy(policy));
    }
    remedies.extend(others);
    if remedies.is_empty() {
        remedies.push(by_hand(
            denial,
            inline_kind(denial),
            reach,
            target,
            "the record names no resource to allow the action on: find it in the trail's settings, then allow the action on it",
        ));
    }
    remedies
}

/// The resource of the exact policy. `*` only for the actions that AWS limits to nothing smaller.
fn resource_for(denial: &Denial) -> Option<String> {
    if let Some(resource) = literal_resource(denial) {
        return Some(resource.to_owned());
    }
    let place = &denial.place;
    let is_star = match denial.service() {
        "config" => is_read(denial.operation()),
        "logs" => denial.operation() == "DescribeLogGroups",
        "s3" => denial.operation() == "ListAllMyBuckets",
        "sns" => denial.operation() == "ListTopics",
        "kms" => matches!(denial.operation(), "ListKeys" | "ListAliases" | "CreateKey"),
        "iam" => denial.operation() == "ListRoles",
        "organizations" => denial.operation().starts_with("List") || denial.operation().starts_with("Describe"),
        _ => false,
    };
    if is_star {
        return Some("*".to_owned());
    }
    // CloudTrail's console makes log groups of this name, and AWS's own policy allows it with the same pattern.
    if denial.service() == "logs" && denial.operation() == "CreateLogGroup" {
        let (region, account) = (place.region.as_deref()?, place.account_id.as_deref()?);
        return Some(format!("arn:{}:logs:{region}:{account}:log-group:aws-cloudtrail-logs-*", partition(denial)));
    }
    None
}

/// Whether one of Config's operations only looks. Whatever else it has is limited to what it changes.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html>
fn is_read(operation: &str) -> bool {
    ["Get", "List", "Describe", "BatchGet"].iter().any(|verb| operation.starts_with(verb))
}

/// What the console's page on Config reads.
fn console_config(denial: &Denial) -> Remedy {
    let (target, reach) = callers_target(denial);
    let kind = inline_kind(denial);
    by_hand(
        denial,
        kind,
        reach,
        target,
        "AWS's documented permissions for seeing Config on CloudTrail's console: they read and change nothing",
    )
    .with_policy(PolicyDocument::of(allow(
        "ViewConfig",
        &["config:Get*", "config:Describe*", "config:List*"],
        "*",
    )))
}

/// A key says yes in its own policy, and the caller's policy may have to say it, too.
fn by_key_policy(denial: &Denial) -> Vec<Remedy> {
    let is_key_policy = denial.cause.policy_type == Some(PolicyType::ResourceBasedPolicy);
    let target = ceilings::resource(denial);
    let trustee = denial.caller.principal.arn.clone();
    let action = denial.action.as_deref().filter(|action| is_policy_action(action));
    let mut remedies = Vec::new();
    if let (TargetKind::Key, Some(trustee), Some(action)) = (target.kind, trustee, action) {
        let mut statement = allow("TrailpassTrailKey", &[action], "*");
        if denial.operation() == "Decrypt" {
            // Only what CloudTrail encrypted, as AWS's own example says.
            // https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
            statement = statement.when("Null", "kms:EncryptionContext:aws:cloudtrail:arn", "false");
        }
        statement.trustee = Some(Trustee::Aws(trustee));
        let why = "the key's own policy has to allow the caller; a key policy's `*` means this key";
        remedies.push(
            by_hand(denial, RemedyKind::UpdateKeyPolicy, Reach::EveryoneUnderPolicy, target, why)
                .with_policy(PolicyDocument::of(statement)),
        );
    } else if is_key_policy {
        let why = "the key's own policy has to allow the caller; the record does not name the key: look at the trail's settings";
        remedies.push(by_hand(denial, RemedyKind::UpdateKeyPolicy, Reach::EveryoneUnderPolicy, target, why));
    }
    // Who has no policies of their own can still be let in by the key's.
    if !is_key_policy && (remedies.is_empty() || callers_target(denial).0.kind != TargetKind::Account) {
        let mut exact = with_exact(denial, []);
        exact.append(&mut remedies);
        return exact;
    }
    remedies
}

/// A bucket or a topic whose own policy does not let the caller in.
fn own_policy(denial: &Denial) -> Vec<Remedy> {
    let target = ceilings::resource(denial);
    let kind = match target.kind {
        TargetKind::Bucket => RemedyKind::UpdateBucketPolicy,
        _ => RemedyKind::UpdateTopicPolicy,
    };
    let why = match denial.cause.effect {
        Effect::ExplicitDeny => "the resource's own policy denies this caller",
        _ => "the resource's own policy has to allow the caller",
    };
    let mut remedy = by_hand(denial, kind, Reach::EveryoneUnderPolicy, target, why);
    let trustee = denial.caller.principal.arn.clone();
    if let (Some(trustee), Some(resource), Some(action)) = (trustee, literal_resource(denial), denial.action.as_deref())
    {
        let mut statement = allow("TrailpassTrailResource", &[action], resource);
        statement.trustee = Some(Trustee::Aws(trustee));
        remedy = remedy.with_policy(PolicyDocument::of(statement));
    }
    vec![remedy]
}

/// What CloudTrail needs of the caller for an organization's trail.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html>
fn organization_resource(denial: &Denial) -> Remedy {
    let (target, reach) = callers_target(denial);
    let kind = inline_kind(denial);
    let service_linked = allow("SeeAndMakeTheServiceLinkedRole", &["iam:CreateServiceLinkedRole", "iam:GetRole"], &{
        let account = denial.place.account_id.as_deref().unwrap_or("*");
        format!("arn:{}:iam::{account}:role/aws-service-role/*cloudtrail.amazonaws.com/*", partition(denial))
    });
    let organizations = allow("SeeTrustedAccess", &["organizations:ListAWSServiceAccessForOrganization"], "*");
    let why = "an organization's trail needs the caller (in the management account or the delegated administrator) to see \
               trusted access and to see or make CloudTrail's service-linked role";
    by_hand(denial, kind, reach, target, why)
        .with_policy(PolicyDocument { statements: vec![service_linked, organizations] })
}

/// The role for CloudWatch Logs as a target.
pub(super) fn log_role_target(denial: &Denial, name: &str) -> Target {
    let named = denial.resource.clone().filter(|arn| arn.ends_with(&format!("/{name}")));
    let built = || {
        denial
            .place
            .account_id
            .as_deref()
            .map(|account| format!("arn:{}:iam::{account}:role/{name}", partition(denial)))
    };
    let arn = named.or_else(built).filter(|_| !scope::is_from_outside(denial));
    Target { kind: TargetKind::LogRole, name: name.to_owned(), arn }
}
