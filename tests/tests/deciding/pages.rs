//! The page behind a link: for whoever holds the link, while it holds, and nothing besides.

use access::{
    case::Case,
    link::{LASTS, Link},
    reconcile::{self, Grant, Holder, HolderFile, Permission, State},
};
use adapters::telemetry::Metric;
use serde_json::{Value, json};

use crate::desk::{Desk, HOUR, STACK, event, rejects};

/// The event of a link with this code.
fn asked(link: &Link, code: &str) -> Value {
    let address = link.address("https://example.com/cases/", code).unwrap();
    let (path, query) = address.strip_prefix("https://example.com/cases/").unwrap().split_once('?').unwrap();
    let mut event = event("GET /cases/{id}");
    event["rawPath"] = json!(format!("/cases/{path}"));
    event["rawQueryString"] = json!(query);
    event["pathParameters"] = json!({ "id": path });
    event
}

async fn code(desk: &Desk, link: &Link, stack: &str) -> String {
    desk.door.links.as_ref().unwrap().vouch(&link.message(stack)).await.unwrap()
}

async fn is_shown(desk: &Desk, event: &Value) -> bool {
    let (response, report) = desk.take(event).await;
    match response.status {
        200 => assert_eq!(report.count(Metric::Shown), 1),
        404 => assert_eq!((response.body.as_str(), report.count(Metric::Unproved)), ("there is nothing here\n", 1)),
        other => panic!("{other}"),
    }
    let written = desk.written();
    assert_eq!(written, Vec::<String>::new());
    response.status == 200
}

#[tokio::test]
async fn a_link_shows_its_case() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let link = Link::new(&case.id, 1, desk.now());
    let right = asked(&link, &code(&desk, &link, STACK).await);
    let (response, _) = desk.take(&right).await;
    assert!(response.body.contains("alice") && response.body.contains("GetTrailStatus"), "{}", response.body);
    assert!(!response.body.contains("<form") && !response.body.contains("<script"));
    let answer = response.event();
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(200), &json!(false)));
    let header = |name: &str| answer["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store".into(), "no-referrer".into()));
    assert_eq!((header("x-content-type-options"), header("x-frame-options")), ("nosniff".into(), "DENY".into()));
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(is_shown(&desk, &right).await);
}

#[tokio::test]
async fn the_page_says_how_it_stands_and_decides_nothing() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    let link = Link::new(&case.id, 1, desk.now());
    let right = asked(&link, &code(&desk, &link, STACK).await);
    let body = desk.take(&right).await.0.body;
    assert!(body.contains("Nobody has answered yet") && body.contains("Who may approve:"), "{body}");
    assert!(body.contains("nobody approves what was refused to themselves"), "{body}");
    // There is no list of cases here to lead to.
    assert!(!body.contains("All cases") && !body.contains("<form"), "{body}");
    // Who was refused tries to approve it: it stands there, as text.
    desk.click(&desk.approves(&case, "U0ALICE")).await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    desk.click(&rejects(&case, "U0NIKKI")).await;
    let body = desk.take(&right).await.0.body;
    assert!(body.contains("saanvi approved it until") && !body.contains("Nobody has answered"), "{body}");
    assert!(body.contains("What happened since") && body.contains("nikki came too late with reject"), "{body}");
    assert!(!body.contains("<form") && !body.contains("Who may approve"), "{body}");
    // What reconcile remembers of it is shown, and a permission that should be gone is loud.
    let decision = desk.decision(&case).await.unwrap();
    let id = decision.target_id.clone().unwrap();
    let grant = Grant {
        case_id: case.id.clone(),
        opening: 1,
        holder: Holder::User("alice".into()),
        holder_id: id.clone(),
        permission: Permission::Attached { policy_arn: "arn:aws:iam::111122223333:policy/trailpass/p".into() },
        not_after: decision.not_after,
        decided_at: decision.decided_at,
        state: State::Given,
        failures: 0,
        retry_at: 0,
        absent_since: None,
    };
    let file = serde_json::to_string(&HolderFile { grants: vec![grant] }).unwrap();
    desk.write(&reconcile::key(&id), &file).await;
    let entry = json!({ "event": "change", "at": 1, "change": "AttachUserPolicy", "policy": "p", "holder": "user/alice", "result": "made" });
    desk.write(&reconcile::history_key(&case.id, 1), &json!({ "entries": [entry] }).to_string()).await;
    let body = desk.take(&right).await.0.body;
    assert!(body.contains(" left.") && body.contains("AttachUserPolicy of p on user/alice: made"), "{body}");
    desk.later(2 * HOUR);
    let body = desk.take(&right).await.0.body;
    assert!(body.contains("It should be gone, and is not"), "{body}");
}

