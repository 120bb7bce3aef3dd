//! The decision table, printed whole into `tests/matrix.txt` for people to read.
//!
//! The first tables ask with records, as they come in, and show the response too; the last counts every combination of facts, so
//! that a change of any arm changes the file. Equal rows stand on one line, equal columns in one.
//! `UPDATE_GOLDEN=1 cargo test -p tests --test matrix` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use std::{collections::BTreeMap, fmt::Write};

use access::{
    blinding::Blinded,
    classify::{Facts, Rule, classify},
    denial::{Refusal, Wording},
    diagnosis::{Effect, PolicyType, Risk, Scenario},
    principal::PrincipalKind,
    scope::Service,
};
use serde_json::{Value, json};
use tests::{events::repository, golden::compare, sample::*};

/// What a cell says of a record: the rule, and what is done about it.
fn answer(record: &Value) -> String {
    let diagnosis = diagnosed(record);
    let response = match diagnosis["response"].as_str().unwrap() {
        "ignore" => "ignored",
        "suggest-fix" => "by hand",
        "request-approval" => "APPROVAL",
        _ => "ALARM",
    };
    format!("{} {response}", diagnosis["rule"].as_str().unwrap())
}

/// The tables, each with the titles that it holds for.
type Tables = Vec<(Vec<String>, String)>;

/// Prints a table: cells first, then the names of the rows that they hold for. One like an earlier one is only named there.
fn table<N: AsRef<str>, R, C>(
    tables: &mut Tables,
    title: &str,
    rows: &[(N, R)],
    columns: &[(&str, C)],
    cell: impl Fn(&R, &C) -> String,
) {
    let mut out = String::new();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(&row.1, &column.1)).collect()).collect();
    // Equal columns, then equal rows, in the order of their first.
    let column = |at: usize| cells.iter().map(|row| row[at].as_str()).collect::<Vec<_>>();
    let mut kept: Vec<(usize, Vec<&str>)> = Vec::new();
    for (at, (name, _)) in columns.iter().enumerate() {
        match kept.iter_mut().find(|(first, _)| column(*first) == column(at)) {
            Some((_, names)) => names.push(name),
            None => kept.push((at, vec![name])),
        }
    }
    let mut lines: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (row, (name, _)) in cells.iter().zip(rows) {
        let line: Vec<&str> = kept.iter().map(|(at, _)| row[*at].as_str()).collect();
        match lines.iter_mut().find(|(found, _)| *found == line) {
            Some((_, names)) => names.push(name.as_ref()),
            None => lines.push((line, vec![name.as_ref()])),
        }
    }
    for (letter, (_, names)) in ('A'..).zip(&kept) {
        writeln!(out, "  {letter} = {}", names.join(", ")).unwrap();
    }
    let header: Vec<String> = ('A'..).take(kept.len()).map(|letter| format!("{letter:<14}")).collect();
    writeln!(out, "  {}", header.join(" ")).unwrap();
    for (line, names) in lines {
        let cells: Vec<String> = line.iter().map(|cell| format!("{cell:<14}")).collect();
        writeln!(out, "  {} | {}", cells.join(" "), names.join(", ")).unwrap();
    }
    match tables.iter_mut().find(|(_, table)| *table == out) {
        Some((titles, _)) => titles.push(title.to_owned()),
        None => tables.push((vec![title.to_owned()], out)),
    }
}

