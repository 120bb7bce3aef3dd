//! What a notice says beyond the record: whether the trail is there, what the simulator says, what else somebody was refused.
//!
//! The emulator has neither an event history nor a simulator, so AWS's answers are played here, in the shape of its models.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::local::{
    denials::{NO_REASON, denial},
    function::Counts,
    http::{Reply, Request, Response, Server},
    place::{ALARMS, NOTICES, Place},
};

use crate::{TRIAGE, USUAL, assert_told, bodies, offers::simulator, received};

/// What CloudTrail answers to each operation; `None`: nothing at all.
type Answers = Arc<dyn Fn(&str, &Value) -> Option<Response> + Send + Sync>;

async fn cloudtrail(answers: Answers) -> (Server, Arc<Mutex<Vec<(String, Value)>>>) {
    let asked = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let heard = Arc::clone(&asked);
    let server = Server::start(move |request: Request| {
        let operation = request.header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap().to_owned();
        let reply = answers(&operation, &request.json()).map_or(Reply::Hang, Reply::Answer);
        heard.lock().unwrap().push((operation, request.json()));
        async move { reply }
    });
    (server.await, asked)
}

async fn place(name: &str, cloudtrail: &Server) -> Place {
    let mut place = Place::new(name, TRIAGE).await;
    place.set("TRAILPASS_LOOK_UP", "true");
    place.set("AWS_ENDPOINT_URL_CLOUDTRAIL", &cloudtrail.url());
    place
}

fn trails(trails: Value) -> Response {
    Response::json(200, &json!({ "trailList": trails }))
}

fn history(records: &[Value]) -> Response {
    let events: Vec<Value> =
        records.iter().map(|record| json!({ "EventId": "x", "CloudTrailEvent": record.to_string() })).collect();
    Response::json(200, &json!({ "Events": events }))
}

