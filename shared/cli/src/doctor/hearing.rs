//! What a responder hears by: a trail that logs reads, too, the rules in their states, and queues that take what the rules bring.

use std::collections::BTreeMap;

use adapters::{cloudtrail::Trail, deployed::Rule};
use serde_json::Value;

use super::finding::Finding;

/// The state in which a rule sees calls that only read.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>
const WITH_READS: &str = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";

/// Whether any trail of the Region brings refusals in, reads included.
pub fn trails(trails: &[Trail]) -> Finding {
    const CHECK: &str = "trail";
    let logging: Vec<&Trail> = trails.iter().filter(|trail| trail.is_logging).collect();
    let named = |trails: &[&Trail]| trails.iter().map(|trail| trail.arn.as_str()).collect::<Vec<_>>().join(", ");
    let whole: Vec<&Trail> = logging.iter().copied().filter(|trail| trail.sees_reads).collect();
    if !whole.is_empty() {
        let says = format!("management events of this Region are logged, reads included, by {}", named(&whole));
        Finding::ok(CHECK, "trail", says)
    } else if !logging.is_empty() {
        Finding::problem(
            CHECK,
            "trail",
            format!("no trail of this Region logs management events that only read; {} logs", named(&logging)),
            "let one take all management events: aws cloudtrail put-event-selectors with ReadWriteType All",
        )
    } else if trails.is_empty() {
        Finding::problem(
            CHECK,
            "trail",
            "this Region has no trail: EventBridge gets no call from CloudTrail",
            "make one that takes all management events (aws cloudtrail create-trail, then start-logging)",
        )
    } else {
        let all: Vec<&Trail> = trails.iter().collect();
        let says = format!("no trail of this Region logs now ({})", named(&all));
        Finding::problem(CHECK, "trail", says, "aws cloudtrail start-logging --name and the trail's ARN")
    }
}

/// Whether a rule picks out what it should, and brings it somewhere. `name`: the rule's in the template.
pub fn rule(name: &str, rule: &Rule) -> Vec<Finding> {
    const CHECK: &str = "rule";
    let fix = "update the stack with its own template and parameters, after a drift detection";
    // The clock's, and calls that write: they arrive in the plain state, too.
    let is_plain = rule.pattern.is_none() || name == "BlindingRule";
    let mut findings = Vec::new();
    match rule.state.as_str() {
        WITH_READS => findings.push(Finding::ok(CHECK, name, "it is on and sees reads")),
        "ENABLED" if is_plain => findings.push(Finding::ok(CHECK, name, "it is on")),
        "ENABLED" => findings.push(Finding::problem(
            CHECK,
            name,
            "it is on and sees no call that only reads: somebody has put or enabled it again",
            format!("aws events put-rule with its pattern and --state {WITH_READS}; or {fix}"),
        )),
        other => findings.push(Finding::problem(CHECK, name, format!("it is not on: {other}"), fix)),
    }
    if rule.targets.is_empty() {
        findings.push(Finding::problem(CHECK, name, "it brings what it picks out to nobody", fix));
    }
    let is_lossy = |target: &&adapters::deployed::Target| target.dead_letters.is_none() && target.arn.contains(":sqs:");
    for target in rule.targets.iter().filter(is_lossy) {
        let says = format!("what can't be brought to {} is lost: the target has no dead-letter queue", target.arn);
        findings.push(Finding::problem(CHECK, name, says, fix));
    }
    findings
}

/// Whether a queue takes what rules bring, and is emptied. `name`: the queue's in the template.
pub fn queue(name: &str, attributes: &BTreeMap<String, String>) -> Vec<Finding> {
    const CHECK: &str = "queue";
    let of = |name: &str| attributes.get(name).map(String::as_str).unwrap_or_default();
    let waiting: u64 = of("ApproximateNumberOfMessages").parse().unwrap_or(0);
    let mut findings = Vec::new();
    let is_dead = name.ends_with("DeadLetters");
    if is_dead && waiting > 0 {
        findings.push(Finding::warning(
            CHECK,
            name,
            format!("{waiting} messages could not be dealt with and wait here"),
            "read one (aws sqs receive-message), mend what it names, then aws sqs start-message-move-task",
        ));
    }
    let is_fed_by_rules = !is_dead || name == "RuleDeadLetters";
    if is_fed_by_rules && !lets_events_send(of("Policy")) {
        findings.push(Finding::problem(
            CHECK,
            name,
            "its policy does not let EventBridge send: what the rules bring is lost in silence",
            "update the stack with its own template: the policy names the rules",
        ));
    }
    match of("KmsMasterKeyId") {
        "" => {}
        "alias/aws/sqs" => findings.push(Finding::problem(
            CHECK,
            name,
            "it is encrypted with AWS's own key of SQS, which EventBridge can't use",
            "set SqsManagedSseEnabled, as the template does, or a key of yours whose policy lets events.amazonaws.com use it",
        )),
        key => findings.push(Finding::warning(
            CHECK,
            name,
            format!("it is encrypted with the key {key}"),
            "see that the key's policy lets events.amazonaws.com use it (kms:GenerateDataKey, kms:Decrypt)",
        )),
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, name, "it takes what is sent to it"));
    }
    findings
}

/// Whether a statement of the policy allows it. A condition that no rule of ours meets is not looked for.
fn lets_events_send(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let one_or_many = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    statements.iter().any(|statement| {
        let services = statement.pointer("/Principal/Service").map(one_or_many).unwrap_or_default();
        let actions = statement.get("Action").map(one_or_many).unwrap_or_default();
        let is_sending =
            |action: &String| ["sqs:sendmessage", "sqs:*", "*"].contains(&action.to_ascii_lowercase().as_str());
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && services.iter().any(|service| service == "events.amazonaws.com")
            && actions.iter().any(is_sending)
    })
}
