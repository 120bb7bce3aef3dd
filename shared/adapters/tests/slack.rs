//! Slack's answers, good and bad.
//!
//! Slack can't run here, so a stub on loopback plays its answers as its documentation gives them. What is tested is what the adapter
//! sends, what it makes of each answer, that every call ends in time, and that no token comes to light.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod stub;

use adapters::secrets::Secret;
use adapters::slack::{Posted, Slack, SlackError};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};
use stub::{Answer, Stub};
use tracing_subscriber::layer::SubscriberExt as _;

const TOKEN: &str = "xoxb-hush-1";
const PATH: &str = "/services/T0/B0/hush-2";
const TIMEOUT: Duration = Duration::from_secs(5);

/// Every line that anything logs, at every level, libraries included.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn no_secret_in(said: &str) {
    let logged = String::from_utf8_lossy(&LOGGED.lock().unwrap()).into_owned();
    for text in [said, &logged] {
        assert!(!text.contains("hush"), "{text}");
    }
}

async fn slack(answers: impl IntoIterator<Item = Answer>) -> (Stub, Slack) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let layer = tracing_subscriber::fmt::layer().with_writer(|| Log);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    });
    let stub = Stub::start(answers).await;
    let slack = Slack::new(&format!("{}/api/", stub.url), TIMEOUT).unwrap();
    (stub, slack)
}

fn http(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    Answer::Http(status, headers.to_vec(), body.to_owned())
}

