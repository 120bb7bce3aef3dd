//! The storm notice: the one message for everything beyond a budget, in the ways where it makes sense.
//!
//! The number of cases is the attacker's to choose, so the number of notices must not be. What is held is counted and
//! named here once; nothing of it is offered for approval.

use std::{collections::BTreeMap, fmt::Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    escape::{self, shown},
    facts, slack,
    sns::{self, Publish},
    text::{Page, Style},
    words,
};
use crate::diagnosis::Response;

/// Denials beyond a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storm<'a> {
    /// The account whose calls were refused.
    pub account_id: &'a str,
    /// Since when, ISO 8601, UTC.
    pub opened_at: &'a str,
    /// How many denials would each have opened a case.
    pub held: u64,
    /// Whose they are, bounded by the store.
    pub principals: &'a [String],
    /// How often each action was refused, bounded by the store.
    pub actions: &'a BTreeMap<String, u64>,
    /// The last calls, oldest first: [`KEPT_CALLS`] at most.
    pub calls: &'a [HeldCall],
    /// The document in the table that they are kept in.
    pub kept_as: String,
    /// Which budget was used up.
    pub reason: StormReason,
    /// Alarms are among them.
    pub alarm: bool,
}

/// How many calls of a storm are kept.
pub const KEPT_CALLS: usize = 64;

/// What is kept of a call that nobody is told of: enough to find it in CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCall {
    /// What was refused.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
    /// To whom: the ARN under which the call was signed, where there is one.
    pub principal: Option<String>,
    /// CloudTrail's `eventID`.
    pub event_id: Option<String>,
    /// CloudTrail's time.
    pub time: Option<String>,
}

/// Which budget was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StormReason {
    /// One principal's new cases an hour.
    PrincipalBudget,
    /// An account's new cases an hour.
    AccountBudget,
}

/// A principal or a resource, which readers want whole: nearly all are shorter, and the longest names must fit into SNS's limit
/// twice, in the mail and for programs.
const WHOLE_NAME: usize = 200;
/// The shape and version of the JSON for programs.
const SCHEMA: &str = "trailpass.storm/1";

