//! Slack: a message posted, a message updated, a message to an incoming webhook.
//!
//! Decides what each of Slack's refusals means to somebody who must not lose a notice: wait and try again, come back later, or tell
//! an operator. Slack answers many failures with status 200 and `"ok": false`
//! ([errors](https://docs.slack.dev/reference/methods/chat.postMessage#errors)), so the status alone says little.
//! What a message says and where it goes is the caller's.
//!
//! Every call ends by its deadline. After `Unavailable` the message may have been posted all the same: a caller that
//! tries again may post twice, which is better than never. Tokens and webhook addresses are in no error.

use crate::http::{bounded, connector, is_private, with_causes};
use crate::secrets::Secret;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// Where Slack's methods are, unless a test says otherwise.
pub const API: &str = "https://slack.com/api";

/// The longest `Retry-After` that is waited for within a call; with a longer one the error goes up at once.
const SHORT: Duration = Duration::from_secs(5);
/// What a rate limit without `Retry-After` means: [one message a second and channel](https://docs.slack.dev/apis/web-api/rate-limits).
const USUAL: Duration = Duration::from_secs(1);
/// Tries within a call, waits for a rate limit included.
const TRIES: u32 = 3;
/// Time that must be left after a wait for the try that follows it.
const ROOM: Duration = Duration::from_millis(500);
/// The most of an answer that is read.
const ANSWER_BYTES: usize = 256 * 1024;

/// Slack's `error` codes that pass by themselves.
const PASSING: [&str; 5] =
    ["fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"];

/// A message that stands in a channel; both are needed to update it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel's id.
    pub channel: String,
    /// The message's time stamp, which is its name in the channel.
    pub ts: String,
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlackError {
    /// Too many messages: not before `retry_after`, which would have been past the deadline.
    RateLimited {
        /// Slack's `Retry-After`.
        retry_after: Duration,
    },
    /// Timed out, failed on Slack's side or not reached, in words: later.
    Unavailable(String),
    /// Slack's code for what is wrong, such as `invalid_auth`, `channel_not_found` or `message_not_found`; or `http_404` where
    /// it gives none. The same call will be refused again.
    Refused(String),
    /// The deadline had passed before anything was sent.
    TooLate,
    /// An address that is not https (plain http is for this machine only), or a message that is no JSON object: nothing was sent.
    Invalid(&'static str),
}

impl SlackError {
    /// Whether the token is what Slack refuses: it may have been rotated, see [`crate::secrets::Secrets::refresh`].
    pub fn is_bad_token(&self) -> bool {
        const CODES: [&str; 5] = ["account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"];
        matches!(self, Self::Refused(code) if CODES.contains(&code.as_str()))
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_) | Self::TooLate)
    }
}

impl fmt::Display for SlackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimited { retry_after } => write!(f, "Slack wants no message for {} s", retry_after.as_secs()),
            Self::Unavailable(why) => write!(f, "Slack can't be reached now: {why}"),
            Self::Refused(code) => write!(f, "Slack refused: {code}"),
            Self::TooLate => f.write_str("no time was left to call Slack"),
            Self::Invalid(what) => write!(f, "not sent to Slack: {what}"),
        }
    }
}

impl Error for SlackError {}

/// Slack's API at one address.
#[derive(Clone, Debug)]
pub struct Slack {
    api: String,
    timeout: Duration,
}

impl Slack {
    /// `api` is [`API`], or a server on this machine in a test; `timeout` is the most that one try may take.
    pub fn new(api: &str, timeout: Duration) -> Result<Self, SlackError> {
        check_address(api)?;
        Ok(Self { api: api.trim_end_matches('/').to_owned(), timeout })
    }

    /// [chat.postMessage](https://docs.slack.dev/reference/methods/chat.postMessage): `message` is an object with `text`, `blocks` and the like.
    pub async fn post(
        &self,
        token: &Secret,
        channel: &str,
        message: &Value,
        deadline: Instant,
    ) -> Result<Posted, SlackError> {
        self.call("chat.postMessage", token, with(message, &[("channel", channel)])?, deadline).await
    }

