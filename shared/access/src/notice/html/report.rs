//! The page of a scan: what the logs hold, in charts and tables, in one file that can be mailed.
//!
//! Charts are drawn here, without a script, and whatever a chart shows stands in words or numbers beside it, too.

use maud::{Markup, display, html};

use super::{Frame, escape, facts, shell, shown, words};
use crate::{
    diagnosis::Response,
    scan::{Case, Ranked, Read, Tally, View},
};

/// Rows of a list.
const ROWS: usize = 20;
/// Rows of a chart.
const BARS: usize = 10;
/// The grid's principals and actions.
const GRID: (usize, usize) = (12, 8);
/// The responses that are told, gravest first, and what they ask for.
const TOLD: [(Response, &str, &str); 3] = [
    (Response::RaiseAlarm, "alarm", "alarms"),
    (Response::RequestApproval, "that could be approved", "that could be approved"),
    (Response::SuggestFix, "to be fixed by hand", "to be fixed by hand"),
];

/// Writes the page.
pub fn report(tally: &Tally, read: &Read) -> String {
    let view = View(tally);
    let alarms = view.response(Response::RaiseAlarm);
    let body = html! {
        h1 { (number(tally.denials())) " refused calls about CloudTrail" }
        p.lead {
            "In " (number(tally.records())) " records of " (number(read.inputs)) (if read.inputs == 1 { " log file" } else { " log files" })
            @if let Some((first, last)) = view.times() { ", from " (escape::time(first)) " to " (escape::time(last)) }
            ": "
            @for (at, (response, one, many)) in TOLD.iter().enumerate() {
                @let count = view.response(*response);
                @if at > 0 { ", " }
                (number(count)) " " (if count == 1 { one } else { many })
            }
            "."
        }
        @if read.is_interrupted || read.failures > 0 {
            section class="card raise-alarm" aria-labelledby="missing" {
                h2 id="missing" { "Not everything was read" }
                @if read.is_interrupted { p { "It was stopped before the end." } }
                @if read.failures > 0 { p { (number(read.failures)) " things could not be read. The command named each of them." } }
            }
        }
        (trend(view))
        (bars("fixes", "What would mend most", &view.fixes(), "Alarms are left out: what an attacker lacks needs no mending."))
        (bars("principals", "Who was refused most", &view.principals(), ""))
        (bars("actions", "What was refused most", &view.actions(), ""))
        (grid(view))
        (cases(view))
        (scenarios(view))
        (rest(view, read))
    };
    shell("Scan", (alarms > 0).then_some(Response::RaiseAlarm), Frame { has_index: false, has_forms: false }, &body)
}

fn trend(view: View<'_>) -> Markup {
    const HEIGHT: u64 = 100;
    let trend = view.trend();
    let sum = |counts: &[u64; 3]| counts.iter().sum::<u64>();
    let busiest = trend.bars.iter().max_by_key(|bar| sum(&bar.counts));
    let Some(busiest) = busiest.filter(|bar| sum(&bar.counts) > 0) else { return html! {} };
    let most = sum(&busiest.counts);
    let top = |count: u64| HEIGHT - (u128::from(count) * u128::from(HEIGHT)).div_ceil(u128::from(most)) as u64;
    html! {
        section.card aria-labelledby="trend" {
            h2 id="trend" { "Denials by " (trend.step) }
            ul.legend {
                li.raise-alarm { "alarms" } li.request-approval { "could be approved" } li.suggest-fix { "by hand" }
            }
            svg.trend viewBox={ "0 0 " (trend.bars.len() * 10) " " (HEIGHT + 1) } preserveAspectRatio="none" role="img" aria-labelledby="busiest" {
                @for (at, bar) in trend.bars.iter().enumerate() {
                    @let [by_hand, on_approval, alarms] = bar.counts;
                    @let steps = [
                        ("raise-alarm", 0, alarms), ("request-approval", alarms, alarms + on_approval),
                        ("suggest-fix", alarms + on_approval, alarms + on_approval + by_hand),
                    ];
                    @for (class, below, above) in steps {
                        @if above > below {
                            rect class=(class) x=(at * 10 + 1) y=(top(above)) width="8" height=(top(below) - top(above)) {
                                title { (bar.label) ": " (number(sum(&bar.counts))) }
                            }
                        }
                    }
                }
                rect.ground x="0" y=(HEIGHT) width=(trend.bars.len() * 10) height="1" {}
            }
            @if let (Some(first), Some(last)) = (trend.bars.first(), trend.bars.last()) {
                p.axis { span { (first.label) } span { (last.label) } }
            }
            p.muted id="busiest" {
                "Most in the " (trend.step) (if trend.step.ends_with('s') { " that begin " } else { " that begins " }) (busiest.label) ": " (number(most)) "."
            }
        }
    }
}

