//! What the caller's own permissions lack: the exact policy, the stack's own, AWS's read-only one.

use super::{
    Proposal, account_target, by_hand, callers_target, inline_kind, literal_resource, partition, read_only_access,
};
use crate::{
    action::CloudTrailAction,
    arn::is_literal,
    denial::{Denial, Wording},
    diagnosis::{Apply, Reach, Remedy, RemedyKind, Risk, TargetKind},
    grant::{self, GrantMode, OwnPolicy},
    policy_document::{PolicyDocument, Statement},
    principal::PrincipalKind,
};

pub(super) fn propose(proposal: &Proposal) -> Vec<Remedy> {
    let denial = proposal.denial;
    let obstacle = grant::obstacle(denial, proposal.rule, proposal.scenario, proposal.guardrails, proposal.simulated);
    let mut remedies = Vec::with_capacity(3);
    if matches!(
        denial.caller.principal.kind,
        PrincipalKind::Root
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::Unknown
            | PrincipalKind::AwsAccount
            | PrincipalKind::Anonymous
    ) {
        return vec![without_policies(denial)];
    }
    let exact = grant::exact_policy(denial).filter(|_| obstacle.is_none());
    let is_managed = matches!(proposal.mode, GrantMode::Managed | GrantMode::Exact);
    if let Some(policy) = exact.filter(|_| proposal.mode != GrantMode::Managed) {
        remedies.push(exact_grant(proposal, policy));
    }
    if let Some(known) = denial.known.filter(|_| is_managed) {
        remedies.extend(own_policy(proposal, known, obstacle.is_none()));
    }
    // The smallest policy for a person to write: always there where the record says on what.
    if !remedies.iter().any(|remedy| remedy.kind == RemedyKind::PutInlinePolicy) {
        remedies.extend(inline_policy(proposal, obstacle));
    }
    // Whoever named something that is not there to be named is not answered with everything that there is.
    if remedies.is_empty() && is_misnamed(denial) {
        remedies.push(somebody_unknown(denial));
    }
    let is_someone = callers_target(denial).0.kind != TargetKind::Account;
    if is_someone && denial.known.is_some_and(|known| known.is_read() && known.in_read_only_access) {
        remedies.push(read_only(denial));
    }
    if remedies.is_empty() {
        remedies.push(somebody_unknown(denial));
    }
    remedies
}

/// The resource is a pattern, or a name that AWS doesn't take, or half of one.
fn is_misnamed(denial: &Denial) -> bool {
    let is_pattern = denial.resource.as_deref().is_some_and(|resource| resource != "*" && !is_literal(resource));
    is_pattern || denial.wording == Wording::Cut || denial.has_illegal_request()
}

/// The smallest lasting policy for whoever called, where the record says who and on what.
pub(super) fn lasting_policy(denial: &Denial) -> Option<Remedy> {
    literal_resource(denial)?;
    denial.action.as_deref().filter(|action| is_policy_action(action))?;
    let is_someone =
        matches!(callers_target(denial).0.kind, TargetKind::User | TargetKind::Role | TargetKind::PermissionSet);
    is_someone.then(|| plain_inline_policy(denial))
}

/// The grant of the mode `exact`; in the mode `none` the same change by hand, without an end that nobody would keep.
fn exact_grant(proposal: &Proposal, policy: PolicyDocument) -> Remedy {
    let denial = proposal.denial;
    if proposal.mode == GrantMode::None {
        let mut remedy = plain_inline_policy(denial);
        remedy.grantable = true;
        return remedy;
    }
    let (target, _) = callers_target(denial);
    let (reach, whom) = match target.kind {
        TargetKind::User => (Reach::OneUser, "this user"),
        _ => (Reach::OneSession, "this session of the role (and none begun under another name)"),
    };
    let why = format!(
        "allows {} exactly the refused action{}, until the approved end",
        whom,
        if denial.resource.as_deref() == Some("*") {
            ", in this Region only (AWS takes no resource for it)"
        } else {
            " on the refused resource"
        },
    ) + anywhere(denial);
    let mut remedy = by_hand(denial, RemedyKind::PutInlinePolicy, reach, target, why).with_policy(policy);
    remedy.apply = Apply::OnApproval;
    remedy.grantable = true;
    remedy.hash = Some(grant::hash(proposal.case_id, &remedy));
    remedy
}

/// One of the stack's own policies, attached for a time.
fn own_policy(proposal: &Proposal, known: &CloudTrailAction, may_grant: bool) -> Option<Remedy> {
    let denial = proposal.denial;
    let own = OwnPolicy::allowing(known).filter(|_| may_grant)?;
    let (target, reach) = callers_target(denial);
    let arn = own.arn(partition(denial), denial.place.account_id.as_deref()?);
    let why = format!("attaches the stack's own policy to {}, in every Region, until the approved end", own.purpose);
    let mut remedy = by_hand(denial, RemedyKind::AttachManagedPolicy, reach, target, why).with_policy(own.document());
    remedy.policy_arn = Some(arn);
    remedy.apply = Apply::OnApproval;
    remedy.grantable = true;
    remedy.hash = Some(grant::hash(proposal.case_id, &remedy));
    Some(remedy)
}

