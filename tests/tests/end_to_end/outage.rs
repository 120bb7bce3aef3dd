//! Slack, SNS or the table answer wrongly or not at all: no case and no notice is lost, and nobody is told twice of what
//! has reached them.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::local::{
    denials::denial,
    function::Counts,
    place::{ALARMS, NOTICES, Place, Queue},
    proxy::{Kind, Trouble},
    slack::Mood,
};

use crate::{SHORT, TRIAGE, USUAL, assert_told, bodies, received};

/// A short `Retry-After` is waited for within the call.
#[tokio::test]
async fn slack_limits_for_a_moment() {
    let place = Place::new("limits", TRIAGE).await;
    place.slack.once(Mood::Limits(1));
    let mut function = place.function().await;
    let begun = Instant::now();
    let done = function.batch(&[denial("bob", "GetTrailStatus").body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ..received(1) }));
    assert!(begun.elapsed() >= Duration::from_secs(1), "not before Slack wants it");
    assert_eq!((place.slack.attempts(), place.slack.messages().len()), (2, 1));
    assert_told(&place.case().await);
}

/// A connection that was kept too long breaks at its first use: that is no failure of Slack's.
#[tokio::test]
async fn slack_closes_once() {
    let place = Place::new("closes", TRIAGE).await;
    place.slack.once(Mood::Closes);
    let done = place.function().await.batch(&[denial("bob", "GetTrailStatus").body()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts.posted), (0, 1));
    assert_eq!(place.slack.messages().len(), 1);
}

/// With everything else: the topic is told once, the message comes back to its queue, and Slack hears of it when it can.
async fn slack_is_out(name: &str, mood: Mood) {
    let place = Place::new(name, TRIAGE).await;
    let queue = Queue::new(&place.aws, &format!("{name}-NoticesQueue")).await;
    let denials = [denial("bob", "GetTrailStatus"), denial("bob", "GetTrailStatus"), denial("eve", "StopLogging")];
    for body in bodies(&denials) {
        place.aws.call("sqs", "AmazonSQS.SendMessage", json!({"QueueUrl": queue.url, "MessageBody": body})).await;
    }
    place.slack.is(mood);
    let mut function = place.function().await;
    let done = queue.poll(&place.aws, &mut function, USUAL).await.expect("it is done before its deadline");
    assert_eq!((done.failed.len(), done.counts), (3, Counts { failed: 3, ..received(3) }), "{mood:?}: {done:?}");
    let heard = [place.notices.heard(&place.aws).await.len(), place.alarms.heard(&place.aws).await.len()];
    assert_eq!(heard, [1, 1], "the topics heard of it");
    for case in place.cases().await {
        assert_eq!((&case["told"]["notice"], &case["told"]["slack"]), (&json!("pending"), &json!(null)));
        assert_eq!(case["told"]["sns"].as_str().map(str::is_empty), Some(false));
    }
    // It does not become better by itself, and nothing more is published. (In little time, little is tried.)
    let done = queue.poll(&place.aws, &mut function, SHORT).await.expect("it is done before its deadline");
    assert_eq!((done.failed.len(), done.counts.failed), (3, 3), "{mood:?}: {done:?}");

    place.slack.is(Mood::Works);
    let done = queue.poll(&place.aws, &mut function, USUAL).await.unwrap();
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 3, ..received(3) }), "{mood:?}: {done:?}");
    assert!(queue.receive(&place.aws).await.is_empty(), "nothing comes back");
    assert_eq!((place.slack.channel(NOTICES).len(), place.slack.channel(ALARMS).len()), (1, 1));
    let cases = place.cases().await;
    assert_eq!(cases.len(), 2);
    cases.iter().for_each(assert_told);
    let counts: u64 = cases.iter().map(|case| case["count"].as_u64().unwrap()).sum();
    assert_eq!(counts, 3);
    assert_eq!(place.ledger.count(Kind::Publish), 2, "{mood:?}: each topic once");
}

#[tokio::test]
async fn slack_limits_for_long() {
    slack_is_out("limits-long", Mood::Limits(60)).await;
}

#[tokio::test]
async fn slack_fails() {
    slack_is_out("fails", Mood::Fails(500)).await;
}

#[tokio::test]
async fn slack_says_nothing() {
    slack_is_out("hangs", Mood::Hangs).await;
}