#[tokio::test]
async fn a_notice_says_what_its_reader_would_look_up_next() {
    let first = denial("alice", "GetTrailStatus").on_trail("audit").because(NO_REASON);
    let id = |user: &str| json!(format!("AIDAEXAMPLE0000{user}"));
    let beside = [
        denial("alice", "DescribeTrails").on("*").record(),
        denial("alice", "DescribeTrails").on("*").record(),
        denial("alice", "x").calling("s3", "GetObject").on("\"arn:aws:s3:::b/k\"").record(),
        // The same call, somebody else's of the same name, a success, and the very same event: none of them is another refusal.
        first.another().record(),
        {
            let mut other = denial("alice", "ListTags").record();
            other["userIdentity"]["principalId"] = id("OTHER");
            other
        },
        {
            let mut success = denial("alice", "ListTrails").record();
            success.as_object_mut().unwrap().remove("errorCode");
            success.as_object_mut().unwrap().remove("errorMessage");
            success
        },
        json!({ "eventVersion": "1.08" }),
    ];
    let (server, asked) = cloudtrail(Arc::new(move |operation, _| match operation {
        "DescribeTrails" => Some(trails(json!([]))),
        _ => Some(history(&beside)),
    }))
    .await;
    let mut place = place("evidence", &server).await;
    let (simulates, questions) = simulator(Some("explicitDeny")).await;
    place.set("AWS_ENDPOINT_URL_IAM", &simulates.url());
    let mut function = place.function().await;
    let done = function.batch(&bodies([&first]), USUAL).await;
    assert_eq!((done.counts, done.failed.len()), (Counts { posted: 1, ..received(1) }, 0));
    assert_told(&place.case().await);
    let text = place.slack.channel(NOTICES)[0].text().replace('`', "");
    for said in [
        "There is no trail audit in eu-west-1",
        "The policy simulator says that a policy denies it explicitly.",
        "also refused cloudtrail:DescribeTrails (2 times), s3:GetObject.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for (operation, request) in asked {
        match operation.as_str() {
            "DescribeTrails" => assert_eq!(request["trailNameList"], json!(["audit"])),
            "LookupEvents" => {
                assert_eq!(
                    request["LookupAttributes"],
                    json!([{ "AttributeKey": "Username", "AttributeValue": "alice" }])
                );
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(questions.lock().unwrap().len(), 1);
    // The case has it, and its next denial asks nobody.
    assert_eq!(place.case().await["evidence"]["trail"], json!({ "found": "missing" }));
    function.batch(&bodies([&first.another()]), USUAL).await;
    assert_eq!(questions.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn where_the_trails_home_is() {
    let (server, _) = cloudtrail(Arc::new(|operation, request| match operation {
        "DescribeTrails" => {
            let name = request["trailNameList"][0].as_str().unwrap().to_owned();
            let home = if name == "everywhere" { "us-east-1" } else { "eu-west-1" };
            Some(trails(json!([{ "Name": name, "HomeRegion": home }])))
        }
        _ => Some(history(&[])),
    }))
    .await;
    let place = place("evidence-homes", &server).await;
    let mut function = place.function().await;
    for (user, trail, said) in [
        ("alice", "everywhere", "everywhere is a trail of all Regions; its home is us-east-1."),
        ("bob", "audit", "There is a trail audit in eu-west-1."),
    ] {
        function.batch(&bodies([&denial(user, "GetTrailStatus").on_trail(trail)]), USUAL).await;
        let text: String = place.slack.channel(NOTICES).iter().map(|message| message.text()).collect();
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("also refused") && !text.contains("simulator"), "{text}");
    }
}

#[tokio::test]
async fn silence_and_refusals_hold_up_nothing_and_are_said() {
    for (name, answer) in [
        ("silent", None),
        ("refused", Some(Response::json(400, &json!({ "__type": "AccessDeniedException", "Message": "no" })))),
        ("nonsense", Some(Response::text(200, "<html>"))),
    ] {
        let (server, asked) = cloudtrail(Arc::new(move |_, _| answer.clone())).await;
        let place = place(&format!("evidence-{name}"), &server).await;
        let mut function = place.function().await;
        let began = Instant::now();
        let three = ["alice", "bob", "carol"].map(|user| denial(user, "GetTrailStatus").on_trail("audit"));
        let done = function.batch(&bodies(&three), USUAL).await;
        assert_eq!((done.counts, done.failed.len()), (Counts { posted: 3, ..received(3) }, 0), "{name}");
        assert!(began.elapsed() < Duration::from_secs(15), "{name}");
        let text: String = place.slack.channel(NOTICES).iter().map(|message| message.text()).collect();
        assert!(text.contains("Whether there is a trail audit could not be looked up."), "{name}: {text}");
        // Whoever lets us wait once is not asked again; nobody is asked about every case of a flood.
        let most = if name == "silent" { 2 } else { 4 };
        assert!(asked.lock().unwrap().len() <= most, "{name}: {:?}", asked.lock().unwrap());
    }
}

#[tokio::test]
async fn an_alarm_waits_for_nobody() {
    let (server, asked) = cloudtrail(Arc::new(|_, _| None)).await;
    let mut place = place("evidence-at-once", &server).await;
    let (simulates, questions) = simulator(None).await;
    place.set("AWS_ENDPOINT_URL_IAM", &simulates.url());
    let mut function = place.function().await;
    let denials = [denial("mallory", "StopLogging"), denial("mallory", "DeleteTrail").because(NO_REASON)];
    let denials = denials.map(|denial| denial.on_trail("audit"));
    let done = function.batch(&bodies(&denials), USUAL).await;
    assert_eq!(done.counts, Counts { posted: 2, ..received(2) });
    assert_eq!(place.slack.channel(ALARMS).len(), 2);
    assert!(asked.lock().unwrap().is_empty() && questions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_comes_back_is_nobodys_to_choose() {
    let hostile = "<!channel> *x* \u{202e}`\u{1b}[31m";
    let mut record = denial("alice", "x").calling("s3", "GetObject").record();
    record["errorMessage"] =
        format!("User: arn:aws:iam::111122223333:user/alice is not authorized to perform: {hostile}").into();
    record["eventName"] = hostile.into();
    let (server, _) = cloudtrail(Arc::new(move |operation, _| match operation {
        "DescribeTrails" => Some(trails(json!([{ "Name": "audit", "HomeRegion": hostile }]))),
        _ => Some(history(&[record.clone()])),
    }))
    .await;
    let place = place("evidence-hostile", &server).await;
    let mut function = place.function().await;
    function.batch(&bodies([&denial("alice", "GetTrailStatus").on_trail("audit")]), USUAL).await;
    let message = serde_json::to_string(place.slack.channel(NOTICES)[0].versions.last().unwrap()).unwrap();
    for raw in ["<!channel>", "\u{202e}", "\u{1b}", "\\u001b"] {
        assert!(!message.contains(raw), "{raw:?}: {message}");
    }
}
