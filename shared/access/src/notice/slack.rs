//! The notice as a Slack message (Block Kit), for `chat.postMessage`, `chat.update` and incoming webhooks.
//!
//! Readable in ten seconds: a header, two columns of facts, why, the fix, what happens. There are no buttons, unless an
//! answer is asked for ([`offering`]); once it has been given, the same message says whose it was ([`decided`]). Every
//! caller's value stands in a code span or in escaped words (`escape`), and every piece of markup is `verbatim`, so that
//! Slack makes no links and no mentions by itself. The budgets below are counted after the escaping and add up to less
//! than Slack takes for a whole message, even where every character has to be escaped.
//! <https://docs.slack.dev/reference/block-kit/blocks> and, for the whole, slackapi/bolt-js#2509.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Notice, advice, escape, escape::shown, facts, policy, progress::Progress, words};
use crate::{
    decision::{Answer, Decision},
    diagnosis::{Apply, Diagnosis, Remedy, Response},
};

mod offer;
pub(super) mod outcome;

/// Slack takes 150.
const HEADER: usize = 148;
/// A value in one of the two columns.
const VALUE: usize = 260;
/// A sentence of a section: why, a reason, a step.
const SENTENCE: usize = 560;
/// What was looked up, at most.
const EVIDENCE: usize = 600;
/// What became of a request: two sentences, of which names make the most.
const PROGRESS: usize = 440;
/// The policy, in a section that may hold 3,000.
const POLICY: usize = 2_300;
/// The same beside menus and buttons, or a decision, where long names leave no more for it.
const POLICY_BESIDE: usize = 300;
/// The whole message, from which on the policy makes room.
const WHOLE: usize = 12_400;
/// The remedies that are shown under the best one.
const OTHERS: usize = 4;
/// The line under the message.
const CONTEXT: usize = 420;

/// What stands in a message beside what was found.
enum Asked<'a> {
    /// Nothing can be answered in it.
    Nothing,
    /// Menus and buttons.
    Offer(Vec<Value>),
    /// Somebody has answered.
    Decided(&'a Decision),
    /// Something has become of it: how far it is, and what there is to say.
    Progress(&'a Progress, &'a str),
}

/// Writes the message: `text` for notifications and screen readers, `blocks` for everybody else.
pub fn message(notice: &Notice<'_>) -> Value {
    written(notice, &Asked::Nothing)
}

/// The same with menus and buttons to answer an opening of the case, if anything about it can be approved.
///
/// Only for an app that takes the answers, since an incoming webhook's message has none; what comes back is read by [`crate::answer::slack`].
pub fn offering(notice: &Notice<'_>, opening: u64) -> Value {
    written(notice, &offer::blocks(notice, opening).map_or(Asked::Nothing, Asked::Offer))
}

/// The same once somebody has decided: who decided what, and nothing left to click.
pub fn decided(notice: &Notice<'_>, decision: &Decision) -> Value {
    written(notice, &Asked::Decided(decision))
}

/// The same with what became of the request, and nothing left to click.
pub(super) fn progress(notice: &Notice<'_>, progress: &Progress, sentences: &str) -> Value {
    written(notice, &Asked::Progress(progress, sentences))
}

/// Whoever is asked sees the policy whole, unless Slack would then take nothing at all. Where names are so long that it has no
/// room for the offer either, nothing is offered here: the command can still answer.
fn written(notice: &Notice<'_>, asked: &Asked<'_>) -> Value {
    let fits = |message: &Value| message.to_string().chars().count() <= WHOLE;
    let message = composed(notice, asked, POLICY);
    if fits(&message) {
        return message;
    }
    let message = composed(notice, asked, POLICY_BESIDE);
    match asked {
        Asked::Nothing => message,
        _ if fits(&message) => message,
        // What was decided counts more than what else could have been; that stands on the page.
        Asked::Decided(_) | Asked::Progress(..) => composed(notice, asked, 0),
        Asked::Offer(_) => written(notice, &Asked::Nothing),
    }
}

fn composed(notice: &Notice<'_>, asked: &Asked<'_>, policy: usize) -> Value {
    let diagnosis = notice.diagnosis;
    let mut blocks = vec![header(diagnosis, asked), fields(notice)];
    blocks.push(labelled("Why", &facts::why(notice)));
    if let Some(sentence) = advice::sentence(notice) {
        let mut line = String::from("*AWS's words, of which callers write parts:* ");
        escape::code(&mut line, &shown(sentence, 400).to_string(), 420);
        blocks.push(section(line));
    }
    let found = facts::evidence(notice);
    if !found.is_empty() {
        blocks.push(labelled_within("Looked up", &found.join(" "), EVIDENCE));
    }
    if diagnosis.response == Response::RaiseAlarm {
        alarm(&mut blocks, diagnosis);
    } else if policy > 0 {
        fixes(&mut blocks, notice, policy);
    }
    match asked {
        Asked::Decided(decision) => blocks.push(labelled("What was decided", &outcome::sentence(notice, decision))),
        Asked::Progress(_, sentences) => blocks.push(labelled_within("What became of it", sentences, PROGRESS)),
        Asked::Nothing | Asked::Offer(_) => {
            blocks.push(labelled("What happens now", advice::what_happens(diagnosis, notice.case.is_some())));
        }
    }
    if let Asked::Offer(offer) = asked {
        blocks.extend_from_slice(offer);
    }
    let caveats = advice::caveats(notice);
    if !caveats.is_empty() {
        blocks.push(context(&caveats.join(" ")));
    }
    if let Some(company) = company(notice) {
        blocks.push(labelled("This principal's other cases", &company));
    }
    blocks.push(footer(notice));
    envelope(&summary(diagnosis, asked), blocks)
}

