//! Slack, as far as a bot sees it: messages posted and updated, in a mood that the test chooses.
//!
//! A stand-in, because the real one can't run here. It is as strict as Slack where a mistake would lose a notice: a wrong
//! token, a message without text or with too many blocks, and an update of a message that isn't there are refused with
//! Slack's own codes, in an answer with status 200.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::http::{Reply, Request, Response, Server};

/// The bot's token.
pub const TOKEN: &str = "xoxb-of-the-test";

/// How Slack takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It works.
    Works,
    /// Status 429 with `Retry-After`, in seconds.
    Limits(u64),
    /// A status without a word.
    Fails(u16),
    /// `"ok": false` with this code.
    Refuses(&'static str),
    /// Takes the message and says nothing.
    Hangs,
    /// Takes the message and closes.
    Closes,
}

/// A message that stands in a channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// Channel, or `webhook`.
    pub channel: String,
    /// Its name in the channel.
    pub ts: String,
    /// The message that it answers.
    pub thread: Option<String>,
    /// What it said at first, and after each update.
    pub versions: Vec<Value>,
}

impl Message {
    /// What it says now, as one text.
    pub fn text(&self) -> String {
        self.versions.last().expect("posted").to_string()
    }
}

#[derive(Debug, Default)]
struct Workspace {
    next: VecDeque<Mood>,
    standing: Option<Mood>,
    messages: Vec<Message>,
    attempts: usize,
}

/// The stub.
#[derive(Debug)]
pub struct Slack {
    /// Its server.
    pub server: Server,
    workspace: Arc<Mutex<Workspace>>,
}

impl Slack {
    /// Starts it in a good mood.
    pub async fn start() -> Self {
        let workspace = Arc::<Mutex<Workspace>>::default();
        let shared = workspace.clone();
        let server = Server::start(move |request| {
            let reply = shared.lock().unwrap().take(&request);
            async move { reply }
        });
        Self { server: server.await, workspace }
    }

    /// From now on.
    pub fn is(&self, mood: Mood) {
        let mut workspace = self.workspace.lock().unwrap();
        workspace.next.clear();
        workspace.standing = Some(mood);
    }

    /// For the next request that has no mood yet, once.
    pub fn once(&self, mood: Mood) {
        self.workspace.lock().unwrap().next.push_back(mood);
    }

    /// All messages of all channels, in the order in which they were posted.
    pub fn messages(&self) -> Vec<Message> {
        self.workspace.lock().unwrap().messages.clone()
    }

    /// The messages of one channel.
    pub fn channel(&self, channel: &str) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.channel == channel).collect()
    }

    /// How many requests came, whatever became of them.
    pub fn attempts(&self) -> usize {
        self.workspace.lock().unwrap().attempts
    }
}

impl Workspace {
    fn take(&mut self, request: &Request) -> Reply {
        self.attempts += 1;
        match self.next.pop_front().or(self.standing).unwrap_or(Mood::Works) {
            Mood::Works => self.work(request),
            Mood::Limits(seconds) => {
                let mut response = refusal("ratelimited");
                response.status = 429;
                response.headers.push(("Retry-After".to_owned(), seconds.to_string()));
                Reply::Answer(response)
            }
            Mood::Fails(status) => Reply::Answer(Response::text(status, "")),
            Mood::Refuses(code) => Reply::Answer(refusal(code)),
            Mood::Hangs => Reply::Hang,
            Mood::Closes => Reply::Close,
        }
    }

    fn work(&mut self, request: &Request) -> Reply {
        let body = request.json();
        let blocks = body["blocks"].as_array().map_or(0, Vec::len);
        let is_message = body["text"].as_str().is_some_and(|text| !text.is_empty()) && blocks <= 50;
        if request.path.starts_with("/hook/") {
            if !is_message {
                return Reply::Answer(Response::text(400, "invalid_payload"));
            }
            self.post("webhook".to_owned(), body);
            return Reply::Answer(Response::text(200, "ok"));
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Reply::Answer(refusal("invalid_auth"));
        }
        let Some(channel) = body["channel"].as_str().map(str::to_owned) else {
            return Reply::Answer(refusal("channel_not_found"));
        };
        if !is_message {
            return Reply::Answer(refusal("no_text"));
        }
        let ts = match request.path.as_str() {
            "/api/chat.postMessage" => self.post(channel.clone(), body),
            "/api/chat.update" => {
                let ts = body["ts"].as_str().unwrap_or_default().to_owned();
                let found = self.messages.iter_mut().find(|message| message.channel == channel && message.ts == ts);
                let Some(message) = found else { return Reply::Answer(refusal("message_not_found")) };
                message.versions.push(body);
                ts
            }
            _ => return Reply::Answer(refusal("unknown_method")),
        };
        Reply::Answer(Response::json(200, &json!({"ok": true, "channel": channel, "ts": ts})))
    }

    fn post(&mut self, channel: String, body: Value) -> String {
        let ts = format!("1790000000.{:06}", self.messages.len() + 1);
        let thread = body["thread_ts"].as_str().map(str::to_owned);
        self.messages.push(Message { channel, ts: ts.clone(), thread, versions: vec![body] });
        ts
    }
}

fn refusal(code: &str) -> Response {
    Response::json(200, &json!({"ok": false, "error": code}))
}
