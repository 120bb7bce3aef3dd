//! The event history: every page, at the pace that AWS asks for, and no event twice.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::local::http::{Reply, Request, Response, Server};

use super::{Folder, Ran, record, scan, signed_for};

/// A Region's history.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>
struct History {
    door: Server,
    asked: Arc<Mutex<Vec<Request>>>,
    rule: Arc<Mutex<Rule>>,
}

/// How the request of that number is answered, where it isn't with events. The first is 0.
type Rule = Box<dyn Fn(usize) -> Option<Response> + Send>;

/// So many events are on a page.
const PAGE: usize = 50;

impl History {
    /// Holds these records, newest first.
    async fn of(records: Vec<Value>) -> Self {
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let (kept, ruling, records) = (Arc::clone(&asked), Arc::clone(&rule), Arc::new(records));
        let door = Server::start(move |request| {
            let mut kept = kept.lock().unwrap();
            let answer = (ruling.lock().unwrap())(kept.len()).unwrap_or_else(|| page(&records, &request));
            kept.push(request);
            async move { Reply::Answer(answer) }
        })
        .await;
        Self { door, asked, rule }
    }

    async fn scan(&self, arguments: &[&str]) -> Ran {
        scan(&self.door.url(), &[&["--lookup"], arguments].concat()).await
    }

    fn rules(&self, rule: impl Fn(usize) -> Option<Response> + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
        self.asked.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().iter().map(Request::json).collect()
    }
}

