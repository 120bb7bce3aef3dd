//! The error codes: which are refusals, and to which topic each belongs.

use serde_json::Value;
use tests::sample::*;

use super::check;

fn error(call: &str, code: &str, message: &str) -> Value {
    failed(user("alice"), call, code, message)
}

#[test]
fn codes_of_refusals() {
    for code in [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "Client.UnauthorizedOperation",
        "AccessDeniedFault",
    ] {
        let record = with(lacking(user("alice"), "cloudtrail:GetTrail", TRAIL), "/errorCode", code);
        check([("a refusal by its code", record, "response: request-approval; scenario: not-authorized")]);
    }
    check([(
        "VpceAccessDenied is the endpoint's policy, and nobody knows how",
        error("cloudtrail:LookupEvents", "VpceAccessDenied", "The request was denied due to a VPC endpoint policy"),
        "response: suggest-fix; policy_type: vpc-endpoint-policy; effect: unknown; policy_arn: null; kinds: change-vpc-endpoint-policy",
    )]);
}

#[test]
fn delivery() {
    let denied = "Access denied. Check the trust relationships for your role.";
    let text = "x";
    for (code, message, rule) in [
        ("InsufficientS3BucketPolicyException", text, "CT501"),
        ("InsufficientSnsTopicPolicyException", text, "CT502"),
        ("InsufficientEncryptionPolicyException", text, "CT503"),
        ("InvalidCloudWatchLogsRoleArnException", denied, "CT504"),
        ("InvalidCloudWatchLogsLogGroupArnException", "Access denied. Check the permissions for your role.", "CT505"),
        ("NoManagementAccountSLRExistsException", text, "CT506"),
    ] {
        let diagnosis = diagnosed(&error("cloudtrail:CreateTrail", code, message));
        assert_eq!(diagnosis["rule"], rule, "{code}");
        check([(
            "delivery",
            error("cloudtrail:CreateTrail", code, message),
            "response: suggest-fix; scenario: delivery; effect: unknown; policy_type: null; grants: 0",
        )]);
    }
    check([
        (
            "a role that is only missing is no refusal",
            error(
                "cloudtrail:UpdateTrail",
                "InvalidCloudWatchLogsRoleArnException",
                "You must specify a role ARN as well as a log group.",
            ),
            "response: ignore",
        ),
        (
            "nor is a log group of a wrong form",
            error(
                "cloudtrail:UpdateTrail",
                "InvalidCloudWatchLogsLogGroupArnException",
                "The log group ARN is invalid.",
            ),
            "response: ignore",
        ),
    ]);
}

#[test]
fn the_other_topics() {
    let create = "cloudtrail:CreateTrail";
    check([
        (
            "integration: Organizations",
            error(create, "InsufficientDependencyServiceAccessPermissionException", "x"),
            "response: suggest-fix; scenario: integration; grants: 0",
        ),
        (
            "integration: IAM",
            error(create, "InsufficientIAMAccessPermissionException", "x"),
            "response: suggest-fix; scenario: integration; grants: 0",
        ),
        (
            "by hand: not permitted",
            error(create, "OperationNotPermittedException", "x"),
            "response: suggest-fix; scenario: not-authorized; grants: 0",
        ),
        (
            "by hand: not the master account",
            error(create, "NotOrganizationMasterAccountException", "x"),
            "response: suggest-fix; scenario: not-authorized; grants: 0",
        ),
        (
            "by hand: not the management account",
            error(create, "NotOrganizationManagementAccountException", "x"),
            "response: suggest-fix; scenario: not-authorized; grants: 0",
        ),
        (
            "by hand: no trusted access",
            error(create, "CloudTrailAccessNotEnabledException", "x"),
            "response: suggest-fix; scenario: not-authorized; grants: 0",
        ),
        (
            "outside: the channel",
            with(
                error("cloudtrail-data:PutAuditEvents", "ChannelInsufficientPermissionException", "x"),
                "/userIdentity",
                user_of(THERE, "alice"),
            ),
            "response: suggest-fix; scenario: outside-account; grants: 0",
        ),
        (
            "a read that is not permitted is not granted",
            error(
                "cloudtrail:GetTrail",
                "OperationNotPermittedException",
                &missing(&user("alice"), "cloudtrail:GetTrail", TRAIL, "identity-based policy"),
            ),
            "response: suggest-fix; grants: 0",
        ),
    ]);
}

#[test]
fn every_other_error_is_ignored() {
    for code in [
        "TrailNotFoundException",
        "ThrottlingException",
        "ValidationException",
        "InvalidTrailNameException",
        "TrailAlreadyExistsException",
        "S3BucketDoesNotExistException",
        "KmsException",
        "UnsupportedOperationException",
        "ResourceNotFoundException",
        "Client.UnauthorizedAccess",
        "ConflictException",
        "OrganizationsNotInUseException",
        "OrganizationNotInAllFeaturesModeException",
        "InsufficientFunds",
        "x",
    ] {
        let record =
            error("cloudtrail:StopLogging", code, "User: x is not authorized to perform: cloudtrail:StopLogging");
        check([("no refusal by its code", record, "response: ignore; scenario: null; risk: null; kinds: none")]);
    }
    // Other services have errors of the same names, for other things.
    check([(
        "CloudTrail's exceptions are CloudTrail's",
        error("organizations:EnableAWSServiceAccess", "OperationNotPermittedException", "x"),
        "response: ignore",
    )]);
}

/// A message that only looks like a wrapping must not be done without a word.
#[test]
fn what_is_to_hold_records_and_holds_none_was_not_read() {
    for text in
        [r#"{"Records":5}"#, r#"{"Records":null}"#, r#"{"Records":"x"}"#, r#"{"Events":{}}"#, r#"{"Records":[7]}"#]
    {
        let read = access::event::read(text);
        assert!(matches!(&read[..], [Err(_)]), "{text}: {read:?}");
    }
    assert!(access::event::read(r#"{"Records":[]}"#).is_empty(), "a log file of no records is read");
}