/// Everybody of this account, and who belongs to none.
fn callers() -> Vec<(&'static str, Value)> {
    vec![
        ("iam-user", user("alice")),
        ("role-session", role("reader")),
        ("role-session of a workload", session(HERE, "/", "agent", "i-0abcdef1234567890")),
        ("sso-session", sso("Readers")),
        ("federated-user", federated("jane")),
        ("identity-center-user", identity_center()),
        ("root", root()),
        ("service-linked-role", service_linked()),
        ("aws-service", service()),
        ("saml-user", json!({ "type": "SAMLUser", "userName": "jane@example.com" })),
        ("web-identity-user", json!({ "type": "WebIdentityUser", "userName": "id" })),
        (
            "aws-account (this one)",
            json!({ "type": "AWSAccount", "principalId": "AROAIDPPEZS35WEXAMPLE:x", "accountId": HERE }),
        ),
        ("aws-account (another)", stranger()),
        ("anonymous", json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" })),
        ("unknown", json!({ "type": "Directory", "accountId": HERE })),
    ]
}

/// What AWS may say behind action and resource.
fn clauses() -> Vec<(String, String)> {
    let kinds = [
        "identity-based policy",
        "resource-based policy",
        "permissions boundary",
        "session policy",
        "service control policy",
        "resource control policy",
        "VPC endpoint policy",
        "role trust policy",
        "network-based policy",
    ];
    let mut clauses = Vec::new();
    for kind in kinds {
        let article = if kind.starts_with('i') { "an" } else { "a" };
        clauses.push((format!("no {kind} allows"), format!(" because no {kind} allows the ACTION action")));
        clauses.push((format!("{article} {kind} denies"), format!(" with an explicit deny in {article} {kind}")));
    }
    let three = " because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
    let quarantine =
        " with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    let others = [
        ("something denies", " with an explicit deny".to_owned()),
        ("one of three reasons (KMS)", three.to_owned()),
        ("AWS's quarantine denies", quarantine.to_owned()),
        ("no reason (old form)", String::new()),
        ("cut inside the reason", " because no identity-ba".to_owned()),
        ("two reasons", " because no session policy allows the ACTION action because no identity-based policy allows the ACTION action".to_owned()),
        ("another text", "!".to_owned()),
        ("no text", "-".to_owned()),
        ("VpceAccessDenied", "vpce".to_owned()),
    ];
    clauses.extend(others.map(|(name, clause)| (name.to_owned(), clause)));
    clauses
}

/// A refusal in a call, with one of those endings.
fn refusal(identity: &Value, call: &str, action: &str, resource: &str, clause: &str) -> Value {
    let text = said(identity, action, resource) + &clause.replace("ACTION", action);
    match clause {
        "!" => refused(identity.clone(), call, "Access Denied"),
        "-" => without(refused(identity.clone(), call, "x"), "/errorMessage"),
        "vpce" => {
            failed(identity.clone(), call, "VpceAccessDenied", "The request was denied due to a VPC endpoint policy")
        }
        _ => refused(identity.clone(), call, &text),
    }
}

fn in_this_account(out: &mut Tables) {
    for (risk, action, resource) in [
        ("routine", "cloudtrail:GetTrail", TRAIL),
        ("routine, on nothing smaller than *", "cloudtrail:ListTrails", ""),
        ("sensitive", "cloudtrail:StartLogging", TRAIL),
        ("sensitive, making something of CloudTrail Lake", "cloudtrail:CreateDashboard", DASHBOARD),
        ("tampering", "cloudtrail:StopLogging", TRAIL),
        ("of an action that the table does not know", "cloudtrail:ListWidgets", TRAIL),
    ] {
        let title = format!("AccessDenied on this account's resource; {risk} ({action})");
        table(out, &title, &clauses(), &callers(), |clause, identity| {
            answer(&refusal(identity, action, action, resource, clause))
        });
    }
}

fn from_outside(out: &mut Tables) {
    let resources = [
        ("a trail", ("cloudtrail:GetTrail", TRAIL)),
        ("an event data store", ("cloudtrail:StartQuery", STORE)),
        ("a channel", ("cloudtrail-data:PutAuditEvents", CHANNEL)),
        ("a dashboard", ("cloudtrail:GetDashboard", DASHBOARD)),
        ("nothing in particular", ("cloudtrail:ListTrails", "")),
        ("a log file", ("s3:GetObject", "\"arn:aws:s3:::b-1/AWSLogs/111122223333/CloudTrail/x\"")),
        ("a role for readers", ("sts:AssumeRole", "arn:aws:iam::111122223333:role/CloudTrailReaders")),
        ("tampering with a store", ("cloudtrail:DeleteEventDataStore", STORE)),
    ];
    let caller = user_of(THERE, "alice");
    let title = "AccessDenied for a user of another account, on this account's resource";
    table(out, title, &clauses(), &resources, |clause, (action, resource)| {
        answer(&refusal(&caller, action, action, resource, clause))
    });
}

