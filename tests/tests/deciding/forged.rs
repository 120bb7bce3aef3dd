//! Requests that nobody is proved to have sent: whatever the rest of them says, nothing is read of it.

use access::answer::slack::{LONGEST_BODY, WINDOW};
use adapters::telemetry::Metric;
use serde_json::{Value, json};

use crate::desk::{Desk, SECRET, event, form, signature, signed_at};

/// Whether one is taken for nobody's, and leaves nothing.
async fn is_unproved(desk: &Desk, event: &Value) {
    let (response, report) = desk.take(event).await;
    assert_eq!((response.status, report.count(Metric::Unproved)), (401, 1), "{event}");
    assert_eq!(desk.written(), Vec::<String>::new());
}

#[tokio::test]
async fn forged_altered_and_late() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let body = form(&desk.approves(&case, "U0SAANVI"));
    let (now, right) = (desk.now(), desk.signed(&desk.approves(&case, "U0SAANVI")));
    let mallory = form(&desk.approves(&case, "U0NIKKI"));
    is_unproved(&desk, &signed_at(&body, now, "another secret of the same length")).await;
    for at in [now - WINDOW - 5, now + WINDOW + 5] {
        is_unproved(&desk, &signed_at(&body, at, SECRET)).await;
    }
    let changes: [&dyn Fn(&mut Value); 9] = [
        &|event| event["body"] = json!(mallory),
        &|event| event["body"] = json!(format!("{body}&payload=%7B%7D")),
        &|event| event["headers"]["x-slack-request-timestamp"] = json!((now - 60).to_string()),
        &|event| drop(event["headers"].as_object_mut().unwrap().remove("x-slack-signature")),
        &|event| drop(event["headers"].as_object_mut().unwrap().remove("x-slack-request-timestamp")),
        &|event| event["headers"]["x-slack-signature"] = json!(""),
        &|event| event["headers"] = json!([]),
        &|event| event["isBase64Encoded"] = json!(true),
        &|event| drop(event.as_object_mut().unwrap().remove("body")),
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut other = right.clone();
        change(&mut other);
        assert_ne!(other, right, "{n}");
        is_unproved(&desk, &other).await;
    }
    assert_eq!(desk.take(&right).await.0.status, 200, "and as it was, it counts");
}

/// Which of two was signed, and which is compared? API Gateway joins them with a comma; a direct caller can spell one twice.
#[tokio::test]
async fn a_header_that_stands_there_twice() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let right = desk.signed(&desk.approves(&case, "U0SAANVI"));
    for (name, other) in
        [("x-slack-signature", "X-Slack-Signature"), ("x-slack-request-timestamp", "X-SLACK-REQUEST-TIMESTAMP")]
    {
        let value = right["headers"][name].as_str().unwrap().to_owned();
        let mut joined = right.clone();
        joined["headers"][name] = json!(format!("{value},{value}"));
        is_unproved(&desk, &joined).await;
        let mut spelt = right.clone();
        spelt["headers"][other] = json!(value);
        is_unproved(&desk, &spelt).await;
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_looked_at() {
    let desk = Desk::new().await;
    let (now, long) = (desk.now(), "x".repeat(LONGEST_BODY + 1));
    // Its signature is right.
    is_unproved(&desk, &signed_at(&long, now, SECRET)).await;
    let mut encoded = signed_at("", now, SECRET);
    encoded["headers"]["x-slack-signature"] = json!(signature(&long, now, SECRET));
    encoded["body"] = json!("eHh4".repeat(LONGEST_BODY.div_ceil(3) + 1));
    encoded["isBase64Encoded"] = json!(true);
    is_unproved(&desk, &encoded).await;
}

/// Signed by Slack, and none of our buttons.
#[tokio::test]
async fn what_is_no_answer() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let right = desk.approves(&case, "U0SAANVI");
    let changes: [fn(&mut Value); 5] = [
        |payload| payload["type"] = json!("view_submission"),
        |payload| payload["actions"][0]["value"] = json!("../../x#1"),
        |payload| payload["actions"][0]["action_id"] = json!("another"),
        |payload| {
            payload["state"]["values"]["trailpass.choice"]["trailpass.duration"]["selected_option"]["value"] =
                json!("100000")
        },
        |payload| payload["user"]["id"] = json!("U0\u{202e}SAANVI"),
    ];
    for change in changes {
        let mut other = right.clone();
        change(&mut other);
        is_unproved(&desk, &desk.signed(&other)).await;
    }
    is_unproved(&desk, &signed_at("payload=%7B", desk.now(), SECRET)).await;
    is_unproved(&desk, &signed_at("", desk.now(), SECRET)).await;
}

/// Whoever may invoke the function directly can claim to be anybody.
#[tokio::test]
async fn a_forged_context_proves_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let claims = json!({
        "iam": { "userArn": "arn:aws:iam::111122223333:user/saanvi", "accountId": "111122223333", "callerId": "AIDASAANVI" },
        "jwt": { "claims": { "sub": "saanvi", "slack": "U0SAANVI" } }, "lambda": { "approver": "saanvi", "verified": true },
    });
    let mut unsigned = signed_at(&form(&desk.approves(&case, "U0SAANVI")), desk.now(), "a guess of some length");
    unsigned["requestContext"]["authorizer"] = claims.clone();
    unsigned["requestContext"]["identity"] = json!({ "userArn": "arn:aws:iam::111122223333:user/saanvi" });
    is_unproved(&desk, &unsigned).await;
}

#[tokio::test]
async fn nothing_else_is_a_route() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let right = desk.signed(&desk.approves(&case, "U0SAANVI"));
    for key in ["$default", "POST /Slack", "GET /slack", "ANY /slack", "POST /slack/", "POST /cases/{id}", ""] {
        let mut other = right.clone();
        other["routeKey"] = json!(key);
        let (response, report) = desk.take(&other).await;
        assert_eq!((response.status, report.count(Metric::Ignored)), (404, 1), "{key}");
    }
    let mut first = right.clone();
    first["version"] = json!("1.0");
    for event in
        [first, json!({}), json!([]), json!("POST /slack"), json!({ "routeKey": 7, "version": "2.0" }), event("GET /")]
    {
        assert_eq!(desk.take(&event).await.0.status, 404, "{event}");
    }
    let mut desk = desk;
    desk.door.slack = None;
    assert_eq!(desk.take(&right).await.0.status, 404, "a stack without Slack");
    assert!(desk.written().is_empty());
}

/// Nobody can be told to be Slack without the secret.
#[tokio::test]
async fn without_a_secret_nothing_is_slacks() {
    for secret in [json!({ "token": "xoxb-another" }), json!({ "signing_secret": "" }), json!({ "signing_secret": 7 })]
    {
        let desk = Desk::new().await;
        let case = desk.denied().await;
        *desk.secret.lock().unwrap() = secret;
        let (response, report) = desk.click(&desk.approves(&case, "U0SAANVI")).await;
        assert_eq!((response.status, report.count(Metric::Failed)), (503, 1));
        // With the key that a thoughtless comparison would use.
        assert_ne!(desk.take(&signed_at(&form(&desk.approves(&case, "U0SAANVI")), desk.now(), "")).await.0.status, 200);
        assert!(desk.written().is_empty());
    }
    let desk = Desk::new().await;
    let case = desk.denied().await;
    *desk.secret.lock().unwrap() = json!({ "signing_secret": "short" });
    is_unproved(&desk, &signed_at(&form(&desk.approves(&case, "U0SAANVI")), desk.now(), "short")).await;
}
