//! The sentences that every way of writing shares, put together from one notice.
//!
//! Each comes out plain and already visible (see `escape`): a way of writing only encodes it for its place. What AWS
//! did not say is said to be unknown, and what a caller chose (a session's name, a client's name) is said to be chosen.

use std::fmt::Write;

use super::{
    GrantMode, Notice,
    escape::{self, shown},
    words,
};
use crate::{
    diagnosis::{
        AccessLevel, Cause, Diagnosis, Effect, PolicyType, Reach, Remedy, RemedyKind, Response, Scenario, TargetKind,
    },
    principal::{Principal, PrincipalKind},
};

/// A fact as it may be shown, or the words for its absence.
pub fn fact(value: Option<&str>, max: usize) -> escape::Shown<'_> {
    match value {
        Some(value) if !value.trim().is_empty() => shown(value, max),
        _ => shown(words::ABSENT, max),
    }
}

/// Who called, short enough for a headline: `IAM user mateojackson`.
pub fn subject(principal: &Principal) -> String {
    match (&principal.name, principal.kind) {
        (_, PrincipalKind::Root | PrincipalKind::Anonymous) | (None, _) => words::nameless(principal.kind).to_owned(),
        (Some(name), kind) => format!("{} {}", words::principal_kind(kind), shown(name, escape::NAME)),
    }
}

/// What happened, in one line: who was refused what.
pub fn headline(diagnosis: &Diagnosis) -> String {
    let mut line = String::with_capacity(96);
    let who = subject(&diagnosis.principal);
    let action = diagnosis.action.as_deref().map(|action| shown(action, escape::NAME).to_string());
    let action = action.as_deref().unwrap_or("an action that the record does not name");
    let _ = match (diagnosis.response, diagnosis.scenario) {
        (Response::Ignore, _) => write!(line, "{action}, called by {who}"),
        (_, Some(Scenario::Delivery)) => write!(line, "CloudTrail itself was refused, in {action} by {who}"),
        _ => write!(line, "{who} was refused {action}"),
    };
    capitalise(line)
}

/// Who called, in full: name, kind, account, session.
pub fn who(diagnosis: &Diagnosis) -> String {
    let principal = &diagnosis.principal;
    let mut line = String::with_capacity(128);
    let _ = match (&principal.name, principal.kind) {
        (_, PrincipalKind::Root | PrincipalKind::Anonymous) => write!(line, "{}", words::nameless(principal.kind)),
        (Some(name), kind) => write!(line, "{} ({})", shown(name, escape::NAME), words::principal_kind(kind)),
        (None, kind) => write!(line, "{}, its name is {}", words::nameless(kind), words::ABSENT),
    };
    let _ = write!(line, ", account {}", fact(principal.account_id.as_deref(), escape::SHORT));
    if is_foreign(diagnosis) {
        line.push_str(", which is not the account of the call");
    }
    if let Some(session) = &principal.session_name {
        let _ = write!(line, "; session {}", shown(session, escape::NAME));
        // Identity Center names its sessions itself; everywhere else whoever assumes the role chooses the name.
        if principal.kind == PrincipalKind::RoleSession {
            line.push_str(", a name that the caller chose");
        }
    }
    line
}

fn is_foreign(diagnosis: &Diagnosis) -> bool {
    matches!((&diagnosis.principal.account_id, &diagnosis.account_id), (Some(theirs), Some(ours)) if theirs != ours)
}

/// From where, and with what client.
pub fn client(notice: &Notice<'_>) -> String {
    let mut line = String::with_capacity(128);
    let call = notice.call;
    let _ = write!(line, "from {}", fact(call.source_ip.as_deref(), escape::SHORT));
    if let Some(endpoint) = &call.vpc_endpoint_id {
        let _ = write!(line, " through VPC endpoint {}", shown(endpoint, escape::SHORT));
    }
    match call.user_agent.as_deref() {
        Some(agent) if !agent.trim().is_empty() => {
            let _ = write!(line, ", with a client that calls itself {}", shown(agent, escape::AGENT));
        }
        _ => line.push_str("; the client is not in the record"),
    }
    line
}

