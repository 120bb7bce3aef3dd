//! `trailpass scan` on what lies with AWS: a bucket, and a Region's event history. What it finds there is what it finds in files.
//!
//! The command is the real one. S3 is moto's, with somebody on the way who cuts answers short or gives none; moto knows no event
//! history (its `LookupEvents` doesn't exist), so that this one is a stub in the shape of the service's model.

mod bucket;
mod lookup;

use std::{
    fs,
    path::PathBuf,
    process::Output,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tests::local::{REGION, aws::Keys};

use crate::typed;

/// What a run gave.
#[derive(Debug)]
struct Ran {
    status: i32,
    lines: Vec<Value>,
    said: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
        let (out, said) = (text(output.stdout), text(output.stderr));
        assert!(!said.contains("panicked"), "{said}");
        let lines = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        Self { status: output.status.code().expect("it ends by itself"), lines, said }
    }

    /// The first line: what was read.
    fn summary(&self) -> &Value {
        &self.lines[0]
    }

    /// What it found, without how many inputs it came from.
    fn found(&self) -> Vec<Value> {
        let mut lines = self.lines.clone();
        for name in ["inputs", "since", "until"] {
            lines[0][name].take();
        }
        lines
    }
}

/// `trailpass scan --format json ARGUMENTS`, where AWS is at this address.
async fn scan(aws: &str, arguments: &[&str]) -> Ran {
    let mut command = typed(aws, &Keys::default());
    command.args(["scan", "--format", "json"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().expect("it starts")).await;
    Ran::of(output.expect("it ends"))
}

/// The Region that a request was signed for.
fn signed_for(request: &tests::local::http::Request) -> &str {
    let scope = request.header("authorization").and_then(|value| value.split("Credential=").nth(1));
    scope.and_then(|scope| scope.split('/').nth(2)).unwrap_or_default()
}

/// A call by somebody at a time, refused or not.
fn record(id: &str, time: i64, is_denied: bool) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE0000000001", "accountId": "111122223333", "userName": "mateo",
            "arn": "arn:aws:iam::111122223333:user/mateo",
        },
        "eventTime": jiff::Timestamp::from_second(time).unwrap().to_string(),
        "eventSource": "cloudtrail.amazonaws.com", "eventName": "GetTrailStatus", "awsRegion": REGION,
        "requestParameters": { "name": "My-Trail" }, "eventID": id, "recipientAccountId": "111122223333",
    });
    if is_denied {
        record["errorCode"] = "AccessDenied".into();
        record["errorMessage"] = "User: arn:aws:iam::111122223333:user/mateo is not authorized to perform: \
            cloudtrail:GetTrailStatus on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail \
            because no identity-based policy allows the cloudtrail:GetTrailStatus action"
            .into();
    }
    record
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trailpass-history-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
