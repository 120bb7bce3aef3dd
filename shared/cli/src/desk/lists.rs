//! `trailpass cases` and `trailpass grants`: tables for people, whole histories for programs.

use std::process::ExitCode;

use access::{
    case::Audience,
    decision::{Answer, Decision},
    diagnosis::Response,
    notice::{progress::because, text::Style},
    reconcile::{Grant, Holder, Permission, State as GrantState},
    standing::span,
    triage::{StormFile, storm_key},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{cell, show, time};
use crate::{
    args::{Cases, Grants, Shape},
    files::CaseFile,
    output::{self, visible},
    source::{Failure, Source},
    table::{fitted, table},
};

/// Columns in which all of a case fits on one line.
const WIDE: usize = 120;

/// `trailpass cases`.
pub async fn cases(arguments: &Cases) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.place).await?;
    let (now, listing) = (source.now(), arguments.listing);
    let opened = source.opened(listing.hours, now).await?;
    let files = source.read(&opened.subjects).await?;
    let storms = source.storms(&files, listing.hours, now).await?;
    match listing.format {
        Shape::Json => {
            for file in &files {
                show(&line(&case_object(&source, file, now))?)?;
            }
            for storm in &storms {
                show(&line(&storm_object(storm))?)?;
            }
        }
        Shape::Text if files.is_empty() => show(&format!("No case in the last {} h.\n", listing.hours))?,
        Shape::Text => {
            let rows: Vec<_> = files.iter().map(|file| case_row(&source, file, now)).collect();
            let lines = match output::width().filter(|width| *width < WIDE) {
                // Half a word helps nobody: who and what stand below.
                Some(width) => {
                    let (short, long): (Vec<_>, Vec<_>) =
                        rows.into_iter().map(|mut row| (row.drain(..5).collect::<Vec<_>>(), row.join(": "))).unzip();
                    let lines = table(&["CASE", "OPENED", "RESPONSE", "RISK", "STATE"], &short, Some(width));
                    let below = std::iter::once(String::new()).chain(long);
                    let paired = lines.into_iter().zip(below);
                    paired
                        .flat_map(|(line, below)| [line, fitted(&format!("    {below}"), width)])
                        .filter(|line| !line.trim().is_empty())
                        .collect()
                }
                None => table(&["CASE", "OPENED", "RESPONSE", "RISK", "STATE", "WHO", "WHAT"], &rows, output::width()),
            };
            show(&(lines.join("\n") + "\n"))?;
        }
    }
    if opened.more > 0 {
        output::say(format_args!("{} more cases are not listed: look back fewer hours", opened.more));
    }
    for storm in storms.iter().filter(|_| listing.format == Shape::Text) {
        let began = storm.began();
        output::say(format_args!(
            "{}. Since {began}. Nothing of it is listed.",
            visible(&storm.storm(&began).headline())
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn storm_object(storm: &StormFile) -> Value {
    json!({
        "schema": "trailpass.storm/1", "storm": storm_key(storm), "account_id": storm.account_id, "is_alarm": storm.audience == Audience::Alarms,
        "held": storm.held, "since": storm.began(), "principals": storm.principals, "actions": storm.actions, "calls": storm.calls,
    })
}

fn case_row(source: &Source, file: &CaseFile, now: i64) -> Vec<String> {
    let state = file.state(source.setting(), now);
    let state = match state.by() {
        Some(by) => format!("{} by {}", state.word(), visible(by)),
        None => state.word().to_owned(),
    };
    let state = if file.is_overdue(now) { format!("OVERDUE, {state}") } else { state };
    let subject = file.subject.to_string();
    let Some(case) = &file.case else {
        return vec![subject, "-".into(), "-".into(), "-".into(), state, "-".into(), "-".into()];
    };
    let diagnosis = case.diagnosed(source.setting()).diagnosis;
    let opened =
        if case.opening == file.subject.opening { format!("{} ago", span(now - case.opened_at)) } else { "-".into() };
    // The listed words of the contract; an alarm is told from the rest at once.
    let response = match diagnosis.response {
        Response::RaiseAlarm => "RAISE-ALARM".to_owned(),
        response => word(&response),
    };
    let who = diagnosis.principal.name.as_deref().or(diagnosis.principal.arn.as_deref());
    let what = match (&diagnosis.action, &diagnosis.resource) {
        (Some(action), Some(resource)) if resource != "*" => format!("{action} on {resource}"),
        (action, _) => action.clone().unwrap_or_default(),
    };
    let risk = diagnosis.risk.map_or_else(|| "-".to_owned(), |risk| word(&risk));
    vec![subject, opened, response, risk, state, cell(who), cell(Some(&what))]
}

fn case_object(source: &Source, file: &CaseFile, now: i64) -> Value {
    let case = file.case.as_ref();
    let current = case.filter(|case| case.opening == file.subject.opening);
    let state = file.state(source.setting(), now);
    json!({
        "schema": "trailpass.case/1", "case": file.subject.case_id, "opening": file.subject.opening,
        "state": state.word(), "by": state.by(), "overdue": file.is_overdue(now),
        "opened_at": current.map(|case| case.opened_at), "count": current.map(|case| case.count),
        "first_seen": current.map(|case| &case.first_seen), "last_seen": current.map(|case| &case.last_seen),
        "diagnosis": current.map(|case| &case.diagnosis), "decision": file.decision, "revocation": file.revocation,
        "answers": file.answers, "grant": file.grant, "history": file.history,
    })
}

/// `trailpass grants`.
pub async fn grants(arguments: &Grants) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.place).await?;
    let (now, listing) = (source.now(), arguments.listing);
    let subjects = source.given(arguments.all.then_some(listing.hours), now).await?;
    let mut files = source.read(&subjects).await?;
    files.retain(|file| is_approved(file) && (arguments.all || !file.grant.as_ref().is_some_and(Grant::is_over)));
    // What should be gone comes first, then what ends first.
    files.sort_by_key(|file| (!file.is_overdue(now), end_of(file)));
    match listing.format {
        Shape::Json => {
            for file in &files {
                show(&line(&grant_object(file, now))?)?;
            }
        }
        Shape::Text if files.is_empty() => show("Nothing is given.\n")?,
        Shape::Text => {
            let rows: Vec<_> = files.iter().map(|file| grant_row(file, now)).collect();
            let lines = table(&["CASE", "LEFT", "HOLDER", "WHAT", "STATE", "BY", "UNTIL"], &rows, output::width());
            let is_loud = |at: usize| at > 0 && files.get(at - 1).is_some_and(|file| file.is_overdue(now));
            let lines: Vec<String> = lines.into_iter().enumerate().map(|(at, text)| loud(text, is_loud(at))).collect();
            show(&(lines.join("\n") + "\n"))?;
        }
    }
    let overdue = files.iter().filter(|file| file.is_overdue(now)).count();
    if overdue > 0 {
        output::say(format_args!(
            "{overdue} OVERDUE: somebody holds a permission that has ended. It is tried again and again to take it back; if it \
             stays, detach or delete it by hand"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A grant that reconcile remembers is one, whatever has become of its decision.
fn is_approved(file: &CaseFile) -> bool {
    file.grant.is_some() || file.decision.as_ref().is_some_and(|decision| decision.answer == Answer::Approve)
}

fn end_of(file: &CaseFile) -> Option<i64> {
    let decided = || file.decision.as_ref().map(|decision: &Decision| decision.not_after);
    file.grant.as_ref().map(|grant| grant.not_after).or_else(decided)
}

fn grant_row(file: &CaseFile, now: i64) -> Vec<String> {
    let end = end_of(file);
    let left = match end {
        _ if file.is_overdue(now) => "OVERDUE".to_owned(),
        Some(end) if end > now && file.grant.as_ref().is_none_or(|grant| grant.end().is_none()) => span(end - now),
        _ => "-".to_owned(),
    };
    let (holder, what) = file.grant.as_ref().map_or((None, None), |grant| (Some(holder(grant)), Some(given(grant))));
    let by = file.decision.as_ref().map(|decision| decision.by.approver.as_str());
    let state = visible(&grant_state(file));
    vec![
        file.subject.to_string(),
        left,
        cell(holder.as_deref()),
        cell(what.as_deref()),
        state,
        cell(by),
        end.map_or_else(|| "-".to_owned(), time),
    ]
}

fn holder(grant: &Grant) -> String {
    match &grant.holder {
        Holder::User(name) => format!("user/{name}"),
        Holder::Role(name) => format!("role/{name}"),
    }
}

fn given(grant: &Grant) -> String {
    match &grant.permission {
        Permission::Attached { policy_arn } => policy_arn.rsplit('/').next().unwrap_or(policy_arn).to_owned(),
        Permission::Inline { name, .. } => name.clone(),
    }
}

fn grant_state(file: &CaseFile) -> String {
    let Some(grant) = &file.grant else { return "approved, not given yet".to_owned() };
    let failures = if grant.failures > 0 { format!(", {} tries failed", grant.failures) } else { String::new() };
    match &grant.state {
        GrantState::Giving => format!("being given{failures}"),
        GrantState::Given if file.revocation.is_some() => format!("to be taken back{failures}"),
        GrantState::Given => format!("given{failures}"),
        GrantState::Taking(end) => format!("being taken back{failures}: {}", because(end)),
        GrantState::Taken(end) => format!("taken back: {}", because(end)),
        GrantState::Ended(end) => format!("over: {}", because(end)),
    }
}

fn grant_object(file: &CaseFile, now: i64) -> Value {
    json!({
        "schema": "trailpass.grant/1", "case": file.subject.case_id, "opening": file.subject.opening,
        "overdue": file.is_overdue(now), "not_after": end_of(file), "grant": file.grant, "decision": file.decision,
        "revocation": file.revocation, "answers": file.answers, "history": file.history,
    })
}

/// On a terminal that wants colours, what is loud is seen from afar.
fn loud(text: String, is_loud: bool) -> String {
    if is_loud && output::style() == Style::Colour { format!("\x1b[1;97;41m{text}\x1b[0m") } else { text }
}

/// A closed enumeration's word, as the JSON has it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn line(value: &Value) -> Result<String, Failure> {
    output::json_line(value).map_err(|why| Failure::Failed(why.to_string()))
}
