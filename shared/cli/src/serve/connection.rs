//! One connection: how long whoever speaks may keep this machine waiting, for the head of a request and for its body.
//!
//! Without an end, a sender that stops in the middle would hold its connection, and what came of its body, for ever.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpStream;

/// How long a head may take, and again a body. Everybody here is on this machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What hyper does not say by itself when a head takes too long: it only closes.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Answers the requests of one connection until it ends.
pub async fn serve(stream: TcpStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let Err(why) = (&mut connection).await else { return };
    let rest = connection.into_parts();
    // A connection that was merely kept open has asked nothing, and is closed without an answer.
    if why.is_timeout() && !rest.read_buf.is_empty() {
        // Whoever doesn't read has no answer: there is nothing else to do for it.
        let _ = rest.io.into_inner().try_write(TOO_SLOW);
    }
}

/// The whole body of a request, if it comes in time and is not too large.
pub async fn body(request: Request) -> Result<Bytes, Response> {
    match tokio::time::timeout(PATIENCE, Bytes::from_request(request, &())).await {
        Ok(read) => read.map_err(IntoResponse::into_response),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n").into_response()),
    }
}