fn other_services(out: &mut Tables) {
    let actions = [
        ("PassRole", ("iam:PassRole", "arn:aws:iam::111122223333:role/CloudTrail_CloudWatchLogs_Role")),
        ("making the role", ("iam:CreateRole", "arn:aws:iam::111122223333:role/CloudTrail_CloudWatchLogs_Role")),
        ("Config", ("config:DescribeConfigurationRecorders", "")),
        (
            "CloudWatch Logs",
            ("logs:CreateLogGroup", "arn:aws:logs:eu-west-1:111122223333:log-group:aws-cloudtrail-logs-1:log-stream:"),
        ),
        ("S3", ("s3:CreateBucket", "\"arn:aws:s3:::b-1\"")),
        ("KMS", ("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/k-1")),
        ("SNS", ("sns:CreateTopic", "arn:aws:sns:eu-west-1:111122223333:t-1")),
        ("Organizations", ("organizations:DescribeOrganization", "*")),
    ];
    for (who, identity) in [("a user", user("alice")), ("an Identity Center role", sso("Admins"))] {
        let title = format!("AccessDenied for {who}, in UpdateTrail, over another service's action");
        table(out, &title, &clauses(), &actions, |clause, (action, resource)| {
            let clause = if ["-", "!", "vpce"].contains(&clause.as_str()) { "" } else { clause };
            answer(&refusal(&identity, "cloudtrail:UpdateTrail", action, resource, clause))
        });
    }
    let reads = [
        ("a log file", ("s3:GetObject", "\"arn:aws:s3:::b-1/AWSLogs/111122223333/CloudTrail/x\"")),
        (
            "the log group",
            ("logs:FilterLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:aws-cloudtrail-logs-1:log-stream:"),
        ),
        ("a role for readers", ("sts:AssumeRole", "arn:aws:iam::111122223333:role/CloudTrailReaders")),
    ];
    let caller = user("alice");
    let title = "AccessDenied for a user of this account, reading what CloudTrail wrote";
    table(out, title, &clauses(), &reads, |clause, (action, resource)| {
        let record = refusal(&caller, action, action, resource, clause);
        answer(&with(
            record,
            "/requestParameters",
            json!({ "bucketName": "b-1", "key": "AWSLogs/111122223333/CloudTrail/x", "logGroupName": "aws-cloudtrail-logs-1", "roleArn": resource }),
        ))
    });
}

fn giving_to_others(out: &mut Tables) {
    let calls = [
        ("AttachUserPolicy, to somebody", ("iam:AttachUserPolicy", "userName", "bob")),
        ("AttachUserPolicy, to a user of the caller's name", ("iam:AttachUserPolicy", "userName", "alice")),
        ("PutRolePolicy, on a role", ("iam:PutRolePolicy", "roleName", "admin")),
        ("AttachGroupPolicy", ("iam:AttachGroupPolicy", "groupName", "auditors")),
    ];
    let callers = [
        ("user alice", user("alice")),
        ("role admin", session(HERE, "/", "admin", "x")),
        ("root", root()),
        ("a service-linked role", service_linked()),
    ];
    table(
        out,
        "AccessDenied while giving somebody AWSCloudTrail_ReadOnlyAccess",
        &callers,
        &calls,
        |identity, (call, parameter, name)| {
            let record = lacking(identity.clone(), call, &format!("user {name}"));
            let parameters = json!({ *parameter: name, "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess", "policyDocument": "cloudtrail:GetTrail" });
            answer(&with(record, "/requestParameters", parameters))
        },
    );
}