/// The action's level and risk, in parentheses; empty where neither is known.
pub fn level(diagnosis: &Diagnosis) -> String {
    let level = diagnosis.access_level.map(|level| match level {
        AccessLevel::List => "List",
        AccessLevel::Read => "Read",
        AccessLevel::Write => "Write",
        AccessLevel::Tagging => "Tagging",
        AccessLevel::PermissionsManagement => "Permissions management",
    });
    match (level, diagnosis.risk.map(words::risk_in_words)) {
        (Some(level), Some(risk)) => format!("access level {level}; {risk}"),
        (Some(level), None) => format!("access level {level}"),
        (None, Some(risk)) => risk.to_owned(),
        (None, None) => String::new(),
    }
}

/// The rule's own words as a sentence.
pub fn rule_sentence(diagnosis: &Diagnosis) -> String {
    sentence(diagnosis.rule.title())
}

/// Which kind of policy decided, as far as AWS said it.
pub fn why(notice: &Notice<'_>) -> String {
    let diagnosis = notice.diagnosis;
    let mut line = match diagnosis.response {
        // What is ignored was often no denial at all: then there is no cause to speak of, only the rule's own reason.
        Response::Ignore => rule_sentence(diagnosis),
        _ if diagnosis.cause.effect == Effect::Unknown && diagnosis.cause.policy_type.is_none() => unexplained(notice),
        _ => cause(&diagnosis.cause),
    };
    if let Some(arn) = &diagnosis.cause.policy_arn {
        let _ = write!(line, " The policy is {}.", shown(arn, escape::ARN));
    }
    if let Some(code) = &notice.call.error_code {
        let _ = write!(line, " Error code: {}.", shown(code, escape::SHORT));
    }
    line
}

/// Why, where AWS names no policy: what the rule knows, and whether the sentence could have said more.
fn unexplained(notice: &Notice<'_>) -> String {
    let diagnosis = notice.diagnosis;
    if diagnosis.scenario == Some(Scenario::Delivery) {
        return "The caller was allowed to call. CloudTrail could not use what the call points it to: the policy of a \
                bucket, topic, key or role keeps CloudTrail out."
            .to_owned();
    }
    let mut line = rule_sentence(diagnosis);
    // An exception of CloudTrail's own says by its name what is wrong; a plain denial leaves that to the sentence.
    let is_plain = |code: &String| code.contains("AccessDenied") || code.ends_with("UnauthorizedOperation");
    if notice.call.error_code.as_ref().is_none_or(is_plain) {
        line.push_str(match notice.call.error_message.as_deref().map(str::trim) {
            Some("") | None => " Which kind of policy decided is not known.",
            Some(_) => " AWS's sentence gives no reason: which kind of policy decided is not known from it.",
        });
    }
    line
}

fn cause(cause: &Cause) -> String {
    match (cause.effect, cause.policy_type.map(words::policy_type)) {
        (Effect::ImplicitDeny, Some(kind)) => {
            format!("A permission is missing: no {kind} allows the action. AWS calls this an implicit deny.")
        }
        (Effect::ImplicitDeny, None) => {
            "A permission is missing (an implicit deny), but AWS's sentence does not say in which kind of policy."
                .to_owned()
        }
        (Effect::ExplicitDeny, Some(kind)) => format!(
            "A statement forbids it, in a{} {kind}. AWS calls this an explicit deny: no other permission outweighs it.",
            article(cause.policy_type)
        ),
        (Effect::ExplicitDeny, None) => {
            "A statement forbids it (an explicit deny), but AWS's sentence does not say in which kind of policy."
                .to_owned()
        }
        (Effect::Unknown, Some(kind)) => {
            format!(
                "A{} {kind} refused it. AWS does not say whether it denies or only does not allow.",
                article(cause.policy_type)
            )
        }
        (Effect::Unknown, None) => "AWS names no kind of policy.".to_owned(),
    }
}

