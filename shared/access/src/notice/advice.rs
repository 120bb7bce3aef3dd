//! What to do, in sentences that every way of writing shares: a remedy as an order, an alarm's first steps, the caveats.
//!
//! Plain and already visible, like everything in `facts`. An order names what is changed and on what; whom it reaches and
//! how dangerous it is always follow it, since the wider remedy is often the more dangerous one.

use std::fmt::Write;

use super::{
    Notice,
    escape::{self, shown},
    facts, words,
};
use crate::{
    classify::Rule,
    diagnosis::{Cause, Diagnosis, Effect, Reach, Remedy, RemedyKind, Response, TargetKind},
    grant::GrantMode,
    principal::PrincipalKind,
};

/// What is asked of the reader, as a badge.
pub fn badge(diagnosis: &Diagnosis) -> &'static str {
    if has_no_fix(diagnosis) { "Refused" } else { words::badge(diagnosis.response) }
}

/// The same in capitals, as the first words of a headline.
pub fn shout(diagnosis: &Diagnosis) -> &'static str {
    if has_no_fix(diagnosis) { "REFUSED" } else { words::shout(diagnosis.response) }
}

/// What happens now, by itself.
pub fn what_happens(diagnosis: &Diagnosis, is_case: bool) -> &'static str {
    if diagnosis.rule.is_of_success() {
        return "The security audience is told. If it was meant, nothing is to be done.";
    }
    if has_no_fix(diagnosis) { "Nothing." } else { words::what_happens(diagnosis.response, is_case) }
}

fn has_no_fix(diagnosis: &Diagnosis) -> bool {
    diagnosis.response == Response::SuggestFix && diagnosis.remedies.is_empty()
}

/// What stands in a fix's place.
pub fn no_fix(diagnosis: &Diagnosis) -> &'static str {
    if diagnosis.rule == Rule::StoredLog {
        "None is given: neither reading the log nor setting a trail up takes this, and among what they don't take is all that \
         removes a log, overwrites it, hands it on or changes who may. If it was meant, whoever answers for the log does it, and \
         not from a notice."
    } else if diagnosis.principal.kind == PrincipalKind::Anonymous {
        "None is needed: nobody signed the request, and a log is never opened to everybody. Whoever needs it signs in, and is \
         then told what is missing."
    } else {
        "Trailpass knows none for this: read AWS's sentence and the documentation below."
    }
}

/// AWS's own words, where the reader has to go by them: no reason was found in them, or there is no fix.
pub fn sentence<'a>(notice: &Notice<'a>) -> Option<&'a str> {
    let diagnosis = notice.diagnosis;
    let is_needed = diagnosis.cause.effect == Effect::Unknown || has_no_fix(diagnosis);
    notice
        .call
        .error_message
        .as_deref()
        .filter(|text| is_needed && diagnosis.response != Response::Ignore && !text.trim().is_empty())
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
        // They are the organization's, and stand over the account.
        (_, RemedyKind::ChangeServiceControlPolicy | RemedyKind::ChangeResourceControlPolicy, TargetKind::Account) => {
            write!(line, "{what} over ")
        }
        // Where the policy itself is the target, nothing leads over to whose it is.
        (_, _, TargetKind::Policy) => write!(line, "{what}: "),
        _ => write!(line, "{what} {to} "),
    };
    let name = shown(&remedy.target.name, escape::NAME);
    let _ = match remedy.target.kind {
        // "the organization", "the management account": a description where the record gives no id.
        TargetKind::Organization if remedy.kind == RemedyKind::UseHomeRegionOrOwner => {
            write!(line, "the organization's management account")
        }
        TargetKind::Organization if !remedy.target.name.contains('-') => write!(line, "the {name}"),
        TargetKind::Account => write!(line, "{}account {name}", words::somewhere_in(remedy.kind)),
        kind => write!(line, "{} {name}", words::target_kind(kind)),
    };
    line
}

/// Why a remedy mends it, as a sentence of its own.
pub fn reason(remedy: &Remedy) -> String {
    shown(&facts::sentence(&remedy.why), escape::SENTENCE).to_string()
}

