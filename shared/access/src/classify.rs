//! The decision table: closed facts in, one rule out. Every arm has an id that stays.
//!
//! The order of the arms is the order in which the contract lets conditions decide: what is no denial, what is noise,
//! what is an attack, what is CloudTrail's own delivery, and only then what somebody may need a fix for. The whole table
//! is printed by the matrix test, so that a change of one arm shows as a change in the golden file.

use serde::{Deserialize, Serialize};

use crate::{
    action,
    arn::Arn,
    blinding::Blinded,
    denial::{Denial, Refusal, Wording},
    diagnosis::{Effect, PolicyType, Response, Risk, Scenario},
    guardrails::Guardrails,
    principal::PrincipalKind,
    scope::{self, Service},
};

/// What the table looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name says what it is")]
pub struct Facts {
    pub refusal: Refusal,
    pub is_in_scope: bool,
    pub principal: PrincipalKind,
    pub risk: Option<Risk>,
    pub scenario: Scenario,
    pub service: Service,
    pub effect: Effect,
    pub policy_type: Option<PolicyType>,
    pub wording: Wording,
    /// The denying policy is AWS's quarantine for leaked credentials.
    pub is_quarantine: bool,
    /// Somebody was giving a policy to themselves.
    pub is_self_grant: bool,
    /// CloudTrail said that only the organization may.
    pub is_operated_by_member: bool,
    /// The action is another service's, and neither reading a log nor setting a trail up takes it.
    pub may_harm_the_log: bool,
    /// What a call that succeeded has blinded, where that is heeded.
    pub blinded: Option<Blinded>,
}

impl Facts {
    /// The facts of a denial. `has_open_case`: the entity that a denied IAM call names has one here.
    pub fn of(denial: &Denial, guardrails: &Guardrails, has_open_case: bool) -> Self {
        Self {
            refusal: denial.refusal,
            is_in_scope: scope::is_in_scope(denial, guardrails, has_open_case),
            principal: denial.caller.principal.kind,
            risk: denial.risk,
            scenario: scope::scenario(denial),
            service: Service::of(denial),
            effect: denial.cause.effect,
            policy_type: denial.cause.policy_type,
            wording: denial.wording,
            is_quarantine: denial.cause.policy_arn.as_deref().is_some_and(is_quarantine),
            is_self_grant: scope::is_self_grant(denial),
            is_operated_by_member: scope::is_operated_by_member(denial),
            blinded: Blinded::by(denial).filter(|_| guardrails.alarm_on_blinding),
            may_harm_the_log: denial.action.as_deref().is_some_and(action::may_harm_the_log),
        }
    }
}

/// AWS attaches these itself to principals whose keys were found in public.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html>
fn is_quarantine(policy_arn: &str) -> bool {
    Arn::parse(policy_arn)
        .is_some_and(|arn| arn.account == "aws" && arn.resource.starts_with("policy/AWSCompromisedKeyQuarantine"))
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $response:ident, $title:literal;)*) => {
        /// The rows of the decision table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule { $($(#[$doc])* #[doc = $title] #[serde(rename = $id)] $name,)* }

        impl Rule {
            /// Every rule, in the order of their ids.
            pub const ALL: &[Rule] = &[$(Rule::$name,)*];

            /// The id, which stays.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// The rule of an id.
            pub fn of_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|rule| rule.id() == id)
            }

            /// What the rule says, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What Trailpass does, before it is known whether a remedy may be granted.
            pub fn response(self) -> Response {
                match self { $(Self::$name => Response::$response,)* }
            }
        }
    };
}

