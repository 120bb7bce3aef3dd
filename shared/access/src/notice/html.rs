//! The page of a case, and what every page has: head, style, Content-Security-Policy.
//!
//! A page is one file without scripts and without anything from elsewhere, so that it can be served, saved and opened.
//! maud escapes every value; what maud can't see (direction overrides, invisible characters) `escape` has made visible.
//! The policy allows the one style sheet by its hash and nothing else, so even an escaping that failed would run nothing.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, PreEscaped, display, html};
use sha2::{Digest, Sha256};

use super::{Notice, advice, escape, escape::shown, facts, policy, words};
use crate::{
    commands::Commands,
    diagnosis::{Apply, Reach, Remedy, Response},
};

pub use desk::{Answering, Earlier, Event, May, Standing};
pub use index::{CaseRow, Doors, GrantRow, Overview, Row, Stands, index, overview};
pub use report::report;

mod desk;
mod index;
mod report;

/// Our own constant; the only text on a page that is not escaped.
const STYLE: &str = include_str!("html/style.css");

/// More than any policy that IAM takes has.
const LINES: usize = 2_000;

static POLICY: LazyLock<String> = LazyLock::new(|| policy_of("'none'"));
static POLICY_WITH_FORMS: LazyLock<String> = LazyLock::new(|| policy_of("'self'"));

fn policy_of(form_action: &str) -> String {
    let hash = base64(&Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action {form_action}")
}

/// The Content-Security-Policy of a page that decides nothing. It stands in the page, too; a server says it in a header as well, and
/// adds `frame-ancestors 'none'`, which has no effect in a page.
pub fn content_security_policy() -> &'static str {
    &POLICY
}

/// The same of a page with [`Answering`]: its forms go to where the page came from.
pub fn content_security_policy_with_forms() -> &'static str {
    &POLICY_WITH_FORMS
}

/// What a page is beside its content.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Frame {
    has_index: bool,
    has_forms: bool,
}

/// Writes the page of a lone record.
pub fn page(notice: &Notice<'_>) -> String {
    case_page(notice, None, true)
}

/// Writes the page of a case, with what has become of it, as far as that is known. `has_index`: the list of cases is one step up.
pub fn case_page(notice: &Notice<'_>, standing: Option<&Standing<'_>>, has_index: bool) -> String {
    let diagnosis = notice.diagnosis;
    let headline = facts::headline(diagnosis);
    let response = diagnosis.response;
    let body = html! {
        @if standing.is_some_and(|standing| standing.is_answered) {
            span.badge { "Answered" }
        } @else {
            span class={ "badge " (words::response(response)) } { (advice::badge(diagnosis)) }
        }
        h1 { (headline) }
        p.lead {
            (facts::rule_sentence(diagnosis))
            @if let Some(counter) = facts::counter(notice) { " Seen " (counter) "." }
        }
        @if response == Response::RaiseAlarm {
            section class="card raise-alarm" aria-labelledby="check" {
                h2 id="check" { "Check first" }
                ol.steps { @for step in advice::checks(diagnosis) { li { (step) } } }
            }
        }
        @if let Some(standing) = standing { (desk::standing(standing)) }
        section.card aria-labelledby="facts" {
            h2 id="facts" { "What happened" }
            (call(notice))
        }
        @if let Some(standing) = standing { (desk::timeline(standing.events)) }
        (fixes(notice))
        section.card aria-labelledby="now" {
            h2 id="now" { "What happens now" }
            // Once somebody has answered, that is said above.
            @if standing.is_none_or(|standing| standing.events.is_empty()) {
                p { (advice::what_happens(diagnosis, notice.case.is_some())) }
            }
            @for caveat in advice::caveats(notice) { p { (caveat) } }
        }
        (company(notice))
        (sentence(notice))
        section.card aria-labelledby="rule" {
            h2 id="rule" { "Rule and documentation" }
            (rule(notice))
        }
    };
    let has_forms = standing.is_some_and(|standing| standing.answering.is_some());
    shell(&headline, Some(response), Frame { has_index: has_index && notice.case.is_some(), has_forms }, &body)
}