    /// [chat.update](https://docs.slack.dev/reference/methods/chat.update): the message of this channel and time stamp becomes `message`.
    pub async fn update(
        &self,
        token: &Secret,
        posted: &Posted,
        message: &Value,
        deadline: Instant,
    ) -> Result<Posted, SlackError> {
        let body = with(message, &[("channel", &posted.channel), ("ts", &posted.ts)])?;
        self.call("chat.update", token, body, deadline).await
    }

    /// An [incoming webhook](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks), which can post and nothing
    /// else: its message can't be updated.
    pub async fn webhook(&self, url: &Secret, message: &Value, deadline: Instant) -> Result<(), SlackError> {
        check_address(url.expose())?;
        self.send(&Call { url: url.expose(), token: None, body: with(message, &[])? }, deadline).await.map(drop)
    }

    async fn call(&self, method: &str, token: &Secret, body: String, deadline: Instant) -> Result<Posted, SlackError> {
        let url = format!("{}/{method}", self.api);
        let answer = self.send(&Call { url: &url, token: Some(token), body }, deadline).await?;
        let text = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("channel"), text("ts")) {
            (Some(channel), Some(ts)) => Ok(Posted { channel, ts }),
            _ => Err(unreadable()),
        }
    }

    async fn send(&self, call: &Call<'_>, deadline: Instant) -> Result<Value, SlackError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SlackError::TooLate);
            }
            let answered = tokio::time::timeout(left.min(self.timeout), call.once()).await;
            let failed = match answered {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(SlackError::Unavailable("no answer in time".to_owned())),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            match failed {
                Failed::For(SlackError::RateLimited { retry_after })
                    if tries < TRIES && retry_after <= SHORT && retry_after + ROOM < left =>
                {
                    tokio::time::sleep(retry_after).await;
                }
                // A connection kept from before the function was frozen is often dead, and found to be so by its first use.
                Failed::Broken(_) if tries == 1 && !left.is_zero() => {}
                Failed::For(error) => return Err(error),
                Failed::Broken(why) => return Err(SlackError::Unavailable(why)),
            }
        }
    }
}

/// A request that can be sent again.
struct Call<'a> {
    url: &'a str,
    token: Option<&'a Secret>,
    body: String,
}

enum Failed {
    For(SlackError),
    /// The connection broke, or there was none.
    Broken(String),
}

impl Call<'_> {
    async fn once(&self) -> Result<Value, Failed> {
        let request =
            self.request().ok_or(Failed::For(SlackError::Invalid("the address or the token is malformed")))?;
        let answer = connector().call(request).await.map_err(|error| self.broken(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|text| text.trim().parse().ok());
        let retry_after = retry_after.map_or(USUAL, Duration::from_secs);
        let mut body = Vec::new();
        let mut stream = ByteStream::new(answer.into_body());
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|_| Failed::Broken("the connection broke within the answer".to_owned()))?;
            body.extend_from_slice(&bytes);
            if body.len() > ANSWER_BYTES {
                return Err(Failed::For(unreadable()));
            }
        }
        understand(status, retry_after, &body, self.token.is_some()).map_err(Failed::For)
    }

    fn request(&self) -> Option<HttpRequest> {
        let mut request = HttpRequest::new(SdkBody::from(self.body.as_str()));
        request.set_method("POST").ok()?;
        request.set_uri(self.url).ok()?;
        let headers = request.headers_mut();
        headers.try_insert("content-type", "application/json; charset=utf-8").ok()?;
        if let Some(token) = self.token {
            headers.try_insert("authorization", format!("Bearer {}", token.expose())).ok()?;
        }
        Some(request)
    }

    /// What broke, with its causes (a refused connection and an untrusted certificate are different things to look for), and
    /// without what must not be seen: no library is trusted not to name an address.
    fn broken(&self, error: &ConnectorError) -> Failed {
        if error.is_timeout() {
            return Failed::For(SlackError::Unavailable("no answer in time".to_owned()));
        }
        let mut text = with_causes(error);
        if let Some(token) = self.token {
            text = text.replace(token.expose(), "…");
        }
        if let Some(path) =
            self.url.parse::<http::Uri>().ok().and_then(|uri| uri.path_and_query().map(ToString::to_string))
            && path.len() > 1
        {
            text = text.replace(&path, "/…");
        }
        Failed::Broken(bounded(&text))
    }
}

