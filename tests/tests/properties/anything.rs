//! All sorts of input, through the bodies of the fuzz targets.

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};
use tests::{events, fuzz};

use super::cases;

/// What callers write where they may write anything, beside words that mean something to somebody.
const WORDS: &[&str] = &[
    "",
    "alice",
    "My-Trail",
    "*",
    "?",
    "${aws:username}",
    "111122223333",
    "444455556666",
    "cloudtrail.amazonaws.com",
    "s3.amazonaws.com",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:sts::111122223333:assumed-role/reader/alice",
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123456789abcdef",
    "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail",
    "arn:aws-cn:cloudtrail:cn-north-1:444455556666:trail/x",
    "arn:aws:s3:::b-1/AWSLogs/111122223333/CloudTrail/x",
    "arn:aws:organizations::1:policy",
    "arn:aws:",
    "arn:aws:::::",
    ":::::",
    "</script><script>alert(1)</script>",
    "<!channel>",
    "$(touch x)",
    "`x`",
    "'; DROP TABLE cases; --",
    "\u{1b}[2J",
    "\u{202e}gnitset",
    "\u{0}",
    "a\nb\r\nc",
    "https://evil.example/",
    "😀",
    "%0a%0d",
    "\\",
    "\"",
    "i-0abcdef1234567890",
    "AIDAJ45Q7YFFAREXAMPLE",
    "AROAIDPPEZS35WEXAMPLE:alice",
    "because no identity-based policy allows the cloudtrail:GetTrail action",
    " with an explicit deny in a service control policy",
    "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cloudtrail:GetTrail",
    "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cloudtrail:StopLogging on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/x because no identity-based policy allows the cloudtrail:StopLogging action",
    "User: anonymous is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b-1/AWSLogs/111122223333/CloudTrail/x\"",
    "is not authorized to perform:",
    "on resource:",
    "Access Denied",
    "The request was denied due to a VPC endpoint policy",
    "GetTrail",
    "StopLogging",
    "AttachUserPolicy",
    "PassRole",
    "AccessDenied",
    "VpceAccessDenied",
    "InsufficientS3BucketPolicyException",
    "NotOrganizationMasterAccountException",
    "IAMUser",
    "AssumedRole",
    "Root",
    "FederatedUser",
    "AWSService",
    "AWSAccount",
    "SAMLUser",
    "IdentityCenterUser",
    "Directory",
    "eu-west-1",
    "us-gov-west-1",
    "2026-10-05T08:00:01Z",
    "not a time",
    "AWSCloudTrail_FullAccess",
    "aws-cloudtrail-logs-1",
    "cloudtrail:*",
];

/// The members that a record may have, where they stand, and some that it never has.
const MEMBERS: &[&str] = &[
    "eventID",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "recipientAccountId",
    "vpcEndpointId",
    "requestID",
    "sharedEventID",
    "eventVersion",
    "type",
    "principalId",
    "arn",
    "accountId",
    "userName",
    "invokedBy",
    "identityProvider",
    "userId",
    "identityStoreArn",
    "issuerType",
    "ec2RoleDelivery",
    "name",
    "trailName",
    "eventDataStore",
    "channel",
    "resourceIdList",
    "bucketName",
    "key",
    "kmsKeyId",
    "keyId",
    "roleArn",
    "roleName",
    "policyArn",
    "policyDocument",
    "s3BucketName",
    "s3KeyPrefix",
    "snsTopicName",
    "cloudWatchLogsRoleArn",
    "cloudWatchLogsLogGroupArn",
    "logGroupName",
    "ARN",
    "extra",
];