rules! {
    NoError = "CT001", Ignore, "the call succeeded";
    NoDenial = "CT002", Ignore, "an error, but nobody was refused";
    OutOfScope = "CT003", Ignore, "a refusal that is not about CloudTrail";
    ServiceCall = "CT004", Ignore, "an AWS service was refused on its own behalf";
    ServiceLinkedCall = "CT005", Ignore, "a service-linked role was refused";

    NoIdentityAllow = "CT101", SuggestFix, "no identity-based policy of the caller allows it";
    NoPermissionSetAllow = "CT102", SuggestFix, "the caller's permission set does not allow it";
    NoFederatedAllow = "CT103", SuggestFix, "no policy behind the federated session allows it";
    NoIdentityCenterAllow = "CT104", SuggestFix, "nothing that Identity Center gives this user allows it";
    NoOtherAllow = "CT105", SuggestFix, "no identity-based policy allows it, and the caller has none that could be changed";
    IdentityDeny = "CT110", SuggestFix, "an identity-based policy denies it";
    Boundary = "CT111", SuggestFix, "the permissions boundary stops it";
    SessionPolicy = "CT112", SuggestFix, "the session's own policy stops it";
    ServiceControl = "CT113", SuggestFix, "a service control policy of the organization stops it";
    ResourceControl = "CT114", SuggestFix, "a resource control policy of the organization stops it";
    VpcEndpoint = "CT115", SuggestFix, "the policy of the VPC endpoint stops it";
    ResourcePolicy = "CT116", SuggestFix, "the resource's own policy stops it";
    RoleTrust = "CT117", SuggestFix, "the role's trust policy does not let the caller in";
    UnknownPolicy = "CT118", SuggestFix, "a kind of policy that is not known here stops it";
    NoReason = "CT120", SuggestFix, "AWS gave no reason";
    CutReason = "CT121", SuggestFix, "AWS's sentence is cut off before its reason";
    UnreadReason = "CT122", SuggestFix, "AWS's text was not recognised";
    NoText = "CT123", SuggestFix, "AWS gave no text";
    NotPermitted = "CT130", SuggestFix, "CloudTrail does not permit this from this account";
    ManagementOnly = "CT131", SuggestFix, "only the organization's management account may do this";
    TrustedAccess = "CT132", SuggestFix, "CloudTrail has no trusted access in the organization";

    PassRole = "CT201", SuggestFix, "the caller may not hand this role to CloudTrail";
    RoleMaking = "CT202", SuggestFix, "the caller may not make or change the role for CloudWatch Logs";
    Config = "CT203", SuggestFix, "a permission of AWS Config is missing";
    Logs = "CT204", SuggestFix, "a permission of CloudWatch Logs is missing";
    Bucket = "CT205", SuggestFix, "a permission on the trail's bucket is missing";
    Key = "CT206", SuggestFix, "a permission on the trail's key is missing";
    Topic = "CT207", SuggestFix, "a permission on the trail's topic is missing";
    OtherService = "CT208", SuggestFix, "a permission of another service is missing";
    StoredLog = "CT209", SuggestFix, "this changes or removes what keeps the log, or who may reach it";
    Dependency = "CT210", SuggestFix, "permissions that an organization's trail needs are missing";
    ServiceLinkedRole = "CT211", SuggestFix, "the caller may not see or make CloudTrail's service-linked role";

    AllowOthers = "CT301", SuggestFix, "the caller may not give somebody else this policy";

    OtherAccount = "CT401", SuggestFix, "the caller and the resource belong to different accounts";
    NotYetASession = "CT402", SuggestFix, "somebody who is signed in elsewhere and has no role here";
    OrganizationTrail = "CT403", SuggestFix, "an organization's resource, operated from a member account";
    ChannelPolicy = "CT404", SuggestFix, "the channel's policy does not let the sender in";
    Anonymous = "CT405", SuggestFix, "nobody signed the request";

    DeliveryBucket = "CT501", SuggestFix, "CloudTrail may not write to the bucket";
    DeliveryTopic = "CT502", SuggestFix, "CloudTrail may not publish to the topic";
    DeliveryKey = "CT503", SuggestFix, "CloudTrail may not use the key or the bucket";
    DeliveryRoleTrust = "CT504", SuggestFix, "CloudTrail may not assume the role for CloudWatch Logs";
    DeliveryRolePermissions = "CT505", SuggestFix, "the role for CloudWatch Logs may not write to the log group";
    DeliveryServiceLinkedRole = "CT506", SuggestFix, "the management account lacks CloudTrail's service-linked role";

    Tampering = "CT901", RaiseAlarm, "somebody was stopped from blinding or exposing the audit log";
    Quarantine = "CT902", RaiseAlarm, "AWS has quarantined these credentials as leaked";
    SelfGrant = "CT903", RaiseAlarm, "somebody was stopped from giving themselves a CloudTrail policy";
    LogBlinded = "CT911", RaiseAlarm, "a call that can blind the audit log succeeded";
    ResponderBlinded = "CT912", RaiseAlarm, "a rule that brings denials in here was changed";
}