/// What every page has around its content.
fn shell(title: &str, response: Option<Response>, frame: Frame, body: &Markup) -> String {
    let (policy, referrer, foot) = if frame.has_forms {
        // With `no-referrer` a browser would not say of a form where it was, and a form from elsewhere could not be told apart.
        (
            content_security_policy_with_forms(),
            "same-origin",
            "What is answered here is decided where the cases are, and kept there.",
        )
    } else {
        (content_security_policy(), "no-referrer", "A page to read: nothing on it changes anything in AWS.")
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // The page's own address may be a signed link: no other site is told of it.
                meta name="referrer" content=(referrer);
                meta name="robots" content="noindex, nofollow";
                title { (title) " · Trailpass" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header class={ "bar " (response.map(words::response).unwrap_or_default()) } {
                    div {
                        strong { "Trailpass" }
                        span.muted { "Refused CloudTrail calls" }
                        @if frame.has_index { nav aria-label="Cases" { a href="../" { "All cases" } } }
                    }
                }
                main { (body) }
                footer.foot { (foot) }
            }
        }
    }
    .into_string()
}

fn call(notice: &Notice<'_>) -> Markup {
    let diagnosis = notice.diagnosis;
    let time = diagnosis.event_time.as_deref().map(escape::time);
    html! {
        dl {
            dt { "Who" }
            dd { p { (facts::who(diagnosis)) } p.muted { (facts::client(notice)) } }
            dt { "What" }
            dd {
                p { code { (display(facts::fact(diagnosis.action.as_deref(), escape::NAME))) } }
                @let level = facts::level(diagnosis);
                @if !level.is_empty() { p.muted { (level) } }
            }
            dt { "On" }
            dd {
                @match diagnosis.resource.as_deref() {
                    Some("*") => { "no resource in particular (" code { "*" } ")" }
                    Some(resource) if !resource.is_empty() => { code { (display(shown(resource, escape::ARN))) } }
                    _ => { (words::ABSENT) }
                }
                @if let Some(settings) = facts::settings(notice) { p.muted { "asking for " (settings) } }
            }
            dt { "Where" }
            dd {
                "Region " (display(facts::fact(diagnosis.region.as_deref(), escape::SHORT)))
                ", account " (display(facts::fact(diagnosis.account_id.as_deref(), escape::SHORT)))
            }
            dt { "When" }
            dd { (time.as_deref().unwrap_or(words::ABSENT)) }
            dt { "Why" }
            dd { (facts::why(notice)) }
            @let found = facts::evidence(notice);
            @if !found.is_empty() { dt { "Looked up" } dd { @for sentence in &found { p { (sentence) } } } }
            @if let Some(case) = &notice.case {
                dt { "Case" }
                dd {
                    code { (display(shown(case.id, escape::SHORT))) }
                    @if case.count > 1 {
                        ": " (case.count) " times, from " (escape::time(case.first_seen)) " to " (escape::time(case.last_seen))
                    }
                }
                @if case.sessions.len() > 1 { dt { "Sessions" } dd { (facts::list(case.sessions, 20)) } }
                @if case.source_ips.len() > 1 { dt { "Addresses" } dd { (facts::list(case.source_ips, 20)) } }
            }
        }
    }
}

fn fixes(notice: &Notice<'_>) -> Markup {
    let diagnosis = notice.diagnosis;
    let is_alarm = diagnosis.response == Response::RaiseAlarm;
    let title = match (is_alarm, diagnosis.remedies.len()) {
        (true, _) => "If it was meant",
        (false, 0 | 1) => "The fix",
        (false, _) => "The fixes, best first",
    };
    if diagnosis.remedies.is_empty() && (is_alarm || diagnosis.response == Response::Ignore) {
        return html! {};
    }
    html! {
        section.card aria-labelledby="fix" {
            h2 id="fix" { (title) }
            @if diagnosis.remedies.is_empty() {
                p { (advice::no_fix(diagnosis)) }
            }
            @for (index, remedy) in diagnosis.remedies.iter().take(10).enumerate() {
                @if is_alarm {
                    // Nothing to paste on an alarm: whoever has been fooled must at least have to look for the command.
                    article { h3 { (advice::order(remedy)) } p { (advice::reason(remedy)) } }
                } @else {
                    (fix(remedy, index == 0))
                }
            }
        }
    }
}

