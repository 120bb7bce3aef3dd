//! Remedies: for each rule the changes that would mend the denial, best first.
//!
//! A remedy says only what the record supports. Where a name is missing, there is no policy to paste rather than one
//! with a hole in it; where the refusal does its work, there is no remedy at all.

use crate::{
    action,
    arn::{Arn, is_iam_name, is_literal},
    classify::Rule,
    denial::Denial,
    diagnosis::{Apply, Reach, Remedy, RemedyKind, Risk, Scenario, Target, TargetKind},
    grant::GrantMode,
    guardrails::Guardrails,
    policy_document::{PolicyDocument, Statement},
    principal::{PrincipalKind, permission_set},
    scope,
    simulation::Verdict,
};

mod ceilings;
mod delivery;
mod integration;
mod others;
mod own;

/// AWS's policy for reading CloudTrail. Its older names are gone for new attachments.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security-iam-awsmanpol.html>
const READ_ONLY_ACCESS: &str = "AWSCloudTrail_ReadOnlyAccess";

/// What the remedies are written from.
pub struct Proposal<'a> {
    /// The facts.
    pub denial: &'a Denial,
    /// What was decided about them.
    pub rule: Rule,
    /// The topic of the page.
    pub scenario: Scenario,
    /// The operator's own limits.
    pub guardrails: &'a Guardrails,
    /// What the stack may grant.
    pub mode: GrantMode,
    /// The case that a remedy's hash names.
    pub case_id: &'a str,
    /// What the policy simulator has said of the call, if it was asked.
    pub simulated: Option<Verdict>,
}

/// The remedies of a denial, best first.
pub fn propose(proposal: &Proposal) -> Vec<Remedy> {
    let denial = proposal.denial;
    match proposal.rule {
        Rule::NoError | Rule::NoDenial | Rule::OutOfScope | Rule::ServiceCall | Rule::ServiceLinkedCall => Vec::new(),
        // What was stopped stays stopped. Only where CloudTrail itself says that the trail is an organization's is it said where such
        // calls belong: of a stranger's attempt on a trail of ours, that would be telling how to carry it out.
        Rule::Tampering if scope::is_operated_by_member(denial) => vec![ceilings::use_home(denial)],
        Rule::Tampering | Rule::Quarantine | Rule::SelfGrant | Rule::LogBlinded | Rule::ResponderBlinded => Vec::new(),
        // Nor is anybody told how to allow what the log has to be kept safe from.
        Rule::StoredLog => Vec::new(),
        Rule::NoIdentityAllow
        | Rule::NoPermissionSetAllow
        | Rule::NoFederatedAllow
        | Rule::NoIdentityCenterAllow
        | Rule::NoOtherAllow
        | Rule::NoReason
        | Rule::CutReason
        | Rule::UnreadReason
        | Rule::NoText => own::propose(proposal),
        Rule::IdentityDeny
        | Rule::Boundary
        | Rule::SessionPolicy
        | Rule::ServiceControl
        | Rule::ResourceControl
        | Rule::VpcEndpoint
        | Rule::ResourcePolicy
        | Rule::RoleTrust
        | Rule::UnknownPolicy
        | Rule::NotPermitted
        | Rule::ManagementOnly
        | Rule::TrustedAccess
        | Rule::OrganizationTrail => ceilings::propose(denial, proposal.rule),
        Rule::PassRole
        | Rule::RoleMaking
        | Rule::Config
        | Rule::Logs
        | Rule::Bucket
        | Rule::Key
        | Rule::Topic
        | Rule::OtherService
        | Rule::Dependency
        | Rule::ServiceLinkedRole => integration::propose(proposal),
        Rule::AllowOthers => others::allow_others(denial),
        Rule::OtherAccount | Rule::NotYetASession | Rule::Anonymous | Rule::ChannelPolicy => {
            others::outside_account(denial, proposal.rule)
        }
        Rule::DeliveryBucket
        | Rule::DeliveryTopic
        | Rule::DeliveryKey
        | Rule::DeliveryRoleTrust
        | Rule::DeliveryRolePermissions
        | Rule::DeliveryServiceLinkedRole => delivery::propose(denial, proposal.rule),
    }
}

/// A trail or event data store that belongs to another account than the caller's: an organization's, seen from a member.
fn is_organization_trail(denial: &Denial) -> bool {
    scope::is_operated_by_member(denial)
        || scope::is_from_outside(denial) && denial.resource_arn().is_some_and(|arn| arn.resource.starts_with("trail/"))
}

