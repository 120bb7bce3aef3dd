//! What is proposed, and what of it may be approved.

use access::grant::GrantMode;
use serde_json::{Value, json};
use tests::{golden::assert_none, sample::*};

use super::{check, differences};

const READ: &str = "cloudtrail:GetTrailStatus";

fn denied(identity: Value, action: &str, resource: &str, clause: &str) -> Value {
    refused(identity.clone(), action, &format!("{} {clause}", said(&identity, action, resource)))
}

#[test]
fn for_a_read_the_exact_policy_and_the_pages() {
    let read_only = "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess";
    for identity in [user("alice"), role("reader"), sso("Readers"), federated("jane")] {
        for mode in [GrantMode::None, GrantMode::Managed, GrantMode::Exact] {
            let diagnosis = diagnosed_with(&lacking(identity.clone(), READ, TRAIL), &setting(mode, "{}"), false);
            let exact = remedies(&diagnosis).iter().any(|remedy| {
                let statement = &remedy["policy"]["Statement"][0];
                statement["Action"] == READ && statement["Resource"] == TRAIL
            });
            let managed = remedies(&diagnosis).iter().any(|remedy| remedy["policy_arn"] == read_only);
            assert!(exact && managed, "{mode:?} {}: {:#}", identity["type"], diagnosis["remedies"]);
        }
    }
    let full = diagnosed(&lacking(user("alice"), READ, TRAIL))["remedies"].to_string();
    assert!(!full.contains("AWSCloudTrail_FullAccess"), "FullAccess is never the answer to a read");
}

#[test]
fn one_kind_for_each_cause() {
    check([
        (
            "an inline deny",
            denied(user("alice"), READ, TRAIL, "with an explicit deny in an identity-based policy"),
            "kinds: remove-explicit-deny; targets: user alice",
        ),
        (
            "a named deny",
            denied(
                user("alice"),
                READ,
                TRAIL,
                "with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/DenyReads",
            ),
            "kinds: remove-explicit-deny; targets: policy DenyReads",
        ),
        (
            "a store's own deny",
            denied(
                user("alice"),
                "cloudtrail:GetEventDataStore",
                STORE,
                "with an explicit deny in a resource-based policy",
            ),
            "kinds: remove-explicit-deny; targets: event-data-store EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
        ),
        (
            "a store's policy that does not allow",
            lacking_in(user("alice"), "cloudtrail:GetEventDataStore", STORE, "resource-based policy"),
            "kinds: put-resource-policy; targets: event-data-store EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
        ),
        (
            "root can't be given anything",
            lacking(root(), READ, TRAIL),
            "response: suggest-fix; grants: 0; kinds: change-service-control-policy",
        ),
        (
            "a session of Identity Center without a role",
            lacking(identity_center(), READ, TRAIL),
            "kinds: change-permission-set; grants: 0",
        ),
        (
            "a federated user's broker",
            lacking(federated("jane"), READ, TRAIL),
            "targets: user broker, user broker; grants: 0",
        ),
    ]);
}

fn lacking_in(identity: Value, action: &str, resource: &str, kind: &str) -> Value {
    let message = missing(&identity, action, resource, kind);
    refused(identity, action, &message)
}