/// Whoever writes a history writes it for people to read, and for nothing else to obey.
#[tokio::test]
async fn a_hostile_history_is_text() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let link = Link::new(&case.id, 1, desk.now());
    let right = asked(&link, &code(&desk, &link, STACK).await);
    let hostile = "</span><script>alert(1)</script>\u{202e}\u{1b}[2J";
    let entry = json!({ "event": "refused", "at": 1, "case": case.id, "opening": 1, "approver": hostile, "answer": hostile, "result": hostile });
    let history = json!({ "entries": [entry] }).to_string();
    desk.write(&access::decision::history_key(&case.id, 1), &history).await;
    // Another case's is not shown here.
    let other = json!({ "entries": [{ "event": "refused", "at": 1, "approver": "somebody-elses" }] }).to_string();
    desk.write(&access::decision::history_key("2gd4tjkox2q74mauvvu6", 1), &other).await;
    let body = desk.take(&right).await.0.body;
    assert!(body.contains("&lt;script&gt;") && !body.contains("<script"), "{body}");
    assert!(body.contains("\\u{202e}") && !body.contains(['\u{202e}', '\u{1b}']), "{body}");
    assert!(!body.contains("somebody-elses"), "{body}");
}

#[tokio::test]
async fn a_link_that_is_wrong_in_any_way_shows_nothing() {
    let mut desk = Desk::new().await;
    let case = desk.denied().await;
    let link = Link::new(&case.id, 1, desk.now());
    let right = code(&desk, &link, STACK).await;
    let other_stack = code(&desk, &link, "arn:aws:cloudformation:eu-west-1:111122223333:stack/other/1").await;
    for code in [other_stack.as_str(), &"0".repeat(64), "", "0f", &right.to_uppercase(), &format!("{right}0")] {
        assert!(!is_shown(&desk, &asked(&link, code)).await, "{code}");
    }
    // For longer, for another opening, for another case.
    let other = Link { case_id: "2gd4tjkox2q74mauvvu6".into(), ..link.clone() };
    for link in [Link { until: link.until + 3600, ..link.clone() }, Link { opening: 2, ..link.clone() }, other.clone()]
    {
        assert!(!is_shown(&desk, &asked(&link, &right)).await, "{link:?}");
    }
    // Ours, and there is no such case; or it has been opened anew since.
    assert!(!is_shown(&desk, &asked(&other, &code(&desk, &other, STACK).await)).await);
    let newer = Case { opening: 2, ..case.clone() };
    desk.write(&access::triage::case_key(&case.id), &serde_json::to_string(&newer).unwrap()).await;
    assert!(!is_shown(&desk, &asked(&link, &right)).await);
    desk.write(&access::triage::case_key(&case.id), &serde_json::to_string(&case).unwrap()).await;
    // A code of the key for decisions is none for links.
    let decisions = desk.door.decide.voucher.vouch(&link.message(STACK)).await.unwrap();
    assert!(!is_shown(&desk, &asked(&link, &decisions)).await);
    let changes: [fn(&mut Value); 4] = [
        |event| event["rawQueryString"] = json!(format!("{}&x=1", event["rawQueryString"].as_str().unwrap())),
        |event| event["rawQueryString"] = json!(""),
        |event| drop(event.as_object_mut().unwrap().remove("pathParameters")),
        |event| event["pathParameters"]["id"] = json!("../cases"),
    ];
    for change in changes {
        let mut event = asked(&link, &right);
        change(&mut event);
        assert!(!is_shown(&desk, &event).await, "{event}");
    }
    assert!(is_shown(&desk, &asked(&link, &right)).await, "and as it was, it shows");
    desk.later(LASTS);
    assert!(!is_shown(&desk, &asked(&link, &right)).await, "its time is over");
    desk.door.links = None;
    assert!(!is_shown(&desk, &asked(&link, &right)).await);
}

#[tokio::test]
async fn a_table_that_is_out_of_order() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let link = Link::new(&case.id, 1, desk.now());
    let right = asked(&link, &code(&desk, &link, STACK).await);
    desk.table().dies_after(0);
    let (response, report) = desk.take(&right).await;
    assert_eq!((response.status, report.count(Metric::Failed)), (503, 1));
}
