//! Answers that are signed with AWS credentials: what counts, and what is tried with them.

use access::{
    answer::aws::{AwsAnswer, LONGEST_BODY, SignedAnswer, Wish},
    case::Case,
    decision::Channel,
};
use adapters::telemetry::Metric;
use decide::handle::Report;
use serde_json::{Value, json};
use tests::sample::HERE;

use crate::{
    desk::{Desk, HOUR},
    signing::{ALICE, MALLORY, NAMESAKE, NIKKI, SAANVI, answer, sent, signed},
};

/// Status and JSON of an event's answer.
async fn told(desk: &Desk, event: &Value) -> (u16, Value, Report) {
    let (response, report) = desk.take(event).await;
    let body = serde_json::from_str(&response.body).unwrap_or_else(|why| panic!("{why}: {}", response.body));
    (response.status, body, report)
}

async fn answers(desk: &Desk, key: &str, case: &Case, wish: Wish) -> (u16, Value, Report) {
    told(desk, &sent(&signed(key, &answer(case, wish)))).await
}

/// Nobody is proved to have sent it, and it leaves nothing.
async fn is_unproved(desk: &Desk, event: &Value, status: u16) {
    let (its, body, report) = told(desk, event).await;
    assert_eq!((its, report.count(Metric::Unproved), &body["outcome"]), (status, 1, &json!("refused")), "{body}");
    assert_eq!(desk.written(), Vec::<String>::new());
}

#[tokio::test]
async fn approved_told_and_taken_back() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let (status, body, _) = answers(&desk, SAANVI, &case, desk.approval(&case)).await;
    let decision = desk.decision(&case).await.expect("a decision");
    assert_eq!(status, 200);
    assert_eq!(body, json!({ "outcome": "approved", "by": "saanvi", "not_after": decision.not_after }));
    let by = decision.by;
    assert_eq!((by.channel, by.identity), (Channel::Aws, format!("arn:aws:iam::{HERE}:user/saanvi")));
    let (status, body, _) = answers(&desk, NIKKI, &case, Wish::Reject).await;
    let expected = json!({ "outcome": "already", "by": "saanvi", "because": "saanvi had already approved it", "not_after": decision.not_after });
    assert_eq!((status, body), (200, expected));
    let (_, body, _) = answers(&desk, NIKKI, &case, Wish::Revoke).await;
    assert_eq!(body, json!({ "outcome": "revoked", "by": "nikki" }));
    let other = desk.bob_denied().await;
    let (_, body, _) = answers(&desk, NIKKI, &other, Wish::Reject).await;
    assert_eq!(body, json!({ "outcome": "rejected", "by": "nikki" }));
}

/// One signature is one answer: to this case, at this opening, for this remedy and time, to this stack.
#[tokio::test]
async fn a_signature_is_for_one_answer() {
    let desk = Desk::new().await;
    let (case, other) = (desk.denied().await, desk.bob_denied().await);
    let right = signed(SAANVI, &answer(&case, desk.approval(&case)));
    let Wish::Approve { remedy, .. } = desk.approval(&case) else { panic!("an approval") };
    let longer = Wish::Approve { remedy: remedy.clone(), duration_seconds: 8 * HOUR };
    let another = Wish::Approve { remedy: desk.offer(&other), duration_seconds: HOUR };
    let others = [
        answer(&other, desk.approval(&other)),
        answer(&Case { opening: 2, ..case.clone() }, desk.approval(&case)),
        answer(&case, longer),
        answer(&case, another),
        answer(&case, Wish::Reject),
        answer(&case, Wish::Revoke),
    ];
    for swapped in others {
        let replayed = SignedAnswer { answer: swapped.header().unwrap(), ..right.clone() };
        is_unproved(&desk, &sent(&replayed), 401).await;
    }
    // Mallory's key under saanvi's signature, and the other way round.
    let renamed = SignedAnswer { authorization: right.authorization.replace(SAANVI, MALLORY), ..right.clone() };
    is_unproved(&desk, &sent(&renamed), 401).await;
    let later = SignedAnswer { date: "20261005T090001Z".into(), ..right.clone() };
    is_unproved(&desk, &sent(&later), 401).await;
    // The same again is the same answer.
    assert_eq!(told(&desk, &sent(&right)).await.1["outcome"], "approved");
    assert_eq!(told(&desk, &sent(&right)).await.1["outcome"], "already");
}

