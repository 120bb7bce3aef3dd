//! What somebody else's policy stops: explicit denies, boundaries, organization policies, endpoints, trusts, home Regions.
//!
//! These are other people's documents. A remedy says which one to look at and who owns it, and never holds a policy:
//! what should change in a ceiling is not to be read off one refused call.

use super::{account_target, by_hand, callers_target, is_organization_trail, last_part};
use crate::{
    action::ResourceType,
    arn::{Arn, is_account_id},
    classify::Rule,
    denial::Denial,
    diagnosis::{Effect, Reach, Remedy, RemedyKind, Target, TargetKind},
    scope,
};

pub(super) fn propose(denial: &Denial, rule: Rule) -> Vec<Remedy> {
    let is_explicit = denial.cause.effect == Effect::ExplicitDeny;
    let verb = if is_explicit { "a statement in it denies the action" } else { "nothing in it allows the action" };
    let everyone = Reach::EveryoneUnderPolicy;
    // Of another account's document only the account is named: what is in it is its own, and no command of ours reaches it.
    let elsewhere = whose(denial, rule).filter(|account| Some(*account) != denial.place.account_id.as_deref());
    let place = |ours: &dyn Fn() -> Target| match elsewhere {
        Some(account) => Target { kind: TargetKind::Account, name: account.to_owned(), arn: None },
        None => ours(),
    };
    let callers = || callers_target(denial).0;
    let named_or_callers = || denying_policy(denial).unwrap_or_else(callers);
    let remedy = match rule {
        Rule::IdentityDeny => by_hand(
            denial,
            RemedyKind::RemoveExplicitDeny,
            everyone,
            place(&named_or_callers),
            "a statement denies the action, and no other policy can outweigh it: if the deny is a guardrail, leave it; if it is \
             too wide, narrow that statement",
        ),
        Rule::Boundary => by_hand(
            denial,
            RemedyKind::ChangePermissionsBoundary,
            everyone,
            place(&named_or_callers),
            format!(
                "the caller's permissions boundary is the ceiling, and {verb}: adding permissions below it changes nothing"
            ),
        ),
        Rule::SessionPolicy => by_hand(
            denial,
            RemedyKind::ChangeSessionPolicy,
            Reach::OneSession,
            place(&callers),
            format!(
                "the policy that was passed when the session was made is its ceiling, and {verb}: whoever makes the session \
                 (a broker, an application, GetFederationToken) has to pass another"
            ),
        ),
        Rule::ServiceControl => by_hand(
            denial,
            RemedyKind::ChangeServiceControlPolicy,
            everyone,
            place(&|| organization(denial)),
            format!(
                "an SCP is the organization's ceiling for this account, and {verb}: only the organization's administrators can say whether that is meant"
            ),
        ),
        Rule::ResourceControl => by_hand(
            denial,
            RemedyKind::ChangeResourceControlPolicy,
            everyone,
            place(&|| organization(denial)),
            format!(
                "an RCP is the organization's ceiling for its resources, and {verb}: only the organization's administrators can say whether that is meant"
            ),
        ),
        Rule::VpcEndpoint => by_hand(
            denial,
            RemedyKind::ChangeVpcEndpointPolicy,
            everyone,
            place(&|| endpoint(denial)),
            "the call went through a VPC endpoint whose policy does not let it pass: change that policy, or call from outside it",
        ),
        Rule::ResourcePolicy if is_explicit => by_hand(
            denial,
            RemedyKind::RemoveExplicitDeny,
            everyone,
            place(&|| resource(denial)),
            "the resource's own policy denies the action to this caller: narrow that statement, if it is not meant",
        ),
        Rule::ResourcePolicy => {
            let (kind, target) = own_policy_of(denial);
            let target = place(&|| target.clone());
            by_hand(denial, kind, everyone, target, "the resource's own policy has to allow the caller")
        }
        Rule::RoleTrust => by_hand(
            denial,
            RemedyKind::ChangeTrustPolicy,
            everyone,
            place(&|| resource(denial)),
            format!(
                "who may assume the role stands in its trust policy, and {}",
                if is_explicit { "a statement in it denies the caller" } else { "nothing in it lets the caller in" }
            ),
        ),
        Rule::UnknownPolicy => {
            let (kind, target) = own_policy_of(denial);
            by_hand(
                denial,
                if is_explicit { RemedyKind::RemoveExplicitDeny } else { kind },
                everyone,
                place(&|| target.clone()),
                "AWS names a kind of policy that Trailpass does not know: read the sentence, and look for that policy",
            )
        }
        Rule::NotPermitted | Rule::ManagementOnly | Rule::TrustedAccess => by_hand(
            denial,
            RemedyKind::UseHomeRegionOrOwner,
            Reach::Nobody,
            some_organization(),
            match rule {
                Rule::ManagementOnly => {
                    "make the call from the organization's management account, or from CloudTrail's delegated administrator"
                }
                Rule::TrustedAccess => {
                    "from the management account, turn on trusted access for CloudTrail in the organization, then call again"
                }
                _ => {
                    "no policy in this account mends it: an organization's trail or event data store is changed from the \
                     management account or CloudTrail's delegated administrator, in its home Region"
                }
            },
        ),
        _ => use_home(denial),
    };
    // A boundary or an SCP may be the next to say no, but which one nobody can tell before the first is mended.
    vec![remedy]
}

