//! What is CloudTrail's business and what is not.

use access::grant::GrantMode;
use serde_json::{Value, json};
use tests::{golden::assert_none, sample::*};

use super::{Row, check, differences};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:trail-notices";
const ROLE: &str = "arn:aws:iam::111122223333:role/ct/LogsForTheTrail";
const CONFIGURED: &str = r#"{"trail_resources": {
    "buckets": ["amzn-s3-demo-bucket"], "keys": ["1234abcd-12ab-34cd-56ef-1234567890ab"],
    "topics": ["arn:aws:sns:eu-west-1:111122223333:trail-notices"], "log_groups": ["trail-logs"], "roles": ["LogsForTheTrail"] }}"#;

/// A refusal of another service's action, inside that service's own call.
fn elsewhere(action: &str, resource: &str) -> Value {
    lacking(user("alice"), action, resource)
}

/// With the operator's file, which names what the trail uses.
#[track_caller]
fn check_configured<'a>(rows: impl IntoIterator<Item = Row<'a>>) {
    let setting = setting(GrantMode::Exact, CONFIGURED);
    let found = rows.into_iter().flat_map(|(what, record, expected)| {
        differences(&diagnosed_with(&record, &setting, false), expected)
            .into_iter()
            .map(move |d| format!("{what}: {d}"))
    });
    assert_none("against the contract", &found.collect::<Vec<_>>());
}

/// A search by Logs Insights, as far as the request says in what.
fn searched(groups: &[&str]) -> Value {
    with(elsewhere("logs:StartQuery", ""), "/requestParameters", json!({ "logGroupNames": groups }))
}

fn key_of(object: &str) -> String {
    format!("\"arn:aws:s3:::amzn-s3-demo-bucket/{object}\"")
}

#[test]
fn cloudtrails_own_calls() {
    check([
        ("cloudtrail", elsewhere("cloudtrail:GetTrail", TRAIL), "scenario: not-authorized"),
        (
            "cloudtrail-data",
            elsewhere("cloudtrail-data:PutAuditEvents", CHANNEL),
            "scenario: not-authorized; response: request-approval",
        ),
        (
            "another service's action inside",
            refused(
                user("alice"),
                "cloudtrail:CreateTrail",
                &missing(&user("alice"), "s3:PutBucketPolicy", "", "identity-based policy"),
            ),
            "scenario: integration",
        ),
        ("not another service's call", elsewhere("config:DescribeConfigRules", ""), "response: ignore"),
    ]);
}

#[test]
fn calls_through_cloudtrail() {
    let config = || elsewhere("config:DescribeConfigurationRecorders", "");
    check([
        (
            "by invokedBy",
            with(config(), "/userIdentity/invokedBy", "cloudtrail.amazonaws.com"),
            "response: suggest-fix; scenario: integration",
        ),
        (
            "by sourceIPAddress",
            with(config(), "/sourceIPAddress", "cloudtrail.amazonaws.com"),
            "response: suggest-fix; scenario: integration",
        ),
        ("userAgent never decides", with(config(), "/userAgent", "cloudtrail.amazonaws.com"), "response: ignore"),
        (
            "not through another service",
            with(config(), "/userIdentity/invokedBy", "config.amazonaws.com"),
            "response: ignore",
        ),
        (
            "only while the identity is a person's",
            with(with(config(), "/userIdentity", service()), "/sourceIPAddress", "cloudtrail.amazonaws.com"),
            "response: ignore",
        ),
    ]);
}

#[test]
fn pass_role() {
    let pass = "iam:PassRole";
    let inside =
        |call: &str| refused(user("alice"), call, &missing(&user("alice"), pass, ROLE, "identity-based policy"));
    check([
        (
            "inside a CloudTrail call",
            inside("cloudtrail:CreateTrail"),
            "response: suggest-fix; scenario: integration; action: iam:PassRole",
        ),
        ("not inside another service's", inside("ec2:RunInstances"), "response: ignore"),
        (
            "nor there, whatever the role is called",
            refused(
                user("alice"),
                "ec2:RunInstances",
                &missing(
                    &user("alice"),
                    pass,
                    "arn:aws:iam::111122223333:role/CloudTrail-admin",
                    "identity-based policy",
                ),
            ),
            "response: ignore",
        ),
        (
            "for CloudTrail, by the role's name",
            elsewhere(pass, "arn:aws:iam::111122223333:role/CloudTrail_CloudWatchLogs_Role"),
            "response: suggest-fix; scenario: integration",
        ),
    ]);
    check_configured([(
        "for CloudTrail, by a configured role",
        elsewhere(pass, ROLE),
        "response: suggest-fix; scenario: integration",
    )]);
}