impl Rule {
    /// Whether nobody was refused: the call succeeded, and is loud all the same.
    pub fn is_of_success(self) -> bool {
        matches!(self, Self::LogBlinded | Self::ResponderBlinded)
    }
}

/// The table.
pub fn classify(facts: &Facts) -> Rule {
    let is_tampering = facts.risk == Some(Risk::Tampering);
    match facts.refusal {
        // 1. No denial, or not CloudTrail's.
        Refusal::NoError => match facts.blinded {
            Some(Blinded::Log) => Rule::LogBlinded,
            Some(Blinded::Responder) => Rule::ResponderBlinded,
            None => Rule::NoError,
        },
        Refusal::OtherError => Rule::NoDenial,
        _ if !facts.is_in_scope => Rule::OutOfScope,
        // 2. AWS's own calls are noise, unless they would tamper.
        _ if facts.principal == PrincipalKind::AwsService && !is_tampering => Rule::ServiceCall,
        _ if facts.principal == PrincipalKind::ServiceLinkedRole && !is_tampering => Rule::ServiceLinkedCall,
        // 3. and 4. Stolen credentials, and who helps themselves.
        _ if facts.is_quarantine => Rule::Quarantine,
        _ if facts.is_self_grant && facts.scenario == Scenario::AllowOthers => Rule::SelfGrant,
        // 5. CloudTrail was refused; the caller was authorized, whatever they did.
        Refusal::BucketPolicy => Rule::DeliveryBucket,
        Refusal::TopicPolicy => Rule::DeliveryTopic,
        Refusal::EncryptionPolicy => Rule::DeliveryKey,
        Refusal::LogRoleTrust => Rule::DeliveryRoleTrust,
        Refusal::LogRolePermissions => Rule::DeliveryRolePermissions,
        Refusal::ServiceLinkedRoleMissing => Rule::DeliveryServiceLinkedRole,
        // 6. Whatever the cause, the account or the principal.
        _ if is_tampering => Rule::Tampering,
        // Not a permission that somebody lacks: what a log has to be kept safe from, whatever kept it safe.
        _ if facts.may_harm_the_log => Rule::StoredLog,
        // 7. Everything that somebody may need a fix for.
        Refusal::DependencyPermissions => Rule::Dependency,
        Refusal::ServiceLinkedRolePermissions => Rule::ServiceLinkedRole,
        Refusal::OperationNotPermitted => Rule::NotPermitted,
        Refusal::NotManagementAccount => Rule::ManagementOnly,
        Refusal::TrustedAccessOff => Rule::TrustedAccess,
        Refusal::ChannelPermissions => Rule::ChannelPolicy,
        Refusal::AccessDenied | Refusal::VpcEndpoint => match facts.scenario {
            // What somebody's ceiling stops is mended there or not at all, whoever called: no role is built around it.
            Scenario::AllowOthers | Scenario::OutsideAccount if is_named_ceiling(facts) => by_cause(facts),
            Scenario::AllowOthers => Rule::AllowOthers,
            Scenario::OutsideAccount => by_outsider(facts),
            Scenario::NotAuthorized | Scenario::Delivery => by_cause(facts),
            Scenario::Integration => by_service(facts),
        },
    }
}

/// A policy that says no to whatever others allow. Who has no credentials of AWS's yet is told how to get them instead.
fn is_named_ceiling(facts: &Facts) -> bool {
    use PolicyType::{
        PermissionsBoundary, ResourceControlPolicy, ServiceControlPolicy, SessionPolicy, VpcEndpointPolicy,
    };
    let is_ceiling = matches!(
        facts.policy_type,
        Some(PermissionsBoundary | ResourceControlPolicy | ServiceControlPolicy | SessionPolicy | VpcEndpointPolicy)
    );
    let is_somebody =
        !matches!(facts.principal, PrincipalKind::Anonymous | PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser);
    is_somebody && (is_ceiling || facts.effect == Effect::ExplicitDeny)
}

