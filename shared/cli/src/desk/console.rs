//! `trailpass console`: the cases of a deployed stack in a browser, with buttons that answer as `approve` and its like do.
//!
//! The pages are served on this machine to whoever was told their address. What they show is read from the stack's table, and an answer is
//! signed, sent and decided exactly as one from the terminal; this program has no power of its own.

use std::{convert::Infallible, process::ExitCode, sync::Arc};

use access::{
    case::Case,
    diagnosis::Diagnosis,
    notice::{
        Notice,
        html::{self, CaseRow, Doors, Overview, Row, Stands},
    },
    triage::StormFile,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
    serve::Listener,
};
use tokio::net::TcpListener;

use super::show;
use crate::{
    args,
    files::{self, CaseFile, Subject},
    local::Running,
    serve::{connection, door, ended},
    source::{Failure, Source},
    view::{self, View},
    web::{nothing, page, pressed, said, unavailable, with_headers},
};

/// How far back the overview looks. Hours.
const DAY: u16 = 24;
/// The largest form.
const LARGEST: usize = 16 * 1024;

/// The console of a stack.
struct Console {
    source: Source,
    running: Running,
}

/// Runs until it is interrupted.
pub async fn console(arguments: &args::Console) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.place).await?;
    if let Some(address) = source.own_pages() {
        // After a kill the file leads to nobody.
        if let Err(why) = source.authority().await.approvers {
            return Err(Failure::Failed(crate::output::visible(&why)));
        }
        show(&format!("{address}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let failed = |why: std::io::Error| Failure::Failed(format!("can't listen on {}: {why}", arguments.listen));
    let listener = TcpListener::bind(arguments.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?.to_string();
    let name = match &source.authority().await.approvers {
        Ok(approvers) => {
            let (name, approver) = source.myself(approvers).await?;
            approver.map_or_else(|| format!("{name}, who is no approver,"), |approver| approver.name.clone())
        }
        Err(why) => return Err(Failure::Failed(format!("nobody can answer: {}", crate::output::visible(why)))),
    };
    let running = Running::new(address, 0, "", name, source.setting().guardrails.clone()).map_err(failed)?;
    let Running { address, token, .. } = &running;
    show(&format!("http://{address}/with/{token}/\n"))?;
    eprintln!("Whoever has this address can answer with your credentials. Ctrl-C ends.");
    let console = Arc::new(Console { source, running });
    tokio::select! {
        never = served(listener, console) => match never {},
        () = ended() => Ok(ExitCode::SUCCESS),
    }
}

async fn served(mut listener: TcpListener, console: Arc<Console>) -> Infallible {
    let router = Router::new()
        .route("/with/{token}/", get(index))
        .route("/with/{token}/case/{id}", get(case).post(answer))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&console), guard))
        .with_state(console);
    loop {
        let (stream, _) = Listener::accept(&mut listener).await;
        tokio::spawn(connection::serve(stream, router.clone()));
    }
}

async fn guard(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let response = match door::check(request.method(), request.headers(), &console.running.address) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    with_headers(response, true)
}

async fn index(State(console): State<Arc<Console>>, Path(token): Path<String>) -> Response {
    if !console.running.is_token(&token) {
        return nothing();
    }
    console.overview().await.map_or_else(|why| unavailable(&why.to_string()), page)
}

async fn case(State(console): State<Arc<Console>>, Path((token, id)): Path<(String, String)>) -> Response {
    if !console.running.is_token(&token) {
        return nothing();
    }
    console.shown(&id, None).await
}

async fn answer(
    State(console): State<Arc<Console>>,
    Path((token, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    if !console.running.is_token(&token) {
        return nothing();
    }
    let asked = match pressed(&id, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let subject = Subject { case_id: asked.case_id, opening: asked.opening };
    match console.source.send(&subject, asked.wish).await {
        Ok(reply) => {
            let (text, counted) = said(&reply);
            console.shown(&id, Some((&text, counted))).await
        }
        Err(why) => unavailable(&why.to_string()),
    }
}

impl Console {
    async fn overview(&self) -> Result<String, Failure> {
        let (source, now) = (&self.source, self.source.now());
        let opened = source.opened(DAY, now).await?;
        let files = source.read(&opened.subjects).await?;
        let given = source.read(&source.given(Some(DAY), now).await?).await?;
        let stands = view::stands(&files, source.setting(), now);
        // One row a case, whichever of its openings are listed.
        let mut cases: Vec<&Case> = files.iter().filter_map(|file: &CaseFile| file.case.as_ref()).collect();
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        cases.dedup_by(|a, b| a.id == b.id);
        let diagnoses: Vec<Diagnosis> = cases.iter().map(|case| case.diagnosed(source.setting()).diagnosis).collect();
        let rows = cases.iter().zip(&diagnoses).map(|(case, diagnosis)| {
            let stands = stands.get(&case.id).copied().unwrap_or(Stands::Open);
            Row::Case(CaseRow { id: &case.id, diagnosis, count: case.count, last_seen: &case.last_seen, stands })
        });
        let storms = source.storms(&files, DAY, now).await?;
        let began: Vec<_> = storms.iter().map(StormFile::began).collect();
        let storms: Vec<_> = storms.iter().zip(&began).map(|(storm, began)| storm.storm(began)).collect();
        let rows: Vec<_> = rows.chain(storms.iter().map(Row::Storm)).collect();
        let times = cases.iter().zip(&diagnoses).map(|(case, diagnosis)| (case.opened_at, diagnosis.response));
        let (grants, answers, hours) = (view::grants(&given, now), view::answers(&given), view::hours(times, now));
        let overview =
            Overview { grants: &grants, answers: &answers, hours: &hours, is_rehearsal: false, can_answer: true };
        Ok(html::overview(&rows, Doors::default(), &overview))
    }

    async fn shown(&self, id: &str, reply: Option<(&str, bool)>) -> Response {
        match self.case_page(id, reply).await {
            Ok(Some(html)) => page(html),
            Ok(None) => nothing(),
            Err(why) => unavailable(&why.to_string()),
        }
    }

    async fn case_page(&self, id: &str, reply: Option<(&str, bool)>) -> Result<Option<String>, Failure> {
        let source = &self.source;
        let Some(case) = source.case(id).await? else { return Ok(None) };
        let files = source.read(&files::openings(&case)).await?;
        let diagnosed = case.diagnosed(source.setting());
        let authority = source.authority().await;
        let view = files
            .split_last()
            .map(|(file, before)| View::of(file, before, &case, &diagnosed, &authority, source.channel(), source.now()))
            .unwrap_or_default();
        let notice = Notice {
            diagnosis: &diagnosed.diagnosis,
            call: &diagnosed.call(),
            case: Some(case.facts(&diagnosed, &[], None)),
            grant_mode: source.setting().mode,
        };
        let standing = view.standing(case.opening, Some(&self.running.approver), false, reply);
        Ok(Some(html::case_page(&notice, Some(&standing), true)))
    }
}
