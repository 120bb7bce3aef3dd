//! `trailpass scan`, run as its users run it: the real command on real files and folders, its output, its messages and its status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod equal;
mod hostile;
mod resumed;
mod told;

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// A call that succeeded, its event's id being `e-N`.
fn succeeded(number: u32) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE000000001:night", "accountId": "111122223333",
            "arn": "arn:aws:sts::111122223333:assumed-role/night-shift/night",
            "sessionContext": { "sessionIssuer": {
                "type": "Role", "principalId": "AROAEXAMPLE000000001", "accountId": "111122223333", "userName": "night-shift",
                "arn": "arn:aws:iam::111122223333:role/night-shift",
            } },
        },
        "eventTime": format!("2026-10-{:02}T{:02}:00:01Z", 1 + number / 24 % 28, number % 24),
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "GetTrailStatus",
        "awsRegion": if number.is_multiple_of(3) { "us-east-1" } else { "eu-west-1" },
        "requestParameters": { "name": "My-Trail", "max": 1.5 },
        "resources": [{ "ARN": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail" }],
        "eventID": format!("e-{number}"),
        "recipientAccountId": if number.is_multiple_of(5) { "444455556666" } else { "111122223333" },
    })
}

/// A refused one.
fn denied(number: u32, action: &str) -> Value {
    let mut record = succeeded(number);
    record["eventName"] = action.split(':').nth(1).unwrap().into();
    record["errorCode"] = "AccessDenied".into();
    record["errorMessage"] = format!(
        "User: arn:aws:sts::111122223333:assumed-role/night-shift/night is not authorized to perform: {action} on resource: \
         arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail because no identity-based policy allows the {action} action"
    )
    .into();
    record
}

fn log(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// What a run gave.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    said: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
        let ran = Self { status: output.status.code(), out: text(output.stdout), said: text(output.stderr) };
        assert!(!ran.said.contains("panicked"), "{}", ran.said);
        ran
    }

    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The first line: what was read.
    fn summary(&self) -> Value {
        self.lines().swap_remove(0)
    }

    /// The other lines.
    fn cases(&self) -> Vec<Value> {
        self.lines().split_off(1)
    }
}

/// `trailpass VERB ARGUMENTS`, with something on standard input.
fn trailpass(verb: &str, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command.arg(verb).args(arguments).env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // From a thread of its own: neither side waits for the other. It may have stopped reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::of(output)
}

fn scan(arguments: &[&str]) -> Ran {
    trailpass("scan", arguments, "")
}

fn scan_json(arguments: &[&str]) -> Ran {
    scan(&[&["--format", "json"], arguments].concat())
}

/// How many records have each rule, as `explain` says and as `scan` counts.
fn rules(explained: impl IntoIterator<Item = Value>) -> BTreeMap<String, u64> {
    let mut rules = BTreeMap::new();
    for line in explained {
        *rules.entry(line["rule"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    rules
}

fn counted(scanned: &Ran) -> BTreeMap<String, u64> {
    let summary = scanned.summary();
    summary["rules"].as_object().unwrap().iter().map(|(rule, count)| (rule.clone(), count.as_u64().unwrap())).collect()
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trailpass-scan-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
