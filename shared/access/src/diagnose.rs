//! From a record to its diagnosis: denial → rule → remedies → response, in one pure call.

use crate::{
    case::{self, Audience},
    classify::{Facts, Rule, classify},
    denial::{Denial, Refusal},
    diagnosis::{Apply, Diagnosis, Effect, Response, Risk, Scenario},
    event::Record,
    evidence::Evidence,
    grant::{self, GrantMode, Obstacle},
    guardrails::Guardrails,
    notice::Call,
    principal::{Principal, PrincipalKind},
    propose::{Proposal, propose},
    request,
    simulation::Verdict,
};

/// What a diagnosis depends on beside the record.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// What the stack may grant.
    pub mode: GrantMode,
    /// The operator's limits and trail resources.
    pub guardrails: Guardrails,
}

/// A diagnosis with the facts it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosed {
    /// The facts.
    pub denial: Denial,
    /// What is said about them.
    pub diagnosis: Diagnosis,
    /// The case they belong to.
    pub case_id: String,
    /// Whether the entity that a denied IAM call names had an open case.
    pub has_open_case: bool,
    /// What the policy simulator has said of the call, if it was asked.
    pub simulated: Option<Verdict>,
    /// What else was looked up.
    pub evidence: Evidence,
}

/// Diagnoses a record. `has_open_case`: the entity that a denied IAM call names has an open case here.
pub fn diagnose(record: Record, setting: &Setting, has_open_case: bool) -> Diagnosed {
    finish(Denial::of(record), setting, has_open_case, None, true)
}

/// The same with what the policy simulator has said of the call.
pub fn diagnose_simulated(
    record: Record,
    setting: &Setting,
    has_open_case: bool,
    simulated: Option<Verdict>,
) -> Diagnosed {
    finish(Denial::of(record), setting, has_open_case, simulated, true)
}

/// Diagnoses a bare sentence, for display: nothing in it is on approval, since no record stands behind it.
/// `None` for a text that is no refusal of AWS's.
pub fn diagnose_sentence(text: &str, setting: &Setting) -> Option<Diagnosed> {
    let setting = Setting { mode: GrantMode::None, guardrails: setting.guardrails.clone() };
    Denial::of_sentence(text).map(|denial| finish(denial, &setting, false, None, false))
}

fn finish(
    denial: Denial,
    setting: &Setting,
    has_open_case: bool,
    simulated: Option<Verdict>,
    is_record: bool,
) -> Diagnosed {
    let facts = Facts::of(&denial, &setting.guardrails, has_open_case);
    let rule = classify(&facts);
    // What becomes of the response below doesn't change who is told.
    let case_id = case::id(&denial, Audience::of(rule.response()));
    let scenario = facts.scenario;
    let mut remedies = propose(&Proposal {
        denial: &denial,
        rule,
        scenario,
        guardrails: &setting.guardrails,
        mode: setting.mode,
        case_id: &case_id,
        simulated,
    });
    if !is_record {
        remedies.iter_mut().for_each(|remedy| remedy.grantable = false);
    }
    let response = match rule.response() {
        Response::SuggestFix if remedies.iter().any(|remedy| remedy.apply == Apply::OnApproval) => {
            Response::RequestApproval
        }
        response => response,
    };
    let is_ignored = response == Response::Ignore;
    let record = &denial.record;
    let diagnosis = Diagnosis {
        event_id: record.event_id.clone(),
        event_time: record.event_time.clone(),
        partition: denial.place.partition.clone(),
        region: denial.place.region.clone(),
        account_id: denial.place.account_id.clone(),
        response,
        rule,
        // Nobody lacks a permission for what has succeeded.
        scenario: (!is_ignored && !rule.is_of_success()).then_some(scenario),
        risk: denial.risk.filter(|_| !is_ignored),
        principal: denial.caller.principal.clone(),
        action: denial.action.clone(),
        access_level: denial.known.map(|known| known.level),
        resource: denial.resource.clone(),
        cause: denial.cause.clone(),
        summary: summary(&denial, rule),
        remedies,
        documentation: documentation(rule, scenario),
    };
    Diagnosed { denial, diagnosis, case_id, has_open_case, simulated, evidence: Evidence::default() }
}

impl Diagnosed {
    /// Whether a grant hangs on the policy simulator alone: on its word that no policy of the caller's allows the call.
    pub fn wants_simulation(&self, setting: &Setting) -> bool {
        let Diagnosis { rule, scenario: Some(scenario), .. } = self.diagnosis else { return false };
        let obstacle = |simulated| grant::obstacle(&self.denial, rule, scenario, &setting.guardrails, simulated);
        obstacle(None) == Some(Obstacle::OldFormOfSensitive) && obstacle(Some(Verdict::ImplicitDeny)).is_none()
    }

    /// The same with what the policy simulator says.
    pub fn with_simulation(self, setting: &Setting, verdict: Verdict) -> Self {
        let evidence = self.evidence;
        Self { evidence, ..finish(self.denial, setting, self.has_open_case, Some(verdict), true) }
    }