fn text() -> impl Strategy<Value = String> {
    let word = select(WORDS).prop_map(str::to_owned);
    prop_oneof![
        6 => word.clone(),
        2 => prop::collection::vec(word, 2..5).prop_map(|words| words.concat()),
        1 => "\\PC{0,40}",
        1 => "[a-zA-Z0-9_.@=,+-]{0,140}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![8 => text().prop_map(Value::from), 1 => Just(Value::Null), 1 => any::<bool>().prop_map(Value::from), 1 => any::<i64>().prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((select(MEMBERS), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// An object with some of these members; each is mostly a text, sometimes anything.
fn object(members: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let member = (select(members), prop_oneof![5 => text().prop_map(Value::from), 1 => value()]);
    prop::collection::vec(member, 0..12)
        .prop_map(|members| members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>().into())
}

/// Something shaped like a record, in a wrapping or in none.
fn record() -> impl Strategy<Value = Value> {
    let part = || object(MEMBERS);
    (part(), part(), part(), part(), part(), 0..6_u8).prop_map(
        |(mut record, mut identity, issuer, parameters, resource, wrapping)| {
            identity["sessionContext"] = json!({ "sessionIssuer": issuer });
            record["userIdentity"] = identity;
            record["requestParameters"] = parameters;
            record["resources"] = json!([resource]);
            match wrapping {
                0 => json!({ "detail": record }),
                1 => json!({ "Records": [record, 7] }),
                2 => json!({ "Records": [{ "body": json!({ "detail": record }).to_string() }] }),
                3 => json!({ "Events": [{ "CloudTrailEvent": record.to_string() }] }),
                _ => record,
            }
        },
    )
}

/// A golden event with a few bytes or words changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<String> = events::names(".json").iter().map(|name| events::json(name)).collect();
    let change = (any::<prop::sample::Index>(), 0..5_u8, any::<u8>(), select(WORDS));
    (select(files), prop::collection::vec(change, 1..6)).prop_map(|(file, changes)| {
        let mut bytes = file.into_bytes();
        for (at, what, byte, word) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => drop(bytes.splice(at..at, word.bytes())),
                3 => bytes.truncate(at.max(1)),
                // Strings swap places: what was a name becomes a region, or a message.
                _ => {
                    let quoted = json!(word).to_string();
                    let end = bytes[at..].iter().position(|b| *b == b',').map_or(bytes.len(), |end| at + end);
                    if let Some(start) = bytes[..at].iter().rposition(|b| *b == b':') {
                        drop(bytes.splice(start + 1..end, quoted.bytes()));
                    }
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    })
}

/// A golden event with the value of one member taken from another one: still a whole record, but nobody's.
fn crossed() -> impl Strategy<Value = Value> {
    let records: Vec<Value> = events::all().iter().map(|(_, record)| serde_json::to_value(record).unwrap()).collect();
    const PATHS: &[&str] = &[
        "/userIdentity",
        "/errorMessage",
        "/errorCode",
        "/requestParameters",
        "/recipientAccountId",
        "/awsRegion",
        "/eventSource",
        "/eventName",
        "/userIdentity/arn",
        "/userIdentity/accountId",
        "/userIdentity/type",
        "/userIdentity/principalId",
        "/userIdentity/sessionContext",
        "/resources",
    ];
    (select(records.clone()), prop::collection::vec((select(records), select(PATHS)), 1..4)).prop_map(
        |(mut record, crossings)| {
            for (other, path) in crossings {
                let (parent, member) = path.rsplit_once('/').unwrap();
                let value = other.pointer(path).cloned().unwrap_or(Value::Null);
                if let Some(parent) = record.pointer_mut(parent).filter(|parent| parent.is_object()) {
                    parent[member] = value;
                }
            }
            record
        },
    )
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        fuzz::sentence(&bytes);
        fuzz::record(&bytes);
    }

    #[test]
    fn any_words(words in prop::collection::vec(text(), 0..8), long in 0..2_usize) {
        let text = words.join(" ") + &"x".repeat(long * 1000);
        fuzz::sentence(text.as_bytes());
    }

    #[test]
    fn any_sentence(who in text(), action in "[a-z]{0,10}:?[A-Za-z*]{0,12}", resource in text(), rest in text()) {
        fuzz::sentence(format!("User: {who} is not authorized to perform: {action} on resource: {resource} {rest}").as_bytes());
    }

    #[test]
    fn anything_like_a_record(record in record()) {
        fuzz::record(record.to_string().as_bytes());
    }

    #[test]
    fn changed_events(bytes in mutated()) {
        fuzz::record(&bytes);
        fuzz::sentence(&bytes);
    }

    #[test]
    fn crossed_events(record in crossed()) {
        fuzz::record(record.to_string().as_bytes());
    }
}
