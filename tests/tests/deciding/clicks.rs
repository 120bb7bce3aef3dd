//! Clicks that count, clicks that come second, and deaths in between.

use access::{
    answer::aws::Wish,
    decide::REQUEST_LAPSES,
    decision::{Answer, Channel},
};
use adapters::telemetry::Metric;
use decide::answer::{Outcome, Proof};
use serde_json::json;

use crate::desk::{Desk, HOUR, MINUTE, SECRET, form, rejects, signed_at};

#[tokio::test]
async fn an_approval_becomes_one_decision() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let (response, report) = desk.click(&desk.approves(&case, "U0SAANVI")).await;
    assert_eq!((response.status, response.body.as_str(), report.count(Metric::Decided)), (200, "", 1));
    let decision = desk.decision(&case).await.expect("a decision");
    assert_eq!((decision.answer, decision.opening), (Answer::Approve, 1));
    assert_eq!(decision.remedy, Some(desk.offer(&case)));
    assert_eq!(decision.not_after, decision.decided_at + HOUR);
    let by = decision.by;
    assert_eq!((by.approver.as_str(), by.channel, by.identity.as_str()), ("saanvi", Channel::Slack, "T0TEAM/U0SAANVI"));
    assert_eq!(desk.written().len(), 2, "the decision, and the list of its hour");
}

#[tokio::test]
async fn a_rejection_gives_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    // Whoever was denied may say no to it: that takes, and gives nothing.
    let (response, _) = desk.click(&rejects(&case, "U0ALICE")).await;
    assert_eq!(response.status, 200);
    let decision = desk.decision(&case).await.expect("a decision");
    assert_eq!((decision.answer, decision.remedy, decision.target_id), (Answer::Reject, None, None));
}

#[tokio::test]
async fn a_base64_body_is_the_same_click() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let mut event = desk.signed(&desk.approves(&case, "U0SAANVI"));
    event["body"] = json!(STANDARD.encode(event["body"].as_str().unwrap()));
    event["isBase64Encoded"] = json!(true);
    assert_eq!(desk.take(&event).await.0.status, 200);
    assert!(desk.decision(&case).await.is_some());
}

#[tokio::test]
async fn the_second_is_told_whose_it_was() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    let first = desk.decision(&case).await;
    let (response, report) = desk.click(&rejects(&case, "U0NIKKI")).await;
    assert_eq!((response.status, report.count(Metric::Already)), (200, 1));
    let arn = "arn:aws:iam::111122223333:user/nikki";
    let (reply, _) = desk.asked(&case, Wish::Reject, Proof::Aws { arn }).await;
    let reply = reply.unwrap();
    assert_eq!((reply.outcome, reply.by.as_deref()), (Outcome::Already, Some("saanvi")));
    assert_eq!(reply.because.as_deref(), Some("saanvi had already approved it"));
    assert_eq!(desk.decision(&case).await, first);
    let kept: Vec<_> = desk.history(&case).await.entries;
    let who: Vec<_> = kept.iter().filter_map(|entry| Some((entry.approver.as_deref()?, entry.channel?))).collect();
    assert_eq!(who, [("nikki", Channel::Slack), ("nikki", Channel::Aws)]);
}

#[tokio::test]
async fn of_two_clicks_at_once_one_is_a_decision() {
    for _ in 0..8 {
        let desk = Desk::new().await;
        let case = desk.denied().await;
        let (yes, no) = (desk.approves(&case, "U0SAANVI"), rejects(&case, "U0NIKKI"));
        let (one, two) = tokio::join!(desk.click(&yes), desk.click(&no));
        let count = |metric| one.1.count(metric) + two.1.count(metric);
        assert_eq!((count(Metric::Decided), count(Metric::Already)), (1, 1));
        assert!(desk.decision(&case).await.is_some());
    }
}

/// Another case's decision is written into the same hour's list in between.
#[tokio::test]
async fn two_cases_at_once_are_both_listed() {
    let desk = Desk::new().await;
    let one = desk.denied().await;
    let two = desk.bob_denied().await;
    let (a, b) = (desk.approves(&one, "U0SAANVI"), desk.approves(&two, "U0NIKKI"));
    let (first, second) = tokio::join!(desk.click(&a), desk.click(&b));
    assert_eq!((first.1.count(Metric::Decided), second.1.count(Metric::Decided)), (1, 1));
    assert!(desk.decision(&one).await.is_some() && desk.decision(&two).await.is_some());
}

