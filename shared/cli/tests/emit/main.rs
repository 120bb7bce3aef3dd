//! `trailpass explain --emit` and `trailpass completions`, run as their users run them: the real binary, the files it writes, the
//! tools that read such files, and an `aws` that writes down what it was asked.
//!
//! Needs `bash` and the tools of `make tools` in `.tools/bin`; a missing one fails the test.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod completions;
mod files;
mod folder;
mod hostile;
mod lint;
mod samples;
#[path = "../../../access/tests/commands/stage.rs"]
#[allow(dead_code, reason = "answers are for the tests of the commands themselves")]
mod stage;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

/// Whose credentials the stage's `aws` has.
const ACCOUNT: &str = "111122223333";

const LANGUAGES: [&str; 3] = ["cli", "terraform", "cloudformation"];

/// A refused call as CloudTrail records it.
fn denied(user: &str, trail: &str) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE0000000001", "arn": format!("arn:aws:iam::111122223333:user/{user}"),
            "accountId": "111122223333", "userName": user,
        },
        "eventTime": "2026-10-05T08:00:01Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "GetTrailStatus",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2.31.0",
        "errorCode": "AccessDenied",
        "errorMessage": format!(
            "User: arn:aws:iam::111122223333:user/{user} is not authorized to perform: cloudtrail:GetTrailStatus on resource: \
             arn:aws:cloudtrail:eu-west-1:111122223333:trail/{trail} because no identity-based policy allows the \
             cloudtrail:GetTrailStatus action"
        ),
        "requestParameters": null,
        "requestID": "r-1",
        "eventID": "e-1",
        "recipientAccountId": "111122223333",
    })
}

fn lines(records: impl IntoIterator<Item = Value>) -> String {
    records.into_iter().map(|record| format!("{record}\n")).collect()
}

/// What a run gave.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    said: String,
}

fn trailpass(arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // From a thread of its own: neither side waits for the other. It may have stopped reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
    let ran = Ran { status: status.code(), out: text(stdout), said: text(stderr) };
    assert!(!ran.said.contains("panicked"), "{ran:?}");
    ran
}

/// `trailpass explain --emit LANGUAGE DIR`, with records on standard input.
fn emit(language: &str, folder: &Path, input: impl AsRef<[u8]>) -> Ran {
    let ran = trailpass(&["explain", "--emit", language, folder.to_str().unwrap()], input);
    assert_eq!(ran.out, "", "the results are files");
    ran
}

/// The same where it has to succeed: the files by their paths in the folder.
#[track_caller]
fn emitted(language: &str, folder: &Path, input: impl AsRef<[u8]>) -> BTreeMap<String, String> {
    let ran = emit(language, folder, input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    tree(folder)
}

/// Every file below a folder, by its path from there.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                walk(root, &entry.path(), found);
            } else {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn index(files: &BTreeMap<String, String>) -> Value {
    serde_json::from_str(&files["index.json"]).expect("the index is JSON")
}

/// The files of fixes: neither the index nor what guards an account.
fn fixes(files: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let is_fix = |name: &str| name != "index.json" && !name.ends_with("/account.tf");
    files.iter().filter(|(name, _)| is_fix(name)).map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

/// A folder that ends with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trailpass-emit-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What lies directly in it.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The sample events, by name.
fn sample_events() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/triage");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".json"))
        .collect();
    files.sort();
    assert!(files.len() > 140, "{} samples", files.len());
    files
}

/// The fixes of all sample events.
fn emit_samples(language: &str, folder: &Path) -> BTreeMap<String, String> {
    let samples = sample_events();
    let arguments = ["explain", "--emit", language, folder.to_str().unwrap()];
    let arguments: Vec<&str> = arguments.into_iter().chain(samples.iter().map(String::as_str)).collect();
    let ran = trailpass(&arguments, "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    tree(folder)
}
