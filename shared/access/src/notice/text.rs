//! The notice for a person at a terminal, and for the body of an e-mail.
//!
//! The order is the order of a reader's questions: what happened, to whom, on what, where, why, what mends it, what
//! happens by itself, what else to know. A label at the margin begins each answer, so that it can be read aloud. Only
//! this file writes colours, and every other character has been through `escape`. One buffer, no `Value`: the whole road
//! from a record to this text is meant to take less than twenty microseconds.

use std::fmt::Write;

use memchr::memchr_iter;

use self::page::MARGIN;
pub(super) use self::page::Page;
use super::{Notice, advice, escape, escape::shown, facts, policy, words};
use crate::{
    commands::Commands,
    diagnosis::{Apply, Remedy, Response},
};

mod offer;
mod page;

pub use offer::offer;

/// Whether the text may hold colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all.
    Plain,
    /// ANSI colours, for a terminal.
    Colour,
}

/// A longer command is a script: the policy that it writes is shown by itself before it.
const SHORT: usize = 24;
/// More lines than any script of ours has by itself; a policy can be of any length.
const SCRIPT: usize = 90;

/// Writes the notice.
pub fn write(notice: &Notice<'_>, style: Style) -> String {
    let diagnosis = notice.diagnosis;
    let mut page = Page::new(style);
    page.headline(advice::shout(diagnosis), diagnosis.response, shown(&diagnosis.summary, escape::SENTENCE));

    page.item("Who", facts::who(diagnosis));
    page.more(facts::client(notice));
    what(&mut page, notice);
    match (&diagnosis.region, &diagnosis.account_id, diagnosis.event_time.as_deref().map(escape::time)) {
        (None, None, None) => page.item("Where", words::ABSENT),
        (region, account, time) => page.item(
            "Where",
            format_args!(
                "Region {}, account {}, at {}",
                facts::fact(region.as_deref(), escape::SHORT),
                facts::fact(account.as_deref(), escape::SHORT),
                time.as_deref().unwrap_or("a time that is not in the record"),
            ),
        ),
    }
    page.item("Why", facts::why(notice));
    if let Some(sentence) = advice::sentence(notice) {
        page.more(format_args!("AWS's words, of which callers write parts: \"{}\"", shown(sentence, 400)));
    }
    for (index, found) in facts::evidence(notice).iter().enumerate() {
        if index == 0 { page.item("Found", found) } else { page.more(found) }
    }
    page.gap();
    if diagnosis.response == Response::RaiseAlarm {
        alarm(&mut page, notice);
    } else {
        fixes(&mut page, notice);
    }
    page.item("Now", advice::what_happens(diagnosis, notice.case.is_some()));
    for caveat in advice::caveats(notice) {
        page.item("Note", caveat);
    }
    case(&mut page, notice);
    // A link is never broken: it is there to be clicked.
    page.item("Docs", diagnosis.documentation);
    page.item("Rule", format_args!("{}, {}", diagnosis.rule.id(), diagnosis.rule.title()));
    match (&diagnosis.event_id, &notice.call.request_id) {
        (None, None) => page.item("Record", words::ABSENT),
        (event, request) => page.item(
            "Record",
            format_args!(
                "event {}, request {}",
                facts::fact(event.as_deref(), escape::SHORT),
                facts::fact(request.as_deref(), escape::SHORT),
            ),
        ),
    }
    page.out
}

fn what(page: &mut Page, notice: &Notice<'_>) {
    let diagnosis = notice.diagnosis;
    let level = facts::level(diagnosis);
    let mut line = facts::fact(diagnosis.action.as_deref(), escape::NAME).to_string();
    if !level.is_empty() {
        let _ = write!(line, " ({level})");
    }
    page.item("What", line);
    if let (Some(source), Some(name)) = (&notice.call.event_source, &notice.call.event_name)
        // The action is not always the operation's name; where it is, saying it twice helps nobody.
        && !diagnosis.action.as_deref().is_some_and(|action| action.ends_with(name.as_str()))
    {
        page.more(format_args!("in the call {} of {}", shown(name, escape::NAME), shown(source, escape::NAME)));
    }
    match diagnosis.resource.as_deref() {
        Some("*") => page.more("on no resource in particular (*)"),
        None | Some("") => page.more("on a resource that is not in the record"),
        Some(resource) => page.more(format_args!("on {}", shown(resource, escape::ARN))),
    }
    if let Some(settings) = facts::settings(notice) {
        page.more(format_args!("asking for {settings}"));
    }
}

