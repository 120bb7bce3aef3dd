//! A scan for programs: what was read, and then each case, one object a line.

use std::io::{self, Write};

use access::{
    diagnosis::Response,
    notice::words,
    scan::{Case, Read, Tally, View},
};
use serde_json::{Value, json};

use crate::{args::Scan, output::json_line};

/// The shape of the first line.
const SCHEMA: &str = "trailpass.scan/1";
/// The shape of every other.
const SCHEMA_OF_CASE: &str = "trailpass.scan-case/1";

/// Writes it.
pub fn write(arguments: &Scan, tally: &Tally, read: &Read, out: &mut impl Write) -> io::Result<()> {
    out.write_all(json_line(&summary(arguments, tally, read))?.as_bytes())?;
    View(tally).cases().into_iter().try_for_each(|case| out.write_all(json_line(&of(case))?.as_bytes()))
}

fn summary(arguments: &Scan, tally: &Tally, read: &Read) -> Value {
    let view = View(tally);
    let responses = [Response::Ignore, Response::SuggestFix, Response::RequestApproval, Response::RaiseAlarm];
    let trend = view.trend();
    let bars: Vec<Value> =
        trend.bars.iter().map(|bar| json!({ "from": bar.label, "denials": counts(bar.counts) })).collect();
    json!({
        "schema": SCHEMA,
        "records": tally.records(),
        "left_out": tally.left_out(),
        "denials": tally.denials(),
        "repeated": tally.repeated(),
        "beyond_cases": tally.others(),
        "cases": tally.cases().len(),
        "inputs": read.inputs,
        "passed_over": read.passed_over,
        "failures": read.failures,
        "is_whole": read.failures == 0 && !read.is_interrupted,
        "since": arguments.since.as_ref().map(|since| since.at.to_string()),
        "until": arguments.until.as_ref().map(|until| until.at.to_string()),
        "responses": Value::Object(responses.map(|r| (words::response(r).to_owned(), json!(view.response(r)))).into_iter().collect()),
        "scenarios": Value::Object(view.scenarios().into_iter().map(|(s, n)| (words::scenario(s).to_owned(), json!(n))).collect()),
        "risks": Value::Object(view.risks().into_iter().map(|(r, n)| (words::risk(r).to_owned(), json!(n))).collect()),
        "rules": Value::Object([true, false].into_iter().flat_map(|is| view.rules(is)).map(|(r, n)| (r.id().to_owned(), json!(n))).collect()),
        "trend": { "step": trend.step, "bars": bars },
    })
}

fn counts([by_hand, on_approval, alarms]: [u64; 3]) -> Value {
    json!({ "suggest-fix": by_hand, "request-approval": on_approval, "raise-alarm": alarms })
}

fn of(case: &Case) -> Value {
    json!({
        "schema": SCHEMA_OF_CASE,
        "case": case.id,
        "count": case.count,
        "first": case.first,
        "last": case.last,
        "response": case.finding.response,
        "rule": case.finding.rule.id(),
        "scenario": case.finding.scenario,
        "risk": case.finding.risk,
        "account_id": case.account_id,
        "region": case.region,
        "principal": { "kind": case.kind, "name": case.principal, "foreign_account": case.foreign_account },
        "action": case.action,
        "resource": case.resource,
        "cause": case.cause,
        "fix": case.fix,
        "event_id": case.event_id,
        "summary": case.summary,
    })
}
