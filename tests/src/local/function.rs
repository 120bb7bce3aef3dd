//! The function as Lambda runs it: a process of its own that asks a Runtime API for work and is killed at its deadline.
//!
//! Decides what holds after every batch of every test: each line that the function prints is JSON, exactly one of them is
//! CloudWatch's embedded metrics, and in it `received = posted + joined + duplicate + held + ignored + failed`. The API is a
//! stub, as [Lambda documents it](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): Lambda itself can't run here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{
    ACCOUNT, REGION,
    http::{Reply, Request, Response, Server},
    proxy::Victim,
};

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The function's answer.
    Answer(Value),
    /// The function's error.
    Error(Value),
    /// The process ended without either.
    Died,
}

/// What a batch was counted as, read from the metrics that were printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the metrics' own")]
pub struct Counts {
    pub received: u64,
    pub posted: u64,
    pub joined: u64,
    pub duplicate: u64,
    pub held: u64,
    pub ignored: u64,
    pub failed: u64,
    pub own_denials: u64,
    pub canary: u64,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Places of the messages that have to come again.
    pub failed: BTreeSet<usize>,
    /// What was counted.
    pub counts: Counts,
}

struct Call {
    id: String,
    event: String,
    within: Duration,
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Ended>>>>;

/// One process of the function, and its Runtime API.
#[derive(Debug)]
pub struct Function {
    api: Server,
    calls: mpsc::UnboundedSender<Call>,
    waiting: Waiting,
    process: Victim,
    lines: mpsc::UnboundedReceiver<String>,
    complaints: Arc<Mutex<String>>,
    /// The log, without the metrics.
    pub log: Vec<Value>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Function {
    /// Starts the program with these settings, and with nothing else of this process's environment.
    pub async fn start(program: &Path, settings: &BTreeMap<String, String>) -> Self {
        let (calls, coming) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        let coming = Arc::new(tokio::sync::Mutex::new(coming));
        let answers = waiting.clone();
        let api = Server::start(move |request| runtime_api(request, coming.clone(), answers.clone())).await;
        let mut process = Command::new(program)
            .env_clear()
            .envs(lambdas_own(&api))
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}", program.display()));
        let (send, lines) = mpsc::unbounded_channel();
        let stdout = BufReader::new(process.stdout.take().expect("piped")).lines();
        std::thread::spawn(move || stdout.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        let mut stderr = process.stderr.take().expect("piped");
        let complaints = Arc::<Mutex<String>>::default();
        let heard = complaints.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        let process = Arc::new(Mutex::new(process));
        Self { api, calls, waiting, process, lines, complaints, log: Vec::new() }
    }

    /// The process, for whoever may kill it.
    pub fn victim(&self) -> &Victim {
        &self.process
    }

    /// What it wrote to standard error.
    pub fn complaints(&self) -> String {
        self.complaints.lock().unwrap().clone()
    }

    /// Waits for the process to end by itself: whether it was content, and everything that it said.
    pub async fn ends(mut self) -> (bool, String) {
        let end = tokio::time::timeout(Duration::from_secs(20), async {
            let mut said = String::new();
            while let Some(line) = self.lines.recv().await {
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let said = end.await.unwrap_or_else(|_| panic!("it went on at {}", self.api.url()));
        let status = self.process.lock().unwrap().wait().expect("it was started here");
        (status.success(), said + &self.complaints())
    }

    /// Sends one event, whole. The process is killed when the time is over, as Lambda does.
    pub async fn invoke(&mut self, event: &Value, within: Duration) -> Ended {
        let id = fresh_id();
        let (send, mut answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), send);
        let call = Call { id, event: event.to_string(), within };
        if self.calls.send(call).is_err() {
            return Ended::Died;
        }
        // The clock starts when the function asks for work; it may have to start first.
        let over = tokio::time::sleep(within + Duration::from_secs(10));
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                ended = &mut answer => return ended.expect("the API keeps it until it answers"),
                line = self.lines.recv() => match line {
                    Some(line) => self.keep(&line),
                    None => return Ended::Died,
                },
                () = &mut over => {
                    self.kill();
                    return Ended::Died;
                }
            }
        }
    }

    /// Sends a batch, as Lambda's poller does, and takes it apart. Panics if the function dies of it.
    pub async fn batch(&mut self, bodies: &[String], within: Duration) -> Done {
        let messages: Vec<Value> = bodies.iter().map(|body| message(body)).collect();
        let done = self.messages(&messages, within).await;
        done.unwrap_or_else(|| panic!("the function died or failed: {}\n{:#?}", self.complaints(), self.log))
    }

    /// The same with messages that are complete. `None`: it died, or failed whole.
    pub async fn messages(&mut self, messages: &[Value], within: Duration) -> Option<Done> {
        let ids: Vec<&str> = messages.iter().map(|message| message["messageId"].as_str().expect("an id")).collect();
        let Ended::Answer(answer) = self.invoke(&json!({"Records": messages}), within).await else { return None };
        let failures =
            answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("not a batch's answer: {answer}"));
        let place = |failure: &Value| {
            let id = failure["itemIdentifier"].as_str();
            ids.iter().position(|known| Some(*known) == id).unwrap_or_else(|| panic!("never sent: {failure}"))
        };
        let failed: BTreeSet<usize> = failures.iter().map(place).collect();
        assert_eq!(failed.len(), failures.len(), "a message is named twice");
        let counts = self.counts().await;
        assert_eq!(failed.is_empty(), counts.failed == 0, "what failed comes again: {failed:?}, {counts:?}");
        Some(Done { failed, counts })
    }