fn alarm(page: &mut Page, notice: &Notice<'_>) {
    for (index, step) in advice::checks(notice.diagnosis).iter().enumerate() {
        page.item(if index == 0 { "Check" } else { "" }, format_args!("{}. {step}", index + 1));
    }
    // An alarm has nothing to paste: whoever has been fooled must at least have to look for the command.
    for remedy in notice.diagnosis.remedies.iter().take(3) {
        page.item("If meant", format_args!("{}. {}", advice::order(remedy), advice::reason(remedy)));
    }
    page.gap();
}

fn fixes(page: &mut Page, notice: &Notice<'_>) {
    let Some((best, others)) = notice.diagnosis.remedies.split_first() else {
        if notice.diagnosis.response != Response::Ignore {
            page.item("Fix", advice::no_fix(notice.diagnosis));
            page.gap();
        }
        return;
    };
    page.item("Fix", format_args!("{}.", advice::order(best)));
    page.more(advice::reason(best));
    page.more(advice::reach_and_risk(best));
    command(page, notice, best);
    page.gap();
    for (index, remedy) in others.iter().take(8).enumerate() {
        // With its risk: the wider remedy is often the more dangerous one.
        let label = if index == 0 { "Or" } else { "" };
        page.item(label, format_args!("{}. {}", advice::order(remedy), advice::reach_and_risk(remedy)));
    }
    if !others.is_empty() {
        page.gap();
    }
}

/// The policy and the command that writes it; once where the command is short, since it holds the policy.
fn command(page: &mut Page, notice: &Notice<'_>, remedy: &Remedy) {
    let command = Commands::for_shell(remedy);
    let command = command.as_deref().unwrap_or_default().trim_end();
    let lines = 1 + memchr_iter(b'\n', command.as_bytes()).count();
    if let Some(document) = remedy.policy.as_ref().filter(|_| command.is_empty() || lines > SHORT) {
        page.gap();
        page.policy(document, facts::whole_at(notice));
    }
    if command.is_empty() {
        return;
    }
    page.gap();
    if lines > SCRIPT || command.len() > escape::COMMAND {
        page.item("Run", format_args!("A script of {lines} lines does it: {}.", facts::whole_at(notice)));
        return;
    }
    page.label("Run");
    if remedy.apply == Apply::OnApproval {
        // An approved grant ends; the same command pasted by a person does not.
        page.out.push_str("This is for doing it by hand; it then lasts until somebody takes it back:\n");
        page.out.push_str(MARGIN);
    }
    let mut begin = 0;
    for end in memchr_iter(b'\n', command.as_bytes()).chain([command.len()]) {
        if begin > 0 {
            page.out.push_str(MARGIN);
        }
        let line = command.get(begin..end).unwrap_or_default();
        let _ = writeln!(page.out, "{}", escape::exact(line, escape::COMMAND));
        begin = end + 1;
    }
}

fn case(page: &mut Page, notice: &Notice<'_>) {
    let Some(case) = &notice.case else { return };
    let mut line = shown(case.id, escape::SHORT).to_string();
    if let Some(counter) = facts::counter(notice) {
        let _ = write!(line, ": {counter}, first {}", escape::time(case.first_seen));
    }
    page.item("Case", line);
    if let Some(earlier) = case.linked {
        page.more(format_args!(
            "The same call was refused before for another reason: case {}.",
            shown(earlier, escape::SHORT)
        ));
    }
    if case.sessions.len() > 1 {
        page.more(format_args!("Sessions seen: {}.", facts::list(case.sessions, 6)));
    }
    if case.source_ips.len() > 1 {
        page.more(format_args!("Addresses seen: {}.", facts::list(case.source_ips, 6)));
    }
    for (index, other) in case.together.iter().take(6).enumerate() {
        let action = facts::fact(other.action.as_deref(), escape::NAME);
        let resource = facts::fact(other.resource.as_deref(), escape::NAME);
        let label = if index == 0 { "Also" } else { "" };
        page.item(label, format_args!("case {}: {action} on {resource}", shown(&other.id, escape::SHORT)));
    }
    if case.together.len() > 6 {
        page.more(format_args!("and {} more of this principal, within ten minutes", case.together.len() - 6));
    }
    if let Some(url) = case.page_url.and_then(escape::web_url) {
        page.item("Page", url);
    }
}
