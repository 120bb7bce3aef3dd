//! Every condition of an approval, broken on its own.
//!
//! Each break takes a record that may be granted and changes one thing, so that exactly one condition no longer holds. What was
//! a grant before must be none after it, in both grant modes that give any.

use access::{diagnose::diagnose_sentence, grant::GrantMode};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};
use tests::{actions, judge, sample::*};

use super::{
    cases,
    grantable::{Grantable, LAKE, grantable},
};

/// What is broken, and how; the word and the number choose between ways to break it.
type Break = (&'static str, fn(&Grantable, &str, Index) -> Value);

/// One of these, by the number.
fn one_of<'a>(of: &[&'a str], at: Index) -> &'a str {
    of[at.index(of.len())]
}

/// The record of this, with one part of it made differently.
fn but(from: &Grantable, change: impl FnOnce(&mut Grantable)) -> Value {
    let mut changed = from.clone();
    change(&mut changed);
    changed.record()
}

/// The record with another sentence.
fn saying(from: &Grantable, sentence: String) -> Value {
    with(from.record(), "/errorMessage", sentence)
}

/// The record on another resource; what the request says of it goes.
fn on(from: &Grantable, resource: &str) -> Value {
    let sentence = from.said_on(resource) + &from.reason("identity-based policy");
    with(saying(from, sentence), "/requestParameters", Value::Null)
}

/// A name that CloudTrail would not take for a trail.
fn illegal_name(word: &str, at: Index) -> String {
    match at.index(12) {
        0 => format!("{word}*"),
        1 => format!("{word}?"),
        2 => format!("${{aws:{word}}}"),
        3 => "ab".to_owned(),
        4 => format!("{word}{}", "a".repeat(128)),
        5 => format!("{word}..{word}"),
        6 => format!("-{word}"),
        7 => format!("{word}."),
        8 => "192.168.5.4".to_owned(),
        9 => format!("{word}\"{word}"),
        10 => format!("{word}<{word}>"),
        _ => format!("{word}/{word}"),
    }
}