/// The smallest lasting policy, for a person to write.
fn inline_policy(proposal: &Proposal, obstacle: Option<grant::Obstacle>) -> Option<Remedy> {
    let denial = proposal.denial;
    let mut remedy = lasting_policy(denial)?;
    remedy.grantable =
        obstacle.is_none() && proposal.mode != GrantMode::Managed && grant::exact_policy(denial).is_some();
    if let Some(obstacle) = obstacle {
        remedy.why = format!("{}; not by approval, because {}", remedy.why, obstacle.because());
    }
    Some(remedy)
}

fn plain_inline_policy(denial: &Denial) -> Remedy {
    let (target, reach) = callers_target(denial);
    let policy = PolicyDocument::of(Statement {
        sid: Some("TrailpassCloudTrailAccess".to_owned()),
        actions: denial.action.clone().into_iter().collect(),
        resources: denial.resource.clone().into_iter().collect(),
        ..Statement::default()
    });
    let on = if denial.resource.as_deref() == Some("*") {
        "the refused action, which AWS lets nobody limit to a resource"
    } else {
        "exactly the refused action on the refused resource"
    };
    let (kind, why) = match target.kind {
        TargetKind::PermissionSet => (
            RemedyKind::ChangePermissionSet,
            format!(
                "allows {on}; the role belongs to Identity Center and can't be edited, so the permission set has to change, \
                 for every assignee and account"
            ),
        ),
        TargetKind::User if denial.caller.principal.kind == PrincipalKind::FederatedUser => (
            RemedyKind::PutInlinePolicy,
            format!("allows the user behind the federated session {on}; the session's own policy must allow it, too"),
        ),
        TargetKind::User => (RemedyKind::PutInlinePolicy, format!("allows this user {on}")),
        _ => (RemedyKind::PutInlinePolicy, format!("allows everybody who assumes this role {on}")),
    };
    by_hand(denial, kind, reach, target, why + anywhere(denial)).with_policy(policy)
}

/// What a policy can't limit, and whoever allows the action has to know.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html>
fn anywhere(denial: &Denial) -> &'static str {
    match denial.known.map(|known| known.name) {
        Some("cloudtrail:CreateTrail") => "; no policy limits to which bucket the new trail delivers",
        _ => "",
    }
}

/// The page's own answer.
fn read_only(denial: &Denial) -> Remedy {
    let (target, reach) = callers_target(denial);
    let kind = match inline_kind(denial) {
        RemedyKind::PutInlinePolicy => RemedyKind::AttachManagedPolicy,
        kind => kind,
    };
    by_hand(
        denial,
        kind,
        reach,
        target,
        "AWS's own policy for reading CloudTrail: makes the console's pages work, and also lets its holder read events and \
         query results of every trail",
    )
    .with_managed_policy(read_only_access(denial), Risk::Sensitive)
}

/// For a caller who has no policies of its own that could be changed. Nothing of the root user's own can be missing: what
/// stops it is above the account.
pub(super) fn without_policies(denial: &Denial) -> Remedy {
    match denial.caller.principal.kind {
        PrincipalKind::Root => above_the_account(denial),
        _ => somebody_unknown(denial),
    }
}

fn above_the_account(denial: &Denial) -> Remedy {
    by_hand(
        denial,
        RemedyKind::ChangeServiceControlPolicy,
        Reach::EveryoneUnderPolicy,
        account_target(denial),
        "no policy of an account's users and roles can refuse its root user: look at the organization's service and resource \
         control policies, and at a bucket's or a key's own policy",
    )
}

/// Where no policy can be written down: what has to be found out first.
fn somebody_unknown(denial: &Denial) -> Remedy {
    let (target, reach) = callers_target(denial);
    let is_known = target.kind != TargetKind::Account;
    if denial.caller.principal.kind == PrincipalKind::IdentityCenterUser {
        let why = "the record names an Identity Center user and no role: find the permission set that this user works with, and \
                   allow the action there";
        return by_hand(denial, RemedyKind::ChangePermissionSet, Reach::AllAssignees, target, why);
    }
    let why = match denial.resource.as_deref() {
        _ if denial.known.is_some_and(CloudTrailAction::creates_lake_resource) => {
            "CloudTrail Lake takes no new customers since 2026-05-31: an account that doesn't use it can't begin, whatever its policies \
             allow; one that does needs the action on what it makes"
        }
        _ if !is_known => "the record does not say whose permissions these are: find the caller first",
        None => "the record does not say on what the call was refused: find the resource, then allow the action on it",
        Some(_) => {
            "AWS names a pattern and no single resource: find the one that was meant, then allow the action on it"
        }
    };
    by_hand(denial, inline_kind(denial), reach, target, why)
}

/// Whether a text may stand in a policy's `Action` and mean one action.
pub(super) fn is_policy_action(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, operation)| {
        let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        word(service) && word(operation)
    })
}
