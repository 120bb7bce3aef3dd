//! Pages with buttons on this machine: what serve and console have in common.
//!
//! Their address holds a token that whoever started them alone has been told; everybody else on this machine, and every page of another
//! site, is answered as if nothing were there. A button's form is taken only if the browser says that it was on one of these pages.

use axum::{
    Form,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use decide::answer::{Asked, Outcome, Reply};
use serde::Deserialize;

use crate::{local::Question, serve::connection};

/// What a button sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pressed {
    answer: String,
    opening: u64,
    remedy: Option<String>,
    minutes: Option<i64>,
}

/// The answer that a button of a case's page sends.
pub async fn pressed(id: &str, request: Request) -> Result<Asked, Response> {
    // A browser says where a form was, and the door has looked at it: a request that says nothing is no browser's.
    if request.headers().get(header::ORIGIN).is_none() {
        return Err((StatusCode::FORBIDDEN, "answers come from this page's own buttons\n").into_response());
    }
    let Form(form) = match tokio::time::timeout(connection::PATIENCE, Form::<Pressed>::from_request(request, &())).await
    {
        Ok(read) => read.map_err(IntoResponse::into_response)?,
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n").into_response()),
    };
    let Pressed { answer, opening, remedy, minutes } = form;
    let question = Question { case: id.to_owned(), opening, answer, remedy, minutes };
    question.asked().ok_or_else(|| (StatusCode::BAD_REQUEST, "this can't be meant\n").into_response())
}

/// What came of an answer, and whether it counted.
pub fn said(reply: &Reply) -> (String, bool) {
    let because = reply.because.as_deref().unwrap_or("no reason was given");
    match reply.outcome {
        Outcome::Approved => ("Approved. It is being given.".to_owned(), true),
        Outcome::Rejected => ("Rejected. Nothing is given.".to_owned(), true),
        Outcome::Revoked => ("It is being taken back.".to_owned(), true),
        Outcome::Already | Outcome::Refused => (format!("It did not count: {because}."), false),
    }
}

/// Puts on an answer what browsers are to do with it. `has_forms`: it may be a page with buttons.
pub fn with_headers(mut response: Response, has_forms: bool) -> Response {
    use access::notice::html;
    let (policy, referrer) = if has_forms {
        // With `no-referrer` a browser would not say of a form where it was.
        (html::content_security_policy_with_forms(), "same-origin")
    } else {
        (html::content_security_policy(), "no-referrer")
    };
    let headers = response.headers_mut();
    let policy = format!("{policy}; frame-ancestors 'none'");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, referrer),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page.
pub fn page(html: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (headers, html).into_response()
}

/// Whoever guesses a token learns nothing.
pub fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here\n").into_response()
}

/// Something can't be read or decided now.
pub fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