/// The conditions, in the order of the contract.
#[rustfmt::skip]
const BREAKS: &[Break] = &[
    // Response is not alarm or ignore, scenario is not-authorized.
    ("the call succeeded", |g, _, _| without(g.record(), "/errorCode")),
    ("the error is no refusal", |g, _, at| with(g.record(), "/errorCode", one_of(&["ThrottlingException", "TrailNotFoundException", "ValidationException", "x"], at))),
    ("the credentials are quarantined", |g, _, _| saying(g, g.said_on(&g.resource_arn()) + " with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2")),
    ("the account may not, whatever its policies say", |g, _, at| with(g.record(), "/errorCode", one_of(&["OperationNotPermittedException", "NotOrganizationMasterAccountException", "CloudTrailAccessNotEnabledException"], at))),
    ("CloudTrail itself was refused", |g, _, at| with(g.record(), "/errorCode", one_of(&["InsufficientS3BucketPolicyException", "InsufficientEncryptionPolicyException", "NoManagementAccountSLRExistsException"], at))),
    ("another service's permission is missing", |g, _, at| with(g.record(), "/errorCode", one_of(&["InsufficientDependencyServiceAccessPermissionException", "InsufficientIAMAccessPermissionException"], at))),
    // The target is a user or role of this account.
    ("the call is another account's", |g, _, _| with(g.record(), "/recipientAccountId", "000000000000")),
    ("the account is not in the record", |g, _, _| without(g.record(), "/recipientAccountId")),
    ("the account is no account", |g, _, at| with(g.record(), "/recipientAccountId", one_of(&["", "1111", "11112222333x", "*"], at))),
    ("the caller belongs to another account", |g, _, _| { let mut other = g.clone(); other.account = "000000000000".to_owned(); let mut record = g.record(); record["userIdentity"] = other.identity(); record }),
    ("the caller is no user or role", |g, _, at| with(g.record(), "/userIdentity/type", one_of(&["Root", "FederatedUser", "Directory", "AWSAccount", "AWSService", "IdentityCenterUser", "SAMLUser", "WebIdentityUser", "Unknown", "iamuser", ""], at))),
    ("the caller has no type", |g, _, _| without(g.record(), "/userIdentity/type")),
    ("there is no caller", |g, _, _| without(g.record(), "/userIdentity")),
    // It can be edited.
    ("the role is Identity Center's", |g, _, at| but(g, |g| { g.is_role = true; g.name = "AWSReservedSSO_Readers_0123456789abcdef".to_owned(); g.path = one_of(&["/aws-reserved/sso.amazonaws.com/", "/aws-reserved/sso.amazonaws.com/eu-west-1/"], at).to_owned(); })),
    ("the role is reserved", |g, _, _| but(g, |g| { g.is_role = true; g.path = "/aws-reserved/other.amazonaws.com/".to_owned(); })),
    ("the role is a service's", |g, _, _| but(g, |g| { g.is_role = true; g.path = "/aws-service-role/config.amazonaws.com/".to_owned(); })),
    ("nothing says which role it was", |g, _, _| { let mut role = g.clone(); role.is_role = true; without(role.record(), "/userIdentity/sessionContext") }),
    ("nothing says which user it was", |g, _, _| { let mut user = g.clone(); user.is_role = false; without(user.record(), "/userIdentity/arn") }),
    ("nothing says which of its namesakes it was", |g, _, _| { let mut record = without(g.record(), "/userIdentity/principalId"); if let Some(issuer) = record.pointer_mut("/userIdentity/sessionContext/sessionIssuer") { issuer.as_object_mut().unwrap().remove("principalId"); } record }),
    // A session of a workload is not granted to.
    ("an instance calls", |g, _, at| but(g, |g| { g.is_role = true; g.session = one_of(&["i-0abcdef1234567890", "i-12345678"], at).to_owned(); })),
    ("the credentials were an instance's", |g, _, _| { let mut role = g.clone(); role.is_role = true; with(role.record(), "/userIdentity/sessionContext/ec2RoleDelivery", "2.0") }),
    ("the credentials were a function's", |g, _, _| { let mut role = g.clone(); role.is_role = true; with(role.record(), "/userIdentity/inScopeOf", json!({ "issuerType": "AWS::Lambda::Function" })) }),
    // The action is CloudTrail's, in the table, not tampering, and creates nothing of CloudTrail Lake.
    ("the action is another service's", |g, _, at| { let other = one_of(&["s3:GetObject", "iam:PassRole", "kms:Decrypt", "sts:AssumeRole", "config:DescribeConfigRules"], at); saying(g, g.sentence().replace(g.action, other)) }),
    ("the action is not in the table", |g, word, _| { let (service, _) = g.action.split_once(':').unwrap(); saying(g, g.sentence().replace(g.action, &format!("{service}:Frobnicate{word}"))) }),
    ("the action is a pattern", |g, _, at| saying(g, g.sentence().replace(g.action, one_of(&["cloudtrail:*", "cloudtrail:Get*", "cloudtrail-data:*"], at)))),
    ("the action tampers", |g, _, at| { let rows: Vec<_> = actions::of_risk("tampering").collect(); let row = rows[at.index(rows.len())]; but(g, |g| { g.action = row.0; g.resource_type = row.3.split(' ').next().unwrap(); g.is_old_form = false; }) }),
    ("the action makes something of CloudTrail Lake", |g, _, at| { let action = one_of(LAKE, at); let types = actions::find(action).unwrap().2; but(g, |g| { g.action = LAKE[at.index(LAKE.len())]; g.resource_type = types.split(' ').next().unwrap(); g.is_old_form = false; }) }),
    // The cause is an implicit deny in an identity-based policy, or the old form for a routine action.
    ("another kind of policy does not allow", |g, _, at| saying(g, g.said_on(&g.resource_arn()) + &g.reason(one_of(&["resource-based policy", "permissions boundary", "session policy", "service control policy", "resource control policy", "VPC endpoint policy", "role trust policy", "network-based policy"], at)))),
    ("a policy denies", |g, _, at| saying(g, g.said_on(&g.resource_arn()) + " with an explicit deny in a " + one_of(&["identity-based policy", "resource-based policy", "permissions boundary", "session policy", "service control policy", "resource control policy", "VPC endpoint policy", "network-based policy"], at))),
    ("something denies", |g, _, _| saying(g, g.said_on(&g.resource_arn()) + " with an explicit deny")),
    ("one of three reasons", |g, _, _| saying(g, g.said_on(&g.resource_arn()) + " because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access")),
    ("the endpoint refused", |g, _, _| with(g.record(), "/errorCode", "VpceAccessDenied")),
    ("another text", |g, word, at| saying(g, one_of(&["Access Denied", "User is not authorized", "because no identity-based policy allows it"], at).to_owned() + word)),
    ("no text", |g, _, _| without(g.record(), "/errorMessage")),
    ("cut", |g, _, at| { let whole = g.said_on(&g.resource_arn()) + &g.reason("identity-based policy"); let end = whole.len() - 1 - at.index(" because no identity-based policy allows the  action".len()); saying(g, whole[..end].to_owned() + if g.risk == "routine" { "…" } else { "" }) }),
    ("long enough to be cut", |g, _, _| { let mut long = g.said_on(&g.resource_arn()); long.insert_str("User: ".len(), &" ".repeat(1000)); saying(g, long) }),
    ("the old form of a sensitive action", |g, _, at| { let rows: Vec<_> = actions::of_risk("sensitive").collect(); let row = rows[at.index(rows.len())]; but(g, |g| { g.action = row.0; g.resource_type = row.3.split(' ').next().unwrap(); g.is_old_form = true; }) }),
    // One reason clause at most.
    ("two reasons", |g, _, at| saying(g, g.said_on(&g.resource_arn()) + &g.reason(one_of(&["session policy", "identity-based policy", "service control policy"], at)) + &g.reason("identity-based policy"))),
    ("a reason in the name, and AWS's own", |g, _, _| saying(g, g.said_on(&(g.resource_arn() + &g.reason("identity-based policy"))) + " with an explicit deny in a service control policy")),
    ("a reason in the name that the request shows", |g, _, _| { let name = format!("{}{}", g.resource, g.reason("identity-based policy")); let mut g = g.clone(); g.resource_type = "trail"; g.action = "cloudtrail:StartLogging"; let name = name.replace(&g.resource, "My-Trail"); g.resource = "My-Trail".to_owned(); let sentence = g.said_on(&g.resource_arn()) + &g.reason("identity-based policy"); with(saying(&g, sentence), "/requestParameters", json!({ "name": name })) }),
    // The sentence's principal does not contradict userIdentity.
    ("the sentence names another one", |g, word, _| { let mut other = g.clone(); other.name.push_str(word); saying(g, g.sentence().replacen(&g.signed(), &other.signed(), 1)) }),
    ("the sentence names another account", |g, _, _| saying(g, g.sentence().replacen(&g.account, "000000000000", 1))),
    ("the sentence names another partition", |g, _, _| saying(g, g.sentence().replacen(&format!("arn:{}:", g.place.0), if g.place.0 == "aws" { "arn:aws-cn:" } else { "arn:aws:" }, 1))),
    ("the sentence names another session", |g, word, _| { let mut g = g.clone(); g.is_role = true; saying(&g, g.sentence().replacen(&format!("/{} is", g.session), &format!("/{}{word} is", g.session), 1)) }),
    ("the sentence names another kind", |g, _, at| { let other = one_of(&["federated-user", "user", "root", "assumed-role"], at); let (service, rest) = match other { "user" => ("iam", format!("user/{}", g.name)), "root" => ("iam", "root".to_owned()), "assumed-role" => ("sts", format!("assumed-role/{}/other", g.name)), _ => ("sts", format!("federated-user/{}", g.name)) }; let mut g = g.clone(); g.is_role = other != "assumed-role"; saying(&g, g.sentence().replacen(&g.signed(), &g.arn(service, &rest), 1)) }),
    ("the sentence names nobody", |g, _, at| saying(g, g.sentence().replacen(&g.signed(), one_of(&["anonymous", "000000000000"], at), 1))),
    // Every name is legal.
    ("the trail's name is illegal", |g, word, at| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; g.resource = illegal_name(word, at); on(&g, &g.resource_arn()) }),
    ("the trail's bare name is illegal", |g, word, at| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; on(&g, &illegal_name(word, at)) }),
    ("the name that was asked for is illegal", |g, word, at| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; with(on(&g, &g.resource_arn()), "/requestParameters", json!({ "name": illegal_name(word, at) })) }),
    ("the caller's name is illegal", |g, word, at| { let illegal = one_of(&["*", "?", "$x", "\"", "<b>", "a;b", "a:b"], at); but(g, |g| g.name = format!("{word}{illegal}")) }),
    ("the caller's name is too long", |g, _, at| but(g, |g| g.name = "a".repeat(65 + at.index(60)))),
    ("the session's name is illegal", |g, word, at| { let illegal = one_of(&["*", "?", "$x", "\"", "<b>", ";", ":x", "!"], at); but(g, |g| { g.is_role = true; g.session = format!("{word}{illegal}"); }) }),
    ("the session's name is too long", |g, _, at| but(g, |g| { g.is_role = true; g.session = "a".repeat(65 + at.index(60)); })),
    ("the resource is everything", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; let sentence = format!("User: {} is not authorized to perform: {} on resource: *{}", g.signed(), g.action, g.reason("identity-based policy")); with(saying(&g, sentence), "/requestParameters", Value::Null) }),
    ("the resource is not in the record", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; on(&g, "*") }),
    ("the resource is none that the action takes", |g, _, at| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = one_of(&["channel", "eventdatastore", "dashboard", "widget"], at); on(&g, &g.resource_arn()) }),
    ("the resource is a trail, and the action takes none", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:ListTrails"; g.resource_type = "trail"; on(&g, &g.resource_arn()) }),
    ("the resource is another service's", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; on(&g, &g.resource_arn().replacen(":cloudtrail:", ":config:", 1)) }),
    ("the resource is of another partition", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; let other = if g.place.0 == "aws" { "arn:aws-cn:" } else { "arn:aws:" }; on(&g, &g.resource_arn().replacen(&format!("arn:{}:", g.place.0), other, 1)) }),
    // The resource's account is the principal's.
    ("the resource is another account's", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; on(&g, &g.resource_arn().replacen(&g.account, "000000000000", 1)) }),
    ("the resource has no account", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:GetTrail"; g.resource_type = "trail"; on(&g, &g.resource_arn().replacen(&g.account, "", 1)) }),
    ("the record says that it is another account's", |g, _, _| { let mut g = g.clone(); g.action = "cloudtrail:ListTrails"; g.resource_type = ""; with(g.record(), "/resources", json!([{ "accountId": "000000000000" }])) }),
];

