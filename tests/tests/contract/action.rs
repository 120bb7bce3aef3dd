//! The action, its access level and its risk; the resource.

use serde_json::{Value, json};
use tests::{actions::ACTIONS, golden::assert_none, sample::*};

use super::{check, differences};

/// A refusal whose text is no sentence, with the request's parameters.
fn asked(call: &str, parameters: Value) -> Value {
    with(refused(user("alice"), call, "Access Denied"), "/requestParameters", parameters)
}

#[test]
fn the_sentences_else_the_events() {
    let say = |call: &str, action: &str| {
        refused(user("alice"), call, &missing(&user("alice"), action, "", "identity-based policy"))
    };
    check([
        (
            "the sentence's",
            say("cloudtrail:ListInsightsMetricData", "cloudtrail:LookupEvents"),
            "action: cloudtrail:LookupEvents; resource: *; risk: sensitive; access_level: Read",
        ),
        (
            "the other that it may be",
            say("cloudtrail:ListInsightsMetricData", "cloudtrail:ListInsightsData"),
            "action: cloudtrail:ListInsightsData; risk: sensitive",
        ),
        (
            "else the event's, in IAM's names",
            asked("cloudtrail:ListInsightsMetricData", Value::Null),
            "action: cloudtrail:LookupEvents; resource: *",
        ),
        (
            "else the event's",
            asked("cloudtrail:GetTrail", Value::Null),
            "action: cloudtrail:GetTrail; access_level: Read; risk: routine",
        ),
        (
            "the service in lower case",
            refused(
                user("alice"),
                "cloudtrail:CreateTrail",
                &said(&user("alice"), "SNS:Publish", "arn:aws:sns:eu-west-1:111122223333:t"),
            ),
            "action: sns:Publish",
        ),
        (
            "an action that the table doesn't know",
            lacking(user("alice"), "cloudtrail:ListWidgets", ""),
            "action: cloudtrail:ListWidgets; access_level: null; risk: null; grants: 0",
        ),
        (
            "a known action of another service",
            refused(user("alice"), "cloudtrail:CreateTrail", &said(&user("alice"), "s3:PutBucketPolicy", "")),
            "risk: sensitive; access_level: null",
        ),
        (
            "an unknown action of an unknown service",
            refused(user("alice"), "cloudtrail:CreateTrail", &said(&user("alice"), "widgets:GetWidget", "")),
            "risk: null; access_level: null",
        ),
    ]);
}

#[test]
fn every_action_as_the_reference_has_it() {
    let mut found = Vec::new();
    for (action, level, risk, types) in ACTIONS {
        let resource = match types.split(' ').next() {
            Some("trail") => TRAIL,
            Some("eventdatastore") => STORE,
            Some("channel") => CHANNEL,
            Some("dashboard") => DASHBOARD,
            _ => "",
        };
        let diagnosis = diagnosed(&lacking(user("alice"), action, resource));
        let response = match *risk {
            "tampering" => "raise-alarm",
            _ if ["cloudtrail:CreateEventDataStore", "cloudtrail:CreateChannel", "cloudtrail:CreateDashboard"]
                .contains(action) =>
            {
                "suggest-fix"
            }
            _ => "request-approval",
        };
        let expected = format!("action: {action}; access_level: {level}; risk: {risk}; response: {response}");
        found
            .extend(differences(&diagnosis, &expected).into_iter().map(|difference| format!("{action}: {difference}")));
        let star = types.is_empty();
        let named = if star { "*" } else { resource };
        found.extend(
            differences(&diagnosis, &format!("resource: {named}"))
                .into_iter()
                .map(|difference| format!("{action}: {difference}")),
        );
    }
    assert_none("actions", &found);
    assert_eq!(ACTIONS.iter().filter(|row| row.3.is_empty()).count(), 16, "sixteen take only *");
}