    /// Whether somebody who reads of it would ask the policy simulator next: AWS named no policy, and the caller is somebody whose
    /// policies it knows.
    pub fn has_no_reason(&self, setting: &Setting) -> bool {
        let principal = &self.diagnosis.principal;
        let is_one_of_ours = matches!(principal.kind, PrincipalKind::IamUser | PrincipalKind::RoleSession)
            && principal.account_id == self.diagnosis.account_id
            && principal.account_id.as_deref().is_some_and(|account| setting.guardrails.grants.reach_account(account));
        // An alarm goes out at once.
        let is_refusal =
            self.denial.refusal == Refusal::AccessDenied && self.diagnosis.response != Response::RaiseAlarm;
        let cause = &self.diagnosis.cause;
        is_one_of_ours && is_refusal && cause.effect == Effect::Unknown && cause.policy_type.is_none()
    }

    /// What a notice shows of the call without judging it.
    pub fn call(&self) -> Call {
        let record = &self.denial.record;
        Call {
            event_source: record.event_source.clone(),
            event_name: record.event_name.clone(),
            source_ip: record.source_ip_address.clone(),
            user_agent: record.user_agent.clone(),
            error_code: record.error_code.clone(),
            error_message: record.error_message.clone(),
            vpc_endpoint_id: record.vpc_endpoint_id.clone(),
            request_id: record.request_id.clone(),
            settings: request::settings(record),
        }
    }
}

/// Who, what, on what, and why: one sentence. The parts are the record's own text; whoever shows it escapes it.
fn summary(denial: &Denial, rule: Rule) -> String {
    let action = denial.action.as_deref().unwrap_or("a call");
    let who = name_of(&denial.caller.principal);
    match rule {
        Rule::NoError => return format!("{who} called {action}, and the call succeeded."),
        Rule::NoDenial => {
            let code = denial.record.error_code.as_deref().unwrap_or("an error");
            return format!("{who} called {action} and got {code}, which refuses nobody.");
        }
        _ => {}
    }
    let is_delivery = denial.refusal.is_delivery() || rule.is_of_success();
    let mut text = String::with_capacity(160);
    text.push_str(&who);
    text.push_str(if is_delivery { " called " } else { " was refused " });
    text.push_str(action);
    if let Some(resource) = denial.resource.as_deref().filter(|resource| *resource != "*") {
        text.push_str(" on ");
        text.push_str(resource);
    }
    text.push_str(": ");
    text.push_str(rule.title());
    if denial.risk == Some(Risk::Tampering)
        && rule != Rule::Tampering
        && !rule.is_of_success()
        && rule.response() == Response::RaiseAlarm
    {
        text.push_str(", and the action itself is tampering");
    }
    text.push('.');
    text
}

fn name_of(principal: &Principal) -> String {
    let name = principal.name.as_deref();
    let account = principal.account_id.as_deref();
    match (principal.kind, name) {
        (PrincipalKind::Root, _) => format!("The root user of {}", account.unwrap_or("an account that is not named")),
        (PrincipalKind::Anonymous, _) => "Somebody who signed nothing".to_owned(),
        (PrincipalKind::AwsAccount, None) => format!("Somebody of account {}", account.unwrap_or("that is not named")),
        (PrincipalKind::Unknown, None) => "A caller who is not named".to_owned(),
        (_, Some(name)) => match principal.session_name.as_deref() {
            Some(session) => format!("{session} (role {name})"),
            None => name.to_owned(),
        },
        (_, None) => "A caller without a name".to_owned(),
    }
}

/// AWS's page on the matter.
fn documentation(rule: Rule, scenario: Scenario) -> &'static str {
    match rule {
        Rule::PassRole => "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_troubleshoot.html",
        Rule::Config => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_id-based-policy-examples.html"
        }
        Rule::RoleMaking | Rule::Logs | Rule::DeliveryRoleTrust | Rule::DeliveryRolePermissions => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/send-cloudtrail-events-to-cloudwatch-logs.html"
        }
        Rule::Bucket | Rule::DeliveryBucket => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html"
        }
        Rule::Key | Rule::DeliveryKey => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html"
        }
        Rule::Topic | Rule::DeliveryTopic => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html"
        }
        Rule::Dependency
        | Rule::ServiceLinkedRole
        | Rule::NotPermitted
        | Rule::ManagementOnly
        | Rule::TrustedAccess
        | Rule::OrganizationTrail
        | Rule::DeliveryServiceLinkedRole => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html"
        }
        Rule::ChannelPolicy => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_resource-based-policy-examples.html"
        }
        Rule::OtherAccount | Rule::NotYetASession | Rule::Anonymous => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-sharing-logs.html"
        }
        Rule::ResponderBlinded => "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html",
        Rule::StoredLog | Rule::LogBlinded => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html"
        }
        Rule::Quarantine => "https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html",
        Rule::IdentityDeny
        | Rule::Boundary
        | Rule::SessionPolicy
        | Rule::ServiceControl
        | Rule::ResourceControl
        | Rule::VpcEndpoint
        | Rule::ResourcePolicy
        | Rule::RoleTrust
        | Rule::UnknownPolicy => "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
        _ if scenario == Scenario::AllowOthers => {
            "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_id-based-policy-examples.html"
        }
        _ => "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_troubleshoot.html",
    }
}
