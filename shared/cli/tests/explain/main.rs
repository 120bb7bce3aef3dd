//! `trailpass explain`, run as its users run it: the real binary, its output, its messages and its status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod damage;
mod forms;
mod hostile;
mod ways;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

const SENTENCE: &str = "User: arn:aws:iam::111122223333:user/mateojackson is not authorized to perform: \
    cloudtrail:GetTrailStatus on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail because no \
    identity-based policy allows the cloudtrail:GetTrailStatus action";

/// A refused call as CloudTrail records it, its event's id being `e-N`.
fn denied(number: u32) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE0000000001", "arn": "arn:aws:iam::111122223333:user/mateojackson",
            "accountId": "111122223333", "userName": "mateojackson",
        },
        "eventTime": "2026-10-05T08:00:01Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "GetTrailStatus",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2.31.0",
        "errorCode": "AccessDenied",
        "errorMessage": SENTENCE,
        "requestParameters": null,
        "requestID": "r-1",
        "eventID": format!("e-{number}"),
        "recipientAccountId": "111122223333",
    })
}

/// The same call on another trail: another denial, not a repeat.
fn denied_on(trail: &str, number: u32) -> Value {
    with(denied(number), "errorMessage", SENTENCE.replace("My-Trail", trail))
}

/// The same call, and it succeeded.
fn succeeded(number: u32) -> Value {
    let mut record = denied(number);
    for name in ["errorCode", "errorMessage"] {
        record.as_object_mut().unwrap().remove(name);
    }
    record
}

fn with(mut record: Value, name: &str, value: impl Into<Value>) -> Value {
    record[name] = value.into();
    record
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// What a run gave.
struct Ran {
    status: Option<i32>,
    out: String,
    said: String,
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let out: String = self.out.chars().take(600).collect();
        write!(f, "status {:?}\nsaid {}\nout {out}", self.status, self.said)
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
        let ran = Self { status: output.status.code(), out: text(output.stdout), said: text(output.stderr) };
        assert!(!ran.said.contains("panicked"), "{ran:?}");
        ran
    }

    /// One member of each line of JSON.
    fn members(&self, name: &str) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON")[name].clone())
            .collect()
    }

    fn event_ids(&self) -> Vec<Value> {
        self.members("event_id")
    }

    #[track_caller]
    fn assert_says(&self, text: &str) {
        assert!(self.said.contains(text), "not said: {text}\n{self:#?}");
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command.arg("explain").env_remove("NO_COLOR");
    command
}

/// `trailpass explain ARGUMENTS`, with something on standard input.
fn explain(arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let mut command = command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // From a thread of its own: neither side waits for the other. It may have stopped reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::of(output)
}

fn explain_json(input: impl AsRef<[u8]>) -> Ran {
    explain(&["--format", "json"], input)
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trailpass-explain-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
