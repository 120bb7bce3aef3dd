//! A `trailpass serve` that runs on this machine: asked over its own port, with the token that its folder holds.
//!
//! Its store is open to one process only, so even what is merely read is asked for. Whoever can read the token is its operator.

use std::{path::Path, time::Duration};

use access::{answer::aws::Wish, diagnose::Setting};
use adapters::store::{Committed, Document, Store, StoreError, Write};
use decide::{answer::Reply, authority::Authority};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};

use super::Failure;
use crate::{
    files::Subject,
    local::{ANSWER, AUTHORITY, Files, Found, Keys, Question, READ, Running, TOKEN},
    output::visible,
};

/// How long an answer may take. It is on this machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most of an answer that is read. Bytes.
const LONGEST: usize = 256 << 20;

/// A running serve.
#[derive(Debug)]
pub struct Local {
    running: Running,
    setting: Setting,
}

impl Local {
    /// The one whose folder this is.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let shown = visible(&folder.to_string_lossy());
        let running = Running::read(folder)
            .map_err(|why| Failure::Failed(format!("{shown}/serve.json can't be read: {}", visible(&why.to_string()))))?
            .ok_or_else(|| {
                Failure::Failed(format!(
                    "no `trailpass serve` runs on the folder {shown}: start one, name its folder with --data, or name a deployed stack with --stack"
                ))
            })?;
        let mode = running.grant_mode.parse().map_err(Failure::Failed)?;
        let guardrails = running.guardrails.clone();
        Ok(Self { running, setting: Setting { mode, guardrails } })
    }

    /// What may be given there.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// How far its clock is ahead of the machine's. Seconds.
    pub fn ahead(&self) -> i64 {
        self.running.ahead_ms / 1000
    }

    /// As whom answers count there.
    pub fn approver(&self) -> &str {
        &self.running.approver
    }

    /// The address of its pages with buttons.
    pub fn pages(&self) -> String {
        format!("http://{}/with/{}/", self.running.address, self.running.token)
    }

    /// Who may answer, and by which rules.
    pub async fn authority(&self) -> Authority {
        match self.ask::<Files>(AUTHORITY, &()).await {
            Ok(files) => Authority::read(Ok(&files.approvers), Ok(files.rules.as_deref())),
            Err(why) => Authority::read(Err(why.clone()), Err(why)),
        }
    }

    /// Answers, and gives what came of it.
    pub async fn send(&self, subject: &Subject, wish: &Wish) -> Result<Reply, Failure> {
        let question = Question::of(&subject.case_id, subject.opening, wish);
        self.ask(ANSWER, &question).await.map_err(Failure::Failed)
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<T, String> {
        let body = serde_json::to_vec(question).map_err(|why| why.to_string())?;
        let asked = timeout(PATIENCE, self.posted(path, body)).await;
        let (status, answer) = asked.map_err(|_| "the running serve gives no answer".to_owned())??;
        if status != StatusCode::OK {
            let said = visible(String::from_utf8_lossy(&answer).trim());
            return Err(format!("the running serve answers with status {status}: {said}"));
        }
        serde_json::from_slice(&answer)
            .map_err(|why| format!("the running serve gives another answer than is known here: {why}"))
    }

    async fn posted(&self, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), String> {
        let address = &self.running.address;
        let stream = TcpStream::connect(address).await.map_err(|why| {
            format!(
                "nobody listens on {} any more ({why}): start `trailpass serve` again, or name a deployed stack with --stack",
                visible(address)
            )
        })?;
        let broken = |why: hyper::Error| format!("the running serve gives no answer: {why}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::post(path).header("host", address).header(TOKEN, &self.running.token);
        let request = request.body(Full::new(Bytes::from(body))).map_err(|why| why.to_string())?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = read.map_err(|why| format!("the running serve's answer breaks off: {why}"))?.to_bytes();
        Ok((status, body))
    }
}

impl Store for Local {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let keys = Keys { keys: keys.to_vec() };
        let found: Found = self.ask(READ, &keys).await.map_err(StoreError::Unavailable)?;
        let documents = found.documents.into_iter();
        Ok(documents.map(|(key, version, body)| Document { key, version, body, expires: None }).collect())
    }

    async fn commit(&self, _: &[Write]) -> Result<Committed, StoreError> {
        Err(StoreError::Refused("only the running serve writes".to_owned()))
    }
}
