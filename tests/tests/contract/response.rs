//! Which response, and which of the seven conditions decides.

use serde_json::json;
use tests::sample::*;

use super::check;

const QUARANTINE: &str =
    "with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
const STOP: &str = "cloudtrail:StopLogging";
const READ: &str = "cloudtrail:GetTrail";

fn denied(identity: serde_json::Value, action: &str, resource: &str, clause: &str) -> serde_json::Value {
    let message = format!("{} {clause}", said(&identity, action, resource));
    refused(identity, action, &message)
}

#[test]
fn ignore() {
    check([
        (
            "what succeeded is no denial",
            without(lacking(user("alice"), READ, TRAIL), "/errorCode"),
            "response: ignore; scenario: null; risk: null; kinds: none",
        ),
        (
            "even where it tampered",
            without(lacking(user("alice"), STOP, TRAIL), "/errorCode"),
            "response: ignore; risk: null",
        ),
        ("an empty code is no error", with(lacking(user("alice"), READ, TRAIL), "/errorCode", ""), "response: ignore"),
        (
            "what is ignored keeps cause, action and resource",
            lacking(user("alice"), "codecommit:ListRepositories", "*"),
            "response: ignore; action: codecommit:ListRepositories; resource: *; effect: implicit-deny; policy_type: identity-based-policy; risk: null",
        ),
        (
            "what is not about CloudTrail",
            lacking(role("reader"), "ec2:DescribeInstances", ""),
            "response: ignore; scenario: null; kinds: none",
        ),
        ("known noise: a service", lacking(service(), READ, TRAIL), "response: ignore; action: cloudtrail:GetTrail"),
        ("known noise: a service-linked role", lacking(service_linked(), READ, TRAIL), "response: ignore; kinds: none"),
    ]);
}

#[test]
fn approval_if_and_only_if_something_may_be_approved() {
    // The judge holds the equivalence for every row; here are both sides of it.
    check([
        ("a remedy on approval", lacking(user("alice"), READ, TRAIL), "response: request-approval; grants: 2"),
        ("no remedy on approval", lacking(sso("Readers"), READ, TRAIL), "response: suggest-fix; grants: 0"),
    ]);
}

#[test]
fn services_come_before_everything_but_tampering() {
    check([
        (
            "a service's tampering is an alarm",
            lacking(service(), STOP, TRAIL),
            "response: raise-alarm; rule: CT901; risk: tampering",
        ),
        ("a service-linked role's, too", lacking(service_linked(), STOP, TRAIL), "response: raise-alarm; rule: CT901"),
        ("before the quarantine", denied(service_linked(), READ, TRAIL, QUARANTINE), "response: ignore"),
        (
            "before the delivery errors",
            failed(
                service_linked(),
                "cloudtrail:CreateTrail",
                "InsufficientS3BucketPolicyException",
                "Incorrect S3 bucket policy is detected",
            ),
            "response: ignore",
        ),
        (
            "type is absent in what services report",
            lacking(json!({ "accountId": HERE, "invokedBy": "ssm.amazonaws.com" }), READ, TRAIL),
            "response: ignore; kind: aws-service",
        ),
    ]);
}

#[test]
fn quarantine() {
    let own = "with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/AWSCompromisedKeyQuarantineV3";
    check([
        (
            "AWS's quarantine is an alarm",
            denied(user("alice"), READ, TRAIL, QUARANTINE),
            "response: raise-alarm; rule: CT902; scenario: not-authorized; kinds: none",
        ),
        ("whatever its version", denied(user("alice"), READ, TRAIL, QUARANTINE.trim_end_matches("V3")), "rule: CT902"),
        (
            "in the other spelling",
            denied(user("alice"), READ, TRAIL, &QUARANTINE.replace(": arn", ", with policy ARN: arn")),
            "rule: CT902",
        ),
        ("before tampering", denied(user("alice"), STOP, TRAIL, QUARANTINE), "response: raise-alarm; rule: CT902"),
        (
            "only AWS's own policy is the quarantine",
            denied(user("alice"), READ, TRAIL, own),
            "response: suggest-fix; kinds: remove-explicit-deny",
        ),
    ]);
}

#[test]
fn who_helps_themselves() {
    let attach = |identity: serde_json::Value, call: &str, parameter: &str, target: &str| {
        let message = missing(
            &identity,
            call,
            &format!("{} {target}", parameter.trim_end_matches("Name")),
            "identity-based policy",
        );
        let parameters =
            json!({ parameter: target, "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess" });
        with(refused(identity, call, &message), "/requestParameters", parameters)
    };
    check([
        (
            "a user to the same user",
            attach(user("alice"), "iam:AttachUserPolicy", "userName", "alice"),
            "response: raise-alarm; rule: CT903; scenario: allow-others",
        ),
        (
            "names are unique without regard to case",
            attach(user("alice"), "iam:AttachUserPolicy", "userName", "Alice"),
            "response: raise-alarm",
        ),
        (
            "a role to the same role",
            attach(role("reader"), "iam:AttachRolePolicy", "roleName", "reader"),
            "response: raise-alarm",
        ),
        (
            "a session of GetFederationToken to the user who made it",
            attach(federated("jane"), "iam:AttachUserPolicy", "userName", "broker"),
            "response: raise-alarm; rule: CT903",
        ),
        (
            "such a session to a user of its own name",
            attach(federated("jane"), "iam:AttachUserPolicy", "userName", "jane"),
            "response: suggest-fix; rule: CT301",
        ),
        (
            "a user to somebody else",
            attach(user("alice"), "iam:AttachUserPolicy", "userName", "bob"),
            "response: suggest-fix; rule: CT301",
        ),
        (
            "a role of the user's name is somebody else",
            attach(user("alice"), "iam:AttachRolePolicy", "roleName", "alice"),
            "response: suggest-fix",
        ),
        ("nothing of it is offered", attach(user("alice"), "iam:AttachUserPolicy", "userName", "alice"), "kinds: none"),
    ]);
}