fn article(policy_type: Option<PolicyType>) -> &'static str {
    if policy_type == Some(PolicyType::IdentityBasedPolicy) { "n" } else { "" }
}

/// A cause in a few words, for a row of a list; `None` where AWS said nothing of one.
pub fn cause_short(cause: &Cause) -> Option<String> {
    match (cause.policy_type, cause.effect) {
        (None, Effect::Unknown) => None,
        (Some(kind), effect) => Some(format!("{}, {}", words::policy_type_short(kind), words::effect(effect))),
        (None, effect) => Some(words::effect(effect).to_owned()),
    }
}

/// A remedy as an order: `Add this inline policy to IAM user mateojackson`.
pub fn order(remedy: &Remedy) -> String {
    let (what, to) = words::remedy(remedy.kind, remedy.policy.is_some());
    let mut line = String::with_capacity(96);
    let _ = match (&remedy.policy_arn, remedy.kind, remedy.target.kind) {
        (Some(arn), RemedyKind::AttachManagedPolicy | RemedyKind::ChangePermissionSet, _) => {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            write!(line, "Attach the managed policy {} to ", shown(name, escape::NAME))
        }
        (_, RemedyKind::CreateCrossAccountRole, TargetKind::Role) => {
            line.push_str("Create, for the outside caller to assume, ");
            Ok(())
        }
        (_, RemedyKind::CreateCrossAccountRole, _) if remedy.reach == Reach::Nobody => {
            line.push_str("Let nobody in without a signature; whoever needs this gets a role, in ");
            Ok(())
        }
        // Where the policy itself is the target, nothing leads over to whose it is.
        (_, _, TargetKind::Policy) => write!(line, "{what}: "),
        _ => write!(line, "{what} {to} "),
    };
    let name = shown(&remedy.target.name, escape::NAME);
    let _ = match remedy.target.kind {
        // "the organization", "the management account": a description where the record gives no id.
        TargetKind::Organization if !remedy.target.name.contains('-') => write!(line, "the {name}"),
        kind => write!(line, "{} {name}", words::target_kind(kind)),
    };
    line
}

/// Why a remedy mends it, as a sentence of its own.
pub fn reason(remedy: &Remedy) -> String {
    shown(&sentence(&remedy.why), escape::SENTENCE).to_string()
}

/// A clause as a sentence: a capital at its beginning, a full stop at its end.
fn sentence(clause: &str) -> String {
    let mut whole = String::with_capacity(clause.len() + 1);
    whole.push_str(clause);
    if let Some(first) = whole.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !whole.ends_with(['.', '!', '?']) {
        whole.push('.');
    }
    whole
}

/// Whom a remedy reaches and how dangerous it is.
pub fn reach_and_risk(remedy: &Remedy) -> String {
    format!("Reaches {}. Risk {}.", words::reach(remedy.reach), words::risk_in_words(remedy.risk))
}

/// An alarm's first steps: what somebody does who has just been woken.
pub fn checks(diagnosis: &Diagnosis) -> Vec<String> {
    let principal = &diagnosis.principal;
    let who = subject(principal);
    let mut steps = Vec::with_capacity(4);
    if is_quarantined(&diagnosis.cause) {
        steps.push("Replace the access key now: AWS has quarantined it, because it was found in public.".to_owned());
    }
    steps.push(match principal.kind {
        PrincipalKind::AwsService | PrincipalKind::ServiceLinkedRole => {
            format!("Find out for which of your resources {who} made this call, and who set that up.")
        }
        PrincipalKind::Anonymous | PrincipalKind::Unknown => {
            "Find out where the request came from: nothing in the record proves who made it.".to_owned()
        }
        PrincipalKind::RoleSession => {
            format!("Ask whoever uses {who}, by a way you already trust, whether they made this call.")
        }
        _ => format!("Ask the person behind {who}, by a way you already trust, whether they made this call."),
    });
    steps.push(
        "Look at what else the same credentials did today, in every Region, and whether every trail is still logging."
            .to_owned(),
    );
    steps.push(format!("If nobody can explain it, treat the credentials as stolen: {}.", shut_out(principal.kind)));
    steps
}