    /// The line of metrics of the invocation that has just ended; with it, everything that the invocation logged is there.
    pub async fn metrics(&mut self) -> Value {
        // It was printed before the answer was sent, so it is on its way.
        let metrics = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                if let Some(at) = self.log.iter().position(|line| line.get("_aws").is_some()) {
                    return self.log.remove(at);
                }
                let line = self.lines.recv().await.expect("the process is there");
                self.keep(&line);
            }
        });
        let metrics: Value = metrics.await.expect("metrics are printed for every batch");
        let another = self.log.iter().any(|line| line.get("_aws").is_some());
        assert!(!another, "one line of metrics for one batch");
        metrics
    }

    /// The metrics of a batch of triage's that has just ended.
    pub async fn counts(&mut self) -> Counts {
        let metrics = self.metrics().await;
        let count = |name: &str| metrics[name].as_u64().unwrap_or_else(|| panic!("no {name} in {metrics}"));
        let counts = Counts {
            received: count("Received"),
            posted: count("Posted"),
            joined: count("Joined"),
            duplicate: count("Duplicate"),
            held: count("Held"),
            ignored: count("Ignored"),
            failed: count("Failed"),
            own_denials: count("OwnDenials"),
            canary: count("CanarySeen"),
        };
        let Counts { received, posted, joined, duplicate, held, ignored, failed, .. } = counts;
        assert_eq!(received, posted + joined + duplicate + held + ignored + failed, "{counts:?}");
        let declared = &metrics["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Trailpass");
        assert_eq!(declared["Metrics"].as_array().map(Vec::len), Some(9), "each is declared: {metrics}");
        counts
    }

    fn keep(&mut self, line: &str) {
        let line = serde_json::from_str(line)
            .unwrap_or_else(|why| panic!("a line of the log that is no JSON ({why}): {line}"));
        self.log.push(line);
    }

    /// Kills it as the system does, without a word.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // After a panic elsewhere the lock may be poisoned; the process has to end all the same.
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

type Coming = Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Call>>>;

async fn runtime_api(request: Request, coming: Coming, waiting: Waiting) -> Reply {
    const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
    let Some(path) = request.path.strip_prefix(INVOCATION) else {
        return Reply::Answer(Response::text(404, "no such path"));
    };
    if path == "next" {
        let Some(call) = coming.lock().await.recv().await else { return Reply::Close };
        let deadline = SystemTime::now() + call.within;
        let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("Lambda-Runtime-Aws-Request-Id", call.id),
            ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
            (
                "Lambda-Runtime-Invoked-Function-Arn",
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:trailpass-triage"),
            ),
            ("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        return Reply::Answer(Response { status: 200, headers, body: call.event.into_bytes() });
    }
    let Some((id, what)) = path.split_once('/') else { return Reply::Answer(Response::text(404, "no such path")) };
    let Some(answer) = waiting.lock().unwrap().remove(id) else {
        return Reply::Answer(Response::text(400, "no such request"));
    };
    let ended = if what == "response" { Ended::Answer(request.json()) } else { Ended::Error(request.json()) };
    // Nobody waits any longer where the test gave up on it.
    let _ = answer.send(ended);
    Reply::Answer(Response::json(202, &json!({"status": "OK"})))
}

fn lambdas_own(api: &Server) -> [(&'static str, String); 9] {
    [
        ("AWS_LAMBDA_RUNTIME_API", api.address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "trailpass-triage".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/trailpass-triage".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        // One try: what fails has failed, and a test sees it.
        ("AWS_MAX_ATTEMPTS", "1".to_owned()),
    ]
}

/// A message as Lambda's poller hands it on. Its sum is not the body's: nobody here checks it, and Lambda has by then.
pub fn message(body: &str) -> Value {
    json!({
        "messageId": fresh_id(),
        "receiptHandle": format!("AQEB{}", fresh_id()),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1790000000000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1790000000100",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:trailpass-NoticesQueue"),
        "awsRegion": REGION,
    })
}

/// An id in the form of AWS's that no other call of this returns.
pub fn fresh_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let n = LAST.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-7e57-4000-8000-{n:012x}", std::process::id())
}