#[test]
fn log_files() {
    let read = |object: &str| elsewhere("s3:GetObject", &key_of(object));
    check([
        (
            "a log file",
            read("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/05/x.json.gz"),
            "response: suggest-fix; scenario: not-authorized",
        ),
        (
            "of an organization, below a prefix",
            read("a/b/AWSLogs/o-exampleorgid/111122223333/CloudTrail/x"),
            "response: suggest-fix",
        ),
        ("a digest", read("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x"), "response: suggest-fix"),
        ("an insight", read("AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/x"), "response: suggest-fix"),
        ("another service's log", read("AWSLogs/111122223333/elasticloadbalancing/eu-west-1/x"), "response: ignore"),
        ("no account", read("AWSLogs/CloudTrail/x"), "response: ignore"),
        ("another object", read("reports/CloudTrail/x"), "response: ignore"),
        (
            "a key with a space is a key",
            with(
                read("AWSLogs/111122223333/CloudTrail/a b"),
                "/requestParameters",
                json!({ "bucketName": "amzn-s3-demo-bucket", "key": "AWSLogs/111122223333/CloudTrail/a b" }),
            ),
            "response: suggest-fix",
        ),
        (
            "named by the request alone",
            with(
                refused(user("alice"), "s3:GetObject", "Access Denied"),
                "/requestParameters",
                json!({ "bucketName": "amzn-s3-demo-bucket", "key": "AWSLogs/111122223333/CloudTrail/x" }),
            ),
            "response: suggest-fix",
        ),
    ]);
}

#[test]
fn log_groups() {
    let group = |name: &str| {
        elsewhere("logs:FilterLogEvents", &format!("arn:aws:logs:eu-west-1:111122223333:log-group:{name}:log-stream:"))
    };
    check([
        (
            "the console's name",
            group("aws-cloudtrail-logs-111122223333-1a2b3c4d"),
            "response: suggest-fix; scenario: not-authorized",
        ),
        ("another", group("trail-logs"), "response: ignore"),
        ("one that only holds the name", group("my-aws-cloudtrail-logs-1"), "response: ignore"),
        ("the one of a list", searched(&["aws-cloudtrail-logs-1"]), "response: suggest-fix; scenario: not-authorized"),
        (
            "one of several, which was refused nobody can tell",
            searched(&["aws-cloudtrail-logs-1", "x"]),
            "response: ignore",
        ),
    ]);
    check_configured([
        ("a configured one", group("trail-logs"), "response: suggest-fix"),
        ("no other", group("trail-logs-2"), "response: ignore"),
    ]);
}

#[test]
fn configured_resources() {
    let rows = || {
        [
            ("a bucket", elsewhere("s3:GetBucketPolicy", "\"arn:aws:s3:::amzn-s3-demo-bucket\"")),
            ("anything in it", elsewhere("s3:GetObject", &key_of("x"))),
            ("a key", elsewhere("kms:Decrypt", KEY)),
            ("a topic", elsewhere("sns:Publish", TOPIC)),
            ("a role to assume", elsewhere("sts:AssumeRole", ROLE)),
        ]
    };
    check_configured(rows().map(|(what, record)| (what, record, "response: suggest-fix")));
    check(rows().map(|(what, record)| (what, record, "response: ignore")));
    check_configured([
        ("no other bucket", elsewhere("s3:GetObject", "\"arn:aws:s3:::amzn-s3-demo-bucket-2/x\""), "response: ignore"),
        ("no other key", elsewhere("kms:Decrypt", &KEY.replace("1234abcd-", "0000abcd-")), "response: ignore"),
        (
            "no other topic",
            elsewhere("sns:Publish", "arn:aws:sns:eu-west-1:111122223333:trail-notices-2"),
            "response: ignore",
        ),
        ("no other service's call on them", elsewhere("iam:GetRole", ROLE), "response: ignore"),
    ]);
}

