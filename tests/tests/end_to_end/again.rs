//! What comes again, together with others, or spoilt: counted once, told once, and nothing good is lost with something bad.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::local::{
    denials::{SCP, denial},
    function::{Counts, message},
    place::{ALARMS, NOTICES, Place},
    proxy::Kind,
};

use crate::{TRIAGE, USUAL, assert_told, bodies, received};

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let place = Place::new("redelivered", TRIAGE).await;
    let batch = bodies(&[denial("bob", "GetTrailStatus"), denial("bob", "ListTags"), denial("eve", "StopLogging")]);
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!(done.counts, Counts { posted: 3, ..received(3) });
    let effects = place.ledger.effects();
    let cases = place.cases().await;
    for _ in 0..3 {
        let done = function.batch(&batch, USUAL).await;
        assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 3, ..received(3) }));
    }
    // A process that starts cold knows no more than the table does.
    let done = place.function().await.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 3, ..received(3) }));
    assert_eq!(place.ledger.effects(), effects, "nothing was written, published or posted");
    assert_eq!(place.cases().await, cases);
    assert_eq!((place.notices.heard(&place.aws).await.len(), place.alarms.heard(&place.aws).await.len()), (2, 1));
    assert_eq!((place.slack.channel(NOTICES).len(), place.slack.channel(ALARMS).len()), (2, 1));
}

#[tokio::test]
async fn the_same_denial_twice_in_a_batch_counts_once() {
    let place = Place::new("twice", TRIAGE).await;
    let (one, other) = (denial("bob", "GetTrailStatus"), denial("bob", "GetTrailStatus"));
    let done = place.function().await.batch(&bodies(&[one.clone(), other, one]), USUAL).await;
    assert_eq!(done.counts, Counts { posted: 1, joined: 1, duplicate: 1, ..received(3) });
    assert_eq!(place.case().await["count"], 2);
    assert_eq!(place.slack.messages().len(), 1);
}

#[tokio::test]
async fn a_second_denial_joins_and_updates_the_message() {
    let place = Place::new("joined", TRIAGE).await;
    let mut function = place.function().await;
    let call = || denial("bob", "GetTrailStatus");
    assert_eq!(function.batch(&[call().body()], USUAL).await.counts, Counts { posted: 1, ..received(1) });
    let key = format!("CASE#{}", place.case().await["id"].as_str().unwrap());

    assert_eq!(function.batch(&[call().body()], USUAL).await.counts, Counts { joined: 1, ..received(1) });
    assert_eq!(place.case().await["count"], 2);
    assert_eq!(place.slack.channel(NOTICES)[0].versions.len(), 1, "within a minute it is left alone");

    // A minute can't be waited for.
    place
        .turn(&key, |case| case["told"]["updated_at"] = json!(case["told"]["updated_at"].as_i64().unwrap() - 61))
        .await;
    assert_eq!(function.batch(&[call().body()], USUAL).await.counts, Counts { joined: 1, ..received(1) });
    let messages = place.slack.messages();
    let [message] = &messages[..] else { panic!("the same message: {messages:#?}") };
    assert_eq!(message.versions.len(), 2);
    assert_eq!(message.versions[1]["ts"], json!(message.ts));
    assert!(!message.versions[0].to_string().contains("3 times"), "{}", message.versions[0]);
    assert!(message.text().contains("3 times"), "{}", message.text());
    assert_eq!(place.notices.heard(&place.aws).await.len(), 1, "the topic hears only of what is new");

    // Updating is a courtesy: while Slack is out, denials are counted as ever.
    place.turn(&key, |case| case["told"]["updated_at"] = json!(0)).await;
    place.slack.is(tests::local::slack::Mood::Fails(503));
    let done = function.batch(&[call().body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { joined: 1, ..received(1) }));
    assert_eq!(place.case().await["count"], 4);
}

#[tokio::test]
async fn another_cause_opens_a_linked_case() {
    let place = Place::new("linked", TRIAGE).await;
    let mut function = place.function().await;
    function.batch(&[denial("bob", "GetTrailStatus").body()], USUAL).await;
    let first = place.case().await;
    let done = function.batch(&[denial("bob", "GetTrailStatus").because(SCP).body()], USUAL).await;
    assert_eq!(done.counts, Counts { posted: 1, ..received(1) });
    let cases = place.cases().await;
    let second = cases.iter().find(|case| case["id"] != first["id"]).unwrap();
    assert_eq!((&second["linked"], &second["call_id"]), (&first["id"], &first["call_id"]));
    assert_told(second);
    let messages = place.slack.channel(NOTICES);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].thread.as_deref(), Some(messages[0].ts.as_str()), "cases of ten minutes stand together");
    assert!(messages[1].text().contains(first["id"].as_str().unwrap()), "{}", messages[1].text());
    assert_eq!(place.notices.heard(&place.aws).await.len(), 2);
}

