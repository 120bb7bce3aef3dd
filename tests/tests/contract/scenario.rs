//! Which topic of the page a denial belongs to.

use access::grant::GrantMode;
use serde_json::{Value, json};
use tests::{golden::assert_none, sample::*};

use super::{check, differences};

const READ: &str = "cloudtrail:GetTrail";

#[test]
fn not_authorized() {
    for identity in [user("alice"), role("reader"), sso("Readers"), federated("jane"), identity_center(), root()] {
        check([("a principal of this account", lacking(identity, READ, TRAIL), "scenario: not-authorized")]);
    }
    let log_file = "\"arn:aws:s3:::amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/x\"";
    check([
        (
            "a service-linked role (which only tampering shows)",
            lacking(service_linked(), "cloudtrail:DeleteTrail", TRAIL),
            "scenario: not-authorized",
        ),
        (
            "the account's own log files",
            lacking(user("alice"), "s3:GetObject", log_file),
            "scenario: not-authorized; response: suggest-fix",
        ),
    ]);
}

#[test]
fn integration() {
    let inside = |call: &str, action: &str, resource: &str| {
        refused(user("alice"), call, &missing(&user("alice"), action, resource, "identity-based policy"))
    };
    let through =
        |action: &str| with(lacking(user("alice"), action, ""), "/userIdentity/invokedBy", "cloudtrail.amazonaws.com");
    check([
        (
            "CloudWatch Logs",
            inside(
                "cloudtrail:UpdateTrail",
                "iam:PassRole",
                "arn:aws:iam::111122223333:role/CloudTrail_CloudWatchLogs_Role",
            ),
            "scenario: integration; rule: CT201; response: suggest-fix; risk: sensitive",
        ),
        (
            "the event's name does not make it tampering",
            inside("cloudtrail:PutEventSelectors", "s3:GetBucketPolicy", "\"arn:aws:s3:::b-1\""),
            "scenario: integration; response: suggest-fix",
        ),
        ("AWS Config", through("config:DescribeConfigurationRecorders"), "scenario: integration; rule: CT203"),
        ("making the role", through("iam:CreateRole"), "scenario: integration; rule: CT202"),
        (
            "putting a policy on it",
            with(
                through("iam:PutRolePolicy"),
                "/requestParameters",
                json!({ "roleName": "CloudTrail_CloudWatchLogs_Role" }),
            ),
            "scenario: integration",
        ),
        (
            "S3",
            inside("cloudtrail:CreateTrail", "s3:CreateBucket", "\"arn:aws:s3:::b-1\""),
            "scenario: integration; rule: CT205",
        ),
        (
            "KMS",
            inside("cloudtrail:CreateTrail", "kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/k"),
            "scenario: integration; rule: CT206",
        ),
        (
            "SNS",
            inside("cloudtrail:CreateTrail", "sns:CreateTopic", "arn:aws:sns:eu-west-1:111122223333:t"),
            "scenario: integration; rule: CT207",
        ),
        (
            "Organizations",
            inside("cloudtrail:CreateTrail", "organizations:DescribeOrganization", "*"),
            "scenario: integration; rule: CT208",
        ),
        ("never by approval", inside("cloudtrail:CreateTrail", "s3:GetBucketAcl", "\"arn:aws:s3:::b-1\""), "grants: 0"),
    ]);
}

