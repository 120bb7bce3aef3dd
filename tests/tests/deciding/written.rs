//! What whoever can write to the table can put in the place of a case or a decision.

use access::{
    answer::aws::Wish,
    case::Case,
    decision::{self, Decision, Vouched},
    triage,
};
use adapters::telemetry::Metric;
use decide::answer::{Outcome, Proof};
use serde_json::{Value, json};

use crate::desk::{Desk, HOUR, approves, rejects};

/// Bob's denial, offered under the id of alice's case, or the other way round.
#[tokio::test]
async fn a_case_under_another_id() {
    let desk = Desk::new().await;
    let alices = desk.denied().await;
    let bobs = desk.bob_denied().await;
    let hash = desk.offer(&bobs);
    desk.write(&triage::case_key(&alices.id), &serde_json::to_string(&bobs).unwrap()).await;
    let (response, _) = desk.click(&approves(&alices, "U0SAANVI", &hash)).await;
    assert_eq!(response.status, 403);
    // By the way that knows nothing of messages.
    let wish = Wish::Approve { remedy: hash.clone(), duration_seconds: HOUR };
    let (reply, _) = desk.asked(&alices, wish, Proof::Local { name: "saanvi" }).await;
    assert_eq!(reply.unwrap().outcome, Outcome::Refused);
    assert_eq!(desk.document(&decision::key(&alices.id, 1)).await, None);
    // The same with the id written over: the record still says whose it is.
    let renamed = Case { id: alices.id.clone(), ..bobs.clone() };
    desk.write(&triage::case_key(&alices.id), &serde_json::to_string(&renamed).unwrap()).await;
    let (response, report) = desk.click(&approves(&alices, "U0SAANVI", &hash)).await;
    assert_eq!((response.status, report.count(Metric::Refused)), (403, 1));
    assert_eq!((desk.decision(&alices).await, desk.decision(&bobs).await), (None, None));
}

#[tokio::test]
async fn a_case_that_cannot_be_read() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    for body in ["{", "null", "[]", "7", ""] {
        desk.write(&triage::case_key(&case.id), body).await;
        assert_eq!(desk.click(&desk.approves(&case, "U0SAANVI")).await.0.status, 403, "{body}");
    }
    assert_eq!(desk.written(), Vec::<String>::new());
}

/// An approval of last week, put back where the new opening's decision belongs.
#[tokio::test]
async fn a_restored_decision_decides_nothing() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    let old = desk.document(&decision::key(&case.id, 1)).await.unwrap();
    desk.later(48 * HOUR);
    let newer = Case { opening: 2, opened_at: desk.now(), seen_at: desk.now(), ..case.clone() };
    desk.write(&triage::case_key(&case.id), &serde_json::to_string(&newer).unwrap()).await;
    desk.write(&decision::key(&case.id, 2), &old).await;
    let (response, report) = desk.click(&approves(&newer, "U0SAANVI", &desk.offer(&newer))).await;
    assert_eq!((response.status, report.count(Metric::Refused)), (403, 1), "what is in the way is said");
    assert_eq!(desk.document(&decision::key(&case.id, 2)).await, Some(old.clone()), "and is not touched");
    // In its own place it is what it was, and nothing is decided anew.
    desk.write(&decision::key(&case.id, 1), &old).await;
    let (reply, report) = desk.asked(&case, desk.approval(&case), Proof::Local { name: "nikki" }).await;
    assert_eq!((reply.unwrap().by.as_deref(), report.count(Metric::Already)), (Some("saanvi"), 1));
    assert_eq!(desk.document(&decision::key(&case.id, 1)).await, Some(old));
}

/// A decision written by hand stands in the way and is told of; it is never vouched for.
#[tokio::test]
async fn a_decision_by_hand_gets_no_code() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    let key = decision::key(&case.id, 1);
    let mut row: Value = serde_json::from_str(&desk.document(&key).await.unwrap()).unwrap();
    row["record"]["by"]["approver"] = json!("mallory");
    row["record"]["not_after"] = json!(i64::MAX);
    row["mac"] = json!("0".repeat(64));
    desk.write(&key, &row.to_string()).await;
    let (_, report) = desk.click(&rejects(&case, "U0NIKKI")).await;
    assert_eq!(report.count(Metric::Already), 1);
    let left: Vouched<Decision> = serde_json::from_str(&desk.document(&key).await.unwrap()).unwrap();
    assert_eq!(left.mac, "0".repeat(64));
}

/// Lists and histories that somebody has filled with something else begin anew.
#[tokio::test]
async fn what_else_cannot_be_read_stops_nobody() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.write(&decision::hour_key(desk.now() / 3600), "[").await;
    desk.write(&decision::history_key(&case.id, 1), "7").await;
    desk.click(&desk.approves(&case, "U0ALICE")).await;
    assert_eq!(desk.history(&case).await.entries.len(), 1);
    assert_eq!(desk.click(&desk.approves(&case, "U0SAANVI")).await.0.status, 200);
    assert!(desk.decision(&case).await.is_some());
    // Longer than anybody's: the oldest go.
    let other = desk.bob_denied().await;
    let keys: Vec<String> = (0..6_000).map(|n| format!("DECISION#2gd4tjkox2q74mauvvu6#{n}")).collect();
    desk.write(&decision::hour_key(desk.now() / 3600), &json!({ "keys": keys }).to_string()).await;
    assert_eq!(desk.click(&desk.approves(&other, "U0SAANVI")).await.0.status, 200);
    assert!(desk.decision(&other).await.is_some());
}