#[test]
fn roles_to_assume() {
    let assume = |action: &str, role: &str| elsewhere(action, &format!("arn:aws:iam::111122223333:role/{role}"));
    check([
        ("by name", assume("sts:AssumeRole", "CloudTrailReaders"), "response: suggest-fix; scenario: not-authorized"),
        ("with a path", assume("sts:AssumeRole", "audit/my-CloudTrail-role"), "response: suggest-fix"),
        ("the path is not the name", assume("sts:AssumeRole", "CloudTrail/reader"), "response: ignore"),
        ("another", assume("sts:AssumeRole", "reader"), "response: ignore"),
        ("with SAML", assume("sts:AssumeRoleWithSAML", "CloudTrailReaders"), "response: suggest-fix"),
        ("with a web identity", assume("sts:AssumeRoleWithWebIdentity", "CloudTrailReaders"), "response: suggest-fix"),
        ("not another call of STS", assume("sts:TagSession", "CloudTrailReaders"), "response: ignore"),
    ]);
}

#[test]
fn policies_of_cloudtrail() {
    let write = |action: &str, parameters: Value| with(elsewhere(action, "user bob"), "/requestParameters", parameters);
    let document = |text: &str| json!({ "userName": "bob", "policyName": "x", "policyDocument": text });
    check([
        (
            "attaching AWS's",
            write(
                "iam:AttachUserPolicy",
                json!({ "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess" }),
            ),
            "response: suggest-fix; scenario: allow-others",
        ),
        (
            "attaching one's own",
            write(
                "iam:AttachRolePolicy",
                json!({ "roleName": "bob", "policyArn": "arn:aws:iam::111122223333:policy/CloudTrailReaders" }),
            ),
            "scenario: allow-others",
        ),
        (
            "to a group",
            write(
                "iam:AttachGroupPolicy",
                json!({ "groupName": "bobs", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess" }),
            ),
            "scenario: allow-others",
        ),
        (
            "writing one",
            write(
                "iam:PutUserPolicy",
                document(r#"{"Statement":[{"Effect":"Allow","Action":"cloudtrail:Get*","Resource":"*"}]}"#),
            ),
            "scenario: allow-others",
        ),
        (
            "percent-encoded",
            write("iam:PutRolePolicy", document("%7B%22Action%22%3A%22cloudtrail%3AGetTrail%22%7D")),
            "scenario: allow-others",
        ),
        (
            "another policy",
            write(
                "iam:AttachUserPolicy",
                json!({ "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess" }),
            ),
            "response: ignore",
        ),
        ("another document", write("iam:PutUserPolicy", document(r#"{"Action":"s3:GetObject"}"#)), "response: ignore"),
        (
            "null parameters: nothing says that it is CloudTrail's",
            elsewhere("iam:AttachUserPolicy", "user bob"),
            "response: ignore",
        ),
        (
            "another call on the same",
            write(
                "iam:DetachUserPolicy",
                json!({ "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess" }),
            ),
            "response: ignore",
        ),
    ]);
    // Unless the entity that it names has an open case.
    let open = diagnosed_with(&elsewhere("iam:AttachUserPolicy", "user bob"), &setting(GrantMode::Exact, "{}"), true);
    assert_none("an open case", &differences(&open, "response: suggest-fix; scenario: allow-others; grants: 0"));
    let other = diagnosed_with(&elsewhere("iam:GetUser", "user bob"), &setting(GrantMode::Exact, "{}"), true);
    assert_none("another call of IAM", &differences(&other, "response: ignore"));
}

#[test]
fn what_names_no_service_is_nobodys() {
    check([
        (
            "a record without an event source",
            without(refused(user("alice"), "cloudtrail:GetTrail", "Access Denied"), "/eventSource"),
            "response: ignore",
        ),
        (
            "unless its sentence names one of CloudTrail's actions",
            without(elsewhere("cloudtrail:GetTrail", TRAIL), "/eventSource"),
            "scenario: not-authorized",
        ),
    ]);
}