impl Storm<'_> {
    /// What a storm asks for: the security audience where alarms are in it, else somebody's hand.
    pub fn response(&self) -> Response {
        if self.alarm { Response::RaiseAlarm } else { Response::SuggestFix }
    }

    fn label(&self) -> &'static str {
        if self.alarm { words::shout(Response::RaiseAlarm) } else { "STORM" }
    }

    /// The storm in one line.
    pub fn headline(&self) -> String {
        let kind = if self.alarm { "alarms and denials" } else { "denials" };
        format!("{} more {kind} than the hourly limit, in account {}", self.held, shown(self.account_id, escape::SHORT))
    }

    fn why(&self) -> &'static str {
        match self.reason {
            StormReason::PrincipalBudget => {
                "One principal was refused more different calls within an hour than get a notice each: a script that \
                 tries everything, or a tool that has lost its permissions."
            }
            StormReason::AccountBudget => {
                "The account's principals were refused more different calls within an hour than get a notice each: a \
                 change of a policy that reaches many, or somebody with many credentials."
            }
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        if self.alarm {
            "Calls that would blind the audit log are among them. Find out whose credentials these are before anything else, \
             and whether every trail is still logging."
        } else {
            "Find out what these principals have in common before mending anything: one cause is likelier than many."
        }
    }

    /// For a terminal, and for the body of an e-mail.
    pub fn text(&self, style: Style) -> String {
        let mut page = Page::new(style);
        page.headline(self.label(), self.response(), shown(&format!("{}.", self.headline()), escape::SENTENCE));
        page.item("Who", self.who());
        page.item("What", self.what());
        page.item("Since", escape::time(self.opened_at));
        page.item("Why", self.why());
        page.item("Check", self.advice());
        for (index, call) in self.last_calls().enumerate() {
            let line = in_words(call);
            if index == 0 { page.item("Last", line) } else { page.more(line) }
        }
        page.item("Now", self.now());
        page.out
    }

    /// The actions, the most frequent first.
    fn what(&self) -> String {
        const NAMED: usize = 8;
        let mut line = String::new();
        for (index, (action, count)) in self.by_number().take(NAMED).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let _ = write!(line, "{comma}{} ({count})", shown(action, escape::NAME));
        }
        if self.actions.len() > NAMED {
            let _ = write!(line, " and {} more actions", self.actions.len() - NAMED);
        }
        if line.is_empty() { words::ABSENT.to_owned() } else { line }
    }

    fn by_number(&self) -> impl Iterator<Item = (&String, &u64)> {
        let mut actions: Vec<(&String, &u64)> = self.actions.iter().collect();
        actions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        actions.into_iter()
    }

    /// The newest first.
    fn last_calls(&self) -> impl Iterator<Item = &HeldCall> {
        self.calls.iter().rev().take(3)
    }

    fn now(&self) -> String {
        let more = if self.alarm { " or somebody else's are among them" } else { "" };
        format!(
            "Each is counted, and nobody is told of each. The last {KEPT_CALLS} are kept in the table under {}, with the ids \
             of their events in CloudTrail. You hear again when there are ten times as many{more}.",
            shown(&self.kept_as, escape::NAME)
        )
    }

    fn who(&self) -> String {
        if self.principals.is_empty() { words::ABSENT.to_owned() } else { facts::list(self.principals, 8) }
    }

    /// As a Slack message.
    pub fn slack(&self) -> Value {
        let sign = if self.alarm { "🚨 ALARM 🚨" } else { "🌊 Storm:" };
        let mut blocks = vec![
            slack::title(sign, &self.headline()),
            slack::plain(&format!("Who: {}. Since {}.", self.who(), escape::time(self.opened_at))),
            slack::plain(&format!("What: {}.", self.what())),
            slack::plain(self.why()),
            slack::plain(self.advice()),
        ];
        blocks.extend(self.last_calls().next().map(|call| slack::plain(&format!("The last: {}", in_words(call)))));
        blocks.push(slack::plain(&self.now()));
        let mut text = format!("{}: ", self.label());
        escape::push_slack(&mut text, &self.headline(), 300);
        slack::envelope(&text, blocks)
    }

    /// As an SNS publication; a storm has the response of the audience that has to hear of it, so that their filters let it pass.
    pub fn publish(&self, format: sns::TopicFormat) -> Publish {
        let document = json!({
            "schema": SCHEMA,
            "account_id": self.account_id,
            "opened_at": self.opened_at,
            "held": self.held,
            "principals": self.principals.iter().take(20).map(|name| shown(name, WHOLE_NAME).to_string()).collect::<Vec<_>>(),
            "actions": self.by_number().take(20).map(|(name, count)| (shown(name, escape::NAME).to_string(), json!(count))).collect::<Map<_, _>>(),
            "calls": self.last_calls().map(bounded).collect::<Vec<_>>(),
            "kept_as": shown(&self.kept_as, escape::NAME).to_string(),
            "reason": match self.reason {
                StormReason::PrincipalBudget => "principal-budget",
                StormReason::AccountBudget => "account-budget",
            },
            "alarm": self.alarm,
        });
        let loud = self.label();
        let headline = self.headline();
        let mut protocols = Map::new();
        protocols.insert("default".to_owned(), Value::String(document.to_string()));
        protocols.insert("email".to_owned(), Value::String(self.text(Style::Plain)));
        protocols.insert(
            "sms".to_owned(),
            Value::String(format!("Trailpass {loud}: {headline}").chars().take(140).collect()),
        );
        if format == sns::TopicFormat::AmazonQ {
            protocols.insert("https".to_owned(), Value::String(self.amazon_q(&headline).to_string()));
        }
        let mut attributes = vec![("response", words::response(self.response()).to_owned())];
        if self.account_id.len() == 12 && self.account_id.bytes().all(|byte| byte.is_ascii_digit()) {
            attributes.push(("account", self.account_id.to_owned()));
        }
        Publish {
            subject: escape::subject(&format!("Trailpass {loud}: {headline}")),
            message: sns::ascii(&Value::Object(protocols).to_string()),
            attributes,
        }
    }

    fn amazon_q(&self, headline: &str) -> Value {
        let mut description = String::new();
        for (label, text) in [
            ("Who", self.who()),
            ("What", self.what()),
            ("Since", escape::time(self.opened_at)),
            ("Why", self.why().to_owned()),
        ] {
            let _ = write!(description, "*{label}:* ");
            escape::prose(&mut description, &text, 500);
            description.push('\n');
        }
        let mut title = if self.alarm { "🚨 ALARM: ".to_owned() } else { String::new() };
        escape::push_slack(&mut title, headline, 200);
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": title,
                "description": description.trim_end(),
                "nextSteps": [self.advice()],
                "keywords": ["Storm", "CloudTrail"],
            },
            "metadata": { "summary": headline, "eventType": "trailpass.storm" },
        })
    }
}

/// A call as it may be told: visible, and no longer than a message has room for.
fn bounded(call: &HeldCall) -> HeldCall {
    let fact = |value: &Option<String>, max| value.as_deref().map(|value| shown(value, max).to_string());
    HeldCall {
        action: fact(&call.action, escape::NAME),
        resource: fact(&call.resource, WHOLE_NAME),
        principal: fact(&call.principal, WHOLE_NAME),
        event_id: fact(&call.event_id, escape::SHORT),
        time: fact(&call.time, escape::SHORT),
    }
}

/// One call, as far as it is known.
fn in_words(call: &HeldCall) -> String {
    let fact = |value: &Option<String>, max| facts::fact(value.as_deref(), max).to_string();
    let time = call.time.as_deref().map_or_else(|| words::ABSENT.to_owned(), escape::time);
    format!(
        "{} on {}, by {}, {time}, event {}.",
        fact(&call.action, escape::NAME),
        fact(&call.resource, WHOLE_NAME),
        fact(&call.principal, WHOLE_NAME),
        fact(&call.event_id, escape::SHORT)
    )
}