fn errors(out: &mut Tables) {
    let rows: Vec<(&str, &str)> = [
        "AccessDenied",
        "AccessDeniedException",
        "Client.UnauthorizedOperation",
        "VpceAccessDenied",
        "InsufficientS3BucketPolicyException",
        "InsufficientSnsTopicPolicyException",
        "InsufficientEncryptionPolicyException",
        "InvalidCloudWatchLogsRoleArnException",
        "InvalidCloudWatchLogsLogGroupArnException",
        "NoManagementAccountSLRExistsException",
        "InsufficientDependencyServiceAccessPermissionException",
        "InsufficientIAMAccessPermissionException",
        "OperationNotPermittedException",
        "NotOrganizationMasterAccountException",
        "NotOrganizationManagementAccountException",
        "CloudTrailAccessNotEnabledException",
        "ChannelInsufficientPermissionException",
        "ChannelInsufficientPermission",
        "TrailNotFoundException",
        "ThrottlingException",
        "ValidationException",
        "",
    ]
    .map(|code| (if code.is_empty() { "(none)" } else { code }, code))
    .to_vec();
    let person = user("alice");
    let columns = [
        ("a user's GetTrail", ("cloudtrail:GetTrail", person.clone(), "Access denied.")),
        ("a user's CreateTrail", ("cloudtrail:CreateTrail", person.clone(), "Access denied.")),
        ("a user's UpdateTrail", ("cloudtrail:UpdateTrail", person.clone(), "Access denied.")),
        ("a user's UpdateTrail, without 'access denied' in the text", ("cloudtrail:UpdateTrail", person.clone(), "x")),
        ("a service's CreateTrail", ("cloudtrail:CreateTrail", service(), "Access denied.")),
        ("a service-linked role's CreateTrail", ("cloudtrail:CreateTrail", service_linked(), "Access denied.")),
        ("a service's UpdateTrail", ("cloudtrail:UpdateTrail", service(), "Access denied.")),
        ("the same codes from Organizations", ("organizations:CreateAccount", person, "Access denied.")),
    ];
    table(out, "Error codes", &rows, &columns, |code, (call, identity, text)| {
        answer(&failed(identity.clone(), call, code, text))
    });
}

