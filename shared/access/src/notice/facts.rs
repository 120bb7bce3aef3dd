//! What is known, in sentences that every way of writing shares.
//!
//! Each comes out plain and already visible (see `escape`): a way of writing only encodes it for its place. What AWS
//! did not say is said to be unknown, and what a caller chose (a session's name, a client's name) is said to be chosen.

use std::fmt::Write;

use super::{
    Notice,
    escape::{self, shown},
    words,
};
use crate::{
    diagnosis::{AccessLevel, Cause, Diagnosis, Effect, PolicyType, Response, Scenario},
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
        _ if diagnosis.rule.is_of_success() => write!(line, "{who} called {action}, and it succeeded"),
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
        // Identity Center names its sessions itself; everywhere else whoever assumes the role may choose the name.
        if principal.kind == PrincipalKind::RoleSession {
            line.push_str(", an unverified name");
        }
    }
    line
}

/// The caller belongs to another account than the call.
pub fn is_foreign(diagnosis: &Diagnosis) -> bool {
    matches!((&diagnosis.principal.account_id, &diagnosis.account_id), (Some(theirs), Some(ours)) if theirs != ours)
}

/// From where, and with what client.
pub fn client(notice: &Notice<'_>) -> String {
    let mut line = String::with_capacity(128);
    let call = notice.call;
    let is_absent = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    if is_absent(&call.source_ip) && is_absent(&call.user_agent) && call.vpc_endpoint_id.is_none() {
        return format!("from where and with what client is {}", words::ABSENT);
    }
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

/// What the request would have set, as far as a person has to see it; `None` where it says nothing of it.
pub fn settings(notice: &Notice<'_>) -> Option<String> {
    let settings = &notice.call.settings;
    let mut line = String::with_capacity(if settings.is_empty() { 0 } else { 128 });
    for (name, value) in settings {
        let _ = write!(line, "{}{name}: {}", if line.is_empty() { "" } else { "; " }, shown(value, escape::NAME));
    }
    (!line.is_empty()).then_some(line)
}

/// What was looked up, as it may be shown: a sentence for each question.
pub fn evidence(notice: &Notice<'_>) -> Vec<String> {
    let found = notice.case.iter().flat_map(|case| &case.evidence);
    found.map(|sentence| shown(sentence, escape::SENTENCE).to_string()).collect()
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
        _ if diagnosis.rule.is_of_success() => format!("Nobody was refused: {}.", diagnosis.rule.title()),
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
        return format!(
            "The caller was allowed to call. CloudTrail itself could not go on: {}.",
            diagnosis.rule.title()
        );
    }
    // An exception of CloudTrail's own says by its name what is wrong; a plain denial leaves that to the sentence.
    let is_plain = |code: &String| code.contains("AccessDenied") || code.ends_with("UnauthorizedOperation");
    let is_plain = notice.call.error_code.as_ref().is_none_or(is_plain);
    // An alarm's rule says why it is loud, not why AWS refused.
    let is_alarm = diagnosis.response == Response::RaiseAlarm;
    let mut line = match (is_alarm, is_plain) {
        (true, true) => String::new(),
        (true, false) => "AWS gave its reason as an error of its own.".to_owned(),
        (false, _) => rule_sentence(diagnosis),
    };
    if is_plain {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(match notice.call.error_message.as_deref().map(str::trim) {
            Some("") | None => "Which kind of policy decided is not known.",
            Some(_) => "Which kind of policy decided can't be told from its sentence.",
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

/// A clause as a sentence: a capital at its beginning, a full stop at its end.
pub fn sentence(clause: &str) -> String {
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