#[test]
fn delivery() {
    let failed = |code: &str, message: &str, parameters: Value| {
        with(
            tests::sample::failed(user("alice"), "cloudtrail:CreateTrail", code, message),
            "/requestParameters",
            parameters,
        )
    };
    let role = "arn:aws:iam::111122223333:role/service-role/CloudTrail_CloudWatchLogs_Role";
    let logs = json!({ "name": "My-Trail", "cloudWatchLogsRoleArn": role, "cloudWatchLogsLogGroupArn": "arn:aws:logs:eu-west-1:111122223333:log-group:trail-logs:*" });
    check([
        (
            "the bucket",
            failed("InsufficientS3BucketPolicyException", "x", json!({ "name": "My-Trail", "s3BucketName": "b-1" })),
            "kinds: update-bucket-policy; targets: bucket b-1; risks: sensitive",
        ),
        (
            "the bucket that the message names",
            failed(
                "InsufficientS3BucketPolicyException",
                "Incorrect S3 bucket policy is detected for bucket: b-1",
                Value::Null,
            ),
            "kinds: update-bucket-policy; targets: bucket b-1",
        ),
        (
            "the topic",
            failed("InsufficientSnsTopicPolicyException", "x", json!({ "name": "My-Trail", "snsTopicName": "t-1" })),
            "kinds: update-topic-policy; targets: topic t-1",
        ),
        (
            "the key",
            failed(
                "InsufficientEncryptionPolicyException",
                "x",
                json!({ "name": "My-Trail", "kmsKeyId": "arn:aws:kms:eu-west-1:111122223333:key/k-1" }),
            ),
            "kinds: update-key-policy; targets: key k-1",
        ),
        (
            "the role's trust",
            failed(
                "InvalidCloudWatchLogsRoleArnException",
                "Access denied. Check the trust relationships for your role.",
                logs.clone(),
            ),
            "kinds: update-log-role; targets: log-role CloudTrail_CloudWatchLogs_Role",
        ),
        (
            "the role's permissions",
            failed(
                "InvalidCloudWatchLogsLogGroupArnException",
                "Access denied. Check the permissions for your role.",
                logs,
            ),
            "kinds: update-log-role; targets: log-role CloudTrail_CloudWatchLogs_Role",
        ),
        (
            "the service-linked role",
            failed("NoManagementAccountSLRExistsException", "x", Value::Null),
            "kinds: create-service-linked-role",
        ),
    ]);
    let bucket = diagnosed(&failed(
        "InsufficientS3BucketPolicyException",
        "x",
        json!({ "name": "My-Trail", "s3BucketName": "b-1", "s3KeyPrefix": "p" }),
    ));
    let statements = bucket["remedies"][0]["policy"]["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2, "{bucket:#}");
    assert_eq!(statements[1]["Resource"], "arn:aws:s3:::b-1/p/AWSLogs/111122223333/*");
    for statement in statements {
        assert_eq!(statement["Principal"]["Service"], "cloudtrail.amazonaws.com");
        assert_eq!(
            statement["Condition"]["StringEquals"]["aws:SourceArn"], TRAIL,
            "CloudTrail for this trail, and nobody else's"
        );
    }
}

#[test]
fn integration() {
    let inside = |action: &str, resource: &str| {
        refused(
            user("alice"),
            "cloudtrail:UpdateTrail",
            &missing(&user("alice"), action, resource, "identity-based policy"),
        )
    };
    let role = "arn:aws:iam::111122223333:role/service-role/CloudTrail_CloudWatchLogs_Role";
    let pass = diagnosed(&inside("iam:PassRole", role));
    assert_none("PassRole", &differences(&pass, "kinds: put-inline-policy; applies: by-hand; targets: user alice"));
    let statement = &pass["remedies"][0]["policy"]["Statement"][0];
    assert_eq!((&statement["Action"], &statement["Resource"]), (&"iam:PassRole".into(), &role.into()));
    assert_eq!(
        statement["Condition"]["StringEquals"]["iam:PassedToService"], "cloudtrail.amazonaws.com",
        "to CloudTrail only"
    );
    // The documented policy for CloudWatch Logs makes its holder an administrator: a ready-made role stands in its place.
    let create = diagnosed(&with(
        lacking(user("alice"), "iam:CreateRole", role),
        "/userIdentity/invokedBy",
        "cloudtrail.amazonaws.com",
    ));
    let text = create["remedies"].to_string();
    for action in ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"] {
        assert!(!text.contains(action), "{action} in {text}");
    }
    assert_none(
        "the role is made once",
        &differences(&create, "response: suggest-fix; kinds: update-log-role, put-inline-policy"),
    );
    assert!(create["remedies"][0]["commands"]["aws_cli"].is_string(), "the ready-made role is ready to paste");
    check([
        (
            "a key that says no",
            lacking_through(
                "kms:GenerateDataKey",
                "arn:aws:kms:eu-west-1:111122223333:key/k-1",
                "resource-based policy",
            ),
            "kinds: update-key-policy; targets: key k-1",
        ),
        (
            "a bucket that says no",
            lacking_through("s3:GetBucketAcl", "\"arn:aws:s3:::b-1\"", "resource-based policy"),
            "kinds: update-bucket-policy; targets: bucket b-1",
        ),
        (
            "a topic that says no",
            lacking_through(
                "sns:GetTopicAttributes",
                "arn:aws:sns:eu-west-1:111122223333:t-1",
                "resource-based policy",
            ),
            "kinds: update-topic-policy; targets: topic t-1",
        ),
    ]);
}

fn lacking_through(action: &str, resource: &str, kind: &str) -> Value {
    refused(user("alice"), "cloudtrail:CreateTrail", &missing(&user("alice"), action, resource, kind))
}

#[test]
fn a_log_files_bucket_and_key_have_policies_of_their_own() {
    let file = "\"arn:aws:s3:::amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/x\"";
    check([
        (
            "a bucket",
            lacking_in(user("alice"), "s3:GetObject", file, "resource-based policy"),
            "scenario: not-authorized; kinds: update-bucket-policy; targets: bucket amzn-s3-demo-bucket",
        ),
        (
            "a key",
            refused(
                user("alice"),
                "cloudtrail:GetQueryResults",
                &missing(
                    &user("alice"),
                    "kms:Decrypt",
                    "arn:aws:kms:eu-west-1:111122223333:key/k-1",
                    "resource-based policy",
                ),
            ),
            "kinds: update-key-policy; targets: key k-1",
        ),
    ]);
}

#[test]
fn approval_in_each_grant_mode() {
    let read = || lacking(user("alice"), READ, TRAIL);
    let applies = |mode: GrantMode| {
        let diagnosis = diagnosed_with(&read(), &setting(mode, "{}"), false);
        let grants = remedies(&diagnosis).iter().filter(|remedy| remedy["apply"] == "on-approval");
        let kinds: Vec<String> = grants.map(|remedy| remedy["kind"].as_str().unwrap().to_owned()).collect();
        (diagnosis["response"].as_str().unwrap().to_owned(), kinds)
    };
    assert_eq!(applies(GrantMode::None), ("suggest-fix".into(), vec![]));
    assert_eq!(applies(GrantMode::Managed), ("request-approval".into(), vec!["attach-managed-policy".into()]));
    assert_eq!(
        applies(GrantMode::Exact),
        ("request-approval".into(), vec!["put-inline-policy".into(), "attach-managed-policy".into()])
    );
    let create = diagnosed_with(
        &lacking(user("alice"), "cloudtrail:CreateTrail", TRAIL),
        &setting(GrantMode::Managed, "{}"),
        false,
    );
    assert_none("no own policy creates a trail", &differences(&create, "response: suggest-fix; grants: 0"));
}

#[test]
fn the_guardrails() {
    let under = |guardrails: &str, identity: Value| {
        diagnosed_with(&lacking(identity, READ, TRAIL), &setting(GrantMode::Exact, guardrails), false)
    };
    for (guardrails, identity, grants) in [
        (r#"{"protected":{"names":["alice"]}}"#, user("alice"), "0"),
        (r#"{"protected":{"names":["ALI*"]}}"#, user("alice"), "0"),
        (r#"{"protected":{"names":["bob"]}}"#, user("alice"), "2"),
        (r#"{"protected":{"paths":["/team/"]}}"#, role("reader"), "0"),
        (r#"{"protected":{"paths":["/break-glass/"]}}"#, role("reader"), "2"),
        (r#"{"grants":{"paths":["/"]}}"#, user("alice"), "2"),
        (r#"{"grants":{"paths":["/people/"]}}"#, user("alice"), "0"),
        (r#"{"grants":{"paths":["/people/","/team/"]}}"#, role("reader"), "2"),
        (r#"{"grants":{"accounts":["111122223333"]}}"#, user("alice"), "2"),
        (r#"{"grants":{"accounts":["444455556666"]}}"#, user("alice"), "0"),
    ] {
        assert_none(guardrails, &differences(&under(guardrails, identity), &format!("grants: {grants}")));
    }
}

#[test]
fn a_grant_names_the_session_and_ends_open() {
    let statement = |record: &Value| diagnosed(record)["remedies"][0]["policy"]["Statement"][0].clone();
    let session = statement(&lacking(role("reader"), READ, TRAIL));
    assert_eq!(session["Condition"], json!({ "StringEquals": { "aws:userid": "AROAIDPPEZS35WEXAMPLE:alice" } }));
    let star = statement(&lacking(user("alice"), "cloudtrail:DescribeTrails", ""));
    assert_eq!(star["Resource"], "*");
    assert_eq!(
        star["Condition"]["StringEquals"],
        json!({ "aws:userid": "AIDAJ45Q7YFFAREXAMPLE", "aws:RequestedRegion": REGION })
    );
    check([
        ("one session", lacking(role("reader"), READ, TRAIL), "targets: role reader, role reader, role reader"),
        (
            "the old form of a sensitive action",
            refused(user("alice"), "cloudtrail:LookupEvents", &said(&user("alice"), "cloudtrail:LookupEvents", "")),
            "response: suggest-fix; grants: 0; risk: sensitive",
        ),
        (
            "a sensitive action with its reason",
            lacking(user("alice"), "cloudtrail:LookupEvents", ""),
            "response: request-approval; grants: 2",
        ),
    ]);
}