fn by_outsider(facts: &Facts) -> Rule {
    match facts.principal {
        PrincipalKind::Anonymous => Rule::Anonymous,
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => Rule::NotYetASession,
        PrincipalKind::Root
        | PrincipalKind::IamUser
        | PrincipalKind::RoleSession
        | PrincipalKind::SsoSession
        | PrincipalKind::ServiceLinkedRole
        | PrincipalKind::FederatedUser
        | PrincipalKind::IdentityCenterUser
        | PrincipalKind::AwsService
        | PrincipalKind::AwsAccount
        | PrincipalKind::Unknown => {
            if facts.is_operated_by_member {
                Rule::OrganizationTrail
            } else {
                Rule::OtherAccount
            }
        }
    }
}

fn by_cause(facts: &Facts) -> Rule {
    match (facts.policy_type, facts.effect) {
        (Some(PolicyType::IdentityBasedPolicy), Effect::ImplicitDeny | Effect::Unknown) => {
            by_missing_allow(facts.principal)
        }
        (Some(PolicyType::IdentityBasedPolicy), Effect::ExplicitDeny) => Rule::IdentityDeny,
        (Some(PolicyType::PermissionsBoundary), _) => Rule::Boundary,
        (Some(PolicyType::SessionPolicy), _) => Rule::SessionPolicy,
        (Some(PolicyType::ServiceControlPolicy), _) => Rule::ServiceControl,
        (Some(PolicyType::ResourceControlPolicy), _) => Rule::ResourceControl,
        (Some(PolicyType::VpcEndpointPolicy), _) => Rule::VpcEndpoint,
        (Some(PolicyType::ResourceBasedPolicy), _) => Rule::ResourcePolicy,
        (Some(PolicyType::RoleTrustPolicy), _) => Rule::RoleTrust,
        (None, Effect::ImplicitDeny | Effect::ExplicitDeny) => Rule::UnknownPolicy,
        (None, Effect::Unknown) => match facts.wording {
            Wording::Clause | Wording::OldForm => Rule::NoReason,
            Wording::Cut => Rule::CutReason,
            Wording::Unrecognised => Rule::UnreadReason,
            Wording::Absent => Rule::NoText,
        },
    }
}

fn by_missing_allow(principal: PrincipalKind) -> Rule {
    match principal {
        PrincipalKind::IamUser | PrincipalKind::RoleSession => Rule::NoIdentityAllow,
        PrincipalKind::SsoSession => Rule::NoPermissionSetAllow,
        PrincipalKind::FederatedUser => Rule::NoFederatedAllow,
        PrincipalKind::IdentityCenterUser => Rule::NoIdentityCenterAllow,
        PrincipalKind::Root
        | PrincipalKind::ServiceLinkedRole
        | PrincipalKind::SamlUser
        | PrincipalKind::WebIdentityUser
        | PrincipalKind::AwsService
        | PrincipalKind::AwsAccount
        | PrincipalKind::Anonymous
        | PrincipalKind::Unknown => Rule::NoOtherAllow,
    }
}

fn by_service(facts: &Facts) -> Rule {
    let is_missing_allow = matches!(
        (facts.policy_type, facts.effect),
        (None, Effect::Unknown) | (Some(PolicyType::IdentityBasedPolicy), Effect::ImplicitDeny | Effect::Unknown)
    );
    // A key or a bucket that says no is mended at its own policy, which the service's rule does; every other ceiling
    // is the same whichever service was called.
    let is_own_policy =
        facts.policy_type == Some(PolicyType::ResourceBasedPolicy) && facts.effect != Effect::ExplicitDeny;
    match facts.service {
        Service::Kms if is_own_policy => Rule::Key,
        Service::S3 if is_own_policy => Rule::Bucket,
        Service::Sns if is_own_policy => Rule::Topic,
        _ if !is_missing_allow => by_cause(facts),
        Service::PassRole => Rule::PassRole,
        Service::RoleMaking => Rule::RoleMaking,
        Service::Config => Rule::Config,
        Service::Logs => Rule::Logs,
        Service::S3 => Rule::Bucket,
        Service::Kms => Rule::Key,
        Service::Sns => Rule::Topic,
        Service::Sts | Service::Other | Service::CloudTrail => Rule::OtherService,
    }
}