#[tokio::test]
async fn a_case_that_was_quiet_for_a_day_is_told_anew() {
    let place = Place::new("reopened", TRIAGE).await;
    let mut function = place.function().await;
    let call = || denial("bob", "GetTrailStatus");
    function.batch(&bodies(&[call(), call()]), USUAL).await;
    let key = format!("CASE#{}", place.case().await["id"].as_str().unwrap());
    place.turn(&key, |case| case["seen_at"] = json!(case["seen_at"].as_i64().unwrap() - 24 * 3600)).await;
    let done = function.batch(&[call().body()], USUAL).await;
    assert_eq!(done.counts, Counts { posted: 1, ..received(1) });
    let case = place.case().await;
    assert_eq!((&case["opening"], &case["count"]), (&json!(2), &json!(1)));
    assert_told(&case);
    assert_eq!(place.slack.channel(NOTICES).len(), 2);
    assert_eq!(place.notices.heard(&place.aws).await.len(), 2);
}

/// In a thread only those who follow it would be notified; and what goes on for an hour is told anew.
#[tokio::test]
async fn an_alarm_stands_in_the_channel_and_is_told_again() {
    let place = Place::new("alarm-again", TRIAGE).await;
    let mut function = place.function().await;
    let stop = || denial("eve", "StopLogging");
    function.batch(&[denial("eve", "DeleteTrail").body()], USUAL).await;
    function.batch(&[stop().body()], USUAL).await;
    let messages = place.slack.channel(ALARMS);
    assert_eq!(messages.iter().map(|message| message.thread.as_deref()).collect::<Vec<_>>(), [None, None]);

    let cases = place.cases().await;
    let case = cases.iter().find(|case| case["diagnosis"]["action"] == "cloudtrail:StopLogging").unwrap();
    let key = format!("CASE#{}", case["id"].as_str().unwrap());
    place.turn(&key, |case| case["told"]["told_at"] = json!(case["told"]["told_at"].as_i64().unwrap() - 3600)).await;
    let done = function.batch(&bodies(&[stop(), stop()]), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { joined: 2, ..received(2) }));
    let messages = place.slack.channel(ALARMS);
    assert_eq!((messages.len(), &messages[2].thread), (3, &None));
    assert!(messages[2].text().contains("3 times"), "{}", messages[2].text());
    assert_eq!(place.alarms.heard(&place.aws).await.len(), 3);
    place.cases().await.iter().for_each(assert_told);
    assert_eq!(function.batch(&[stop().body()], USUAL).await.counts, Counts { joined: 1, ..received(1) });
    assert_eq!(place.slack.channel(ALARMS).len(), 3, "an hour counts from there");
}

#[tokio::test]
async fn a_poison_record_fails_alone() {
    let place = Place::new("poison", TRIAGE).await;
    let (good, also_good, third) =
        (denial("bob", "GetTrailStatus"), denial("eve", "StopLogging"), denial("bob", "ListTags"));
    let cut = good.body()[..300].to_owned();
    let half_good = json!({"Records": [third.record(), 17]}).to_string();
    let batch = [
        good.body(),
        "no JSON at all".to_owned(),
        cut,
        "{}".to_owned(),
        "[1, null]".to_owned(),
        also_good.body(),
        half_good,
        String::new(),
        r#"{"Records": []}"#.to_owned(),
    ];
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!(done.failed, BTreeSet::from([1, 2, 3, 4, 6, 7]), "{done:?}");
    assert_eq!(done.counts.posted, 3, "{done:?}");
    let cases = place.cases().await;
    assert_eq!(cases.len(), 3);
    cases.iter().for_each(assert_told);
    // What is spoilt stays spoilt, and goes to the dead letters in the end; what was good in it isn't told twice.
    let left: Vec<String> = done.failed.iter().map(|&at| batch[at].clone()).collect();
    let done = function.batch(&left, USUAL).await;
    assert_eq!((done.failed.len(), done.counts.posted, done.counts.duplicate), (6, 0, 1), "{done:?}");
    assert_eq!(place.slack.messages().len(), 3);
}