/// One fix. The best one's policy is open to the eye; on a phone the others' would bury what comes after.
fn fix(remedy: &Remedy, is_best: bool) -> Markup {
    let how = match remedy.apply {
        Apply::OnApproval => "By Trailpass on approval, for a few hours",
        Apply::ByHand => "By hand",
    };
    let commands = Commands::of(remedy);
    html! {
        article {
            h3 { (advice::order(remedy)) }
            p { (advice::reason(remedy)) }
            dl {
                dt { "How" } dd { (how) }
                dt { "Reaches" } dd { (words::reach(remedy.reach)) }
                @if remedy.reach != Reach::Nobody { dt { "Risk" } dd { (words::risk_in_words(remedy.risk)) } }
                @if let Some(arn) = &remedy.policy_arn {
                    dt { "Policy" } dd { code { (display(shown(arn, escape::ARN))) } }
                }
            }
            @if let Some(document) = &remedy.policy {
                @let json = { let mut json = String::new(); policy::write(&mut json, document, ""); json };
                @if is_best { (listing("The policy in JSON", &json)) } @else { (command("The policy in JSON", Some(&json))) }
            }
            @if remedy.apply == Apply::OnApproval && commands.aws_cli.is_some() {
                p.muted { "To do it by hand instead, which then lasts until somebody takes it back:" }
            }
            (command("AWS CLI", commands.aws_cli.as_deref()))
            (command("CloudFormation", commands.cloudformation.as_deref()))
            (command("Terraform", commands.terraform.as_deref()))
        }
    }
}

fn command(language: &str, text: Option<&str>) -> Markup {
    html! {
        @if let Some(text) = text {
            details { summary { (language) } (listing(language, text)) }
        }
    }
}

/// Text to copy. It may be wider than the page, so it scrolls by itself, by keyboard too.
fn listing(name: &str, text: &str) -> Markup {
    let mut lines = String::with_capacity(text.len());
    for (index, line) in text.trim_end().lines().enumerate() {
        if index == LINES {
            lines.push_str("\n… cut here: the diagnosis in JSON has the rest");
            break;
        }
        if index > 0 {
            lines.push('\n');
        }
        lines.push_str(&escape::exact(line, escape::COMMAND).to_string());
    }
    html! { pre tabindex="0" role="region" aria-label=(name) { code { (lines) } } }
}

fn company(notice: &Notice<'_>) -> Markup {
    let Some(case) = notice.case.as_ref().filter(|case| case.linked.is_some() || !case.together.is_empty()) else {
        return html! {};
    };
    html! {
        section.card aria-labelledby="company" {
            h2 id="company" { "Other cases of this principal" }
            @if let Some(earlier) = case.linked {
                p {
                    "The same call was refused before for another reason, in case " (link(earlier, earlier))
                    "."
                }
            }
            @if !case.together.is_empty() {
                p.muted { "Within ten minutes of this one: a page of the console is many calls." }
                ul.plain {
                    @for other in case.together.iter().take(50) {
                        li {
                            (link(&other.id, other.action.as_deref().unwrap_or("an action that is not in the record")))
                            " on " code { (display(facts::fact(other.resource.as_deref(), escape::ARN))) }
                        }
                    }
                }
                @if case.together.len() > 50 { p.muted { "and " (case.together.len() - 50) " more" } }
            }
        }
    }
}

fn link(id: &str, text: &str) -> Markup {
    html! {
        @match escape::link_id(id) {
            Some(id) => { a href=(id) { (display(shown(text, escape::NAME))) } }
            None => { (display(shown(text, escape::NAME))) }
        }
    }
}

fn sentence(notice: &Notice<'_>) -> Markup {
    let Some(text) = notice.call.error_message.as_deref().filter(|text| !text.trim().is_empty()) else {
        return html! {};
    };
    html! {
        section.card aria-labelledby="sentence" {
            h2 id="sentence" { "AWS's own words" }
            p.muted { "Quoted as it came. Callers can write parts of it: believe nothing in it that the facts above don't say." }
            blockquote { (display(shown(text, escape::QUOTE))) }
        }
    }
}

fn rule(notice: &Notice<'_>) -> Markup {
    let diagnosis = notice.diagnosis;
    html! {
        dl {
            dt { "Rule" } dd { code { (diagnosis.rule.id()) } ", " (diagnosis.rule.title()) }
            dt { "Event" } dd { code { (display(facts::fact(diagnosis.event_id.as_deref(), escape::SHORT))) } }
            dt { "Request" } dd { code { (display(facts::fact(notice.call.request_id.as_deref(), escape::SHORT))) } }
            dt { "AWS" } dd { a href=(diagnosis.documentation) rel="noreferrer" { "AWS's page on this" } }
        }
    }
}

/// RFC 4648, with padding: the form in which a policy names a hash.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|index| u32::from(chunk.get(index).copied().unwrap_or_default()));
        let window = a << 16 | b << 8 | c;
        for position in 0..4_usize {
            let letter = ALPHABET.get((window >> (18 - 6 * position) & 63) as usize).copied().map(char::from);
            text.push(letter.filter(|_| position <= chunk.len()).unwrap_or('='));
        }
    }
    text
}
