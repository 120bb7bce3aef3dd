//! What API Gateway hands over, and what it is given back.
//!
//! Payload format 2.0, of which five members are read: the route, two kinds of names, headers and body. Who called stands in none of
//! them: whoever may invoke the function directly can write an authorizer's context, an address or a time into the event, so that
//! those are never looked at. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A button in Slack.
    Slack,
    /// An answer that is signed with AWS credentials.
    Answers,
    /// A case's page.
    Case,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a>(pub(crate) &'a Value);

/// Why there is no body, or no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Longer than is looked at.
    TooLong,
    /// It is said to be base64, and is not.
    Body,
    /// It stands there twice: which one was meant, nobody could say.
    Header,
}

impl<'a> Request<'a> {
    fn text(self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer).and_then(Value::as_str)
    }

    pub(crate) fn route(self) -> Option<Route> {
        match (self.text("/version")?, self.text("/routeKey")?) {
            ("2.0", "POST /slack") => Some(Route::Slack),
            ("2.0", "POST /answers") => Some(Route::Answers),
            ("2.0", "GET /cases/{id}") => Some(Route::Case),
            _ => None,
        }
    }

    /// The last part of a page's path.
    pub(crate) fn id(self) -> Option<&'a str> {
        self.text("/pathParameters/id")
    }

    /// The query as it stands in the address.
    pub(crate) fn query(self) -> Option<&'a str> {
        self.text("/rawQueryString")
    }

    /// A header by its name in lower case. API Gateway joins those that came twice with a comma, and none that is read here has one.
    pub(crate) fn header(self, name: &str) -> Result<Option<&'a str>, Malformed> {
        let headers = self.0.get("headers").and_then(Value::as_object).into_iter().flatten();
        let mut found = headers.filter(|(its, _)| its.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let Some(value) = found.next() else { return Ok(None) };
        match (value, found.next()) {
            (Some(value), None) if !value.contains(',') => Ok(Some(value)),
            _ => Err(Malformed::Header),
        }
    }

    /// The body's bytes, of which there are so many at the most. What is too long is not even decoded.
    pub(crate) fn body(self, longest: usize) -> Result<Cow<'a, [u8]>, Malformed> {
        let text = self.text("/body").unwrap_or_default();
        let is_base64 = self.0.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
        let longest_text = if is_base64 { longest.div_ceil(3) * 4 } else { longest };
        if text.len() > longest_text {
            return Err(Malformed::TooLong);
        }
        if is_base64 {
            STANDARD.decode(text).map(Cow::Owned).map_err(|_| Malformed::Body)
        } else {
            Ok(Cow::Borrowed(text.as_bytes()))
        }
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// A line of text, or nothing.
    pub(crate) fn text(status: u16, line: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", if line.is_empty() { String::new() } else { format!("{line}\n") })
    }

    /// An answer for programs.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::of(status, "application/json", serde_json::to_string(body).unwrap_or_default())
    }

    pub(crate) fn of(status: u16, kind: &str, body: String) -> Self {
        let headers = vec![
            ("content-type", kind.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        Self { status, headers, body }
    }

    /// As API Gateway takes it.
    pub fn event(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({ "statusCode": self.status, "headers": headers, "body": self.body, "isBase64Encoded": false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_decoded() {
        let body = |text: &str, is_base64: bool, longest| {
            let event = json!({ "body": text, "isBase64Encoded": is_base64 });
            Request(&event).body(longest).map(Cow::into_owned)
        };
        assert_eq!(body("abc", false, 3), Ok(b"abc".to_vec()));
        assert_eq!(body("abcd", false, 3), Err(Malformed::TooLong));
        assert_eq!(body("YWJj", true, 3), Ok(b"abc".to_vec()));
        assert_eq!(body("!!!!", true, 3), Err(Malformed::Body));
        assert_eq!(body("!!!!!", true, 3), Err(Malformed::TooLong), "and so nobody sees that it is no base64");
    }
}