#[test]
fn allow_others() {
    let attach = |identity: Value, policy: &str| {
        let message = missing(&identity, "iam:AttachUserPolicy", "user bob", "identity-based policy");
        let parameters = json!({ "userName": "bob", "policyArn": format!("arn:aws:iam::aws:policy/{policy}") });
        with(refused(identity, "iam:AttachUserPolicy", &message), "/requestParameters", parameters)
    };
    check([
        (
            "the fix is shown, for somebody with the right to",
            attach(user("alice"), "AWSCloudTrail_ReadOnlyAccess"),
            "response: suggest-fix; scenario: allow-others; kinds: attach-managed-policy; targets: user bob; policies: arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess",
        ),
        ("never by approval", attach(role("admin"), "AWSCloudTrail_FullAccess"), "grants: 0; scenario: allow-others"),
        (
            "an explicit deny changes nothing",
            with(
                attach(user("alice"), "AWSCloudTrail_ReadOnlyAccess"),
                "/errorMessage",
                format!(
                    "{} with an explicit deny in a permissions boundary",
                    said(&user("alice"), "iam:AttachUserPolicy", "user bob")
                ),
            ),
            "scenario: allow-others; grants: 0",
        ),
    ]);
    for identity in [user("alice"), role("admin")] {
        let commands =
            diagnosed(&attach(identity, "AWSCloudTrail_ReadOnlyAccess"))["remedies"][0]["commands"]["aws_cli"].clone();
        assert!(
            commands.as_str().is_some_and(|text| text.contains("attach-user-policy") && text.contains("'bob'")),
            "{commands}"
        );
    }
    // What somebody tried to write is offered without what tampers and without other services' actions.
    let document = r#"{"Statement":[{"Effect":"Allow","Action":["cloudtrail:GetTrail","cloudtrail:StopLogging","iam:PassRole","cloudtrail:*"],"Resource":"*"}]}"#;
    let put = with(
        lacking(user("alice"), "iam:PutUserPolicy", "user bob"),
        "/requestParameters",
        json!({ "userName": "bob", "policyName": "x", "policyDocument": document }),
    );
    let diagnosis = diagnosed(&put);
    assert_none(
        "what was asked for",
        &differences(
            &diagnosis,
            "response: suggest-fix; kinds: put-inline-policy, attach-managed-policy; risks: routine, sensitive",
        ),
    );
    assert_eq!(diagnosis["remedies"][0]["policy"]["Statement"][0]["Action"], "cloudtrail:GetTrail");
    let encoded = document.replace('"', "%22").replace(':', "%3A").replace('[', "%5B").replace(']', "%5D");
    let encoded = diagnosed(&with(put, "/requestParameters/policyDocument", encoded));
    assert_eq!(encoded["remedies"][0]["policy"]["Statement"][0]["Action"], "cloudtrail:GetTrail", "percent-encoded");
}