/// Whose document it is that says no, as far as the record tells: what stands above a caller is the caller's account's, what
/// guards a resource its owner's, and an endpoint may be shared by a third (`vpcEndpointAccountId`).
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
fn whose(denial: &Denial, rule: Rule) -> Option<&str> {
    let caller = denial.caller.principal.account_id.as_deref();
    match rule {
        Rule::IdentityDeny | Rule::Boundary | Rule::SessionPolicy | Rule::ServiceControl => caller,
        Rule::VpcEndpoint => denial.record.vpc_endpoint_account_id.as_deref().filter(|id| is_account_id(id)).or(caller),
        _ => denial.owner.as_deref(),
    }
}

/// The call belongs to another account or Region; nothing here should allow it.
pub(super) fn use_home(denial: &Denial) -> Remedy {
    let owner = denial.owner.as_deref().filter(|_| is_organization_trail(denial));
    let target = match owner {
        Some(owner) => Target { kind: TargetKind::Account, name: owner.to_owned(), arn: None },
        None => some_organization(),
    };
    by_hand(
        denial,
        RemedyKind::UseHomeRegionOrOwner,
        Reach::Nobody,
        target,
        "an organization's trail is run from the management account or CloudTrail's delegated administrator, in its home \
         Region; a member account can look at it at most, whatever the policies here allow",
    )
}

/// The policy that AWS names as the one that denies.
fn denying_policy(denial: &Denial) -> Option<Target> {
    let text = denial.cause.policy_arn.as_deref()?;
    let arn = Arn::parse(text)?;
    // Where two accounts meet, nothing is named that belongs to a third: the organization's policies hang on this account.
    let is_named = !scope::is_from_outside(denial) || arn.account_id() == denial.place.account_id.as_deref();
    is_named.then(|| Target {
        kind: TargetKind::Policy,
        name: last_part(arn.resource).to_owned(),
        arn: Some(text.to_owned()),
    })
}

/// The organization's policy, if AWS names it, else the organization.
fn organization(denial: &Denial) -> Target {
    denying_policy(denial).unwrap_or_else(some_organization)
}

fn some_organization() -> Target {
    Target { kind: TargetKind::Organization, name: "organization".to_owned(), arn: None }
}

/// How the policy of the refused resource itself is changed. Trails take none: then all that is known is the account.
fn own_policy_of(denial: &Denial) -> (RemedyKind, Target) {
    let target = resource(denial);
    match target.kind {
        TargetKind::Bucket => (RemedyKind::UpdateBucketPolicy, target),
        TargetKind::Key => (RemedyKind::UpdateKeyPolicy, target),
        TargetKind::Topic => (RemedyKind::UpdateTopicPolicy, target),
        TargetKind::Role => (RemedyKind::ChangeTrustPolicy, target),
        TargetKind::Trail => (RemedyKind::PutResourcePolicy, account_target(denial)),
        // Which one it is the record doesn't say; whose policy it is, the action does.
        TargetKind::Account => (policy_of_service(denial.service()), target),
        _ => (RemedyKind::PutResourcePolicy, target),
    }
}

fn policy_of_service(service: &str) -> RemedyKind {
    match service {
        "s3" => RemedyKind::UpdateBucketPolicy,
        "kms" => RemedyKind::UpdateKeyPolicy,
        "sns" => RemedyKind::UpdateTopicPolicy,
        "sts" => RemedyKind::ChangeTrustPolicy,
        _ => RemedyKind::PutResourcePolicy,
    }
}

fn endpoint(denial: &Denial) -> Target {
    match denial.record.vpc_endpoint_id.as_deref().filter(|id| id.starts_with("vpce-") && id.len() <= 64) {
        Some(id) if id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            Target { kind: TargetKind::VpcEndpoint, name: id.to_owned(), arn: None }
        }
        _ => account_target(denial),
    }
}

/// The refused resource as a target; the account where the record does not name it.
pub(super) fn resource(denial: &Denial) -> Target {
    let Some(arn) = denial.resource_arn() else { return account_target(denial) };
    let named = |kind, name: &str| Target { kind, name: name.to_owned(), arn: denial.resource.clone() };
    if let Some((kind, name)) = ResourceType::of(&arn) {
        let kind = match kind {
            ResourceType::Trail => TargetKind::Trail,
            ResourceType::EventDataStore => TargetKind::EventDataStore,
            ResourceType::Channel => TargetKind::Channel,
            ResourceType::Dashboard => TargetKind::Dashboard,
        };
        return named(kind, name);
    }
    match arn.service {
        "s3" => {
            let bucket = arn.resource.split('/').next().unwrap_or_default();
            let arn = format!("arn:{}:s3:::{bucket}", arn.partition);
            Target { kind: TargetKind::Bucket, name: bucket.to_owned(), arn: Some(arn) }
        }
        "kms" => named(TargetKind::Key, last_part(arn.resource)),
        "sns" => named(TargetKind::Topic, arn.resource),
        "logs" => match crate::guardrails::log_group(&arn) {
            Some(group) => named(TargetKind::LogGroup, group),
            None => account_target(denial),
        },
        "iam" => match arn.entity() {
            Some(("role", _, name)) => named(TargetKind::Role, name),
            Some(("user", _, name)) => named(TargetKind::User, name),
            Some(("group", _, name)) => named(TargetKind::Group, name),
            _ => account_target(denial),
        },
        _ => account_target(denial),
    }
}
