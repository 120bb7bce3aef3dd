//! The canary: sent when the schedule says so, counted when its refusal comes back, and nobody else's to send.
//!
//! The emulator refuses nothing without its own kind of enforcement, so CloudTrail's answer is played here.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tests::local::{
    ACCOUNT,
    denials::{Denial, denial},
    function::Counts,
    http::{Reply, Request, Response, Server},
    place::Place,
};

use crate::{TRIAGE, USUAL, received};

const MESSAGE: &str = r#"{"trailpass":"canary"}"#;
const ROLE: &str = "canary-TriageRole";

async fn place(name: &str, answers: &'static str) -> (Place, Server, Arc<Mutex<Vec<Request>>>) {
    let asked = Arc::<Mutex<Vec<Request>>>::default();
    let heard = Arc::clone(&asked);
    let server = Server::start(move |request: Request| {
        heard.lock().unwrap().push(request);
        let body =
            json!({ "__type": answers, "Message": "User: x is not authorized to perform: cloudtrail:ListTrails" });
        async move { Reply::Answer(Response::json(if answers.is_empty() { 200 } else { 400 }, &body)) }
    })
    .await;
    let mut place = Place::new(name, TRIAGE).await;
    let roles = [ROLE, "canary-DecideRole"].map(|role| format!("arn:aws:iam::{ACCOUNT}:role/{role}"));
    place.set("TRAILPASS_OWN_ROLES", &roles.join(","));
    place.set("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.url());
    (place, server, asked)
}

fn sung(role: &str, seconds_ago: i64) -> Denial {
    let time = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - seconds_ago).unwrap();
    denial("nobody", "ListTrails").on("*").by_role(ACCOUNT, role, "x").at(&time.to_string())
}

#[tokio::test]
async fn it_is_sent_once_and_counted_when_it_comes_back() {
    let (place, _server, asked) = place("canary", "AccessDeniedException").await;
    let mut function = place.function().await;
    let done = function.batch(&[MESSAGE.to_owned(), MESSAGE.to_owned()], USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, received(0)));
    let targets: Vec<_> =
        asked.lock().unwrap().iter().map(|request| request.header("x-amz-target").map(str::to_owned)).collect();
    assert_eq!(targets, [Some("CloudTrail_20131101.ListTrails".to_owned())]);

    let done = function.batch(&[sung(ROLE, 300).body()], USUAL).await;
    assert_eq!(done.counts, Counts { ignored: 1, canary: 1, ..received(1) });
    assert!(place.cases().await.is_empty() && place.slack.messages().is_empty());
}

#[tokio::test]
async fn nothing_else_is_one() {
    let (place, _server, asked) = place("no-canary", "AccessDeniedException").await;
    let mut function = place.function().await;
    // Hours old; another of our roles', another call of ours: our own denials, or nothing.
    let done = function.batch(&[sung(ROLE, 7_200).body()], USUAL).await;
    assert_eq!(done.counts, Counts { ignored: 1, ..received(1) });
    let other = sung(ROLE, 10).calling("cloudtrail", "GetTrail");
    let done = function.batch(&[sung("canary-DecideRole", 10).body(), other.body()], USUAL).await;
    assert_eq!(done.counts, Counts { ignored: 2, own_denials: 2, ..received(2) });
    // Somebody else's call is somebody's case, whatever it is called.
    let session = sung("somebody", 10);
    let done = function.batch(&[session.body()], USUAL).await;
    assert_eq!(done.counts, Counts { posted: 1, ..received(1) });
    // What only looks like the schedule's message is no message of anybody's.
    for body in [r#"{"trailpass": "canary"}"#, r#"{"trailpass":"canary","x":1}"#] {
        let done = function.batch(&[body.to_owned()], USUAL).await;
        assert_eq!(done.counts.canary, 0, "{body}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_it_is_answered_loses_no_denial() {
    for (name, answers) in [("canary-wide", ""), ("canary-down", "InternalFailure")] {
        let (place, _server, _) = place(name, answers).await;
        let mut function = place.function().await;
        let done = function.batch(&[MESSAGE.to_owned(), denial("alice", "GetTrailStatus").body()], USUAL).await;
        assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 1, ..received(1) }), "{name}");
        assert!(function.log.iter().any(|line| line["level"] == "ERROR"), "{name}: {:#?}", function.log);
    }
}
