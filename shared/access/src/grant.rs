//! Grants: whether a denial may be answered with one at all, and what may stand in it.
//!
//! Every condition of the contract stands once in [`obstacle`], in its order; the first that is not met is also what
//! people are told. A grant is proposed only from facts that the record gives: what is absent stops it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    action::{self, CloudTrailAction, ResourceType},
    arn::{is_account_id, is_literal},
    classify::Rule,
    denial::Denial,
    diagnosis::{Remedy, Response, Risk, Scenario},
    guardrails::Guardrails,
    policy_document::{PolicyDocument, Statement},
    scope,
    simulation::Verdict,
};

/// What a stack does when somebody approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantMode {
    /// Nothing: every remedy is by hand.
    #[default]
    None,
    /// Attaches one of a closed list of policies that the stack owns.
    Managed,
    /// Writes an inline policy for exactly the refused call, and does what `managed` does.
    Exact,
}

impl std::str::FromStr for GrantMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "managed" => Ok(Self::Managed),
            "exact" => Ok(Self::Exact),
            _ => Err(format!("{text:?} is no grant mode: none, managed or exact")),
        }
    }
}

/// Why a denial can't be answered with a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says what it is in `because`")]
pub enum Obstacle {
    Response,
    Scenario,
    AccountAbsent,
    NotTheCallers,
    NotEditable,
    Workload,
    Service,
    Identity,
    Action,
    Tampering,
    LakeResource,
    Cause,
    OldFormOfSensitive,
    Simulated,
    SeveralClauses,
    Contradiction,
    Names,
    Resource,
    OtherAccount,
    Guardrails,
    OutsideAccount,
    OutsidePath,
    UniqueId,
}

impl Obstacle {
    /// The reason, as the end of "This can't be granted here, because …".
    pub fn because(self) -> &'static str {
        match self {
            Self::Response => "nothing is wrong, or it is an alarm",
            Self::Scenario => "the fix is not a permission of the caller in this account",
            Self::AccountAbsent => "the record does not say in whose account it was written",
            Self::NotTheCallers => "the caller belongs to another account",
            Self::NotEditable => "the caller is no user or role whose policies can be changed here",
            Self::Workload => "the session belongs to a workload: its permissions belong in the code that deploys it",
            Self::Service => "an AWS service made the call with the caller's credentials",
            Self::Identity => "the record contradicts itself about who called",
            Self::Action => "the action is not one of CloudTrail's that is known here",
            Self::Tampering => "the action can blind, redirect or expose the audit log",
            Self::LakeResource => "CloudTrail Lake takes no new customers",
            Self::Cause => "another kind of policy than the caller's own decided, or AWS did not say which",
            Self::OldFormOfSensitive => "AWS gave no reason, and that is not enough for a sensitive action",
            Self::Simulated => "the policy simulator says that something denies it, which no grant outweighs",
            Self::SeveralClauses => {
                "AWS's sentence holds more than one reason, and one may have been written by the caller"
            }
            Self::Contradiction => "AWS's sentence names somebody else than the record does",
            Self::Names => "a name is missing, or not one that AWS would take",
            Self::Resource => "the request names another resource than AWS's sentence",
            Self::OtherAccount => "the resource belongs to another account",
            Self::Guardrails => "the guardrails protect this principal",
            Self::OutsideAccount => "this stack can change users and roles of its own account only",
            Self::OutsidePath => "this stack may grant nothing to users and roles of this IAM path",
            Self::UniqueId => "the record does not give the caller's unique id",
        }
    }
}

