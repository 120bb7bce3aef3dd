//! Giving CloudTrail to somebody else: an administrator who may not, and people of another account.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{account_target, allow, by_hand, ceilings, literal_resource, own, partition, read_only_access};
use crate::{
    action::{self, ResourceType},
    arn::{Arn, is_account_id, is_iam_name, is_literal},
    classify::Rule,
    denial::Denial,
    diagnosis::{Effect, PolicyType, Reach, Remedy, RemedyKind, Risk, Target, TargetKind},
    framing::framed,
    grant::hex,
    policy_document::{PolicyDocument, Statement, Trustee},
    scope,
};

/// Anybody can be refused by this account, and so have a notice written.
const STRANGER: &str = "If you don't know that account, do nothing: anybody can send a request that is refused";

/// The fix that the refused administrator was after, for somebody with the right to make it.
pub(super) fn allow_others(denial: &Denial) -> Vec<Remedy> {
    let warning = "somebody with the right to has to run it, after asking who wants this and why: a caller without any rights can \
                   produce such a refusal for an accomplice";
    let Some((target, reach)) = entity(denial) else {
        return vec![by_hand(
            denial,
            RemedyKind::AttachManagedPolicy,
            Reach::OneUser,
            account_target(denial),
            format!("the record does not say for whom the policy was meant; {warning}"),
        )];
    };
    let attach = |arn: String, risk, why: String| {
        by_hand(denial, RemedyKind::AttachManagedPolicy, reach, target.clone(), why).with_managed_policy(arn, risk)
    };
    let mut remedies = Vec::new();
    if let Some(policy) = requested_policy(denial) {
        let why = format!(
            "what the refused policy allows of CloudTrail, as far as it neither tampers nor hangs on conditions; {warning}"
        );
        remedies.push(by_hand(denial, RemedyKind::PutInlinePolicy, reach, target.clone(), why).with_policy(policy));
    }
    // A document that denies, or allows only under conditions, is not answered with permissions that nobody asked for.
    let has_document =
        denial.record.request_parameters.as_ref().is_some_and(|parameters| parameters.get("policyDocument").is_some());
    if !has_document || !remedies.is_empty() {
        remedies.push(attach(
            read_only_access(denial),
            Risk::Sensitive,
            format!("reads CloudTrail and changes nothing; {warning}"),
        ));
    }
    let full = format!("arn:{}:iam::aws:policy/AWSCloudTrail_FullAccess", partition(denial));
    if denial.record.parameter("policyArn") == Some(&full) {
        remedies.push(attach(
            full,
            Risk::Tampering,
            format!("what was asked for: it can stop and delete every trail, so give it to nobody who only has to read; {warning}"),
        ));
    }
    remedies
}

/// The user, role or group that was to get the policy.
fn entity(denial: &Denial) -> Option<(Target, Reach)> {
    let (kind, name) = scope::entity_named(denial).filter(|(_, name)| is_iam_name(name))?;
    let (kind, reach) = match kind {
        "user" => (TargetKind::User, Reach::OneUser),
        "role" => (TargetKind::Role, Reach::AllSessions),
        "group" => (TargetKind::Group, Reach::AllMembers),
        _ => return None,
    };
    let arn = denial.resource_arn().and_then(|arn| arn.entity()).and_then(|_| denial.resource.clone());
    Some((Target { kind, name: name.to_owned(), arn }, reach))
}