#[test]
fn outside_account() {
    let saml = json!({ "type": "SAMLUser", "userName": "jane@example.com" });
    let web = json!({ "type": "WebIdentityUser", "userName": "id" });
    let role = "arn:aws:iam::111122223333:role/CloudTrailReaders";
    let elsewhere = TRAIL.replace(HERE, THERE);
    check([
        (
            "the principal's account is not the owner's",
            lacking(user_of(THERE, "alice"), READ, TRAIL),
            "scenario: outside-account; kinds: create-cross-account-role; targets: role TrailpassCloudTrailReader-444455556666",
        ),
        (
            "of the same name or not",
            lacking(user_of(THERE, "mateojackson"), READ, TRAIL),
            "scenario: outside-account; grants: 0",
        ),
        ("without an ARN", lacking(stranger(), READ, TRAIL), "scenario: outside-account"),
        (
            "without a resource, the recipient is the owner",
            lacking(user_of(THERE, "alice"), "cloudtrail:ListTrails", ""),
            "scenario: outside-account; grants: 0",
        ),
        (
            "what is another account's, its owner has to change",
            with(lacking(saml.clone(), "sts:AssumeRoleWithSAML", role), "/recipientAccountId", THERE),
            "scenario: outside-account; targets: account 111122223333",
        ),
        (
            "a channel that is another account's, too",
            with(
                failed(
                    user_of(MANAGEMENT, "alice"),
                    "cloudtrail-data:PutAuditEvents",
                    "ChannelInsufficientPermission",
                    "x",
                ),
                "/requestParameters",
                json!({ "channelArn": CHANNEL.replace(HERE, THERE) }),
            ),
            "scenario: outside-account; targets: account 444455556666",
        ),
        (
            "SAML",
            lacking(saml, "sts:AssumeRoleWithSAML", role),
            "scenario: outside-account; kinds: change-trust-policy; targets: role CloudTrailReaders",
        ),
        (
            "web identity",
            lacking(web, "sts:AssumeRoleWithWebIdentity", role),
            "scenario: outside-account; kinds: change-trust-policy",
        ),
        (
            "an organization's trail from a member",
            with(
                refused(user("alice"), READ, "Access Denied: You do not have permission to operate on this resource"),
                "/requestParameters",
                json!({ "name": TRAIL.replace(HERE, MANAGEMENT) }),
            ),
            "scenario: outside-account; kinds: use-home-region-or-owner; grants: 0",
        ),
        (
            "in AWS's words alone",
            refused(user("alice"), READ, "Access Denied: You do not have permission to operate on this resource"),
            "scenario: outside-account; kinds: use-home-region-or-owner",
        ),
        (
            "operated by its ARN",
            lacking(user("alice"), "cloudtrail:AddTags", &TRAIL.replace(HERE, MANAGEMENT)),
            "scenario: outside-account; kinds: use-home-region-or-owner; grants: 0",
        ),
        (
            "but a member may see it, if the caller's own policy lets it",
            lacking(user("alice"), READ, &TRAIL.replace(HERE, MANAGEMENT)),
            "scenario: outside-account; kinds: put-inline-policy, use-home-region-or-owner; targets: user alice, account 123456789012; grants: 0",
        ),
        (
            "a resource of another account is not ours to grant",
            lacking(user("alice"), "cloudtrail:GetEventDataStore", &STORE.replace(HERE, THERE)),
            "scenario: outside-account; grants: 0",
        ),
        ("a role to assume", lacking(user_of(THERE, "alice"), READ, TRAIL), "why: ExternalId"),
        ("the caller's own side is said", lacking(user_of(THERE, "alice"), READ, TRAIL), "why: has to allow"),
        (
            "an event data store takes a policy",
            lacking(user_of(THERE, "alice"), "cloudtrail:StartQuery", STORE),
            "kinds: put-resource-policy; targets: event-data-store EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
        ),
        (
            "a channel, too",
            lacking(user_of(THERE, "alice"), "cloudtrail-data:PutAuditEvents", CHANNEL),
            "kinds: put-resource-policy; targets: channel EXAMPLE8-0558-4f7e-a06a-43969EXAMPLE",
        ),
        (
            "and a dashboard",
            lacking(user_of(THERE, "alice"), "cloudtrail:StartDashboardRefresh", DASHBOARD),
            "kinds: put-resource-policy; targets: dashboard exampleDash",
        ),
        (
            "a trail takes none",
            lacking(user_of(THERE, "alice"), "cloudtrail:GetTrailStatus", TRAIL),
            "kinds: create-cross-account-role",
        ),
        (
            "whatever refused it",
            refused(
                user_of(THERE, "alice"),
                READ,
                &format!(
                    "{} with an explicit deny in a service control policy: {SCP}",
                    said(&user_of(THERE, "alice"), READ, &elsewhere)
                ),
            ),
            "grants: 0",
        ),
    ]);
    let ours = diagnosed(&lacking(user_of(THERE, "alice"), READ, TRAIL));
    let trust = &ours["remedies"][0]["policy"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], "arn:aws:iam::444455556666:root");
}

#[test]
fn alice_of_another_account_is_not_ours() {
    let setting = setting(GrantMode::Exact, "{}");
    let message = missing(
        &user_of(THERE, "alice"),
        "iam:AttachUserPolicy",
        "arn:aws:iam::111122223333:user/alice",
        "identity-based policy",
    );
    let attach = with(
        refused(user_of(THERE, "alice"), "iam:AttachUserPolicy", &message),
        "/requestParameters",
        json!({ "userName": "alice", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess" }),
    );
    let diagnosis = diagnosed_with(&attach, &setting, false);
    assert_none(
        "somebody else of the same name",
        &differences(&diagnosis, "response: suggest-fix; scenario: allow-others"),
    );
}