#[tokio::test]
async fn the_same_click_again_changes_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let click = desk.signed(&desk.approves(&case, "U0SAANVI"));
    desk.take(&click).await;
    let first = desk.decision(&case).await;
    let (response, report) = desk.take(&click).await;
    assert_eq!((response.status, report.count(Metric::Already)), (200, 1), "replayed within Slack's five minutes");
    assert_eq!(desk.decision(&case).await, first);
}

#[tokio::test]
async fn a_choice_from_a_menu_is_no_answer() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let mut payload = desk.approves(&case, "U0SAANVI");
    payload["actions"][0] = json!({ "action_id": "trailpass.remedy", "type": "static_select" });
    let (response, report) = desk.click(&payload).await;
    assert_eq!((response.status, report.count(Metric::Ignored)), (200, 1));
    assert!(desk.written().is_empty());
}

#[tokio::test]
async fn what_came_too_late_does_not_count() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    desk.later(REQUEST_LAPSES);
    let (response, report) = desk.click(&desk.approves(&case, "U0SAANVI")).await;
    assert_eq!((response.status, report.count(Metric::Refused)), (403, 1));
    assert_eq!(desk.decision(&case).await, None);
    assert_eq!(desk.history(&case).await.entries.len(), 1);
}

/// Death between any two words to the table: there is a whole decision or none, and asked again there is one.
#[tokio::test]
async fn deaths() {
    let mut deaths = 0;
    loop {
        let desk = Desk::new().await;
        let case = desk.denied().await;
        let click = desk.signed(&desk.approves(&case, "U0SAANVI"));
        desk.table().dies_after(deaths);
        let (response, report) = desk.take(&click).await;
        desk.table().revives();
        if response.status == 200 {
            break;
        }
        assert_eq!((response.status, report.count(Metric::Failed)), (503, 1));
        assert_eq!(desk.written().len(), 0);
        deaths += 1;
        assert_eq!(desk.take(&click).await.0.status, 200);
        assert!(desk.decision(&case).await.is_some());
    }
    assert_eq!(deaths, 3, "two reads and a commit");
}

/// What could not be written down about it changes nothing about the answer.
#[tokio::test]
async fn a_history_that_cannot_be_written() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    desk.table().dies_after(1);
    let (response, report) = desk.click(&rejects(&case, "U0NIKKI")).await;
    assert_eq!((response.status, report.count(Metric::Already)), (200, 1));
    desk.table().revives();
    assert!(desk.history(&case).await.entries.is_empty());
}

/// The secret was changed a moment ago, and the old one is still remembered.
#[tokio::test]
async fn a_new_secret_is_believed() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    let click = desk.approves(&case, "U0SAANVI");
    assert_eq!(desk.take(&signed_at(&form(&click), desk.now(), SECRET)).await.0.status, 200);
    desk.later(MINUTE);
    let newer = "fedcba9876543210fedcba9876543210";
    *desk.secret.lock().unwrap() = json!({ "signing_secret": newer });
    assert_eq!(desk.take(&signed_at(&form(&click), desk.now(), newer)).await.0.status, 200);
    let (response, report) = desk.take(&signed_at(&form(&click), desk.now(), SECRET)).await;
    assert_eq!((response.status, report.count(Metric::Unproved)), (401, 1), "and the old one no longer");
}

#[tokio::test]
async fn by_the_doors_of_one_machine() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let (reply, _) = desk.asked(&case, desk.approval(&case), Proof::Local { name: "saanvi" }).await;
    assert_eq!(reply.unwrap().outcome, Outcome::Approved);
    let by = desk.decision(&case).await.unwrap().by;
    assert_eq!((by.channel, by.identity.as_str()), (Channel::Local, "saanvi"));
    let (reply, report) = desk.asked(&case, Wish::Reject, Proof::Local { name: "root" }).await;
    assert_eq!((reply.unwrap().outcome, report.count(Metric::EscalationTries)), (Outcome::Refused, 1));
}