fn is_quarantined(cause: &Cause) -> bool {
    cause.policy_arn.as_deref().is_some_and(|arn| arn.contains("/AWSCompromisedKeyQuarantine"))
}

fn shut_out(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "change the root user's password, delete its access keys and check its MFA device",
        PrincipalKind::IamUser | PrincipalKind::FederatedUser => "deactivate the user's access keys and its password",
        PrincipalKind::RoleSession => "revoke the role's active sessions, then look at who may assume it",
        PrincipalKind::SsoSession | PrincipalKind::IdentityCenterUser => {
            "disable the user in IAM Identity Center and revoke the role's active sessions"
        }
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => "disable the user at the identity provider",
        PrincipalKind::ServiceLinkedRole | PrincipalKind::AwsService => "find out which resource made the service call",
        PrincipalKind::AwsAccount => "end that account's access, and tell its owner",
        PrincipalKind::Anonymous | PrincipalKind::Unknown => "find out what lets such callers reach this account",
    }
}

/// What must be said so that nobody expects too much of the fix.
pub fn caveats(notice: &Notice<'_>) -> Vec<&'static str> {
    let diagnosis = notice.diagnosis;
    let mut caveats = Vec::with_capacity(3);
    if matches!(diagnosis.response, Response::Ignore | Response::RaiseAlarm) {
        return caveats;
    }
    if notice.grant_mode == GrantMode::None && diagnosis.remedies.iter().any(|remedy| remedy.grantable) {
        caveats.push("With grants switched on, this one could be approved for a few hours instead.");
    }
    if diagnosis.cause.policy_type.is_some() {
        caveats.push("AWS names one kind of policy even where several refuse: after the fix, the next one may show.");
    }
    if diagnosis.remedies.first().is_some_and(|best| best.kind != RemedyKind::UseHomeRegionOrOwner) {
        caveats.push("A change of a policy takes seconds to minutes to take effect everywhere.");
    }
    caveats
}

/// Where to see what was cut.
pub fn whole_at(notice: &Notice<'_>) -> &'static str {
    match notice.case.as_ref().and_then(|case| case.page_url).and_then(escape::web_url) {
        Some(_) => "the case's page shows it whole",
        None => "trailpass explain --format html shows it whole",
    }
}

/// How often and when, for a case of more than one denial.
pub fn counter(notice: &Notice<'_>) -> Option<String> {
    let case = notice.case.as_ref().filter(|case| case.count > 1)?;
    Some(format!("{} times, last {}", case.count, escape::clock(case.last_seen, case.first_seen)))
}

/// A bounded list of values, with how many were left out.
pub fn list(values: &[String], most: usize) -> String {
    let mut line = String::new();
    for (index, value) in values.iter().take(most).enumerate() {
        let _ = write!(line, "{}{}", if index > 0 { ", " } else { "" }, shown(value, escape::NAME));
    }
    if values.len() > most {
        let _ = write!(line, " and {} more", values.len() - most);
    }
    line
}

fn capitalise(mut line: String) -> String {
    // Only our own words begin with a small letter here that may grow: an action's spelling is left alone.
    let is_ours = ["the ", "an ", "a ", "role ", "web ", "federated ", "service-", "principal ", "caller "]
        .iter()
        .any(|ours| line.starts_with(ours));
    if let Some(first) = line.get_mut(..1).filter(|_| is_ours) {
        first.make_ascii_uppercase();
    }
    line
}
