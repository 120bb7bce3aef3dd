//! A scan as a table for a spreadsheet: a line for each case (RFC 4180).
//!
//! Callers choose what stands in most cells, and a spreadsheet takes a cell that begins like a formula for one. Such a cell begins
//! with an apostrophe here, as <https://owasp.org/www-community/attacks/CSV_Injection> has it.

use std::io::{self, Write};

use access::{
    notice::words,
    scan::{Case, Tally, View},
};
use serde::Serialize;

use crate::output::visible;

/// Writes it.
pub fn write(tally: &Tally, out: &mut impl Write) -> io::Result<()> {
    line(
        out,
        &[
            "count",
            "first",
            "last",
            "response",
            "risk",
            "scenario",
            "rule",
            "account",
            "region",
            "principal_kind",
            "principal",
            "principal_account",
            "action",
            "resource",
            "effect",
            "policy_type",
            "fix",
            "apply",
            "case",
            "summary",
        ]
        .map(str::to_owned),
    )?;
    View(tally).cases().into_iter().try_for_each(|case| line(out, &cells(case)))
}

fn cells(case: &Case) -> [String; 20] {
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
    let finding = case.finding;
    [
        case.count.to_string(),
        text(&case.first),
        text(&case.last),
        words::response(finding.response).to_owned(),
        finding.risk.map(words::risk).unwrap_or_default().to_owned(),
        finding.scenario.map(words::scenario).unwrap_or_default().to_owned(),
        finding.rule.id().to_owned(),
        text(&case.account_id),
        text(&case.region),
        word(&case.kind),
        text(&case.principal),
        text(&case.foreign_account),
        text(&case.action),
        text(&case.resource),
        word(&case.cause.effect),
        case.cause.policy_type.as_ref().map(word).unwrap_or_default(),
        case.fix.as_ref().map(|fix| visible(&fix.order)).unwrap_or_default(),
        case.fix.as_ref().map(|fix| word(&fix.apply)).unwrap_or_default(),
        case.id.clone(),
        visible(&case.summary),
    ]
}

/// A word of the contract.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn line(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    for (at, cell) in cells.iter().enumerate() {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let cell = format!("{}{}", if is_formula { "'" } else { "" }, cell.replace('"', "\"\""));
        let is_quoted = cell.contains([',', '"', '\n', '\r', ' ', ';', '\'']);
        let (comma, quote) = (if at > 0 { "," } else { "" }, if is_quoted { "\"" } else { "" });
        write!(out, "{comma}{quote}{cell}{quote}")?;
    }
    out.write_all(b"\r\n")
}
