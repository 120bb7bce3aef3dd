//! The pages, and the address that takes denials.
//!
//! A page shows what a case holds, computed from its record anew. Under an address that holds this run's token it has buttons; every
//! other page has no forms, and none has a script.

use std::{convert::Infallible, io::Cursor, sync::Arc};

use access::{
    case::Case,
    decision::Channel,
    diagnose::Diagnosed,
    diagnosis::Response as Respond,
    notice::{
        Notice, Together,
        html::{self, CaseRow, Doors, Overview, Row, Stands},
    },
    triage::{PrincipalFile, StormFile, principal_key},
};
use adapters::{
    store::{Document, Store},
    telemetry::Metric,
};
use axum::{
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
    serve::Listener,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Machine, connection, desk, door};
use crate::{
    files::{self, Subject},
    view::{self, View},
    web::{nothing, page, pressed, said, unavailable, with_headers},
};

/// How far back the overview looks. Hours.
const DAY: u16 = 24;

/// The largest body that is taken: more than AWS puts into one message of any kind.
const LARGEST_BODY: usize = 16 << 20;

/// Serves for as long as the machine runs.
pub async fn serve(mut listener: TcpListener, machine: Arc<Machine>) -> Infallible {
    let router = axum::Router::new()
        .route("/", get(index).post(take))
        .route("/case/{id}", get(case))
        .route("/with/{token}/", get(desk_index))
        .route("/with/{token}/case/{id}", get(desk_case).post(desk_answer))
        .merge(desk::routes())
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
    let has_forms = request.uri().path().starts_with("/with/");
    let response = match door::check(request.method(), request.headers(), &machine.running.address) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    with_headers(response, has_forms)
}

/// Takes denials in any form. 200: all was read; 422: some of it was not, which the answer says.
///
/// Where grants are real, only from whoever holds the token: everybody on this machine can reach the port, and a denial that was made up
/// would ask for a grant that nobody was refused.
async fn take(State(machine): State<Arc<Machine>>, request: Request) -> Response {
    if !machine.is_rehearsal() && !desk::holds_token(&machine, request.headers()) {
        return desk::without_token();
    }
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
    listed(&machine, false).await
}

/// The list for whoever holds the token.
async fn desk_index(State(machine): State<Arc<Machine>>, Path(token): Path<String>) -> Response {
    if !machine.running.is_token(&token) {
        return nothing();
    }
    listed(&machine, true).await
}

async fn listed(machine: &Machine, can_answer: bool) -> Response {
    let (cases, storms) = match (machine.store.all("CASE#"), machine.store.all("STORM#")) {
        (Ok(cases), Ok(storms)) => (read::<Case>(&cases), read::<StormFile>(&storms)),
        (Err(why), _) | (_, Err(why)) => return unavailable(&why.to_string()),
    };
    let setting = &machine.triage.setting;
    let now = machine.now();
    let diagnosed: Vec<_> = cases.iter().map(|case| case.diagnosed(setting)).collect();
    let asked = cases.iter().zip(&diagnosed).filter(|(_, its)| its.diagnosis.response == Respond::RequestApproval);
    let asked: Vec<Subject> =
        asked.map(|(case, _)| Subject { case_id: case.id.clone(), opening: case.opening }).take(files::MOST).collect();
    let stands = match files::read(&machine.store, &asked).await {
        Ok(files) => view::stands(&files, setting, now),
        Err(why) => return unavailable(&why.to_string()),
    };
    let began: Vec<_> = storms.iter().map(StormFile::began).collect();
    let storms: Vec<_> = storms.iter().zip(&began).map(|(storm, began)| storm.storm(began)).collect();
    let rows = cases.iter().zip(&diagnosed).map(|(case, diagnosed)| {
        let diagnosis = &diagnosed.diagnosis;
        let stands = stands.get(&case.id).copied().unwrap_or(Stands::Open);
        Row::Case(CaseRow { id: &case.id, diagnosis, count: case.count, last_seen: &case.last_seen, stands })
    });
    let rows: Vec<_> = rows.chain(storms.iter().map(Row::Storm)).collect();
    let given = match files::given(&machine.store, Some(DAY), now).await {
        Ok(subjects) => files::read(&machine.store, &subjects).await,
        Err(why) => Err(why),
    };
    let given = match given {
        Ok(given) => given,
        Err(why) => return unavailable(&why.to_string()),
    };
    let opened = cases.iter().zip(&diagnosed).map(|(case, its)| (case.opened_at, its.diagnosis.response));
    let (grants, answers, hours) = (view::grants(&given, now), view::answers(&given), view::hours(opened, now));
    let overview = Overview {
        grants: &grants,
        answers: &answers,
        hours: &hours,
        is_rehearsal: machine.is_rehearsal(),
        can_answer,
    };
    let (post, folder) =
        (format!("http://{}/", machine.running.address), machine.folder.as_ref().map(|f| f.display().to_string()));
    let doors = Doors { post: Some(&post), folder: folder.as_deref() };
    page(html::overview(&rows, doors, &overview))
}

