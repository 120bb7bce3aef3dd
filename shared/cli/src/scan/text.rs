//! A scan for a person at a terminal: what there is, the worst and the most of it, and what was not looked at.

use std::io::{self, Write};

use access::{
    diagnosis::Response,
    notice::words::{self, thousands},
    scan::{Case, Ranked, Read, Tally, View},
};

use crate::{args::Scan, output::visible, table::table};

/// How many bars of a trend are shown.
const BARS: usize = 40;
/// How long the longest bar is.
const LONGEST: u64 = 40;

/// Writes it.
pub fn write(
    arguments: &Scan,
    tally: &Tally,
    read: &Read,
    width: Option<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let view = View(tally);
    head(view, read, out)?;
    if tally.denials() > 0 {
        let top = arguments.top;
        let cases = view.cases();
        section(out, "Cases", cases.len(), top)?;
        let rows: Vec<Vec<String>> = cases.iter().take(top).map(|case| row(case)).collect();
        lines(out, &table(&["COUNT", "RESPONSE", "WHO", "WHAT", "ON", "RULE", "LAST"], &rows, width))?;

        section(out, "Scenarios", 0, top)?;
        let scenarios = view.scenarios();
        let rows: Vec<_> = scenarios
            .iter()
            .map(|(scenario, count)| vec![thousands(*count), words::scenario(*scenario).to_owned()])
            .collect();
        lines(out, &table(&["COUNT", "SCENARIO"], &rows, width))?;

        ranked(out, "Principals", "WHO", &view.principals(), top, width)?;
        ranked(out, "Actions", "WHAT", &view.actions(), top, width)?;
        ranked(out, "Fixes", "WHAT WOULD MEND IT", &view.fixes(), top, width)?;
        trend(view, width, out)?;
    }
    foot(view, read, out)
}

fn head(view: View<'_>, read: &Read, out: &mut impl Write) -> io::Result<()> {
    let tally = view.0;
    let inputs = if read.inputs == 1 { "1 input".to_owned() } else { format!("{} inputs", thousands(read.inputs)) };
    writeln!(
        out,
        "{} records in {inputs}, {} of them denials about CloudTrail",
        thousands(tally.records()),
        thousands(tally.denials())
    )?;
    if let Some((first, last)) = view.times() {
        writeln!(out, "from {first} to {last}")?;
    }
    if tally.denials() > 0 {
        let parts = [
            (Response::RaiseAlarm, "would raise an alarm"),
            (Response::RequestApproval, "could be approved"),
            (Response::SuggestFix, "are to be fixed by hand"),
        ];
        let parts = parts.map(|(response, words)| format!("{} {words}", thousands(view.response(response))));
        writeln!(out, "{}.", parts.join(", "))?;
    }
    if read.is_interrupted {
        writeln!(out, "Interrupted: not everything was read.")?;
    }
    Ok(())
}

/// What was read and is in none of the lists above.
fn foot(view: View<'_>, read: &Read, out: &mut impl Write) -> io::Result<()> {
    let tally = view.0;
    let ignored = view.rules(true);
    if !ignored.is_empty() {
        writeln!(out, "\nIgnored")?;
    }
    for (rule, count) in ignored {
        writeln!(out, "  {:>12}  {} ({})", thousands(count), rule.title(), rule.id())?;
    }
    let notes = [
        (tally.repeated(), "second copies of an event that was counted already: they are in no list"),
        (tally.others(), "denials of further cases than are told apart: they are in no list"),
        (tally.left_out(), "records of other times, accounts or Regions than were asked for: they are in no count"),
        (read.passed_over, "files passed over: digests, other services' files, and what is no JSON"),
        (read.failures, "things could not be read: they are named on standard error"),
    ];
    for (count, words) in notes.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "\n{} {words}.", thousands(count))?;
    }
    Ok(())
}

fn row(case: &Case) -> Vec<String> {
    let account =
        case.foreign_account.as_deref().map(|account| format!(" of {}", visible(account))).unwrap_or_default();
    vec![
        thousands(case.count),
        words::badge(case.finding.response).to_owned(),
        format!("{}{account}", visible(case.principal())),
        visible(case.action()),
        case.resource.as_deref().map_or_else(|| "-".to_owned(), visible),
        case.finding.rule.id().to_owned(),
        case.last.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn ranked(
    out: &mut impl Write,
    title: &str,
    column: &str,
    all: &[Ranked<&str>],
    top: usize,
    width: Option<usize>,
) -> io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    section(out, title, all.len(), top)?;
    let rows: Vec<_> = all
        .iter()
        .take(top)
        .map(|one| vec![thousands(one.count), thousands(one.cases), thousands(one.alarms), visible(one.what)])
        .collect();
    lines(out, &table(&["COUNT", "CASES", "ALARMS", column], &rows, width))
}

fn trend(view: View<'_>, width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    let trend = view.trend();
    let sum = |counts: &[u64; 3]| counts.iter().sum::<u64>();
    let most = trend.bars.iter().map(|bar| sum(&bar.counts)).max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    section(out, &format!("Denials by {}", trend.step), trend.bars.len(), BARS)?;
    let rows: Vec<_> = trend
        .bars
        .iter()
        .skip(trend.bars.len().saturating_sub(BARS))
        .map(|bar| {
            let count = sum(&bar.counts);
            let length = (count * LONGEST).div_ceil(most) as usize;
            let [.., alarms] = bar.counts;
            vec![bar.label.clone(), thousands(count), thousands(alarms), "#".repeat(length)]
        })
        .collect();
    lines(out, &table(&["FROM", "COUNT", "ALARMS", ""], &rows, width))
}

fn section(out: &mut impl Write, title: &str, all: usize, shown: usize) -> io::Result<()> {
    match all > shown {
        true => writeln!(out, "\n{title} ({shown} of {})", thousands(all as u64)),
        false => writeln!(out, "\n{title}"),
    }
}

fn lines(out: &mut impl Write, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}
