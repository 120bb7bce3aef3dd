//! The desk: answers, and what the other verbs read, for whoever holds this run's token.
//!
//! Everybody on this machine can reach the port; the token is its operator's alone. Without it nothing here is answered, and what is
//! asked is judged by the same code as in a deployed stack: the token only says as whom.

use std::sync::Arc;

use adapters::store::Store;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use decide::{
    answer::{Asked, Proof, Reply},
    handle::Report,
};
use serde::de::DeserializeOwned;

use super::{Machine, connection};
use crate::{
    files::MOST,
    local::{ANSWER, AUTHORITY, Found, Keys, Question, READ, TOKEN},
};

/// Keys of one question: every list asks for a few of each case.
const MOST_KEYS: usize = 8 * MOST;

/// The addresses.
pub fn routes() -> Router<Arc<Machine>> {
    Router::new().route(READ, post(read)).route(ANSWER, post(answer)).route(AUTHORITY, post(authority))
}

impl Machine {
    /// Answers as the operator of this machine.
    pub async fn answered(&self, asked: &Asked) -> Result<Reply, String> {
        let proof = Proof::Local { name: &self.running.approver };
        let reply = self.decide.answer(asked, &proof, &mut Report::default()).await;
        // A decision is applied at once, and not when somebody next looks.
        self.wake.notify_one();
        reply.map_err(|why| why.to_string())
    }
}

async fn answer(State(machine): State<Arc<Machine>>, request: Request) -> Response {
    let question: Question = match taken(&machine, request).await {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let Some(asked) = question.asked() else {
        return (StatusCode::BAD_REQUEST, "this can't be meant\n").into_response();
    };
    match machine.answered(&asked).await {
        Ok(reply) => Json(reply).into_response(),
        Err(why) => unavailable(&why),
    }
}

async fn read(State(machine): State<Arc<Machine>>, request: Request) -> Response {
    let Keys { keys } = match taken(&machine, request).await {
        Ok(keys) => keys,
        Err(refusal) => return refusal,
    };
    if keys.len() > MOST_KEYS {
        return (StatusCode::BAD_REQUEST, "too many keys\n").into_response();
    }
    match machine.store.read(&keys).await {
        Ok(found) => {
            let documents = found.into_iter().map(|found| (found.key, found.version, found.body)).collect();
            Json(Found { documents }).into_response()
        }
        Err(why) => unavailable(&why.to_string()),
    }
}

async fn authority(State(machine): State<Arc<Machine>>, request: Request) -> Response {
    match taken::<serde_json::Value>(&machine, request).await {
        Ok(_) => Json(&machine.authority).into_response(),
        Err(refusal) => refusal,
    }
}

/// Whether a request carries the token of this run, and no second one.
pub fn holds_token(machine: &Machine, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(TOKEN).iter();
    let text = given.next().and_then(|value| value.to_str().ok());
    given.next().is_none() && text.is_some_and(|text| machine.running.is_token(text))
}

/// For who does not.
pub fn without_token() -> Response {
    (StatusCode::UNAUTHORIZED, "this needs the token of this run\n").into_response()
}

/// The body of a request that carries the token.
async fn taken<T: DeserializeOwned>(machine: &Machine, request: Request) -> Result<T, Response> {
    // Before a byte of the body is read: nobody fills this machine who may not speak to it.
    if !holds_token(machine, request.headers()) {
        return Err(without_token());
    }
    let body = connection::body(request).await?;
    serde_json::from_slice(&body).map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response())
}

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