/// What LookupEvents answers: both ends of the span are in it, and a token is good for the same request only.
fn page(records: &[Value], request: &Request) -> Response {
    assert_eq!(request.header("x-amz-target"), Some("CloudTrail_20131101.LookupEvents"));
    let asked = request.json();
    let (from, to) = (asked["StartTime"].as_f64().unwrap(), asked["EndTime"].as_f64().unwrap());
    assert_eq!(asked["MaxResults"], PAGE);
    let span = format!("{from} {to}");
    let first: usize = match asked["NextToken"].as_str() {
        None => 0,
        Some(token) => {
            let (first, of) = token.split_once(' ').unwrap();
            assert_eq!(of, span);
            first.parse().unwrap()
        }
    };
    let time =
        |record: &Value| record["eventTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second() as f64;
    let found: Vec<&Value> = records.iter().filter(|record| (from..=to).contains(&time(record))).collect();
    let events: Vec<Value> = found
        .iter()
        .skip(first)
        .take(PAGE)
        .map(|record| json!({ "EventId": record["eventID"], "EventTime": time(record), "CloudTrailEvent": record.to_string() }))
        .collect();
    let mut answer = json!({ "Events": events });
    if first + PAGE < found.len() {
        answer["NextToken"] = format!("{} {span}", first + PAGE).into();
    }
    Response::json(200, &answer)
}

/// Five pages and a half, four events a second, the last an hour ago.
fn records() -> Vec<Value> {
    let last = jiff::Timestamp::now().as_second() - 3_600;
    (0..275).map(|n| record(&format!("e-{n}"), last - n / 4, n % 11 == 0)).collect()
}

/// What is found when the records lie in a file.
async fn in_a_file(records: &[Value]) -> Vec<Value> {
    let folder = Folder::new();
    let file = folder.write("log.json", json!({ "Records": records }).to_string().as_bytes());
    scan("http://127.0.0.1:1", &[&file]).await.found()
}

fn refusal(kind: &str) -> Response {
    Response::json(400, &json!({ "__type": kind, "Message": "Rate \u{1b}[31mexceeded" }))
}

#[tokio::test]
async fn every_page_is_read_at_the_pace_that_is_asked_for() {
    let records = records();
    let history = History::of(records.clone()).await;
    let began = Instant::now();
    let ran = history.scan(&[]).await;
    // Six requests have five waits between them: AWS answers two a second.
    assert!(began.elapsed() >= Duration::from_millis(2_500));
    assert_eq!((ran.status, ran.summary()["records"].as_u64()), (0, Some(275)), "{}", ran.said);
    let mut found = ran.found();
    // Read backwards, a case's example is another one; its numbers are the same.
    let mut filed = in_a_file(&records).await;
    for line in found.iter_mut().chain(&mut filed) {
        line["event_id"].take();
    }
    assert_eq!(found, filed);
    let asked = history.asked();
    assert_eq!(asked.len(), 6);
    let days = (asked[0]["EndTime"].as_f64().unwrap() - asked[0]["StartTime"].as_f64().unwrap()) / 86_400.0;
    assert!((days - 90.0).abs() < 0.01, "{days}");
}

#[tokio::test]
async fn a_span_is_asked_for_and_kept_to() {
    let records = records();
    let history = History::of(records.clone()).await;
    let middle = records[100]["eventTime"].as_str().unwrap();
    let ran = history.scan(&["--until", middle]).await;
    // Those of that second are not before it.
    assert_eq!(ran.summary()["records"], 171, "{}", ran.said);
    let ran = history.scan(&["--since", middle]).await;
    assert_eq!(ran.summary()["records"], 104, "{}", ran.said);
}

#[tokio::test]
async fn each_region_is_asked() {
    let history = History::of(records()).await;
    let ran = history.scan(&["--since", "1m", "--region", "eu-west-1", "--region", "us-east-1"]).await;
    assert_eq!(ran.status, 0, "{}", ran.said);
    let asked = history.asked.lock().unwrap();
    assert_eq!(asked.iter().map(signed_for).collect::<Vec<_>>(), ["eu-west-1", "us-east-1"]);
}

#[tokio::test]
async fn too_much_is_waited_out() {
    let records = records();
    let history = History::of(records).await;
    history.rules(|number| (2..4).contains(&number).then(|| refusal("ThrottlingException")));
    let ran = history.scan(&[]).await;
    assert_eq!((ran.status, ran.summary()["records"].as_u64()), (0, Some(275)), "{}", ran.said);
    assert_eq!(history.asked().len(), 8);
}

#[tokio::test]
async fn whoever_may_not_is_told_so() {
    let history = History::of(records()).await;
    history.rules(|_| Some(refusal("AccessDeniedException")));
    let ran = history.scan(&[]).await;
    assert!(
        ran.status == 1 && ran.said.contains("the event history of this Region: this program lacks a permission"),
        "{}",
        ran.said
    );
    assert!(!ran.said.contains('\u{1b}') && ran.summary()["is_whole"] == false, "{:?}", ran.said);
}

#[tokio::test]
async fn it_goes_on_in_the_second_where_it_was_left() {
    let records = records();
    let history = History::of(records.clone()).await;
    let folder = Folder::new();
    let state = folder.path("state");
    history.rules(|number| (number >= 3).then(|| Response::text(500, "")));
    let first = history.scan(&["--resume", &state]).await;
    assert!(first.status == 1 && first.said.contains("The same command goes on from here."), "{}", first.said);
    assert_eq!(first.summary()["records"], 150);

    // In the meantime another event came that is none of this scan's.
    history.rules(|_| None);
    let second = history.scan(&["--resume", &state]).await;
    let once = history.scan(&[]).await;
    assert_eq!((second.status, second.found()), (0, once.found()), "{}", second.said);
    let asked = history.asked();
    // The 150th event is one of four of its second: that second is asked for again.
    let last: jiff::Timestamp = records[149]["eventTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(asked[0]["EndTime"].as_f64().unwrap(), last.as_second() as f64);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named_and_the_others_are_read() {
    let mut records = records();
    records.truncate(3);
    let history = History::of(records).await;
    let broken = json!({ "Events": [
        { "EventId": "e-\u{1b}[2J", "EventTime": 1_790_812_800.0, "CloudTrailEvent": "{\"eventVersion\":" },
        { "EventId": "e-none", "EventTime": 1_790_812_800.0 },
        { "EventId": "e-9", "EventTime": 1_790_812_800.0, "CloudTrailEvent": record("e-9", 1_790_812_800, true).to_string() },
    ]});
    history.rules(move |_| Some(Response::json(200, &broken)));
    let ran = history.scan(&[]).await;
    assert_eq!((ran.status, ran.summary()["denials"].as_u64()), (1, Some(1)), "{}", ran.said);
    assert!(ran.said.contains("event e-") && !ran.said.contains('\u{1b}'), "{:?}", ran.said);
    // One without a record is no event that was read: it isn't passed over in silence.
    assert_eq!(ran.summary()["failures"], 2, "{}", ran.said);
}