fn posted() -> Answer {
    http(
        200,
        &[("content-type", "application/json")],
        r#"{"ok":true,"channel":"C1","ts":"1.2","message":{"text":"hello"}}"#,
    )
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn post(slack: &Slack, deadline: Instant) -> Result<Posted, SlackError> {
    let result = slack.post(&Secret::new(TOKEN), "C1", &json!({"text": "hello"}), deadline).await;
    no_secret_in(&format!(
        "{result:?} {slack:?} {}",
        result.as_ref().err().map(ToString::to_string).unwrap_or_default()
    ));
    result
}

fn there() -> Posted {
    Posted { channel: "C1".to_owned(), ts: "1.2".to_owned() }
}

#[tokio::test]
async fn a_message_is_posted_and_updated() {
    let (stub, slack) = slack([posted(), posted()]).await;
    assert_eq!(post(&slack, soon()).await, Ok(there()));
    let token = Secret::new(TOKEN);
    assert_eq!(slack.update(&token, &there(), &json!({"text": "now", "channel": "C9"}), soon()).await, Ok(there()));
    let requests = stub.requests();
    assert!(requests[0].head.starts_with("POST /api/chat.postMessage HTTP/1.1\r\n"), "{}", requests[0].head);
    assert!(requests[1].head.starts_with("POST /api/chat.update HTTP/1.1\r\n"), "{}", requests[1].head);
    for request in &requests {
        let head = request.head.to_lowercase();
        assert!(head.contains(&format!("authorization: bearer {TOKEN}\r\n")), "{head}");
        assert!(head.contains("content-type: application/json; charset=utf-8\r\n"), "{head}");
    }
    assert_eq!(requests[0].json(), json!({"channel": "C1", "text": "hello"}));
    assert_eq!(requests[1].json(), json!({"channel": "C1", "ts": "1.2", "text": "now"}));
}

#[tokio::test]
async fn a_webhook_posts() {
    let (stub, slack) =
        slack([http(200, &[], "ok"), http(403, &[], "invalid_token"), Answer::Close, Answer::Close]).await;
    let url = Secret::new(format!("{}{PATH}", stub.url));
    let message = json!({"text": "hello"});
    assert_eq!(slack.webhook(&url, &message, soon()).await, Ok(()));
    assert_eq!(slack.webhook(&url, &message, soon()).await, Err(SlackError::Refused("invalid_token".to_owned())));
    let broken = slack.webhook(&url, &message, soon()).await.unwrap_err();
    assert!(matches!(broken, SlackError::Unavailable(_)), "{broken:?}");
    no_secret_in(&format!("{broken:?} {broken}"));
    let request = &stub.requests()[0];
    assert!(request.head.starts_with(&format!("POST {PATH} HTTP/1.1\r\n")));
    assert!(!request.head.to_lowercase().contains("authorization"));
    assert_eq!(request.json(), message);
}

#[tokio::test]
async fn nothing_is_sent_where_it_could_be_read() {
    assert!(matches!(Slack::new("http://slack.com/api", TIMEOUT), Err(SlackError::Invalid(_))));
    let (stub, slack) = slack([]).await;
    let plain = Secret::new(format!("http://hooks.slack.com{PATH}"));
    let error = slack.webhook(&plain, &json!({}), soon()).await.unwrap_err();
    assert!(matches!(error, SlackError::Invalid(_)), "{error:?}");
    no_secret_in(&format!("{error:?} {error}"));
    let message = slack.post(&Secret::new(TOKEN), "C1", &Value::from("text"), soon()).await;
    assert!(matches!(message, Err(SlackError::Invalid(_))), "{message:?}");
    let smuggled = slack.post(&Secret::new("x\r\nhost: evil.example"), "C1", &json!({}), soon()).await;
    assert!(matches!(smuggled, Err(SlackError::Invalid(_))), "{smuggled:?}");
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn a_short_rate_limit_is_waited_for() {
    let (stub, slack) = slack([http(429, &[("retry-after", "1")], ""), posted()]).await;
    let start = Instant::now();
    assert_eq!(post(&slack, soon()).await, Ok(there()));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn a_rate_limit_beyond_patience_goes_up() {
    let limited = |seconds| Err(SlackError::RateLimited { retry_after: Duration::from_secs(seconds) });
    let (stub, slow) = slack([http(429, &[("retry-after", "30")], r#"{"ok":false,"error":"ratelimited"}"#)]).await;
    assert_eq!(post(&slow, Instant::now() + Duration::from_secs(90)).await, limited(30));
    assert_eq!(stub.requests().len(), 1, "30 s are not waited for, whatever the deadline");

    let (stub, late) = slack([http(429, &[("retry-after", "1")], "")]).await;
    let start = Instant::now();
    assert_eq!(post(&late, start + Duration::from_millis(900)).await, limited(1));
    assert!(start.elapsed() < Duration::from_millis(900));
    assert_eq!(stub.requests().len(), 1);

    let again = http(200, &[("retry-after", "0")], r#"{"ok":false,"error":"ratelimited"}"#);
    let (stub, stubborn) = slack(vec![again; 9]).await;
    assert_eq!(post(&stubborn, soon()).await, limited(0));
    assert_eq!(stub.requests().len(), 3, "three tries and no more");
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    let bad = ["invalid_auth", "token_revoked", "channel_not_found", "message_not_found"];
    let (stub, slack) = slack(bad.map(|code| http(200, &[], &json!({"ok": false, "error": code}).to_string()))).await;
    for code in bad {
        let error = post(&slack, soon()).await.unwrap_err();
        assert_eq!(error, SlackError::Refused(code.to_owned()));
        assert_eq!(
            (error.is_bad_token(), error.is_retryable()),
            (["invalid_auth", "token_revoked"].contains(&code), false)
        );
    }
    assert_eq!(stub.requests().len(), bad.len());
}

#[tokio::test]
async fn an_answer_that_fails_is_for_later() {
    let endless = "x".repeat(300_000);
    let answers = [
        http(500, &[], "<html>"),
        http(503, &[], ""),
        http(200, &[], "<html>"),
        http(200, &[], &endless),
        http(200, &[], r#"{"ok":true}"#),
    ];
    let (stub, slack) = slack(answers.clone()).await;
    for answer in &answers {
        let error = post(&slack, soon()).await.unwrap_err();
        assert!(matches!(error, SlackError::Unavailable(_)) && error.is_retryable(), "{answer:?}: {error:?}");
    }
    assert_eq!(stub.requests().len(), answers.len());
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_once_more() {
    let (stub, lucky) = slack([posted(), Answer::Close, posted()]).await;
    assert_eq!(post(&lucky, soon()).await, Ok(there()));
    assert_eq!(post(&lucky, soon()).await, Ok(there()), "a dead connection is no failure");
    assert_eq!(stub.requests().len(), 3);
    let (stub, broken) = slack(vec![Answer::Close; 5]).await;
    assert!(matches!(post(&broken, soon()).await, Err(SlackError::Unavailable(_))));
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn nobody_at_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slack = Slack::new(&format!("http://{}", listener.local_addr().unwrap()), TIMEOUT).unwrap();
    drop(listener);
    let error = post(&slack, soon()).await.unwrap_err();
    assert!(matches!(&error, SlackError::Unavailable(why) if why.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn every_call_ends_in_time() {
    for silent in [Answer::Hang, Answer::Half] {
        let (stub, slack) = slack([silent.clone(), silent.clone()]).await;
        let start = Instant::now();
        let by_deadline = post(&slack, start + Duration::from_millis(300)).await;
        assert!(matches!(by_deadline, Err(SlackError::Unavailable(_))), "{by_deadline:?}");
        let quick = Slack::new(&stub.url, Duration::from_millis(300)).unwrap();
        let by_timeout = post(&quick, soon()).await;
        assert!(matches!(by_timeout, Err(SlackError::Unavailable(_))), "{by_timeout:?}");
        assert!(start.elapsed() < Duration::from_secs(3), "{silent:?}: {:?}", start.elapsed());
        assert_eq!(stub.requests().len(), 2, "a silence is not tried again within the call");
    }
    let (stub, slack) = slack([posted()]).await;
    assert_eq!(post(&slack, Instant::now()).await, Err(SlackError::TooLate));
    assert_eq!(stub.requests().len(), 0);
}