async fn case(State(machine): State<Arc<Machine>>, Path(id): Path<String>) -> Response {
    shown(&machine, &id, false, None).await
}

/// The page with buttons, for whoever holds the token.
async fn desk_case(State(machine): State<Arc<Machine>>, Path((token, id)): Path<(String, String)>) -> Response {
    if !machine.running.is_token(&token) {
        return nothing();
    }
    shown(&machine, &id, true, None).await
}

/// Takes what a button sends. What came of it stands above the case as it is then.
async fn desk_answer(
    State(machine): State<Arc<Machine>>,
    Path((token, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    if !machine.running.is_token(&token) {
        return nothing();
    }
    let asked = match pressed(&id, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    match machine.answered(&asked).await {
        Ok(reply) => {
            let (text, counted) = said(&reply);
            shown(&machine, &id, true, Some((&text, counted))).await
        }
        Err(why) => unavailable(&why),
    }
}

async fn shown(machine: &Machine, id: &str, can_answer: bool, reply: Option<(&str, bool)>) -> Response {
    // No id of ours is longer, and a store takes no key of any length.
    let id: String = id.chars().take(64).collect();
    let case = match files::case(&machine.store, &id).await {
        Ok(Some(case)) => case,
        Ok(None) => return (StatusCode::NOT_FOUND, "there is no such case\n").into_response(),
        Err(why) => return unavailable(&why.to_string()),
    };
    let files = match files::read(&machine.store, &files::openings(&case)).await {
        Ok(files) => files,
        Err(why) => return unavailable(&why.to_string()),
    };
    let setting = &machine.triage.setting;
    let diagnosed = case.diagnosed(setting);
    let (authority, _) = machine.decide.authority.now().await;
    let view = files
        .split_last()
        .map(|(file, before)| View::of(file, before, &case, &diagnosed, &authority, Channel::Local, machine.now()))
        .unwrap_or_default();
    let approver = can_answer.then_some(machine.running.approver.as_str());
    let together = together(machine, &case, &diagnosed).await;
    let notice = Notice {
        diagnosis: &diagnosed.diagnosis,
        call: &diagnosed.call(),
        case: Some(case.facts(&diagnosed, &together, None)),
        grant_mode: setting.mode,
    };
    let standing = view.standing(case.opening, approver, machine.is_rehearsal(), reply);
    page(html::case_page(&notice, Some(&standing), true))
}

/// The principal's other cases of about the same time, as its own file lists them.
async fn together(machine: &Machine, case: &Case, diagnosed: &Diagnosed) -> Vec<Together> {
    let files = machine.triage.store.read(&[principal_key(&diagnosed.denial)]).await.unwrap_or_default();
    let recent = read::<PrincipalFile>(&files).into_iter().flat_map(|file| file.recent);
    recent.filter(|r| r.is_near(case, case.opened_at)).map(|r| r.beside()).collect()
}

fn read<T: serde::de::DeserializeOwned>(documents: &[Document]) -> Vec<T> {
    documents.iter().filter_map(Document::parsed).collect()
}