/// What Slack shows in a notification, where no block is shown.
fn summary(diagnosis: &Diagnosis, asked: &Asked<'_>) -> String {
    let shout = match asked {
        Asked::Decided(Decision { answer: Answer::Approve, .. }) => "APPROVED",
        Asked::Decided(Decision { answer: Answer::Reject, .. }) => "REJECTED",
        Asked::Progress(progress, _) => progress.label(),
        Asked::Nothing | Asked::Offer(_) => advice::shout(diagnosis),
    };
    let mut text = format!("{shout}: ");
    escape::push_slack(&mut text, &shown(&diagnosis.summary, 300).to_string(), 600);
    text
}

pub(super) fn envelope(text: &str, blocks: Vec<Value>) -> Value {
    json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn header(diagnosis: &Diagnosis, asked: &Asked<'_>) -> Value {
    let sign = match diagnosis.response {
        _ if let Asked::Decided(decision) = asked => outcome::sign(decision.answer),
        _ if let Asked::Progress(progress, _) = asked => progress.sign(),
        Response::RaiseAlarm => "🚨 ALARM 🚨",
        Response::RequestApproval => "🔑 Approval asked:",
        Response::SuggestFix if diagnosis.remedies.is_empty() => "Refused:",
        Response::SuggestFix => "🔧 Fix by hand:",
        Response::Ignore => "Ignored:",
    };
    title(sign, &facts::headline(diagnosis))
}

pub(super) fn title(sign: &str, text: &str) -> Value {
    let mut line = format!("{sign} ");
    escape::push_slack(&mut line, text, HEADER - sign.chars().count() - 1);
    // Our own signs need no emoji codes, and a caller's `:name:` must not become one.
    json!({ "type": "header", "text": { "type": "plain_text", "text": line, "emoji": false } })
}

fn fields(notice: &Notice<'_>) -> Value {
    let diagnosis = notice.diagnosis;
    let mut seen = diagnosis.event_time.as_deref().map(escape::time).unwrap_or_else(|| words::ABSENT.to_owned());
    if let Some(counter) = facts::counter(notice) {
        let _ = write!(seen, " ({counter})");
    }
    let place = format!(
        "{}, account {}",
        facts::fact(diagnosis.region.as_deref(), escape::SHORT),
        facts::fact(diagnosis.account_id.as_deref(), escape::SHORT)
    );
    let mut what = value(diagnosis.action.as_deref());
    let level = facts::level(diagnosis);
    if !level.is_empty() {
        let _ = write!(what, "\n{level}");
    }
    let mut from = value(notice.call.source_ip.as_deref());
    if let Some(agent) = notice.call.user_agent.as_deref().filter(|agent| !agent.trim().is_empty()) {
        from.push_str("\nclient, as it calls itself: ");
        escape::code(&mut from, &shown(agent, 100).to_string(), 120);
    }
    let resource = match diagnosis.resource.as_deref() {
        Some("*") => "no resource in particular".to_owned(),
        resource => value(resource),
    };
    if let Some(settings) = facts::settings(notice) {
        what.push_str("\nasking for ");
        what.push_str(&words_of(&settings));
    }
    json!({ "type": "section", "fields": [
        field("Who", &words_of(&facts::who(diagnosis))),
        field("From", &from),
        field("What", &what),
        field("On", &resource),
        field("Where", &words_of(&place)),
        field("When", &words_of(&seen)),
    ] })
}

fn words_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    escape::prose(&mut out, text, VALUE);
    out
}

fn value(value: Option<&str>) -> String {
    match value.filter(|value| !value.trim().is_empty()) {
        Some(value) => {
            let mut out = String::with_capacity(value.len().min(VALUE) + 2);
            escape::code(&mut out, &shown(value, VALUE).to_string(), VALUE);
            out
        }
        None => words::ABSENT.to_owned(),
    }
}

fn field(label: &str, text: &str) -> Value {
    mrkdwn(format!("*{label}*\n{text}"))
}

