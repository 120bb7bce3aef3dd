//! Whether what was given is used: the event history's word, heard in a sweep, and nothing that hangs on it.
//!
//! The emulator has no event history, so that it is played here, in the shape of the service's model; the rest is as deployed.

use std::sync::{Arc, Mutex};

use access::{decision::Answer, grant::GrantMode};
use serde_json::{Value, json};
use tests::local::{
    http::{Reply, Request, Response, Server},
    moto::Moto,
    place::NOTICES,
};

use crate::grants::{Stack, Who};

/// CloudTrail, which gives these records whatever it is asked for; nothing at all without any.
async fn history(records: Arc<Mutex<Option<Vec<Value>>>>) -> (Server, Arc<Mutex<Vec<Request>>>) {
    let asked = Arc::<Mutex<Vec<Request>>>::default();
    let heard = Arc::clone(&asked);
    let server = Server::start(move |request: Request| {
        heard.lock().unwrap().push(request);
        let reply = match records.lock().unwrap().as_ref() {
            None => Reply::Hang,
            Some(records) => {
                let event =
                    |record: &Value| json!({ "EventId": "x", "EventTime": 1.0, "CloudTrailEvent": record.to_string() });
                let events: Vec<Value> = records.iter().map(event).collect();
                Reply::Answer(Response::json(200, &json!({ "Events": events })))
            }
        };
        async move { reply }
    });
    (server.await, asked)
}

fn after(case: &access::case::Case, seconds: i64) -> Value {
    let mut record = serde_json::to_value(&case.record).unwrap();
    let time = jiff::Timestamp::from_second(case.opened_at + seconds).unwrap();
    record["eventTime"] = time.to_string().into();
    for name in ["errorCode", "errorMessage"] {
        record.as_object_mut().unwrap().remove(name);
    }
    record
}

#[tokio::test]
async fn the_first_success_is_said_and_nothing_else_is_one() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "used", GrantMode::Managed).await;
    let records = Arc::new(Mutex::new(None));
    let (server, asked) = history(Arc::clone(&records)).await;
    stack.place.set("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.url());
    stack.function = Stack::started(&stack.place).await;
    let case = stack.denied(Who::User).await;
    let key = stack.decided(&stack.decision(&case, Answer::Approve, 3000)).await;
    assert_eq!(stack.streams(&[&key]).await, Some(vec![]));
    assert!(asked.lock().unwrap().is_empty(), "nobody can have used it yet");
    let text = |stack: &Stack| stack.place.slack.channel(NOTICES)[0].text();
    assert!(text(&stack).contains("It has been given."), "{}", text(&stack));

    // No answer holds up nothing; and what was given stays.
    assert!(stack.sweeps().await);
    let versions = stack.place.slack.channel(NOTICES)[0].versions.len();

    let success = after(&case, 60);
    let with = |pointer: &str, value: &str| {
        let mut record = success.clone();
        *record.pointer_mut(pointer).unwrap() = value.into();
        record
    };
    let mut refused = success.clone();
    refused["errorCode"] = "AccessDenied".into();
    *records.lock().unwrap() = Some(vec![
        refused,
        with("/userIdentity/principalId", "AIDAEXAMPLE0SOMEBODY1"),
        with("/eventName", "ListTrails"),
        with("/eventSource", "s3.amazonaws.com"),
        with("/eventTime", "yesterday"),
        after(&case, -7200),
    ]);
    assert!(stack.sweeps().await);
    assert_eq!(stack.place.slack.channel(NOTICES)[0].versions.len(), versions, "{}", text(&stack));

    records.lock().unwrap().as_mut().unwrap().extend([success, after(&case, 90)]);
    assert!(stack.sweeps().await);
    assert!(text(&stack).contains("The call has succeeded since"), "{}", text(&stack));
    let request = asked.lock().unwrap().last().unwrap().json();
    assert_eq!(
        request["LookupAttributes"],
        json!([{ "AttributeKey": "EventName", "AttributeValue": "GetTrailStatus" }])
    );
    let history = stack.place.documents("GRANT").await;
    let entries: Vec<&Value> = history.values().filter_map(|found| found["entries"].as_array()).flatten().collect();
    let effects: Vec<&Value> =
        entries.iter().filter(|entry| entry["event"] == "effect").map(|entry| &entry["state"]).collect();
    assert_eq!(effects.last(), Some(&&json!("used")), "{effects:?}");

    // It is known now: nobody is asked, and nobody is told again.
    let (questions, versions) = (asked.lock().unwrap().len(), stack.place.slack.channel(NOTICES)[0].versions.len());
    assert!(stack.sweeps().await);
    assert_eq!(asked.lock().unwrap().len(), questions);
    assert_eq!(stack.place.slack.channel(NOTICES)[0].versions.len(), versions);
}