/// What a caller chooses may be as long as an event can be. It must not keep a case from being written, or its own or
/// somebody else's notice from being sent.
#[tokio::test]
async fn no_field_is_too_long() {
    let place = Place::new("long", TRIAGE).await;
    let long = "x".repeat(200_000);
    let set = |field: &str, value: Value| {
        let mut event = denial("bob", "GetTrailStatus").on_trail(field).event();
        event["detail"][field] = value;
        event.to_string()
    };
    let batch = [
        set("userAgent", json!(long)),
        set("sourceIPAddress", json!(long)),
        set("requestID", json!(long)),
        set("eventID", json!(long)),
        set("eventTime", json!(long)),
        set("requestParameters", json!({"name": long, long.as_str(): [long, {"a": long}]})),
        set(
            "resources",
            json!([{"ARN": format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{long}"), "accountId": long}]),
        ),
        denial("bob", "GetTrailStatus").on_trail(&long).body(),
        denial(&long, "GetTrailStatus").body(),
        denial("x", "GetTrailStatus").by_role(tests::local::ACCOUNT, "Audit", &long).body(),
        denial("bob", "GetTrailStatus").because(&long).body(),
        denial("bob", &long).body(),
        denial("bob", "GetTrailStatus").body(),
    ];
    let length = u64::try_from(batch.len()).unwrap();
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    // Bob has more than ten new cases, so one may be held.
    assert!(done.failed.is_empty(), "{done:?} {:#?}", function.log);
    assert_eq!(done.counts.posted + done.counts.held + done.counts.joined, length, "{done:?}");
    place.cases().await.iter().for_each(assert_told);
    let told = usize::try_from(done.counts.posted).unwrap() + usize::from(done.counts.held > 0);
    assert_eq!((place.slack.messages().len(), place.notices.heard(&place.aws).await.len()), (told, told));
}

#[tokio::test]
async fn forms_may_be_mixed() {
    let place = Place::new("mixed", TRIAGE).await;
    let names = ["a", "b", "c", "d", "e", "f"];
    let [a, b, c, d, e, f] = names.map(|name| denial("bob", "GetTrailStatus").on_trail(name));
    let by_sns = json!({"Type": "Notification", "MessageId": "x", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:events", "Message": b.body()});
    let file = json!({"Records": [c.record(), d.record()]});
    let looked_up =
        json!({"Events": [{"EventId": "x", "EventName": "GetTrailStatus", "CloudTrailEvent": e.record().to_string()}]});
    let forms: Vec<Value> = vec![a.event(), by_sns, file, looked_up, f.record(), a.record()];
    let batch: Vec<String> = forms.iter().map(Value::to_string).collect();
    let done = place.function().await.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 6, duplicate: 1, ..received(7) }), "{done:?}");
    let resources: BTreeSet<String> =
        place.cases().await.iter().map(|case| case["diagnosis"]["resource"].as_str().unwrap().to_owned()).collect();
    assert!(
        names.iter().all(|name| resources.iter().any(|arn| arn.ends_with(&format!(":trail/{name}")))),
        "{resources:?}"
    );
}

/// Lambda runs two at once, and SQS may hand a message to both.
#[tokio::test]
async fn two_at_once_tell_once() {
    let place = Place::new("two-at-once", TRIAGE).await;
    let trails: Vec<_> = (0..4).map(|n| denial("bob", "GetTrailStatus").on_trail(&format!("t{n}"))).collect();
    let messages: Vec<Value> = bodies(&trails).iter().map(|body| message(body)).collect();
    let (mut one, mut other) = (place.function().await, place.function().await);
    let (first, second) = tokio::join!(one.messages(&messages, USUAL), other.messages(&messages, USUAL));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.counts.posted + second.counts.posted, 4, "{first:?} {second:?}");
    // Whoever found the other at work could not know how that ends: those messages come again.
    let done = one.messages(&messages, USUAL).await.unwrap();
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 4, ..received(4) }));
    let cases = place.cases().await;
    assert_eq!(cases.len(), 4);
    for case in &cases {
        assert_told(case);
        assert_eq!(case["count"], 1);
    }
    assert_eq!((place.ledger.count(Kind::Publish), place.slack.messages().len()), (4, 4));
}
