//! The list of cases: newest first, one row a case, an alarm at once seen as one.

use maud::{Markup, display, html};

use super::{super::advice, Event, Frame, escape, facts, shell, shown, words};
use crate::{
    diagnosis::{Diagnosis, Response},
    notice::storm::Storm,
};

/// A row of the list.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// One case.
    Case(CaseRow<'a>),
    /// Everything beyond a budget.
    Storm(&'a Storm<'a>),
}

/// What the list says about a case.
#[derive(Debug, Clone, Copy)]
pub struct CaseRow<'a> {
    /// The case's id: its page is at `case/ID`.
    pub id: &'a str,
    /// Its first denial's.
    pub diagnosis: &'a Diagnosis,
    /// How many denials it holds.
    pub count: u64,
    /// The time of the last, ISO 8601, UTC.
    pub last_seen: &'a str,
    /// What has become of it.
    pub stands: Stands,
}

/// What has become of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// Nothing yet.
    Open,
    /// Somebody has answered it.
    Answered,
    /// It can't be answered any more, and nobody has.
    Closed,
}

/// Where a denial can be sent, for whoever opens an empty list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doors<'a> {
    /// An address that takes a record by POST.
    pub post: Option<&'a str>,
    /// A folder that is watched.
    pub folder: Option<&'a str>,
}

/// What approvers see above the list.
#[derive(Debug, Clone, Copy)]
pub struct Overview<'a> {
    /// What is given now: what should be gone first, then what ends first.
    pub grants: &'a [GrantRow],
    /// What was answered lately, newest first.
    pub answers: &'a [Event],
    /// Cases opened in each of the last hours, oldest first: notices, then alarms.
    pub hours: &'a [(u64, u64)],
    /// IAM is a picture: nothing in AWS is changed.
    pub is_rehearsal: bool,
    /// Whether cases can be answered from the page.
    pub can_answer: bool,
}

/// What the overview says of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// The case's id: its page is at `case/ID`.
    pub case_id: String,
    /// Who holds it.
    pub holder: String,
    /// How long it lasts, or that it should be gone.
    pub left: String,
    /// It should be gone.
    pub is_overdue: bool,
    /// Who approved it.
    pub by: String,
}

/// Longer lists are cut, and say so: a browser on a phone has to show this.
const MOST: usize = 500;