/// The answer's object (Null for a webhook's `ok`), or what the answer means.
fn understand(status: u16, retry_after: Duration, body: &[u8], api: bool) -> Result<Value, SlackError> {
    match status {
        429 => return Err(SlackError::RateLimited { retry_after }),
        500.. => return Err(SlackError::Unavailable(format!("status {status}"))),
        200 if !api => return Ok(Value::Null),
        _ => {}
    }
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let answer = match answer {
        Some(object) if status == 200 && object.get("ok") == Some(&Value::Bool(true)) => return Ok(object),
        other => other,
    };
    let code = match &answer {
        Some(object) => object.get("error").and_then(Value::as_str),
        // A webhook's refusal is its code as plain text.
        None => std::str::from_utf8(body).ok().map(str::trim),
    };
    Err(match (status, &answer, code.filter(|code| is_code(code))) {
        (200, Some(_), Some("ratelimited" | "rate_limited")) => SlackError::RateLimited { retry_after },
        (200, Some(_), Some(code)) if PASSING.contains(&code) => SlackError::Unavailable(code.to_owned()),
        (200, Some(_), Some(code)) => SlackError::Refused(code.to_owned()),
        (200, ..) => unreadable(),
        (_, _, Some(code)) => SlackError::Refused(code.to_owned()),
        _ => SlackError::Refused(format!("http_{status}")),
    })
}

fn unreadable() -> SlackError {
    SlackError::Unavailable("an answer that is not Slack's".to_owned())
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn with(message: &Value, fields: &[(&str, &str)]) -> Result<String, SlackError> {
    let Value::Object(message) = message else { return Err(SlackError::Invalid("a message that is no JSON object")) };
    let mut message = message.clone();
    for (name, text) in fields {
        message.insert((*name).to_owned(), Value::from(*text));
    }
    Ok(Value::Object(message).to_string())
}

/// A token or a webhook's address is as good as a password: nothing that is sent over a network goes unencrypted.
fn check_address(url: &str) -> Result<(), SlackError> {
    let wrong = SlackError::Invalid("the address is not one that begins with https:// and a host");
    is_private(url).then_some(()).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::{SlackError, USUAL, check_address, understand};
    use std::time::Duration;

    #[test]
    fn only_encrypted_or_on_this_machine() {
        for good in [
            "https://slack.com/api",
            "https://hooks.slack.com/services/T/B/x",
            "http://127.0.0.1:80/x",
            "http://localhost:1",
            "http://[::1]:7/",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in [
            "http://slack.com/api",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1.evil.example/",
            "https://u:p@slack.com/",
            "ftp://127.0.0.1/",
            "slack.com/api",
            "/api",
            "",
            "https://",
            "file:///etc/passwd",
            "http://10.0.0.1/",
            "https:// x/",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_an_answer_means() {
        use SlackError::{RateLimited, Refused, Unavailable};
        let api = |status, body: &str| understand(status, USUAL, body.as_bytes(), true);
        assert!(api(200, r#"{"ok":true,"ts":"1"}"#).is_ok());
        assert_eq!(api(200, r#"{"ok":false,"error":"ratelimited"}"#), Err(RateLimited { retry_after: USUAL }));
        assert_eq!(api(200, r#"{"ok":false,"error":"invalid_auth"}"#), Err(Refused("invalid_auth".into())));
        assert_eq!(api(200, r#"{"ok":false,"error":"internal_error"}"#), Err(Unavailable("internal_error".into())));
        for odd in [
            "",
            "ok",
            "{}",
            "[]",
            "null",
            r#"{"ok":"true"}"#,
            r#"{"ok":false}"#,
            r#"{"ok":false,"error":"<b>x"}"#,
            "\u{0}",
        ] {
            assert!(matches!(api(200, odd), Err(Unavailable(_))), "{odd}");
        }
        assert_eq!(api(404, "<html>"), Err(Refused("http_404".into())));
        assert_eq!(api(302, ""), Err(Refused("http_302".into())));
        let hook = |status, body: &str| understand(status, Duration::from_secs(7), body.as_bytes(), false);
        assert!(hook(200, "ok").is_ok());
        assert_eq!(hook(403, "invalid_token\n"), Err(Refused("invalid_token".into())));
        assert_eq!(hook(429, ""), Err(RateLimited { retry_after: Duration::from_secs(7) }));
        assert_eq!(hook(500, "rollup_error"), Err(Unavailable("status 500".into())));
    }
}
