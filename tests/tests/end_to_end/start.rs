//! What the function refuses: settings that are wrong, and events that nobody may send it.

use serde_json::{Value, json};
use tests::local::{
    denials::denial,
    function::{Counts, Ended},
    place::Place,
};

use crate::{TRIAGE, USUAL, assert_told, received};

/// Each is found at the start, and the variable is named: nobody should have to wait for the first alarm to see it.
#[tokio::test]
async fn wrong_settings_are_said_at_the_start() {
    let wrong: &[(&str, &str)] = &[
        ("TRAILPASS_TABLE", ""),
        ("TRAILPASS_TABLE", "a table"),
        ("TRAILPASS_ALARMS_TOPIC", "alarms"),
        ("TRAILPASS_NOTICES_TOPIC", "arn:aws:sns:eu-west-1:111122223333:notices.fifo"),
        ("TRAILPASS_ALARMS_TOPIC_FORMAT", "telegram"),
        ("TRAILPASS_SLACK_ALARMS_CHANNEL", "#alarms"),
        ("TRAILPASS_SLACK_BOT_TOKEN_SECRET", ""),
        ("TRAILPASS_SLACK_API", "http://slack.example/api"),
        ("TRAILPASS_OWN_ROLES", "triage"),
        ("TRAILPASS_ALLOW_DIRECT_INVOKE", "yes"),
        ("TRAILPASS_GUARDRAILS", r#"{"protected":"#),
        ("TRAILPASS_GUARDRAILS", r#"{"protekted":{}}"#),
    ];
    let mut place = Place::new("wrong", TRIAGE).await;
    let right = place.settings.clone();
    let mut unsaid = Vec::new();
    for (name, value) in wrong {
        place.settings = right.clone();
        place.set(name, value);
        let (content, said) = place.function().await.ends().await;
        if content || !said.contains(name) || said.contains("panicked") {
            unsaid.push(format!("{name}={value}: {said}"));
        }
    }
    assert!(unsaid.is_empty(), "{unsaid:#?}");
    // All that is wrong is said at once.
    place.settings = right.clone();
    place.set("TRAILPASS_TABLE", "");
    place.set("TRAILPASS_ALLOW_DIRECT_INVOKE", "perhaps");
    let (content, said) = place.function().await.ends().await;
    let both = ["TRAILPASS_TABLE", "TRAILPASS_ALLOW_DIRECT_INVOKE"].iter().all(|name| said.contains(name));
    assert!(!content && both, "{said}");
    place.settings = right;
    assert_eq!(place.function().await.batch(&[denial("bob", "GetTrailStatus").body()], USUAL).await.counts.posted, 1);
}

#[tokio::test]
async fn a_bare_event_is_refused() {
    let place = Place::new("refused", TRIAGE).await;
    let mut function = place.function().await;
    let by_sns =
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": denial("bob", "GetTrailStatus").body()}}]});
    let sqs_in_words = json!({"eventSource": "aws:sqs", "detail": denial("bob", "GetTrailStatus").record()});
    for event in [denial("eve", "StopLogging").event(), by_sns, sqs_in_words, json!({}), json!([]), Value::Null] {
        let Ended::Error(error) = function.invoke(&event, USUAL).await else { panic!("refused: {event}") };
        assert!(error["errorMessage"].as_str().unwrap().contains("AllowDirectInvoke"), "{error}");
    }
    assert!(place.ledger.effects().is_empty() && place.slack.attempts() == 0 && place.cases().await.is_empty());
    // It is as good as before.
    assert_eq!(function.batch(&[denial("bob", "GetTrailStatus").body()], USUAL).await.counts.posted, 1);
}

#[tokio::test]
async fn a_bare_event_is_taken_where_it_is_allowed() {
    let mut place = Place::new("allowed", TRIAGE).await;
    place.set("TRAILPASS_ALLOW_DIRECT_INVOKE", "true");
    let mut function = place.function().await;
    let event = denial("bob", "GetTrailStatus").event();
    assert_eq!(function.invoke(&event, USUAL).await, Ended::Answer(Value::Null));
    assert_eq!(function.counts().await, Counts { posted: 1, ..received(1) });
    assert_told(&place.case().await);
    assert!(
        matches!(function.invoke(&json!({"no": "record"}), USUAL).await, Ended::Error(_)),
        "and said when it fails"
    );
    assert_eq!(function.counts().await, Counts { failed: 1, ..received(1) });
    // Batches are taken as ever.
    let done = function.batch(&[event.to_string()], USUAL).await;
    assert_eq!(done.counts, Counts { duplicate: 1, ..received(1) });
}