#[test]
fn delivery_errors_come_before_tampering() {
    let failed = |call, code, message| failed(user("alice"), call, code, message);
    check([
        (
            "the caller of UpdateTrail was authorized",
            failed(
                "cloudtrail:UpdateTrail",
                "InsufficientS3BucketPolicyException",
                "Incorrect S3 bucket policy is detected for bucket: amzn-s3-demo-bucket",
            ),
            "response: suggest-fix; scenario: delivery; risk: tampering; effect: unknown; policy_type: null",
        ),
        (
            "whatever the action",
            failed("cloudtrail:PutEventSelectors", "NoManagementAccountSLRExistsException", "x"),
            "response: suggest-fix; scenario: delivery",
        ),
    ]);
}

#[test]
fn tampering_whatever_the_cause() {
    let clauses = [
        "because no identity-based policy allows the cloudtrail:StopLogging action",
        "because no permissions boundary allows the cloudtrail:StopLogging action",
        "because no network-based policy allows the cloudtrail:StopLogging action",
        "with an explicit deny in a service control policy",
        "with an explicit deny in a VPC endpoint policy transitively through a service control policy",
        "with an explicit deny",
        "",
    ];
    for clause in clauses {
        check([(
            "whatever the clause",
            denied(user("alice"), STOP, TRAIL, clause),
            "response: raise-alarm; rule: CT901; scenario: not-authorized; grants: 0",
        )]);
    }
    check([
        ("without a text", without(refused(user("alice"), STOP, "x"), "/errorMessage"), "response: raise-alarm"),
        ("with a text that is no sentence", refused(user("alice"), STOP, "Access Denied"), "response: raise-alarm"),
        (
            "by VPC endpoint",
            failed(user("alice"), STOP, "VpceAccessDenied", "The request was denied due to a VPC endpoint policy"),
            "response: raise-alarm",
        ),
        (
            "by an error that only the management account escapes",
            failed(
                user("alice"),
                "cloudtrail:DeregisterOrganizationDelegatedAdmin",
                "NotOrganizationManagementAccountException",
                "x",
            ),
            "response: raise-alarm; scenario: not-authorized",
        ),
        (
            "by a missing dependency",
            failed(
                user("alice"),
                "cloudtrail:UpdateTrail",
                "InsufficientDependencyServiceAccessPermissionException",
                "x",
            ),
            "response: raise-alarm; scenario: integration",
        ),
        (
            "IAM compares without regard to case",
            refused(user("alice"), STOP, &said(&user("alice"), "cloudtrail:stoplogging", TRAIL)),
            "response: raise-alarm; risk: tampering; action: cloudtrail:StopLogging",
        ),
    ]);
}

#[test]
fn tampering_whoever_calls() {
    let unknown = json!({ "type": "Directory", "accountId": HERE });
    for identity in
        [user("alice"), role("reader"), sso("Readers"), root(), federated("jane"), identity_center(), unknown]
    {
        check([(
            "of this account",
            lacking(identity, STOP, TRAIL),
            "response: raise-alarm; rule: CT901; scenario: not-authorized; grants: 0",
        )]);
    }
    let saml = json!({ "type": "SAMLUser", "userName": "jane@example.com" });
    let anonymous = json!({ "type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL" });
    for identity in [user_of(THERE, "alice"), stranger(), saml, anonymous] {
        check([(
            "from outside: the scenario is kept",
            lacking(identity, STOP, TRAIL),
            "response: raise-alarm; rule: CT901; scenario: outside-account; grants: 0",
        )]);
    }
}

#[test]
fn the_other_fields() {
    check([
        (
            "account_id is the recipient's, region the call's",
            with(lacking(user_of(THERE, "alice"), READ, TRAIL), "/awsRegion", "us-east-2"),
            "account_id: 111122223333; of: 444455556666; region: us-east-2",
        ),
        (
            "what the record does not give is null",
            json!({ "eventSource": "cloudtrail.amazonaws.com", "errorCode": "AccessDenied" }),
            "event_id: null; event_time: null; partition: null; region: null; account_id: null; action: null; access_level: null; resource: null; risk: null; kind: unknown; arn: null; of: null; name: null; unique_id: null; session_name: null; policy_type: null; effect: unknown",
        ),
        (
            "the ARN of a session is its role's",
            lacking(role("reader"), READ, TRAIL),
            "arn: arn:aws:iam::111122223333:role/team/reader; session_name: alice",
        ),
        (
            "a partition by the caller's ARN",
            lacking(user("alice"), READ, TRAIL),
            "partition: aws; event_id: 5ef9a0c5-4c5e-4b5a-8b1e-0e5b1bb1a002; event_time: 2026-10-05T08:00:01Z",
        ),
    ]);
}
