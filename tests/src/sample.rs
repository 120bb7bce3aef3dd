//! Records to ask about, as JSON: whoever writes a test takes one that is right and changes one thing.

use access::{
    diagnose::{Setting, diagnose},
    event,
    grant::GrantMode,
    guardrails::Guardrails,
};
use serde_json::{Value, json};

/// The account of every sample.
pub const HERE: &str = "111122223333";
/// Somebody else's account.
pub const THERE: &str = "444455556666";
/// The organization's management account.
pub const MANAGEMENT: &str = "123456789012";
/// The Region of every sample.
pub const REGION: &str = "eu-west-1";
/// A trail of this account.
pub const TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail";
/// An event data store of this account.
pub const STORE: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE";
/// A channel of this account.
pub const CHANNEL: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:channel/EXAMPLE8-0558-4f7e-a06a-43969EXAMPLE";
/// A dashboard of this account.
pub const DASHBOARD: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:dashboard/exampleDash";
/// A policy of the organization.
pub const SCP: &str =
    "arn:aws:organizations::123456789012:policy/o-exampleorgid/service_control_policy/p-examplepolicyid";

/// An IAM user of an account.
pub fn user_of(account: &str, name: &str) -> Value {
    json!({
        "type": "IAMUser", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": format!("arn:aws:iam::{account}:user/{name}"),
        "accountId": account, "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": name,
    })
}

/// An IAM user of this account.
pub fn user(name: &str) -> Value {
    user_of(HERE, name)
}

/// A session of a role; the path has both slashes.
pub fn session(account: &str, path: &str, role: &str, name: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": format!("AROAIDPPEZS35WEXAMPLE:{name}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"), "accountId": account, "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": { "sessionIssuer": {
            "type": "Role", "principalId": "AROAIDPPEZS35WEXAMPLE", "arn": format!("arn:aws:iam::{account}:role{path}{role}"),
            "accountId": account, "userName": role,
        } },
    })
}

/// A session of an ordinary role of this account.
pub fn role(name: &str) -> Value {
    session(HERE, "/team/", name, "alice")
}

/// A session of an Identity Center role.
pub fn sso(set: &str) -> Value {
    session(
        HERE,
        "/aws-reserved/sso.amazonaws.com/eu-west-1/",
        &format!("AWSReservedSSO_{set}_0123456789abcdef"),
        "alice@example.com",
    )
}

/// A session of a service-linked role.
pub fn service_linked() -> Value {
    session(HERE, "/aws-service-role/config.amazonaws.com/", "AWSServiceRoleForConfig", "configure")
}

/// The root user of this account.
pub fn root() -> Value {
    json!({ "type": "Root", "principalId": HERE, "arn": format!("arn:aws:iam::{HERE}:root"), "accountId": HERE })
}

/// A session made by `GetFederationToken`, by the user `broker`.
pub fn federated(name: &str) -> Value {
    json!({
        "type": "FederatedUser", "principalId": format!("{HERE}:{name}"), "arn": format!("arn:aws:sts::{HERE}:federated-user/{name}"),
        "accountId": HERE, "sessionContext": { "sessionIssuer": {
            "type": "IAMUser", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": format!("arn:aws:iam::{HERE}:user/broker"),
            "accountId": HERE, "userName": "broker",
        } },
    })
}

/// An Identity Center user without a role.
pub fn identity_center() -> Value {
    json!({
        "type": "IdentityCenterUser", "accountId": HERE, "credentialId": "EXAMPLE",
        "onBehalfOf": { "userId": "544894e8-80c1-707f-60e3-3ba6510dfac1", "identityStoreArn": "arn:aws:identitystore::123456789012:identitystore/d-9067642ac7" },
    })
}

/// A service on its own behalf.
pub fn service() -> Value {
    json!({ "type": "AWSService", "invokedBy": "ssm.amazonaws.com" })
}

/// A principal of another account, as the owner's copy of a record shows it.
pub fn stranger() -> Value {
    json!({ "type": "AWSAccount", "principalId": "AROAIDPPEZS35WEXAMPLE:analyst", "accountId": THERE })
}

/// Who signed, as AWS's sentences name them.
pub fn named(identity: &Value) -> String {
    identity["arn"].as_str().or(identity["accountId"].as_str()).unwrap_or("anonymous").to_owned()
}

/// AWS's sentence up to its reason; with no resource for an empty one.
pub fn said(identity: &Value, action: &str, resource: &str) -> String {
    let on = if resource.is_empty() { String::new() } else { format!(" on resource: {resource}") };
    format!("User: {} is not authorized to perform: {action}{on}", named(identity))
}

/// AWS's sentence for a missing allow in a kind of policy.
pub fn missing(identity: &Value, action: &str, resource: &str, kind: &str) -> String {
    format!("{} because no {kind} allows the {action} action", said(identity, action, resource))
}

/// A record of an error: whose call, `service:Operation` as the event names it, code and message.
pub fn failed(identity: Value, call: &str, code: &str, message: &str) -> Value {
    let (service, operation) = call.split_once(':').expect("service:Operation");
    json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": "2026-10-05T08:00:01Z",
        "eventSource": format!("{service}.amazonaws.com"), "eventName": operation, "awsRegion": REGION, "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2.31.4", "errorCode": code, "errorMessage": message, "requestParameters": null, "responseElements": null,
        "requestID": "5ef9a0c5-4c5e-4b5a-8b1e-0e5b1bb1a001", "eventID": "5ef9a0c5-4c5e-4b5a-8b1e-0e5b1bb1a002", "eventType": "AwsApiCall",
        "recipientAccountId": HERE, "eventCategory": "Management",
    })
}

/// A record of a refusal.
pub fn refused(identity: Value, call: &str, message: &str) -> Value {
    failed(identity, call, "AccessDenied", message)
}

/// The plainest case: no identity-based policy of the caller allows one of CloudTrail's actions.
pub fn lacking(identity: Value, action: &str, resource: &str) -> Value {
    let message = missing(&identity, action, resource, "identity-based policy");
    refused(identity, action, &message)
}

/// The same record with one member set; the path is a JSON pointer.
pub fn with(mut record: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = record.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    if parent.is_null() {
        *parent = json!({});
    }
    parent[member] = value.into();
    record
}

/// The same record without a member.
pub fn without(mut record: Value, pointer: &str) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = record.pointer_mut(parent).and_then(Value::as_object_mut).unwrap_or_else(|| panic!("no {parent}"));
    parent.remove(member).unwrap_or_else(|| panic!("no {member}"));
    record
}

/// A setting with the operator's file.
pub fn setting(mode: GrantMode, guardrails: &str) -> Setting {
    Setting { mode, guardrails: Guardrails::from_json(guardrails).expect("legal guardrails") }
}

/// What is said of a record, as other programs read it.
pub fn diagnosed_with(record: &Value, setting: &Setting, has_open_case: bool) -> Value {
    let record = event::read(&record.to_string()).remove(0).expect("a record");
    serde_json::to_value(&diagnose(record, setting, has_open_case).diagnosis).expect("JSON")
}

/// The same in grant mode `exact`, without guardrails.
pub fn diagnosed(record: &Value) -> Value {
    diagnosed_with(record, &setting(GrantMode::Exact, "{}"), false)
}

/// Whether some remedy may be approved.
pub fn is_grantable(diagnosis: &Value) -> bool {
    remedies(diagnosis).iter().any(|remedy| remedy["apply"] == "on-approval")
}

/// The remedies.
pub fn remedies(diagnosis: &Value) -> &[Value] {
    diagnosis["remedies"].as_array().expect("a list of remedies")
}