/// The first condition that is not met, whatever the grant mode is. `None`: a grant may be proposed. `simulated`: what the policy
/// simulator has said of the call, if it was asked.
pub fn obstacle(
    denial: &Denial,
    rule: Rule,
    scenario: Scenario,
    guardrails: &Guardrails,
    simulated: Option<Verdict>,
) -> Option<Obstacle> {
    let caller = &denial.caller;
    let (account, own) = (denial.place.account_id.as_deref(), caller.principal.account_id.as_deref());
    let sentence = denial.sentence.as_ref();
    let known = denial.known;
    let is_any = |rules: &[Rule]| rules.contains(&rule);
    let checks = [
        (rule.response() != Response::SuggestFix, Obstacle::Response),
        (scenario != Scenario::NotAuthorized, Obstacle::Scenario),
        (account.is_none(), Obstacle::AccountAbsent),
        (account != own, Obstacle::NotTheCallers),
        (!caller.is_editable(), Obstacle::NotEditable),
        (!caller.agrees, Obstacle::Identity),
        (caller.is_workload, Obstacle::Workload),
        (caller.is_by_service, Obstacle::Service),
        (known.is_none(), Obstacle::Action),
        (known.is_none_or(|known| known.risk == Risk::Tampering) || denial.is_tampering_call(), Obstacle::Tampering),
        (known.is_none_or(CloudTrailAction::creates_lake_resource), Obstacle::LakeResource),
        // A role's trust or a Config permission can't be meant here: the action is CloudTrail's own by now.
        (!is_any(&[Rule::NoIdentityAllow, Rule::NoReason]) || sentence.is_none(), Obstacle::Cause),
        (
            rule == Rule::NoReason && denial.risk != Some(Risk::Routine) && simulated != Some(Verdict::ImplicitDeny),
            Obstacle::OldFormOfSensitive,
        ),
        (
            rule == Rule::NoReason
                && matches!(
                    simulated,
                    Some(Verdict::ExplicitDeny | Verdict::DeniedByOrganization | Verdict::DeniedByBoundary)
                ),
            Obstacle::Simulated,
        ),
        (sentence.is_some_and(|s| s.clauses > 1), Obstacle::SeveralClauses),
        (
            sentence.and_then(|s| s.principal.as_deref()).is_some_and(|named| caller.is_contradicted_by(named)),
            Obstacle::Contradiction,
        ),
        (
            !is_resource_legal(denial)
                || !is_region_legal(denial)
                || denial.has_illegal_request()
                || !caller.has_legal_session_name(),
            Obstacle::Names,
        ),
        (denial.names_another_resource(), Obstacle::Resource),
        (scope::is_from_outside(denial), Obstacle::OtherAccount),
        (guardrails.protect(caller), Obstacle::Guardrails),
        (!own.is_some_and(|account| guardrails.grants.reach_account(account)), Obstacle::OutsideAccount),
        (!guardrails.grants.reach_path(caller.path.as_deref()), Obstacle::OutsidePath),
        (caller.principal.unique_id.is_none(), Obstacle::UniqueId),
    ];
    checks.into_iter().find(|(is_met, _)| *is_met).map(|(_, obstacle)| obstacle)
}

/// `*` where the action takes nothing else, or one thing of a type that the action takes, in the caller's account.
fn is_resource_legal(denial: &Denial) -> bool {
    let (Some(known), Some(resource)) = (denial.known, denial.resource.as_deref()) else { return false };
    if known.takes_only_star() {
        return resource == "*";
    }
    let Some(arn) = denial.resource_arn().filter(|_| is_literal(resource)) else { return false };
    ResourceType::of(&arn).is_some_and(|(kind, name)| known.resources.contains(&kind) && kind.accepts(name))
        && Some(arn.partition) == denial.place.partition.as_deref()
        && is_account_id(arn.account)
        && crate::arn::is_region(arn.region)
}

/// A Region of the partition that everything else is in.
fn is_region_legal(denial: &Denial) -> bool {
    let (region, partition) = (denial.place.region.as_deref(), denial.place.partition.as_deref());
    region.is_some_and(|region| Some(crate::arn::partition_of(region)) == partition)
}

/// The inline policy of a grant: this action, this resource, this user or session, its end left open.
pub fn exact_policy(denial: &Denial) -> Option<PolicyDocument> {
    let statement = Statement {
        sid: Some("TrailpassGrant".to_owned()),
        actions: vec![denial.known?.name.to_owned()],
        resources: vec![denial.resource.clone()?],
        ..Statement::default()
    }
    .when("StringEquals", "aws:userid", &denial.caller.user_id()?);
    // Where only `*` is possible, the Region is the one thing left to hold on to.
    let is_star = denial.resource.as_deref() == Some("*");
    Some(PolicyDocument::of(match denial.place.region.as_deref().filter(|_| is_star) {
        Some(region) => statement.when("StringEquals", "aws:RequestedRegion", region),
        None if is_star => return None,
        None => statement,
    }))
}