/// The harmless part of the policy that somebody tried to write: what its plain `Allow` statements say of CloudTrail, action by
/// action, on what they name. A statement with a condition, with `NotAction`, or on a pattern would come out wider than it was
/// meant, so it is left out, as is everything that is another service's.
fn requested_policy(denial: &Denial) -> Option<PolicyDocument> {
    let document = match denial.record.request_parameters.as_ref()?.get("policyDocument")? {
        Value::String(text) => serde_json::from_str(&percent_decoded(text)).ok()?,
        object => object.clone(),
    };
    let wanted = match document.get("Statement")? {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    };
    // What a `Deny` beside them takes away again, the others alone would give.
    if wanted.len() > 10 || wanted.iter().any(|statement| statement.get("Effect") != Some(&Value::from("Allow"))) {
        return None;
    }
    let mut statements: Vec<Statement> = Vec::new();
    for statement in wanted.into_iter().filter_map(harmless_part) {
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    (!statements.is_empty()).then_some(PolicyDocument { statements })
}

fn harmless_part(statement: &Value) -> Option<Statement> {
    const MEMBERS: [&str; 4] = ["Sid", "Effect", "Action", "Resource"];
    let is_plain = statement.as_object()?.keys().all(|member| MEMBERS.contains(&member.as_str()));
    if !is_plain || statement.get("Effect")? != "Allow" {
        return None;
    }
    let actions: BTreeSet<&str> = texts(statement.get("Action")?)?
        .into_iter()
        .filter_map(action::find)
        .filter(|known| known.risk != Risk::Tampering && !known.creates_lake_resource())
        .map(|known| known.name)
        .collect();
    let resources = texts(statement.get("Resource")?)?;
    let is_named = |text: &&str| {
        *text == "*" || is_literal(text) && Arn::parse(text).and_then(|arn| ResourceType::of(&arn)).is_some()
    };
    if actions.is_empty() || resources.is_empty() || !resources.iter().all(is_named) {
        return None;
    }
    Some(Statement {
        actions: actions.into_iter().map(str::to_owned).collect(),
        resources: resources.into_iter().map(str::to_owned).collect(),
        ..Statement::default()
    })
}

/// One text or a list of them, as IAM takes both; at most a hundred.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) if many.len() <= 100 => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Some records hold the document percent-encoded. Only ASCII matters here: no action holds anything else.
fn percent_decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        decoded.push_str(before);
        let byte = behind.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        match byte {
            Some(byte) => decoded.push(char::from(byte)),
            None => decoded.push('%'),
        }
        rest = if byte.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    decoded + rest
}

/// What this account can do for people of another one; their own side is said in the reason.
pub(super) fn outside_account(denial: &Denial, rule: Rule) -> Vec<Remedy> {
    let here = denial.place.account_id.as_deref();
    let is_ours = denial.owner.as_deref().is_none_or(|owner| Some(owner) == here);
    match rule {
        // Nobody is named who could be let in, and the log must never be public.
        Rule::Anonymous => Vec::new(),
        Rule::NotYetASession => vec![by_hand(
            denial,
            RemedyKind::ChangeTrustPolicy,
            Reach::EveryoneUnderPolicy,
            if is_ours { ceilings::resource(denial) } else { owner(denial) },
            "people of an identity provider come in through a role whose trust policy names that provider: check the role, the \
             provider and the conditions (audience, subject)",
        )],
        _ if !is_ours => elsewhere(denial),
        _ => match denial.resource_arn().and_then(|arn| ResourceType::of(&arn)) {
            Some((ResourceType::Trail, _)) | None => vec![by_role(denial)],
            Some(_) => vec![by_resource_policy(denial)],
        },
    }
}

