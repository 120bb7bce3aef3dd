//! What has become of a case, and, where whoever looks may answer, the buttons.
//!
//! Ten seconds are enough for it: how it stands, what an approval would change for whom and for how long, and who may say so. Without
//! [`Answering`] nothing here decides anything; with it, each button is a form of its own that sends exactly what stands above it.

use maud::{Markup, display, html};

use super::{advice, command, escape, policy, shown, words};
use crate::{answer::DURATIONS, diagnosis::Remedy, notice::slack::outcome};

/// How a case stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// In a sentence: `Nobody has answered yet.`
    pub state: &'a str,
    /// Something of it is wrong: a permission that should be gone.
    pub is_loud: bool,
    /// Somebody has answered.
    pub is_answered: bool,
    /// What can be approved, best first; nothing once somebody has answered.
    pub offers: &'a [Remedy],
    /// Who may approve the best of it, and why others may not; empty where nobody knows.
    pub approvers: &'a [May],
    /// What happened, oldest first.
    pub events: &'a [Event],
    /// IAM is a picture: nothing in AWS is changed.
    pub is_rehearsal: bool,
    /// What is still given of its earlier openings.
    pub earlier: &'a [Earlier],
    /// Where it can be answered from here.
    pub answering: Option<Answering<'a>>,
}

/// What is still given of an earlier opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Which one.
    pub opening: u64,
    /// How it stands, in a sentence.
    pub state: String,
    /// It can be taken back.
    pub can_revoke: bool,
}

/// Whether one person may approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct May {
    /// The approver's name.
    pub name: String,
    /// Whether it is allowed.
    pub may: bool,
    /// Why, or why not.
    pub because: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970.
    pub at: i64,
    /// In a sentence.
    pub what: String,
}

/// The forms of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answering<'a> {
    /// As whom answers count.
    pub approver: &'a str,
    /// Which opening of the case is shown.
    pub opening: u64,
    /// Something is given that can be taken back.
    pub can_revoke: bool,
    /// What came of the last answer, and whether it counted.
    pub reply: Option<(&'a str, bool)>,
}

/// Events of one page. A history is bounded where it is kept; this holds whatever comes.
const MOST: usize = 100;

pub(super) fn standing(standing: &Standing<'_>) -> Markup {
    let card = if standing.is_loud { "card raise-alarm" } else { "card" };
    html! {
        @if let Some((reply, counted)) = standing.answering.and_then(|answering| answering.reply) {
            p.reply.refused[!counted] role="status" { (display(shown(reply, escape::SENTENCE))) }
        }
        section class=(card) aria-labelledby="standing" {
            h2 id="standing" { "How it stands" }
            p { (display(shown(standing.state, escape::SENTENCE))) }
            @if standing.is_rehearsal && (!standing.offers.is_empty() || !standing.events.is_empty()) {
                p.muted { "A rehearsal: what would be changed in IAM is shown where trailpass serve runs, and nothing in AWS is changed." }
            }
            @if let Some(answering) = &standing.answering { (buttons(standing, answering)) }
            @for earlier in standing.earlier {
                p { "When it was opened before (" (earlier.opening) "): " (display(shown(&earlier.state, escape::SENTENCE))) }
                @if earlier.can_revoke && standing.answering.is_some() {
                    form method="post" { (fields("revoke", earlier.opening)) button.alarm type="submit" { "Take that back now" } }
                }
            }
            @if !standing.approvers.is_empty() { (approvers(standing.approvers)) }
        }
    }
}

fn fields(answer: &str, opening: u64) -> Markup {
    html! {
        input type="hidden" name="answer" value=(answer);
        input type="hidden" name="opening" value=(opening);
    }
}

fn buttons(standing: &Standing<'_>, answering: &Answering<'_>) -> Markup {
    let hidden = |answer: &str| fields(answer, answering.opening);
    html! {
        @for (index, remedy) in standing.offers.iter().take(10).enumerate() {
            @if let Some(hash) = &remedy.hash {
                form.offer method="post" {
                    (hidden("approve"))
                    input type="hidden" name="remedy" value=(display(shown(hash, escape::SHORT)));
                    h3 { (advice::order(remedy)) }
                    p { (advice::reason(remedy)) }
                    p.muted { (advice::reach_and_risk(remedy)) }
                    @if let Some(document) = &remedy.policy {
                        @let json = { let mut json = String::new(); policy::write(&mut json, document, ""); json };
                        (command("Exactly this policy", Some(&json)))
                    }
                    div.choose {
                        label for={ "minutes-" (index) } { "For" }
                        select id={ "minutes-" (index) } name="minutes" {
                            @for minutes in DURATIONS {
                                option value=(minutes) selected[minutes == 60] { (words::minutes(minutes)) }
                            }
                        }
                        button.ask type="submit" { "Approve" }
                    }
                }
            }
        }
        @if !standing.offers.is_empty() {
            form method="post" { (hidden("reject")) button type="submit" { "Reject" } }
        }
        @if answering.can_revoke {
            form method="post" { (hidden("revoke")) button.alarm type="submit" { "Take it back now" } }
        }
        p.muted { "Answers from here count as " (display(shown(answering.approver, escape::NAME))) "'s." }
    }
}

fn approvers(all: &[May]) -> Markup {
    let can = all.iter().filter(|one| one.may).count();
    html! {
        details {
            summary { "Who may approve: " (can) " of " (all.len()) }
            ul.plain {
                @for one in all.iter().take(MOST) {
                    li {
                        strong { (display(shown(&one.name, escape::NAME))) }
                        @if one.may { " may: " } @else { " may not: " }
                        (display(shown(&one.because, escape::SENTENCE)))
                    }
                }
            }
            @if all.len() > MOST { p.muted { "and " (all.len() - MOST) " more" } }
        }
    }
}

/// What happened, oldest first.
pub(super) fn timeline(events: &[Event]) -> Markup {
    html! {
        @if !events.is_empty() {
            section.card aria-labelledby="history" {
                h2 id="history" { "What happened since" }
                ol.timeline role="list" {
                    @for event in events.iter().take(MOST) {
                        li {
                            time { (outcome::time(event.at)) }
                            span { (display(shown(&event.what, escape::SENTENCE))) }
                        }
                    }
                }
                @if events.len() > MOST { p.muted { (events.len() - MOST) " more are not shown." } }
            }
        }
    }
}