/// Whom a remedy reaches and how dangerous it is.
pub fn reach_and_risk(remedy: &Remedy) -> String {
    if remedy.reach == Reach::Nobody {
        return format!("Reaches {}.", words::reach(remedy.reach));
    }
    format!("Reaches {}. Risk {}.", words::reach(remedy.reach), words::risk_in_words(remedy.risk))
}

/// An alarm's first steps: what somebody does who has just been woken.
pub fn checks(diagnosis: &Diagnosis) -> Vec<String> {
    let principal = &diagnosis.principal;
    let who = facts::subject(principal);
    let mut steps = Vec::with_capacity(4);
    if is_quarantined(&diagnosis.cause) {
        steps.push("Replace the access key now: AWS has quarantined it, because it was found in public.".to_owned());
    }
    match diagnosis.rule {
        Rule::LogBlinded => steps.push(
            "Look at the trail now: does it still log, all that it should, to where it should? If nobody meant this, set it back first \
             (start its logging, put its selectors back, or make it anew)."
                .to_owned(),
        ),
        Rule::ResponderBlinded => steps.push(
            "Look at the rule and its targets now: until they are as the stack's template says (run a drift detection, or update the \
             stack), refusals may not reach this responder."
                .to_owned(),
        ),
        _ => {}
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
    steps.push(format!(
        "If nobody can explain it, {}.",
        otherwise(if facts::is_foreign(diagnosis) { PrincipalKind::AwsAccount } else { principal.kind })
    ));
    steps
}

fn is_quarantined(cause: &Cause) -> bool {
    cause.policy_arn.as_deref().is_some_and(|arn| arn.contains("/AWSCompromisedKeyQuarantine"))
}

fn otherwise(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => {
            "treat the credentials as stolen: change the root user's password, delete its access keys and check its MFA \
             device"
        }
        PrincipalKind::IamUser | PrincipalKind::FederatedUser => {
            "treat the credentials as stolen: deactivate the user's access keys and its password"
        }
        PrincipalKind::RoleSession => {
            "treat the credentials as stolen: revoke the role's active sessions, then look at who may assume it"
        }
        PrincipalKind::SsoSession | PrincipalKind::IdentityCenterUser => {
            "treat the credentials as stolen: disable the user in IAM Identity Center and revoke the role's active sessions"
        }
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => {
            "treat the credentials as stolen: disable the user at the identity provider"
        }
        PrincipalKind::ServiceLinkedRole | PrincipalKind::AwsService => "stop that resource, and look at who set it up",
        PrincipalKind::AwsAccount => "end that account's access, and tell its owner",
        PrincipalKind::Anonymous | PrincipalKind::Unknown => "close the way by which such callers reach this account",
    }
}

/// What must be said so that nobody expects too much of the fix.
pub fn caveats(notice: &Notice<'_>) -> Vec<&'static str> {
    let diagnosis = notice.diagnosis;
    let mut caveats = Vec::with_capacity(3);
    if diagnosis.remedies.is_empty() || matches!(diagnosis.response, Response::Ignore | Response::RaiseAlarm) {
        return caveats;
    }
    if notice.grant_mode == GrantMode::None && diagnosis.remedies.iter().any(|remedy| remedy.grantable) {
        caveats.push("With grants switched on, this one could be approved for a few hours instead.");
    }
    let is_own = |remedy: &Remedy| remedy.policy_arn.is_some() && remedy.policy.is_some();
    if notice.case.is_none() && diagnosis.remedies.iter().any(is_own) {
        caveats.push("A policy whose name begins with trailpass- is there only where Trailpass's stack is deployed.");
    }
    if diagnosis.cause.policy_type.is_some() {
        caveats.push("AWS names one kind of policy even where several refuse: after the fix, the next one may show.");
    }
    if diagnosis.remedies.first().is_some_and(|best| best.kind != RemedyKind::UseHomeRegionOrOwner) {
        caveats.push("A change of a policy takes seconds to minutes to take effect everywhere.");
    }
    caveats
}
