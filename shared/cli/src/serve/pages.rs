//! The pages and the one address that takes denials.
//!
//! A page shows what a case holds, computed from its record anew, and changes nothing: there are no forms in it and no script.

use std::{convert::Infallible, io::Cursor, sync::Arc};

use access::{
    case::Case,
    diagnose::Diagnosed,
    notice::{
        Notice, Together,
        html::{self, CaseRow, Doors, Row},
    },
    triage::{PrincipalFile, StormFile, case_key, principal_key},
};
use adapters::{
    store::{Document, Store},
    telemetry::Metric,
};
use axum::{
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
    serve::Listener,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Machine, connection, door};

/// The largest body that is taken: more than AWS puts into one message of any kind.
const LARGEST_BODY: usize = 16 << 20;

/// Serves for as long as the machine runs.
pub async fn serve(mut listener: TcpListener, machine: Arc<Machine>) -> Infallible {
    let router = axum::Router::new()
        .route("/", get(index).post(take))
        .route("/case/{id}", get(case))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&machine), guard))
        .with_state(machine);
    loop {
        // axum's way to accept: where the system has no more connections to give, it waits for one.
        let (stream, _) = Listener::accept(&mut listener).await;
        tokio::spawn(connection::serve(stream, router.clone()));
    }
}

/// Lets only this machine in, and puts on every answer what browsers are to do with it.
async fn guard(State(machine): State<Arc<Machine>>, request: Request, next: Next) -> Response {
    let mut response = match door::check(request.headers(), &machine.address) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, html::content_security_policy()),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Takes denials in any form. 200: all was read; 422: some of it was not, which the answer says.
async fn take(State(machine): State<Arc<Machine>>, request: Request) -> Response {
    let body = match connection::body(request).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let taken = machine.take(Cursor::new(body)).await;
    let count = |metric| taken.report.count(metric);
    let is_whole = taken.unreadable == 0 && count(Metric::Failed) == 0;
    let status = if is_whole { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let answer = json!({
        "received": count(Metric::Received), "posted": count(Metric::Posted), "joined": count(Metric::Joined), "duplicate": count(Metric::Duplicate),
        "held": count(Metric::Held), "ignored": count(Metric::Ignored), "failed": count(Metric::Failed), "unreadable": taken.failures(),
    });
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{answer}\n")).into_response()
}

async fn index(State(machine): State<Arc<Machine>>) -> Response {
    let (cases, storms) = match (machine.triage.store.all("CASE#"), machine.triage.store.all("STORM#")) {
        (Ok(cases), Ok(storms)) => (read::<Case>(&cases), read::<StormFile>(&storms)),
        (Err(why), _) | (_, Err(why)) => return unavailable(&why.to_string()),
    };
    let setting = &machine.triage.setting;
    let diagnosed: Vec<_> = cases.iter().map(|case| case.diagnosed(setting)).collect();
    let began: Vec<_> = storms.iter().map(StormFile::began).collect();
    let storms: Vec<_> = storms.iter().zip(&began).map(|(storm, began)| storm.storm(began)).collect();
    let rows = cases.iter().zip(&diagnosed).map(|(case, diagnosed)| {
        let diagnosis = &diagnosed.diagnosis;
        Row::Case(CaseRow { id: &case.id, diagnosis, count: case.count, last_seen: &case.last_seen })
    });
    let rows: Vec<_> = rows.chain(storms.iter().map(Row::Storm)).collect();
    let (post, folder) =
        (format!("http://{}/", machine.address), machine.folder.as_ref().map(|f| f.display().to_string()));
    page(StatusCode::OK, html::index(&rows, Doors { post: Some(&post), folder: folder.as_deref() }))
}

async fn case(State(machine): State<Arc<Machine>>, Path(id): Path<String>) -> Response {
    // No id of ours is longer, and a store takes no key of any length.
    let key = case_key(&id.chars().take(64).collect::<String>());
    let found = match machine.triage.store.read(&[key]).await {
        Ok(found) => read::<Case>(&found).pop(),
        Err(why) => return unavailable(&why.to_string()),
    };
    let Some(case) = found else { return (StatusCode::NOT_FOUND, "there is no such case\n").into_response() };
    let diagnosed = case.diagnosed(&machine.triage.setting);
    let together = together(&machine, &case, &diagnosed).await;
    let notice = Notice {
        diagnosis: &diagnosed.diagnosis,
        call: &diagnosed.call(),
        case: Some(case.facts(&together, None)),
        grant_mode: machine.triage.setting.mode,
    };
    page(StatusCode::OK, html::page(&notice))
}

/// The principal's other cases of about the same time, as its own file lists them.
async fn together(machine: &Machine, case: &Case, diagnosed: &Diagnosed) -> Vec<Together> {
    let files = machine.triage.store.read(&[principal_key(&diagnosed.denial)]).await.unwrap_or_default();
    let recent = read::<PrincipalFile>(&files).into_iter().flat_map(|file| file.recent);
    recent.filter(|r| r.is_near(case, case.opened_at)).map(|r| r.beside()).collect()
}

fn read<T: serde::de::DeserializeOwned>(documents: &[Document]) -> Vec<T> {
    documents.iter().filter_map(|document| serde_json::from_str(&document.body).ok()).collect()
}

fn page(status: StatusCode, html: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (status, headers, html).into_response()
}

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