/// What is not for us, or in no form, is not even shown to STS.
#[tokio::test]
async fn what_is_not_for_us_is_not_passed_on() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let right = signed(SAANVI, &answer(&case, desk.approval(&case)));
    let stack = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/9z9z".to_owned();
    is_unproved(&desk, &sent(&signed(SAANVI, &AwsAnswer { stack, ..answer(&case, desk.approval(&case)) })), 400).await;
    for (from, to) in [("/eu-west-1/", "/us-east-1/"), ("/sts/", "/iam/"), ("host;", ""), (";x-trailpass-answer", "")] {
        let other = SignedAnswer { authorization: right.authorization.replace(from, to), ..right.clone() };
        is_unproved(&desk, &sent(&other), 400).await;
    }
    let smuggled = SignedAnswer { answer: format!("{}\r\nhost: evil.example", right.answer), ..right.clone() };
    is_unproved(&desk, &sent(&smuggled), 400).await;
    for body in [json!(""), json!("{}"), json!("x".repeat(LONGEST_BODY + 1)), json!(7), Value::Null] {
        let mut event = sent(&right);
        event["body"] = body;
        is_unproved(&desk, &event, 400).await;
    }
    assert_eq!(desk.sts.lock().unwrap().0, Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_is_refused() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    for key in [ALICE, MALLORY, NAMESAKE] {
        let (status, body, report) = answers(&desk, key, &case, desk.approval(&case)).await;
        assert_eq!((status, &body["outcome"]), (200, &json!("refused")), "{key}");
        assert_eq!(report.count(Metric::EscalationTries), 1, "{key}: {body}");
    }
    assert_eq!(desk.decision(&case).await, None);
    let kept: Vec<_> = desk.history(&case).await.entries.into_iter().map(|entry| entry.identity.unwrap()).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
}

/// Whoever may invoke the function directly writes whose call it was; STS says whose it is.
#[tokio::test]
async fn a_forged_context_proves_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let context = json!({
        "authorizer": { "iam": { "userArn": format!("arn:aws:iam::{HERE}:user/saanvi"), "accountId": HERE, "userId": "AIDASAANVI" } },
        "identity": { "userArn": format!("arn:aws:iam::{HERE}:user/saanvi") },
    });
    let mut event = sent(&signed(MALLORY, &answer(&case, desk.approval(&case))));
    event["requestContext"] = context.clone();
    let (_, body, report) = told(&desk, &event).await;
    assert_eq!((&body["outcome"], report.count(Metric::EscalationTries)), (&json!("refused"), 1));
    let kept = desk.history(&case).await.entries;
    assert_eq!(kept[0].identity, Some(format!("arn:aws:iam::{HERE}:user/mallory")));
    event["body"] = json!("{}");
    assert_eq!(told(&desk, &event).await.0, 400);
    assert_eq!(desk.decision(&case).await, None);
}

#[tokio::test]
async fn what_is_out_of_order_is_said() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    desk.sts.lock().unwrap().1 = false;
    let (status, _, report) = answers(&desk, SAANVI, &case, desk.approval(&case)).await;
    assert_eq!((status, report.count(Metric::Failed)), (503, 1));
    desk.sts.lock().unwrap().1 = true;
    desk.table().dies_after(2);
    let (status, body, report) = answers(&desk, SAANVI, &case, desk.approval(&case)).await;
    assert_eq!((status, report.count(Metric::Failed)), (503, 1));
    assert!(body["because"].as_str().unwrap().contains("ask again"), "{body}");
    desk.table().revives();
    assert_eq!(answers(&desk, SAANVI, &case, desk.approval(&case)).await.1["outcome"], "approved");
    desk.door.aws = None;
    assert_eq!(desk.take(&sent(&signed(SAANVI, &answer(&case, Wish::Reject)))).await.0.status, 404);
}
