//! Whose denial it is, and whether it is CloudTrail's at all: the responder's own, an IAM call that names nothing but a user,
//! somebody who helps himself.

use serde_json::json;
use tests::local::{
    ACCOUNT,
    denials::denial,
    function::Counts,
    place::{ALARMS, NOTICES, Place},
};

use crate::{TRIAGE, USUAL, assert_told, bodies, received};

/// Known by the role's ARN, which nobody else can bear; by its name alone it would be anybody's.
#[tokio::test]
async fn its_own_denials_are_counted_and_never_a_case() {
    let mut place = Place::new("own", TRIAGE).await;
    place.set(
        "TRAILPASS_OWN_ROLES",
        &format!("arn:aws:iam::{ACCOUNT}:role/own-TriageRole,arn:aws:iam::{ACCOUNT}:role/other"),
    );
    let mut function = place.function().await;
    let own = || denial("nobody", "GetTrail").by_role(ACCOUNT, "own-TriageRole", "own-triage");
    let mut allowed = own().event();
    let detail = allowed["detail"].as_object_mut().unwrap();
    detail.remove("errorCode");
    detail.remove("errorMessage");
    let batch = [own().body(), own().calling("cloudtrail", "StopLogging").body(), allowed.to_string()];
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { ignored: 3, own_denials: 2, ..received(3) }));
    assert!(place.cases().await.is_empty() && place.slack.messages().is_empty() && place.ledger.effects().is_empty());
    let is_said = |line: &&serde_json::Value| line["level"] == "ERROR" && line["action"] == "cloudtrail:GetTrail";
    assert_eq!(function.log.iter().filter(is_said).count(), 1, "{:#?}", function.log);

    let others = [
        denial("nobody", "GetTrail").by_role("444455556666", "own-TriageRole", "own-triage"),
        denial("own-TriageRole", "GetTrail"),
        denial("nobody", "GetTrail").by_role(ACCOUNT, "TriageRole", "own-TriageRole"),
    ];
    let done = function.batch(&bodies(&others), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 3, ..received(3) }), "{done:?}");
}

/// A denied IAM call usually says nothing but whom it would have changed.
#[tokio::test]
async fn an_iam_call_counts_where_its_target_has_an_open_case() {
    let place = Place::new("iam", TRIAGE).await;
    let mut function = place.function().await;
    let attach = |user: &str, to: &str| denial(user, "x").calling("iam", "AttachUserPolicy").on(&format!("user {to}"));
    let done = function.batch(&[attach("admin", "bob").body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { ignored: 1, ..received(1) }));
    assert!(place.cases().await.is_empty());

    function.batch(&[denial("Bob", "GetTrailStatus").body()], USUAL).await;
    let first = place.case().await;
    let another = attach("admin", "carol");
    let a_role = denial("admin", "x").calling("iam", "AttachRolePolicy").on("role bob");
    let other_calls = denial("admin", "x").calling("iam", "DeleteUser").on("user bob");
    let done = function.batch(&bodies(&[attach("admin", "bob"), another, a_role, other_calls]), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ignored: 3, ..received(4) }), "{done:?}");
    let cases = place.cases().await;
    let second = cases.iter().find(|case| case["id"] != first["id"]).unwrap();
    assert_told(second);
    assert_eq!(
        (&second["diagnosis"]["response"], &second["diagnosis"]["scenario"]),
        (&json!("suggest-fix"), &json!("allow-others"))
    );
    let said = place.slack.channel(NOTICES).pop().unwrap().text();
    assert!(said.contains("iam:AttachUserPolicy") && said.contains("admin"), "{said}");

    // Bob helps himself: that is no denial to mend.
    let done = function.batch(&[attach("bob", "bob").body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ..received(1) }));
    assert_eq!((place.alarms.heard(&place.aws).await.len(), place.slack.channel(ALARMS).len()), (1, 1));
    assert_eq!(place.slack.channel(NOTICES).len(), 2);

    // Once every case of Bob's is closed, such a call says nothing about CloudTrail any more.
    for case in place.cases().await {
        let key = format!("CASE#{}", case["id"].as_str().unwrap());
        place.turn(&key, |case| case["seen_at"] = json!(case["seen_at"].as_i64().unwrap() - 24 * 3600)).await;
    }
    let done = function.batch(&[attach("dave", "bob").body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { ignored: 1, ..received(1) }));
}

/// Where the parameters are there and name a policy of CloudTrail's, no case is needed.
#[tokio::test]
async fn a_grant_to_oneself_is_an_alarm() {
    let place = Place::new("self-grant", TRIAGE).await;
    let parameters = json!({"userName": "mallory", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess"});
    let grant = denial("mallory", "x").calling("iam", "AttachUserPolicy").on("user mallory").with(parameters);
    let done = place.function().await.batch(&[grant.body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ..received(1) }));
    let case = place.case().await;
    assert_told(&case);
    assert_eq!((&case["audience"], &case["diagnosis"]["response"]), (&json!("alarms"), &json!("raise-alarm")));
    assert_eq!((place.alarms.heard(&place.aws).await.len(), place.slack.channel(ALARMS).len()), (1, 1));
    assert_eq!((place.notices.heard(&place.aws).await.len(), place.slack.channel(NOTICES).len()), (0, 0));
}

/// What is told is computed from what is kept of a record. It must not say less than the case.
#[tokio::test]
async fn a_long_policy_document_is_an_alarm_too() {
    let place = Place::new("long-document", TRIAGE).await;
    let padding: Vec<String> = (0..280).map(|n| format!("arn:aws:cloudtrail:*:*:trail/{n}")).collect();
    let statement = json!({"Effect": "Allow", "Action": "cloudtrail:StopLogging", "Resource": padding});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    assert!((9_000..10_240).contains(&document.len()), "IAM takes it: {}", document.len());
    let parameters = json!({"userName": "mallory", "policyName": "mine", "policyDocument": document});
    let grant = denial("mallory", "x").calling("iam", "PutUserPolicy").on("user mallory").with(parameters);
    let done = place.function().await.batch(&[grant.body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ..received(1) }));
    assert_eq!(place.case().await["audience"], "alarms");
    let [message] = &place.slack.channel(ALARMS)[..] else { panic!("one message") };
    assert!(message.versions[0]["text"].as_str().unwrap().starts_with("ALARM"), "{}", message.versions[0]["text"]);
    let [publication] = &place.ledger.publications()[..] else { panic!("one publication") };
    assert!(publication.subject.contains("ALARM"), "{}", publication.subject);
}