fn judged(record: &Value, mode: GrantMode, guardrails: &str) -> Value {
    let diagnosis = diagnosed_with(record, &setting(mode, guardrails), false);
    assert_eq!(judge::complaints(&diagnosis), Vec::<String>::new(), "{record:#}");
    diagnosis
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn what_breaks_nothing_is_granted(from in grantable()) {
        let diagnosis = judged(&from.record(), GrantMode::Exact, "{}");
        prop_assert_eq!(&diagnosis["response"], "request-approval", "{:#}", diagnosis);
        let exact = remedies(&diagnosis).iter().filter(|remedy| remedy["kind"] == "put-inline-policy" && remedy["apply"] == "on-approval");
        prop_assert_eq!(exact.count(), 1);
        // In `managed`, one of the closed list or nothing.
        let managed = judged(&from.record(), GrantMode::Managed, "{}");
        let own = remedies(&managed).iter().filter(|remedy| remedy["apply"] == "on-approval").all(|remedy| remedy["kind"] == "attach-managed-policy");
        prop_assert!(own, "{:#}", managed);
    }

    #[test]
    fn each_condition_is_needed(from in grantable(), word in "[a-z]{3,8}", at in any::<Index>()) {
        prop_assume!(from.account != "000000000000");
        let mut survived = Vec::new();
        for (what, broken) in BREAKS {
            let record = broken(&from, &word, at);
            for mode in [GrantMode::Managed, GrantMode::Exact] {
                if is_grantable(&judged(&record, mode, "{}")) {
                    survived.push(format!("{what} ({mode:?}): {} {}", record["errorMessage"], record["userIdentity"]["arn"]));
                }
            }
        }
        prop_assert!(survived.is_empty(), "granted all the same:\n  {}", survived.join("\n  "));
    }

    #[test]
    fn the_guardrails_and_the_mode_are_needed(from in grantable(), at in any::<Index>()) {
        let record = from.record();
        let ungranted = judged(&record, GrantMode::None, "{}");
        prop_assert!(!is_grantable(&ungranted), "grant mode none: {:#}", ungranted);
        let name = match at.index(4) {
            0 => from.name.clone(),
            1 => from.name.to_uppercase(),
            2 => format!("{}*", &from.name[..1]),
            _ => "*".to_owned(),
        };
        let names = json!({ "protected": { "names": ["somebody-else", name] } }).to_string();
        let paths = json!({ "protected": { "paths": ["/somewhere-else/", &from.path] } }).to_string();
        for guardrails in [names, paths] {
            for mode in [GrantMode::Managed, GrantMode::Exact] {
                let guarded = judged(&record, mode, &guardrails);
                prop_assert!(!is_grantable(&guarded), "{}: {:#}", guardrails, guarded);
            }
        }
        let others = r#"{"protected":{"names":["0-nobody"],"paths":["/nowhere/"]}}"#;
        let free = judged(&record, GrantMode::Exact, others);
        prop_assert!(is_grantable(&free), "guardrails for others: {:#}", free);
    }

    #[test]
    fn a_bare_sentence_grants_nothing(from in grantable()) {
        let diagnosed = diagnose_sentence(&from.sentence(), &setting(GrantMode::Exact, "{}")).unwrap();
        let diagnosis = serde_json::to_value(&diagnosed.diagnosis).unwrap();
        prop_assert_eq!(judge::complaints(&diagnosis), Vec::<String>::new());
        prop_assert!(!is_grantable(&diagnosis));
    }

    #[test]
    fn tampering_is_an_alarm_whatever_else(from in grantable(), row in select(actions::of_risk("tampering").collect::<Vec<_>>()), at in any::<Index>(), word in "[a-z]{3,8}") {
        // The same breaks, on a record whose action tampers: none turns the alarm into anything that somebody could approve.
        let mut from = from;
        from.action = row.0;
        from.resource_type = row.3.split(' ').next().unwrap();
        from.is_old_form = false;
        let diagnosis = judged(&from.record(), GrantMode::Exact, "{}");
        prop_assert_eq!(&diagnosis["response"], "raise-alarm", "{:#}", diagnosis);
        let (_, broken) = BREAKS[at.index(BREAKS.len())];
        let broken = judged(&broken(&from, &word, at), GrantMode::Exact, "{}");
        prop_assert!(!is_grantable(&broken), "{:#}", broken);
    }
}