fn cases(view: View<'_>) -> Markup {
    let cases = view.cases();
    html! {
        @if !cases.is_empty() {
            section aria-labelledby="cases" {
                h2 id="cases" { "The gravest, and the most frequent" }
                ol.cases role="list" { @for case in cases.iter().take(ROWS) { (row(case)) } }
                @if cases.len() > ROWS { p.muted { (number((cases.len() - ROWS) as u64)) " more cases: --format csv has each." } }
            }
        }
    }
}

fn row(case: &Case) -> Markup {
    let response = words::response(case.finding.response);
    html! {
        li class=(response) {
            div {
                span class={ "badge " (response) } { (words::badge(case.finding.response)) }
                h3 {
                    (display(shown(case.principal(), escape::NAME)))
                    @if let Some(account) = &case.foreign_account { " of account " (display(shown(account, escape::SHORT))) }
                    ": " (display(shown(case.action(), escape::NAME)))
                }
                p { "on " code { (display(facts::fact(case.resource.as_deref(), escape::ARN))) } }
                p.muted {
                    (case.finding.rule.id()) ", " (case.finding.rule.title()) "."
                    @if let Some(fix) = case.fix.as_ref().filter(|_| case.finding.response != Response::RaiseAlarm) {
                        " " (display(shown(&fix.order, escape::SENTENCE))) "."
                    }
                }
            }
            div.when {
                strong { (number(case.count)) (if case.count == 1 { " time" } else { " times" }) }
                @if let Some(last) = &case.last { br; "last " (escape::time(last)) }
            }
        }
    }
}

/// A table that is coloured by how much stands in it. Each number is there to be read.
fn grid(view: View<'_>) -> Markup {
    let (most_principals, most_actions) = GRID;
    let grid = view.grid(most_principals, most_actions);
    if grid.rows.len() < 2 || grid.actions.len() < 2 {
        return html! {};
    }
    let most = grid.rows.iter().flat_map(|(_, counts)| counts).copied().max().unwrap_or(1).max(1);
    // By powers of two, so that one noisy pair doesn't hide all the others.
    let heat =
        |count: u64| if count == 0 { 0 } else { 1 + 4 * u64::from(count.ilog2()) / (1 + u64::from(most.ilog2())) };
    html! {
        section.card aria-labelledby="grid" {
            h2 id="grid" { "Who against what" }
            div.wide tabindex="0" role="group" aria-labelledby="grid" {
                table.grid {
                    thead {
                        tr {
                            td {}
                            @for action in &grid.actions { th scope="col" { (display(shown(action, escape::SHORT))) } }
                        }
                    }
                    tbody {
                        @for (principal, counts) in &grid.rows {
                            tr {
                                th scope="row" { (display(shown(principal, escape::SHORT))) }
                                @for count in counts {
                                    td class={ "heat" (heat(*count)) } { @if *count > 0 { (number(*count)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bars(id: &str, title: &str, all: &[Ranked<&str>], note: &str) -> Markup {
    let most = all.first().map_or(1, |first| first.count).max(1);
    html! {
        @if !all.is_empty() {
            section.card aria-labelledby=(id) {
                h2 id=(id) { (title) }
                @if !note.is_empty() { p.muted { (note) } }
                ol.bars role="list" {
                    @for one in all.iter().take(BARS) {
                        li {
                            span { (display(shown(one.what, escape::SENTENCE))) }
                            span.count {
                                (number(one.count))
                                @if one.cases > 1 { " in " (number(one.cases)) " cases" }
                                @if one.alarms > 0 { ", " (number(one.alarms)) (if one.alarms == 1 { " alarm" } else { " alarms" }) }
                            }
                            svg viewBox={ "0 0 " (most) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                                rect width=(one.count) height="1" {}
                            }
                        }
                    }
                }
                @if all.len() > BARS { p.muted { "and " (number((all.len() - BARS) as u64)) " more" } }
            }
        }
    }
}

fn scenarios(view: View<'_>) -> Markup {
    let scenarios = view.scenarios();
    html! {
        @if !scenarios.is_empty() {
            section.card aria-labelledby="scenarios" {
                h2 id="scenarios" { "By topic of AWS's page" }
                dl { @for (scenario, count) in scenarios { dt { (words::scenario(scenario)) } dd { (number(count)) } } }
            }
        }
    }
}

/// What was read and is in no list.
fn rest(view: View<'_>, read: &Read) -> Markup {
    let tally = view.0;
    let notes = [
        (tally.repeated(), "second copies of an event that was counted already"),
        (tally.others(), "denials of further cases than are told apart"),
        (tally.left_out(), "records of other times, accounts or Regions than were asked for"),
        (read.passed_over, "files passed over: digests, other services' files, and what is no JSON"),
    ];
    html! {
        section.card aria-labelledby="rest" {
            h2 id="rest" { "What is in none of the lists" }
            dl {
                @for (rule, count) in view.rules(true) { dt { (number(count)) } dd { (rule.title()) " (" (rule.id()) ")" } }
                @for (count, words) in notes.iter().filter(|(count, _)| *count > 0) { dt { (number(*count)) } dd { (words) } }
            }
        }
    }
}

/// 1,234,567
fn number(number: u64) -> String {
    words::thousands(number)
}