fn mrkdwn(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn section(text: String) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn labelled(label: &str, text: &str) -> Value {
    labelled_within(label, text, SENTENCE)
}

fn labelled_within(label: &str, text: &str, max: usize) -> Value {
    let mut line = format!("*{label}:* ");
    escape::prose(&mut line, text, max);
    section(line)
}

pub(super) fn plain(text: &str) -> Value {
    let mut line = String::with_capacity(text.len() + 16);
    escape::prose(&mut line, text, SENTENCE);
    section(line)
}

fn context(text: &str) -> Value {
    let mut line = String::with_capacity(text.len() + 16);
    escape::prose(&mut line, text, CONTEXT);
    json!({ "type": "context", "elements": [mrkdwn(line)] })
}

fn alarm(blocks: &mut Vec<Value>, diagnosis: &Diagnosis) {
    let mut steps = String::from("*Check first:*");
    for (index, step) in advice::checks(diagnosis).iter().enumerate() {
        let _ = write!(steps, "\n{}. ", index + 1);
        escape::prose(&mut steps, step, 320);
    }
    blocks.push(json!({ "type": "divider" }));
    blocks.push(section(steps));
    for remedy in diagnosis.remedies.iter().take(2) {
        blocks.push(labelled("If it was meant", &format!("{}. {}", advice::order(remedy), advice::reason(remedy))));
    }
    blocks.push(json!({ "type": "divider" }));
}

fn fixes(blocks: &mut Vec<Value>, notice: &Notice<'_>, policy: usize) {
    let Some((best, others)) = notice.diagnosis.remedies.split_first() else {
        if notice.diagnosis.response != Response::Ignore {
            blocks.push(labelled("Fix", advice::no_fix(notice.diagnosis)));
        }
        return;
    };
    let mut fix = String::from("*Fix:* ");
    escape::prose(&mut fix, &format!("{}.", advice::order(best)), 300);
    fix.push('\n');
    escape::prose(&mut fix, &advice::reason(best), SENTENCE);
    fix.push('\n');
    fix.push_str(&advice::reach_and_risk(best));
    blocks.push(section(fix));
    if let Some(block) = document(notice, best, policy) {
        blocks.push(block);
    }
    if !others.is_empty() {
        let mut list = String::from("*Or:*");
        for remedy in others.iter().take(OTHERS) {
            list.push_str("\n• ");
            let by = if remedy.apply == Apply::OnApproval { "" } else { ", by hand" };
            let line = format!("{}{by}. {}", advice::order(remedy), advice::reach_and_risk(remedy));
            escape::prose(&mut list, &line, 300);
        }
        blocks.push(section(list));
    }
}

/// The policy in a code block, cut at a line, with a word on where the rest is.
fn document(notice: &Notice<'_>, remedy: &Remedy, mut left: usize) -> Option<Value> {
    let mut json = String::with_capacity(1_024);
    policy::write(&mut json, remedy.policy.as_ref()?, "");
    let mut text = String::from("```\n");
    let mut cut = 0;
    for line in json.lines() {
        let mut escaped = String::with_capacity(line.len() + 8);
        escape::push_slack(&mut escaped, line, usize::MAX);
        // Inside the JSON of the message every quote and backslash takes two characters.
        let cost = escaped.chars().map(|c| if matches!(c, '"' | '\\') { 2 } else { 1 }).sum::<usize>() + 2;
        if cut > 0 || cost > left {
            cut += 1;
            continue;
        }
        left -= cost;
        text.push_str(&escaped);
        text.push('\n');
    }
    text.push_str("```");
    if cut > 0 {
        let _ = write!(text, "\n_The policy is cut here, {cut} lines are missing: {}._", facts::whole_at(notice));
    }
    Some(section(text))
}

fn company(notice: &Notice<'_>) -> Option<String> {
    let case = notice.case.as_ref()?;
    let mut line = String::new();
    if let Some(earlier) = case.linked {
        let _ =
            write!(line, "Case {}: the same call, refused before for another reason. ", shown(earlier, escape::SHORT));
    }
    for other in case.together.iter().take(4) {
        let action = facts::fact(other.action.as_deref(), 80);
        let _ = write!(line, "Case {}: {action}. ", shown(&other.id, escape::SHORT));
    }
    if case.together.len() > 4 {
        let _ = write!(line, "And {} more within ten minutes.", case.together.len() - 4);
    }
    (!line.is_empty()).then_some(line)
}

fn footer(notice: &Notice<'_>) -> Value {
    let diagnosis = notice.diagnosis;
    let mut line = String::new();
    if let Some(case) = &notice.case {
        line.push_str("Case ");
        escape::code(&mut line, &shown(case.id, escape::SHORT).to_string(), escape::SHORT);
        if let Some(counter) = facts::counter(notice) {
            line.push_str(" · ");
            escape::prose(&mut line, &counter, 160);
        }
        line.push_str(" · ");
    }
    let _ = write!(line, "Rule {} · <{}|AWS documentation>", diagnosis.rule.id(), diagnosis.documentation);
    if let Some(url) = notice.case.as_ref().and_then(|case| case.page_url).and_then(escape::web_url) {
        line.push_str(" · <");
        escape::push_slack(&mut line, url, 2_400);
        line.push_str("|Open the case>");
    }
    json!({ "type": "context", "elements": [mrkdwn(line)] })
}