/// Writes the list.
pub fn index(rows: &[Row<'_>], doors: Doors<'_>) -> String {
    list(rows, doors, None)
}

/// Writes the list with what approvers have to see first.
pub fn overview(rows: &[Row<'_>], doors: Doors<'_>, overview: &Overview<'_>) -> String {
    list(rows, doors, Some(overview))
}

fn list(rows: &[Row<'_>], doors: Doors<'_>, overview: Option<&Overview<'_>>) -> String {
    let mut rows = rows.to_vec();
    // What waits for an answer comes first where answers are given. All times are CloudTrail's: UTC, of one width, so their order is
    // the text's.
    rows.sort_by(|a, b| {
        let waits = |row: &Row<'_>| overview.is_some() && row.waits();
        waits(b).cmp(&waits(a)).then_with(|| b.time().cmp(a.time()))
    });
    let has_alarm = rows.iter().any(|row| row.response() == Response::RaiseAlarm);
    let body = html! {
        h1 { "Cases" }
        @if let Some(overview) = overview { (above(overview)) }
        @if rows.is_empty() {
            (empty(doors))
        } @else {
            p.lead { (tally(&rows)) @if overview.is_some() { " What waits comes first." } }
            ol.cases role="list" {
                @for row in rows.iter().take(MOST) {
                    @match row {
                        Row::Case(case) => { (case_row(case)) }
                        Row::Storm(storm) => { (storm_row(storm)) }
                    }
                }
            }
            @if rows.len() > MOST { p.muted { (rows.len() - MOST) " older cases are not shown." } }
        }
    };
    let has_forms = overview.is_some_and(|overview| overview.can_answer);
    shell("Cases", has_alarm.then_some(Response::RaiseAlarm), Frame { has_index: false, has_forms }, &body)
}

fn above(overview: &Overview<'_>) -> Markup {
    let overdue = overview.grants.iter().filter(|grant| grant.is_overdue).count();
    let card = if overdue > 0 { "card raise-alarm" } else { "card" };
    html! {
        section class=(card) aria-labelledby="grants" {
            h2 id="grants" { "Given now" }
            @if overview.is_rehearsal { p.muted { "A rehearsal: nothing in AWS is changed." } }
            @if overview.grants.is_empty() {
                p { "Nothing." }
            } @else {
                ul.plain {
                    @for grant in overview.grants.iter().take(MOST) {
                        li {
                            @if grant.is_overdue { span class="badge raise-alarm" { "Overdue" } " " }
                            strong { (display(shown(&grant.holder, escape::NAME))) } ", " (display(shown(&grant.left, escape::SHORT)))
                            ", approved by " (display(shown(&grant.by, escape::NAME))) ": "
                            @if let Some(id) = escape::link_id(&grant.case_id) { a href={ "case/" (id) } { "case " (id) } }
                        }
                    }
                }
            }
        }
        @if overview.hours.iter().any(|(notices, alarms)| notices + alarms > 0) { (chart(overview.hours)) }
        @if !overview.answers.is_empty() {
            section.card aria-labelledby="answers" {
                h2 id="answers" { "Answered lately" }
                ul.plain { @for event in overview.answers.iter().take(20) { li { (display(shown(&event.what, escape::SENTENCE))) } } }
            }
        }
    }
}

/// Bars, an hour each. Whoever doesn't see them reads the same in a sentence.
fn chart(hours: &[(u64, u64)]) -> Markup {
    const HEIGHT: u64 = 60;
    let most = hours.iter().map(|(notices, alarms)| notices + alarms).max().unwrap_or(1).max(1);
    let height = |count: u64| (count * HEIGHT).div_ceil(most);
    let (notices, alarms) = hours.iter().fold((0, 0), |(n, a), (notices, alarms)| (n + notices, a + alarms));
    let text = format!(
        "{} opened in the last {} hours, {alarms} of them alarms; {most} in the busiest hour.",
        if notices + alarms == 1 { "1 case".to_owned() } else { format!("{} cases", notices + alarms) },
        hours.len(),
    );
    html! {
        section.card aria-labelledby="chart" {
            h2 id="chart" { "Cases by the hour" }
            svg.chart viewBox={ "0 0 " (hours.len() * 10) " " (HEIGHT + 1) } preserveAspectRatio="none" aria-hidden="true" {
                @for (at, (notices, alarms)) in hours.iter().enumerate() {
                    @let (below, above) = (height(*alarms), height(notices + alarms));
                    @if above > below {
                        rect.notices x=(at * 10 + 1) y=(HEIGHT - above) width="8" height=(above - below) {}
                    }
                    @if below > 0 { rect.alarms x=(at * 10 + 1) y=(HEIGHT - below) width="8" height=(below) {} }
                }
                rect.ground x="0" y=(HEIGHT) width=(hours.len() * 10) height="1" {}
            }
            p.muted { (text) }
        }
    }
}

impl Row<'_> {
    fn time(&self) -> &str {
        match self {
            Row::Case(case) => case.last_seen,
            Row::Storm(storm) => storm.opened_at,
        }
    }

    fn waits(&self) -> bool {
        self.response() == Response::RequestApproval && self.stands() == Stands::Open
    }

    fn stands(&self) -> Stands {
        match self {
            Row::Case(case) => case.stands,
            Row::Storm(_) => Stands::Open,
        }
    }

    fn response(&self) -> Response {
        match self {
            Row::Case(case) => case.diagnosis.response,
            Row::Storm(storm) => storm.response(),
        }
    }
}

fn tally(rows: &[Row<'_>]) -> String {
    let count = |response| rows.iter().filter(|row| row.response() == response && row.stands() == Stands::Open).count();
    let stand = |stands| rows.iter().filter(|row| row.stands() == stands).count();
    let parts = [
        (count(Response::RaiseAlarm), "alarm", "alarms"),
        (count(Response::RequestApproval), "waits for an approval", "wait for an approval"),
        (count(Response::SuggestFix), "is to be fixed by hand", "are to be fixed by hand"),
        (stand(Stands::Answered), "has been answered", "have been answered"),
        (stand(Stands::Closed), "is closed", "are closed"),
        (count(Response::Ignore), "is ignored", "are ignored"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    format!("{}. Newest first.", parts.join(", "))
}

fn case_row(case: &CaseRow<'_>) -> Markup {
    let diagnosis = case.diagnosis;
    let response = words::response(diagnosis.response);
    let headline = facts::headline(diagnosis);
    html! {
        li class=(response) {
            div {
                @match case.stands {
                    Stands::Open => { span class={ "badge " (response) } { (advice::badge(diagnosis)) } }
                    Stands::Answered => { span.badge { "Answered" } }
                    Stands::Closed => { span.badge { "Closed" } }
                }
                h2 {
                    @match escape::link_id(case.id) {
                        Some(id) => { a href={ "case/" (id) } { (headline) } }
                        None => { (headline) }
                    }
                }
                p { (on(diagnosis)) }
                p.muted {
                    (facts::rule_sentence(diagnosis))
                    @if let Some(cause) = facts::cause_short(&diagnosis.cause) { " Cause: " (cause) "." }
                }
            }
            div.when {
                @if case.count == 1 { "once" } @else { strong { (case.count) " times" } }
                br;
                (escape::time(case.last_seen))
            }
        }
    }
}

/// On what, and where that does not say it: in which Region and account.
fn on(diagnosis: &Diagnosis) -> Markup {
    let resource = diagnosis.resource.as_deref().filter(|resource| !resource.is_empty());
    html! {
        @match resource {
            Some("*") => { "on no resource in particular" }
            Some(resource) => { "on " code { (display(shown(resource, escape::ARN))) } }
            None => { "on a resource that is " (words::ABSENT) }
        }
        @if !resource.is_some_and(|resource| resource.starts_with("arn:")) {
            ", Region " (display(facts::fact(diagnosis.region.as_deref(), escape::SHORT)))
            ", account " (display(facts::fact(diagnosis.account_id.as_deref(), escape::SHORT)))
        }
    }
}

fn storm_row(storm: &Storm<'_>) -> Markup {
    let response = words::response(storm.response());
    html! {
        li class=(response) {
            div {
                span class={ "badge " (response) } { @if storm.alarm { "Alarm" } @else { "Storm" } }
                h2 { (storm.headline()) }
                @if !storm.principals.is_empty() { p { "from " (facts::list(storm.principals, 5)) } }
                p.muted { (storm.advice()) }
            }
            div.when { strong { (storm.held) " held" } br; "since " (escape::time(storm.opened_at)) }
        }
    }
}

fn empty(doors: Doors<'_>) -> Markup {
    html! {
        section.card aria-labelledby="empty" {
            h2 id="empty" { "No denial has come in yet" }
            p {
                "A case appears here when CloudTrail refuses a call. A denial can be sent by hand in any form it has: a CloudTrail \
                 record, an EventBridge event, a log file, or the output of "
                code { "aws cloudtrail lookup-events" } "."
            }
            @if let Some(address) = doors.post {
                p { "Over HTTP:" }
                pre tabindex="0" role="region" aria-label="Command" {
                    code { "curl --data-binary @denial.json " (display(escape::exact(address, escape::ARN))) }
                }
            }
            @if let Some(folder) = doors.folder {
                p { "Or put the file into this folder:" }
                pre tabindex="0" role="region" aria-label="Folder" { code { (display(escape::exact(folder, escape::ARN))) } }
            }
            @if doors.post.is_none() && doors.folder.is_none() {
                p { "To see what Trailpass makes of a record without keeping it:" }
                pre tabindex="0" role="region" aria-label="Command" { code { "trailpass explain denial.json" } }
            }
        }
    }
}
