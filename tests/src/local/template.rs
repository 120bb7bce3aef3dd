//! The template, translated and resolved: rules, policies and the function's settings as a deployed stack has them.
//!
//! Decides nothing: SAM's own transform translates, and the resolver of the template's tests resolves.

use std::{process::Command, sync::OnceLock};

use serde_json::Value;

use super::{in_checkout, tool};

const RESOLVE: &str = r#"
import json, sys
sys.path.insert(0, sys.argv[1])
import stack
hub = stack.Stack(stack.translate(), json.loads(sys.argv[2]) | {"GrantMode": sys.argv[3]})
kinds = {"policies": "AWS::IAM::Policy", "roles": "AWS::IAM::Role", "functions": "AWS::Lambda::Function", "keys": "AWS::KMS::Key"}
print(json.dumps({"rules": hub.denial_rules()} | {name: hub.of_type(kind) for name, kind in kinds.items()}))
"#;

const PARAMETERS: &str = r#"{
    "SlackBotTokenSecret": "trailpass/slack-bot",
    "SlackNoticesChannel": "C0NOTICES",
    "SlackAlarmsChannel": "C0ALARMS0",
    "TrailBucket": "acme-audit-logs",
    "ApproversParameter": "/trailpass/approvers",
    "SlackSigningSecret": "trailpass/slack-signing",
    "SlackAppId": "A0APP00",
    "SlackTeamId": "T0TEAM0"
}"#;

/// `rules`, `policies`, `roles`, `functions` and `keys` of a hub, by logical name.
pub fn hub() -> &'static Value {
    static HUB: OnceLock<Value> = OnceLock::new();
    HUB.get_or_init(|| hub_in("managed"))
}

/// The same of a hub in a grant mode.
pub fn hub_in(mode: &str) -> Value {
    let mut resolving = Command::new(tool("python"));
    let made = resolving.args(["-c", RESOLVE]).arg(in_checkout("tests/template")).args([PARAMETERS, mode]).output();
    let made = made.expect("python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    serde_json::from_slice(&made.stdout).expect("it prints JSON")
}