/// The resource belongs to another account: only its owner can let the caller in.
fn elsewhere(denial: &Denial) -> Vec<Remedy> {
    let is_trail = denial.resource_arn().is_some_and(|arn| arn.resource.starts_with("trail/"));
    if is_trail {
        let home = ceilings::use_home(denial);
        // A member account sees its organization's trail by its whole ARN, if the caller's own policy lets it.
        // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
        let is_look = denial.known.is_some_and(|known| known.is_read());
        let look = own_side(denial).filter(|_| is_look).map(|mut policy| {
            policy.why.push_str(
                "; it helps only if the trail is this account's own organization's, which its members may look at by the \
                 whole ARN: the trail of any other account shows itself to nobody here",
            );
            policy
        });
        return look.into_iter().chain([home]).collect();
    }
    let (kind, why) = match denial.resource_arn().and_then(|arn| ResourceType::of(&arn)) {
        _ if denial.service() == "sts" => (
            RemedyKind::ChangeTrustPolicy,
            "the role is another account's: its owner has to name the caller or its account in the role's trust policy (with an \
             ExternalId for a third party), and the caller's own policy has to allow sts:AssumeRole on it",
        ),
        Some((ResourceType::EventDataStore | ResourceType::Channel | ResourceType::Dashboard, _)) => (
            RemedyKind::PutResourcePolicy,
            "the resource belongs to another account: its owner has to let the caller in by the resource's own policy, and this \
             account has to allow the caller the call, too",
        ),
        _ => (
            RemedyKind::CreateCrossAccountRole,
            "the resource belongs to another account: its owner has to let this account in (a role to assume, or the resource's own \
             policy), and this account has to allow the caller the call, too",
        ),
    };
    let theirs = by_hand(denial, kind, Reach::OtherAccount, owner(denial), why);
    let ours = own_side(denial).map(|mut policy| {
        policy.why.push_str("; this is this account's half, and the owner has to let the caller in as well");
        policy
    });
    ours.into_iter().chain([theirs]).collect()
}

/// What the caller's own account has to allow, where AWS says that this is what is missing.
fn own_side(denial: &Denial) -> Option<Remedy> {
    let is_ours = denial.cause.effect == Effect::ImplicitDeny
        && denial.cause.policy_type == Some(PolicyType::IdentityBasedPolicy)
        && denial.caller.principal.account_id.is_some()
        && denial.caller.principal.account_id == denial.place.account_id;
    own::lasting_policy(denial).filter(|_| is_ours)
}

/// The account that the resource belongs to.
fn owner(denial: &Denial) -> Target {
    let name = denial.owner.as_deref().unwrap_or("unknown").to_owned();
    Target { kind: TargetKind::Account, name, arn: None }
}

/// A role that the other account's people assume, as AWS's page on sharing log files says.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-sharing-logs.html>
fn by_role(denial: &Denial) -> Remedy {
    let partition = partition(denial);
    let account = denial.caller.principal.account_id.as_deref().filter(|id| is_account_id(id));
    // One role for each account that is let in: each can be taken back by itself.
    let role = account.map_or("TrailpassCloudTrailReader".to_owned(), |id| format!("TrailpassCloudTrailReader-{id}"));
    let why = format!(
        "a role in this account that the other account may assume; a trail takes no policy of its own. The other account has to \
         allow its caller sts:AssumeRole on it, and to send the ExternalId of the trust (one that a third party chose for you takes \
         its place; only for an account of your own leave the condition out: the console can't send one). {STRANGER}"
    );
    if denial.service() == "sts" {
        return by_hand(
            denial,
            RemedyKind::ChangeTrustPolicy,
            Reach::OtherAccount,
            ceilings::resource(denial),
            "the role's trust policy has to name the caller or its account (with an ExternalId for a third party), and the \
             caller's own account has to allow it sts:AssumeRole",
        );
    }
    let here = denial.place.account_id.as_deref();
    let arn = here.map(|here| format!("arn:{partition}:iam::{here}:role/{role}"));
    let target = Target { kind: TargetKind::Role, name: role, arn };
    let remedy = by_hand(denial, RemedyKind::CreateCrossAccountRole, Reach::OtherAccount, target, why);
    let (Some(account), Some(read)) = (account, what_to_read(denial)) else { return remedy };
    let trust = Statement {
        sid: Some("LetTheOtherAccountIn".to_owned()),
        trustee: Some(Trustee::Aws(format!("arn:{partition}:iam::{account}:root"))),
        actions: vec!["sts:AssumeRole".to_owned()],
        ..Statement::default()
    }
    .when("StringEquals", "sts:ExternalId", &external_id(here, account, &read));
    let mut statements = vec![trust];
    statements.extend(read);
    remedy.with_policy(PolicyDocument { statements })
}