/// What waits for Slack must not keep the rest of its batch from the table and the topic.
#[tokio::test]
async fn a_silent_slack_holds_up_no_topic() {
    let place = Place::new("silent", TRIAGE).await;
    place.slack.is(Mood::Hangs);
    let denials: Vec<_> = (0..12).map(|n| denial(&format!("user{n}"), "GetTrailStatus")).collect();
    let done = place.function().await.batch(&bodies(&denials), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (12, Counts { failed: 12, ..received(12) }));
    assert_eq!((place.cases().await.len(), place.notices.heard(&place.aws).await.len()), (12, 12));
}

#[tokio::test]
async fn slack_closes_always() {
    slack_is_out("closes-always", Mood::Closes).await;
}

#[tokio::test]
async fn slack_does_not_know_the_channel() {
    slack_is_out("refuses", Mood::Refuses("channel_not_found")).await;
}

/// The other way round: what SNS did not take is published later, and Slack isn't told again.
#[tokio::test]
async fn the_topic_is_out() {
    let place = Place::new("topic-out", TRIAGE).await;
    let batch = bodies(&[denial("bob", "GetTrailStatus"), denial("eve", "StopLogging")]);
    place.ledger.out_of_order(&[Kind::Publish]);
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (2, Counts { failed: 2, ..received(2) }));
    assert_eq!(place.slack.messages().len(), 2, "Slack is told all the same");
    place.ledger.out_of_order(&[]);
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 2, ..received(2) }));
    place.cases().await.iter().for_each(assert_told);
    assert_eq!((place.slack.messages().len(), place.ledger.count(Kind::Publish)), (2, 2));
}

/// It takes the connection and says nothing. That must keep neither Slack from hearing nor the rest of the batch from the table.
#[tokio::test]
async fn a_silent_topic_holds_up_nothing() {
    let place = Place::new("topic-silent", TRIAGE).await;
    let mut denials: Vec<_> = (0..6).map(|n| denial(&format!("user{n}"), "GetTrailStatus")).collect();
    denials.push(denial("eve", "StopLogging"));
    let batch = bodies(&denials);
    place.ledger.trouble(&[(Kind::Publish, Trouble::Hangs)]);
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (7, Counts { failed: 7, ..received(7) }));
    assert_eq!((place.slack.channel(NOTICES).len(), place.slack.channel(ALARMS).len()), (6, 1), "Slack has heard");
    let cases = place.cases().await;
    assert_eq!(cases.len(), 7, "all is written");
    for case in &cases {
        assert_eq!((&case["told"]["notice"], &case["told"]["sns"]), (&json!("pending"), &json!(null)));
        assert!(case["told"]["slack"]["ts"].is_string(), "{case}");
    }
    place.ledger.trouble(&[]);
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 7, ..received(7) }));
    place.cases().await.iter().for_each(assert_told);
    assert_eq!((place.slack.messages().len(), place.ledger.count(Kind::Publish)), (7, 7));
}

/// The whole of an invocation is never spent on telling: what can't be told is left in time.
#[tokio::test]
async fn nobody_answers_at_all() {
    let mut place = Place::new("all-silent", TRIAGE).await;
    place.set("AWS_MAX_ATTEMPTS", "3");
    let denials: Vec<_> = (0..12).map(|n| denial(&format!("user{n}"), "GetTrailStatus")).collect();
    place.ledger.trouble(&[(Kind::Publish, Trouble::Hangs)]);
    place.slack.is(Mood::Hangs);
    let mut function = place.function().await;
    let begun = Instant::now();
    let done = function.batch(&bodies(&denials), USUAL).await;
    assert!(begun.elapsed() < USUAL, "it ended by itself");
    assert_eq!((done.failed.len(), done.counts), (12, Counts { failed: 12, ..received(12) }));
    assert_eq!(place.cases().await.len(), 12);
    // With hardly any time nothing is lost either, nor is the end waited for.
    let begun = Instant::now();
    let done = function.batch(&bodies(&denials), SHORT).await;
    assert_eq!((done.failed.len(), begun.elapsed() < SHORT), (12, true), "{done:?} {:?}", begun.elapsed());
    place.ledger.trouble(&[]);
    place.slack.is(Mood::Works);
    place.deliver(&bodies(&denials), USUAL).await;
    let cases = place.cases().await;
    cases.iter().for_each(assert_told);
    assert_eq!((cases.len(), place.slack.messages().len(), place.ledger.count(Kind::Publish)), (12, 12, 12));
}