/// A policy that a stack in the modes `managed` and `exact` owns.
#[derive(Debug, Clone, Copy)]
pub struct OwnPolicy {
    /// Its name under the path `/trailpass/`.
    pub name: &'static str,
    /// What it lets somebody do, in words.
    pub purpose: &'static str,
    /// Which of CloudTrail's actions it allows.
    allows: fn(&CloudTrailAction) -> bool,
}

/// The closed list: nothing in it tampers, creates or passes a role. Smallest first.
pub const OWN_POLICIES: &[OwnPolicy] = &[
    OwnPolicy {
        name: "trailpass-trail-read",
        purpose: "read how CloudTrail is set up",
        allows: |a| a.risk == Risk::Routine,
    },
    OwnPolicy {
        name: "trailpass-event-lookup",
        purpose: "look events and insights up",
        allows: |a| matches!(a.name, "cloudtrail:LookupEvents" | "cloudtrail:ListInsightsData"),
    },
    OwnPolicy {
        name: "trailpass-lake-query",
        purpose: "query event data stores",
        allows: |a| {
            matches!(
                a.name,
                "cloudtrail:StartQuery"
                    | "cloudtrail:CancelQuery"
                    | "cloudtrail:DescribeQuery"
                    | "cloudtrail:GetQueryResults"
                    | "cloudtrail:ListQueries"
                    | "cloudtrail:GenerateQuery"
                    | "cloudtrail:GenerateQueryResultsSummary"
                    | "cloudtrail:GetEventDataStore"
                    | "cloudtrail:ListEventDataStores"
                    | "cloudtrail:SearchSampleQueries"
            )
        },
    },
];

impl OwnPolicy {
    /// The smallest one that allows an action.
    pub fn allowing(action: &CloudTrailAction) -> Option<&'static Self> {
        OWN_POLICIES.iter().find(|policy| (policy.allows)(action))
    }

    /// Its ARN in an account.
    pub fn arn(&self, partition: &str, account: &str) -> String {
        format!("arn:{partition}:iam::{account}:policy/trailpass/{}", self.name)
    }

    /// Its document, action by action.
    pub fn document(&self) -> PolicyDocument {
        let actions = action::all().iter().filter(|a| (self.allows)(a)).map(|a| a.name.to_owned()).collect();
        PolicyDocument::of(Statement { actions, resources: vec!["*".to_owned()], ..Statement::default() })
    }
}

/// Names exactly one remedy of one case: an approval carries it, and what is applied must match it.
pub fn hash(case_id: &str, remedy: &Remedy) -> String {
    hash_of(&approved(case_id, remedy))
}

/// The hash of what [`approved`] gives.
pub fn hash_of(approved: &str) -> String {
    hex(&Sha256::digest(approved))
}

/// What an approval names, whole: case, kind of remedy, target, and policy with its end left open. JSON, and always the same bytes.
pub fn approved(case_id: &str, remedy: &Remedy) -> String {
    #[derive(Serialize)]
    struct Approved<'a> {
        case: &'a str,
        kind: crate::diagnosis::RemedyKind,
        target: &'a crate::diagnosis::Target,
        policy_arn: Option<&'a str>,
        policy: Option<&'a PolicyDocument>,
    }
    let approved = Approved {
        case: case_id,
        kind: remedy.kind,
        target: &remedy.target,
        policy_arn: remedy.policy_arn.as_deref(),
        policy: remedy.policy.as_ref(),
    };
    serde_json::to_string(&approved).unwrap_or_default()
}

/// Bytes as people compare them, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_policies_hold_nothing_dangerous() {
        for policy in OWN_POLICIES {
            for action in policy.document().actions() {
                let known = action::find(action).unwrap();
                assert_ne!(known.risk, Risk::Tampering, "{action}");
                assert!(!known.creates_lake_resource(), "{action}");
                assert!(!action.contains('*'), "{action}");
            }
        }
    }

    #[test]
    fn every_routine_action_has_a_routine_policy() {
        for action in action::all().iter().filter(|a| a.risk == Risk::Routine) {
            assert_eq!(OwnPolicy::allowing(action).map(|p| p.name), Some("trailpass-trail-read"), "{}", action.name);
        }
    }
}