/// A third party serves many, and must not be led to this role by another of its customers: what it has to send is this account's and
/// this role's alone. It is no secret.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>
fn external_id(here: Option<&str>, account: &str, read: &[Statement]) -> String {
    let resources = read.iter().flat_map(|statement| &statement.resources).map(|resource| Some(resource.as_str()));
    let mut hash = Sha256::new();
    framed([here, Some(account)].into_iter().chain(resources), |bytes| hash.update(bytes));
    let digits = hex(&hash.finalize());
    format!("trailpass-{}", digits.get(..24).unwrap_or_default())
}

/// The refused read and nothing else; for log files, CloudTrail's files of the refused key's account. Other services keep
/// theirs beside them: <https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-policy.html>
fn what_to_read(denial: &Denial) -> Option<Vec<Statement>> {
    let action = denial.action.as_deref().filter(|a| own::is_policy_action(a))?;
    let resource = literal_resource(denial)?;
    if denial.service() == "s3" {
        let files = log_files(Arn::parse(resource)?.resource).filter(|_| scope::is_log_reading(denial))?;
        let (bucket, prefix) = files.split_once('/')?;
        let partition = partition(denial);
        let list = allow("ListLogFiles", &["s3:ListBucket"], &format!("arn:{partition}:s3:::{bucket}")).when(
            "StringLike",
            "s3:prefix",
            &format!("{prefix}/CloudTrail*/*"),
        );
        let read = format!("arn:{partition}:s3:::{files}/CloudTrail*/*");
        return Some(vec![allow("ReadLogFiles", &["s3:GetObject"], &read), list]);
    }
    let is_harmless = denial.known.is_some_and(|known| known.is_read());
    is_harmless.then(|| vec![allow("ReadCloudTrail", &[action], resource)])
}

/// `bucket/[prefix/]AWSLogs/[o-…/]ACCOUNT`, where a path leads into the log files of one account.
fn log_files(path: &str) -> Option<&str> {
    let behind = path.match_indices("/AWSLogs/").map(|(at, word)| at + word.len());
    behind
        .filter_map(|at| {
            let mut parts = path.get(at..)?.split('/');
            let first = parts.next()?;
            let organization = first.starts_with("o-").then_some(first);
            let account = if organization.is_some() { parts.next()? } else { first };
            let length = organization.map_or(0, |id| id.len() + 1) + account.len();
            let is_trails = parts.next().is_some_and(|part| part.starts_with("CloudTrail"));
            (is_account_id(account) && is_trails).then(|| path.get(..at + length))?
        })
        .next()
}

/// Event data stores, channels and dashboards take a policy of their own; trails don't.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_resource-based-policy-examples.html>
fn by_resource_policy(denial: &Denial) -> Remedy {
    let target = ceilings::resource(denial);
    let why = format!(
        "the resource's own policy has to let the other account's caller in, and that account has to allow its caller the same \
         action. {STRANGER}"
    );
    let remedy = by_hand(denial, RemedyKind::PutResourcePolicy, Reach::OtherAccount, target, why);
    let principal = &denial.caller.principal;
    let trustee = principal.arn.clone().or_else(|| {
        let account = principal.account_id.as_deref()?;
        Some(format!("arn:{}:iam::{account}:root", partition(denial)))
    });
    let is_supported = denial.known.is_some_and(|known| {
        matches!(
            action::operation(known.name),
            "StartQuery"
                | "CancelQuery"
                | "ListQueries"
                | "DescribeQuery"
                | "GetQueryResults"
                | "GenerateQuery"
                | "GenerateQueryResultsSummary"
                | "GetEventDataStore"
                | "PutAuditEvents"
                | "StartDashboardRefresh"
        )
    });
    let (Some(trustee), Some(resource), Some(known), true) =
        (trustee, literal_resource(denial), denial.known, is_supported)
    else {
        return remedy;
    };
    let mut statement = allow("TrailpassOtherAccount", &[known.name], resource);
    statement.trustee = Some(Trustee::Aws(trustee));
    remedy.with_policy(PolicyDocument::of(statement))
}