/// Counts, for every rule, the combinations of facts that lead to it.
fn all_combinations(out: &mut String) {
    use PrincipalKind::*;
    const PRINCIPALS: [PrincipalKind; 13] = [
        Root,
        IamUser,
        RoleSession,
        SsoSession,
        ServiceLinkedRole,
        FederatedUser,
        SamlUser,
        WebIdentityUser,
        IdentityCenterUser,
        AwsService,
        AwsAccount,
        Anonymous,
        Unknown,
    ];
    const REFUSALS: [Refusal; 16] = [
        Refusal::NoError,
        Refusal::OtherError,
        Refusal::AccessDenied,
        Refusal::VpcEndpoint,
        Refusal::BucketPolicy,
        Refusal::TopicPolicy,
        Refusal::EncryptionPolicy,
        Refusal::LogRoleTrust,
        Refusal::LogRolePermissions,
        Refusal::ServiceLinkedRoleMissing,
        Refusal::DependencyPermissions,
        Refusal::ServiceLinkedRolePermissions,
        Refusal::OperationNotPermitted,
        Refusal::NotManagementAccount,
        Refusal::TrustedAccessOff,
        Refusal::ChannelPermissions,
    ];
    const RISKS: [Option<Risk>; 4] = [None, Some(Risk::Routine), Some(Risk::Sensitive), Some(Risk::Tampering)];
    const SCENARIOS: [Scenario; 5] = [
        Scenario::NotAuthorized,
        Scenario::Integration,
        Scenario::AllowOthers,
        Scenario::OutsideAccount,
        Scenario::Delivery,
    ];
    const SERVICES: [Service; 10] = [
        Service::CloudTrail,
        Service::PassRole,
        Service::RoleMaking,
        Service::Config,
        Service::Logs,
        Service::S3,
        Service::Kms,
        Service::Sns,
        Service::Sts,
        Service::Other,
    ];
    const TYPES: [Option<PolicyType>; 9] = [
        None,
        Some(PolicyType::IdentityBasedPolicy),
        Some(PolicyType::ResourceBasedPolicy),
        Some(PolicyType::PermissionsBoundary),
        Some(PolicyType::SessionPolicy),
        Some(PolicyType::ServiceControlPolicy),
        Some(PolicyType::ResourceControlPolicy),
        Some(PolicyType::VpcEndpointPolicy),
        Some(PolicyType::RoleTrustPolicy),
    ];
    const EFFECTS: [Effect; 3] = [Effect::ImplicitDeny, Effect::ExplicitDeny, Effect::Unknown];
    const WORDINGS: [Wording; 5] =
        [Wording::Clause, Wording::OldForm, Wording::Cut, Wording::Unrecognised, Wording::Absent];
    let causes = TYPES.iter().flat_map(|&t| EFFECTS.iter().map(move |&e| (t, e)));
    // The wording matters only where there is no cause.
    let causes: Vec<_> = causes
        .flat_map(|(policy_type, effect)| {
            let is_bare = policy_type.is_none() && effect == Effect::Unknown;
            WORDINGS
                .iter()
                .take(if is_bare { WORDINGS.len() } else { 1 })
                .map(move |&wording| (policy_type, effect, wording))
        })
        .collect();
    let mut counts: BTreeMap<Rule, u64> = BTreeMap::new();
    for refusal in REFUSALS {
        for principal in PRINCIPALS {
            for risk in RISKS {
                for scenario in SCENARIOS {
                    for service in SERVICES {
                        for &(policy_type, effect, wording) in &causes {
                            for flags in 0..16_u8 {
                                let is = |bit: u8| flags & bit != 0;
                                let facts = Facts {
                                    refusal,
                                    is_in_scope: true,
                                    principal,
                                    risk,
                                    scenario,
                                    service,
                                    effect,
                                    policy_type,
                                    wording,
                                    is_quarantine: is(1),
                                    is_self_grant: is(2),
                                    is_operated_by_member: is(4),
                                    may_harm_the_log: is(8),
                                    blinded: None,
                                };
                                // A topic of CloudTrail's own errors is theirs alone.
                                if refusal.is_delivery() != (scenario == Scenario::Delivery) {
                                    continue;
                                }
                                *counts.entry(classify(&facts)).or_default() += 1;
                                // Only what succeeded can have blinded.
                                let blinded = [Blinded::Log, Blinded::Responder];
                                for blinded in blinded.into_iter().filter(|_| refusal == Refusal::NoError) {
                                    let facts = Facts { blinded: Some(blinded), ..facts };
                                    *counts.entry(classify(&facts)).or_default() += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    writeln!(
        out,
        "Every rule: its response before grants are looked at, and how many combinations of facts in scope lead to it"
    )
    .unwrap();
    for rule in Rule::ALL {
        let response = serde_json::to_value(rule.response()).unwrap();
        let count = counts.get(rule).copied().unwrap_or(0);
        writeln!(out, "  {} {:<12} {count:>9}  {}", rule.id(), response.as_str().unwrap(), rule.title()).unwrap();
        assert!(count > 0 || *rule == Rule::OutOfScope, "nothing leads to {}", rule.id());
    }
}

#[test]
fn the_whole_table() {
    let mut out = String::from(
        "The decision table. A cell is the rule and what is done: ignored, by hand, APPROVAL, ALARM (grant mode exact, no guardrails).\n\n",
    );
    let mut tables = Tables::new();
    in_this_account(&mut tables);
    from_outside(&mut tables);
    other_services(&mut tables);
    giving_to_others(&mut tables);
    errors(&mut tables);
    for (titles, table) in tables {
        writeln!(out, "{}\n{table}", titles.join("\n")).unwrap();
    }
    all_combinations(&mut out);
    compare(&repository().join("tests/matrix.txt"), &out).unwrap();
}

#[test]
fn rules_keep_their_order_and_their_ids() {
    let ids: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for rule in Rule::ALL {
        // What a rule's number says of its response.
        let response = serde_json::to_value(rule.response()).unwrap();
        let expected = match &rule.id()[..3] {
            "CT0" => "ignore",
            "CT9" => "raise-alarm",
            _ => "suggest-fix",
        };
        assert_eq!(response, expected, "{}", rule.id());
    }
}
