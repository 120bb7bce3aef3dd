//! Slack's side, played by Slack's own `slack_sdk` for Python: it makes requests, signs them, judges them and checks blocks.
//!
//! Needs the tools of `make tools` in `.tools/bin`; without them the test fails.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

const SCRIPT: &str = r#"
import json, sys, urllib.parse
from slack_sdk.models.blocks import Block
from slack_sdk.signature import Clock, SignatureVerifier

class At(Clock):
    def __init__(self, now): self.time = now
    def now(self): return self.time

def verifier(of): return SignatureVerifier(of["secret"], At(of["now"]))

def request(of):
    body = urllib.parse.urlencode({"payload": json.dumps(of["payload"])})
    timestamp = str(of["now"])
    return {"body": body, "timestamp": timestamp, "signature": verifier(of).generate_signature(timestamp=timestamp, body=body)}

def judged(of):
    try:
        return verifier(of).is_valid(body=of["body"], timestamp=of["timestamp"], signature=of["signature"])
    except ValueError:
        return False

def checked(of):
    # Whatever is over a limit raises an error; what is not known is left out and so is not what came in.
    return [Block.parse(block).to_dict() for block in of]

work = {"request": request, "judged": judged, "checked": checked}
print(json.dumps([work[task["work"]](task["of"]) for task in json.load(sys.stdin)]))
"#;

/// Does tasks of the form `{"work": "request" | "judged" | "checked", "of": …}`; one result for each.
pub fn slack_sdk(tasks: &[Value]) -> Vec<Value> {
    // From whichever crate of the workspace this is compiled into.
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join(".tools/bin/python3"));
    let python = above.find(|python| python.exists()).expect("run `make tools` in the folder of the workspace");
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(&serde_json::to_vec(tasks).expect("JSON")).expect("python reads");
    drop(stdin);
    let output = child.wait_with_output().expect("python runs");
    assert!(output.status.success(), "slack_sdk refused it");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