/// A slow answer to each, and many to tell at once: time is looked at between two of them.
#[tokio::test]
async fn what_is_not_told_in_time_comes_again() {
    let place = Place::new("slow", TRIAGE).await;
    // Ten cases of one principal are written and told of together; each waits a second for Slack.
    let denials: Vec<_> = (0..10).map(|n| denial("bob", "GetTrailStatus").on_trail(&format!("t{n}"))).collect();
    (0..10).for_each(|_| {
        place.slack.once(Mood::Limits(1));
        place.slack.once(Mood::Works);
    });
    let mut function = place.function().await;
    let done = function.batch(&bodies(&denials), Duration::from_secs(6)).await;
    assert_eq!((done.failed.len(), done.counts), (10, Counts { failed: 10, ..received(10) }));
    let cases = place.cases().await;
    let told = cases.iter().filter(|case| case["told"]["notice"] == "sent").count();
    assert!(cases.len() == 10 && (1..10).contains(&told), "{told}");
    place.slack.is(Mood::Works);
    place.deliver(&bodies(&denials), USUAL).await;
    place.cases().await.iter().for_each(assert_told);
    assert_eq!((place.slack.messages().len(), place.ledger.count(Kind::Publish)), (10, 10));
}

/// What AWS refuses us is an operator's to mend: counted, said, and nothing is lost by it.
#[tokio::test]
async fn our_own_denials_are_counted() {
    let place = Place::new("own-denials", TRIAGE).await;
    let batch = bodies(&[denial("bob", "GetTrailStatus"), denial("eve", "StopLogging")]);
    let mut function = place.function().await;
    // Two principals, each read, written, and published for.
    for (kind, own_denials) in [(Kind::Read, 2), (Kind::Write, 2), (Kind::Publish, 2)] {
        place.ledger.trouble(&[(kind, Trouble::Denies)]);
        let done = function.batch(&batch, USUAL).await;
        assert_eq!((done.failed.len(), done.counts), (2, Counts { failed: 2, own_denials, ..received(2) }), "{kind:?}");
        let said = function.log.iter().filter(|line| line.to_string().contains("lacks a permission")).count();
        assert_eq!(said, 2, "{kind:?}: {:#?}", function.log);
        function.log.clear();
    }
    place.ledger.trouble(&[]);
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 2, ..received(2) }));
    place.cases().await.iter().for_each(assert_told);
}

/// Nobody is told of what could not be written down, and all of it comes again.
#[tokio::test]
async fn the_table_is_out() {
    let place = Place::new("table-out", TRIAGE).await;
    let batch =
        bodies(&[denial("bob", "GetTrailStatus"), denial("bob", "GetTrailStatus"), denial("eve", "StopLogging")]);
    let mut function = place.function().await;
    for broken in [Kind::Read, Kind::Write] {
        place.ledger.out_of_order(&[broken]);
        let done = function.batch(&batch, USUAL).await;
        assert_eq!((done.failed.len(), done.counts), (3, Counts { failed: 3, ..received(3) }), "{broken:?}");
    }
    assert_eq!((place.slack.messages().len(), place.ledger.count(Kind::Publish), place.cases().await.len()), (0, 0, 0));
    place.ledger.out_of_order(&[]);
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 2, joined: 1, ..received(3) }));
    place.cases().await.iter().for_each(assert_told);
}

/// A message spoilt for good must not keep the others of its batch from being told.
#[tokio::test]
async fn an_outage_holds_up_nobody_else() {
    let place = Place::new("holds-up", TRIAGE).await;
    let mut function = place.function().await;
    place.slack.once(Mood::Fails(500));
    let denials =
        [denial("alice", "GetTrailStatus"), denial("bob", "GetTrailStatus"), denial("carol", "GetTrailStatus")];
    let done = function.batch(&bodies(&denials), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (1, Counts { posted: 2, failed: 1, ..received(3) }));
    let told = place.cases().await.iter().filter(|case| case["told"]["notice"] == "sent").count();
    assert_eq!(told, 2);
    let done = function.batch(&bodies(&denials), USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 3, ..received(3) }));
    place.cases().await.iter().for_each(assert_told);
    assert_eq!((place.slack.messages().len(), place.ledger.count(Kind::Publish)), (3, 3));
}
