//! Requests that nobody answers: one reminder, and the word that it is too late.

use access::{decide::REQUEST_LAPSES, decision::Answer, grant::GrantMode, triage};
use adapters::telemetry::Metric;
use serde_json::json;

use crate::desk::{Desk, HOUR, MINUTE, alice};

const READ: &str = "cloudtrail:GetTrailStatus";

/// With triage's list of the hour.
async fn asked(desk: &Desk, action: &str) -> access::case::Case {
    let case = desk.denied(&alice(), action).await;
    let list = json!({ "cases": [{ "id": case.id, "opening": case.opening }], "more": 0 });
    desk.write(&triage::hour_key(case.opened_at / 3600), &list.to_string()).await;
    case
}

#[tokio::test]
async fn one_reminder_and_then_it_lapses() {
    let mut desk = Desk::new(GrantMode::Managed);
    let case = asked(&desk, READ).await;
    desk.later(REQUEST_LAPSES - 5 * HOUR);
    desk.sweeps().await;
    assert_eq!(desk.history(&case).await.told.terminal, None, "it is too early");
    desk.later(HOUR + MINUTE);
    for _ in 0..2 {
        desk.sweeps().await;
        let history = desk.history(&case).await;
        assert_eq!((history.told.terminal.as_deref(), history.entries.len()), (Some("waiting"), 1), "told once");
    }
    desk.later(4 * HOUR);
    for _ in 0..2 {
        desk.sweeps().await;
        let history = desk.history(&case).await;
        assert_eq!((history.told.terminal.as_deref(), history.entries.len()), (Some("lapsed"), 2), "told once");
        assert!(history.is_finished);
    }
}

#[tokio::test]
async fn who_was_answered_is_not_reminded_of() {
    let mut desk = Desk::new(GrantMode::Managed);
    let case = asked(&desk, READ).await;
    let key = desk.store(&desk.decision(&case, Answer::Reject, HOUR)).await;
    desk.wakes(&key).await;
    desk.later(REQUEST_LAPSES - 4 * HOUR + MINUTE);
    desk.sweeps().await;
    desk.later(4 * HOUR);
    desk.sweeps().await;
    assert_eq!(desk.history(&case).await.told.terminal.as_deref(), Some("rejected"));
}

/// What can't be approved here, what is listed and isn't there, and a list that can't be read.
#[tokio::test]
async fn nothing_else_is_a_request() {
    let mut desk = Desk::new(GrantMode::None);
    let case = asked(&desk, READ).await;
    desk.write(&triage::hour_key(case.opened_at / 3600 - 1), "{").await;
    desk.later(REQUEST_LAPSES + MINUTE);
    assert_eq!(desk.sweeps().await.count(Metric::Failed), 0);
    assert!(desk.table().all("GRANT#").is_empty());
}