/// A remedy by hand, in the place of the denial. Its risk is the highest of what its policy allows.
fn by_hand(denial: &Denial, kind: RemedyKind, reach: Reach, target: Target, why: impl Into<String>) -> Remedy {
    Remedy {
        kind,
        apply: Apply::ByHand,
        risk: denial.risk.unwrap_or(Risk::Sensitive),
        reach,
        target,
        policy_arn: None,
        policy: None,
        hash: None,
        why: why.into(),
        place: denial.place.clone(),
        grantable: false,
    }
}

impl Remedy {
    /// With this policy, and the risk of what it allows.
    fn with_policy(mut self, policy: PolicyDocument) -> Self {
        let riskiest = policy.actions().map(|a| action::risk(a).unwrap_or(Risk::Sensitive)).max();
        self.risk = riskiest.unwrap_or(Risk::Sensitive);
        self.policy = Some(policy);
        self
    }

    /// With a managed policy whose risk is known.
    fn with_managed_policy(mut self, arn: String, risk: Risk) -> Self {
        self.policy_arn = Some(arn);
        self.risk = risk;
        self
    }
}

/// An `Allow` statement on one resource.
fn allow(sid: &str, actions: &[&str], resource: &str) -> Statement {
    Statement {
        sid: Some(sid.to_owned()),
        actions: actions.iter().map(|&a| a.to_owned()).collect(),
        resources: vec![resource.to_owned()],
        ..Statement::default()
    }
}

/// The ARN of AWS's read-only policy in the call's partition.
fn read_only_access(denial: &Denial) -> String {
    format!("arn:{}:iam::aws:policy/{READ_ONLY_ACCESS}", partition(denial))
}

/// The call's partition. Every caller of this has a place to write for; `aws` is the only partition without a Region's prefix.
fn partition(denial: &Denial) -> &str {
    denial.place.partition.as_deref().unwrap_or("aws")
}

/// What the caller's own permissions hang on, and whom a change there reaches.
fn callers_target(denial: &Denial) -> (Target, Reach) {
    let principal = &denial.caller.principal;
    // Somebody of this name may be here, too, and is somebody else.
    if let Some(account) = callers_own_account(denial) {
        return (Target { kind: TargetKind::Account, name: account.to_owned(), arn: None }, Reach::OtherAccount);
    }
    let name = principal.name.clone().filter(|name| is_iam_name(name));
    match (principal.kind, name) {
        (PrincipalKind::IamUser, Some(name)) => {
            (Target { kind: TargetKind::User, name, arn: principal.arn.clone() }, Reach::OneUser)
        }
        (PrincipalKind::RoleSession | PrincipalKind::ServiceLinkedRole, Some(name)) => {
            (Target { kind: TargetKind::Role, name, arn: principal.arn.clone() }, Reach::AllSessions)
        }
        (PrincipalKind::SsoSession, Some(name)) => match permission_set(&name) {
            Some(set) => {
                (Target { kind: TargetKind::PermissionSet, name: set.to_owned(), arn: None }, Reach::AllAssignees)
            }
            None => (account_target(denial), Reach::AllAssignees),
        },
        (PrincipalKind::FederatedUser, _) => match &denial.caller.issuer {
            Some(issuer) => (Target { kind: TargetKind::User, name: issuer.clone(), arn: None }, Reach::OneUser),
            None => (account_target(denial), Reach::OneUser),
        },
        _ => (account_target(denial), Reach::EveryoneUnderPolicy),
    }
}

/// The caller's account, where that is another one than the call's, by either of the places where a record says it.
fn callers_own_account(denial: &Denial) -> Option<&str> {
    let principal = &denial.caller.principal;
    let here = denial.place.account_id.as_deref()?;
    let in_arn = principal.arn.as_deref().and_then(Arn::parse).and_then(|arn| arn.account_id());
    [principal.account_id.as_deref(), in_arn].into_iter().flatten().find(|account| *account != here)
}

/// How the caller is given an inline policy. The roles of Identity Center take none of their own.
fn inline_kind(denial: &Denial) -> RemedyKind {
    match denial.caller.principal.kind {
        PrincipalKind::SsoSession | PrincipalKind::IdentityCenterUser => RemedyKind::ChangePermissionSet,
        _ => RemedyKind::PutInlinePolicy,
    }
}

/// The account itself, where the record names nothing smaller.
fn account_target(denial: &Denial) -> Target {
    let id = denial.place.account_id.as_deref().or(denial.caller.principal.account_id.as_deref());
    Target { kind: TargetKind::Account, name: id.unwrap_or("unknown").to_owned(), arn: None }
}

/// The refused resource, if a policy may name it.
fn literal_resource(denial: &Denial) -> Option<&str> {
    denial.resource.as_deref().filter(|r| *r == "*" || is_literal(r) && Arn::parse(r).is_some())
}

/// The last part of a path-like name.
fn last_part(name: &str) -> &str {
    name.rsplit(['/', ':']).next().unwrap_or(name)
}