#[test]
fn the_sentences_resource() {
    let on = |resource: &str| lacking(user("alice"), "cloudtrail:GetTrail", resource);
    check([
        ("as it stands", on(TRAIL), "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail"),
        (
            "without quotes",
            on(&format!("\"{TRAIL}\"")),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        (
            "a bare name gets the call's place",
            on("My-Trail"),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        (
            "in the call's Region",
            with(on("My-Trail"), "/awsRegion", "us-east-2"),
            "resource: arn:aws:cloudtrail:us-east-2:111122223333:trail/My-Trail",
        ),
        ("with dots", on("a.b.c"), "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/a.b.c"),
        ("too short a name", on("ab"), "resource: null; grants: 0"),
        ("a name that ends in a dash", on("trail-"), "resource: null; grants: 0"),
        ("two separators together", on("my..trail"), "resource: null; grants: 0"),
        ("an address", on("192.168.5.4"), "resource: null; grants: 0"),
        ("a wildcard", on("trail*"), "resource: null; grants: 0"),
        ("a policy variable", on("${aws:username}"), "resource: null; grants: 0"),
        (
            "an illegal name hides the request's",
            with(on("tr ail"), "/requestParameters", json!({ "name": "My-Trail" })),
            "resource: null; grants: 0",
        ),
        (
            "IAM's free text stays",
            with(
                lacking(user("alice"), "iam:AttachUserPolicy", "user bob"),
                "/requestParameters",
                json!({ "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess" }),
            ),
            "resource: user bob",
        ),
        (
            "a store's id",
            lacking(user("alice"), "cloudtrail:GetEventDataStore", "EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE"),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
        ),
    ]);
    let china = with(user("alice"), "/arn", "arn:aws-cn:iam::111122223333:user/alice");
    let china = with(lacking(china, "cloudtrail:GetTrail", "My-Trail"), "/awsRegion", "cn-north-1");
    check([(
        "in the call's partition",
        china,
        "resource: arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/My-Trail; partition: aws-cn",
    )]);
}

#[test]
fn else_the_requests() {
    let trail = |parameters: Value| asked("cloudtrail:GetTrailStatus", parameters);
    check([
        (
            "a bare name",
            trail(json!({ "name": "My-Trail" })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        (
            "an ARN",
            trail(json!({ "name": TRAIL })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        ("an illegal one", trail(json!({ "name": "tr ail" })), "resource: null"),
        ("null parameters", trail(Value::Null), "resource: null"),
        (
            "a trail by its other name",
            asked("cloudtrail:GetEventSelectors", json!({ "trailName": "My-Trail" })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        (
            "an event data store",
            asked("cloudtrail:GetEventDataStore", json!({ "eventDataStore": STORE })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
        ),
        (
            "a channel",
            asked("cloudtrail:GetChannel", json!({ "channel": CHANNEL })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:channel/EXAMPLE8-0558-4f7e-a06a-43969EXAMPLE",
        ),
        (
            "tags",
            asked("cloudtrail:ListTags", json!({ "resourceIdList": [TRAIL] })),
            "resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
        ),
        (
            "of several none",
            asked("cloudtrail:ListTags", json!({ "resourceIdList": [TRAIL, STORE] })),
            "resource: null",
        ),
        (
            "a new store's name is no id",
            asked("cloudtrail:CreateEventDataStore", json!({ "name": "audit-lake" })),
            "resource: null",
        ),
        (
            "'on this resource' counts as absent",
            with(
                refused(
                    user("alice"),
                    "cloudtrail:CreateTrail",
                    &format!(
                        "{} on this resource because no identity-based policy allows the kms:GenerateDataKey action",
                        said(&user("alice"), "kms:GenerateDataKey", "")
                    ),
                ),
                "/requestParameters",
                json!({ "name": "My-Trail", "kmsKeyId": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab" }),
            ),
            "resource: arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ),
    ]);
}

#[test]
fn else_a_star() {
    check([
        ("for what takes only *", lacking(user("alice"), "cloudtrail:DescribeTrails", ""), "resource: *"),
        (
            "not for what takes a resource",
            lacking(user("alice"), "cloudtrail:GetTrail", ""),
            "resource: null; grants: 0",
        ),
        ("not for what is not known", lacking(user("alice"), "cloudtrail:ListWidgets", ""), "resource: null"),
    ]);
}
