//! The notice as one SNS `Publish`: for mailboxes, for programs, and for Amazon Q Developer in chat applications.
//!
//! `MessageStructure=json` lets one publication say different things to different subscribers. `email` is the readable
//! text and `sms` its headline; `default` is the diagnosis as JSON, once, for everybody else: every other protocol
//! (SQS, Lambda, HTTP, Firehose, `email-json`) ends in a program, and six copies of one document would cost six times
//! and come six times nearer to the limit. A topic that feeds Amazon Q Developer says Q's own schema on `https`, which
//! is how Q subscribes; Q drops anything else without a word.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>,
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{
    Notice, advice, escape, facts,
    text::{self, Style},
    words,
};

mod amazon_q;

/// What SNS takes in all: subject, message and attributes.
pub const LIMIT: usize = 262_144;
/// What the document for programs may take of it before it is made smaller.
const DOCUMENT: usize = 120_000;
/// What the e-mail's text may take of it.
const EMAIL: usize = 80_000;
/// A text message that fits into one part.
const SMS: usize = 140;

/// Who reads the topic's `https` subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TopicFormat {
    /// Mailboxes and programs.
    #[default]
    Email,
    /// Amazon Q Developer in chat applications, beside mailboxes and programs.
    AmazonQ,
}

/// One `Publish`, without its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Printable ASCII, begins with a letter, at most 99 characters.
    pub subject: String,
    /// A JSON object, protocol → text, in ASCII.
    pub message: String,
    /// Name → value, for filter policies. Absent facts have no attribute: SNS takes no empty one.
    pub attributes: Vec<(&'static str, String)>,
}

/// Writes the publication.
pub fn publish(notice: &Notice<'_>, format: TopicFormat) -> Publish {
    let diagnosis = notice.diagnosis;
    let mut attributes = attributes(notice);
    let (document, cut) = document(notice);
    if let Some(cut) = cut {
        // A closed schema has no member to say this in, and a subscriber should not take a cut list for a whole one.
        attributes.push(("cut", cut.to_owned()));
    }
    let account = diagnosis.account_id.as_deref().filter(|id| is_account(id));
    let subject = escape::subject(&format!(
        "Trailpass {}: {}{}",
        advice::shout(diagnosis),
        facts::headline(diagnosis),
        account.map(|id| format!(" ({id})")).unwrap_or_default(),
    ));
    let mut short = format!("Trailpass {}: ", advice::shout(diagnosis));
    short.extend(facts::headline(diagnosis).chars().take(SMS - short.len()));
    let mut protocols = Map::new();
    protocols.insert("default".to_owned(), Value::String(document));
    protocols.insert("email".to_owned(), Value::String(email(text::write(notice, Style::Plain))));
    protocols.insert("sms".to_owned(), Value::String(short));
    if format == TopicFormat::AmazonQ {
        protocols.insert("https".to_owned(), Value::String(amazon_q::notification(notice).to_string()));
    }
    Publish { subject, message: ascii(&Value::Object(protocols).to_string()), attributes }
}

impl Publish {
    /// The publication with the member names of the API, as the AWS CLI's `--cli-input-json` takes them.
    pub fn to_json(&self) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({ "DataType": "String", "StringValue": value })))
            .collect();
        json!({
            "Subject": self.subject,
            "Message": self.message,
            "MessageStructure": "json",
            "MessageAttributes": attributes,
        })
    }
}

fn attributes(notice: &Notice<'_>) -> Vec<(&'static str, String)> {
    let diagnosis = notice.diagnosis;
    let mut attributes = vec![("response", words::response(diagnosis.response).to_owned())];
    if let Some(risk) = diagnosis.risk {
        attributes.push(("risk", words::risk(risk).to_owned()));
    }
    if let Some(scenario) = diagnosis.scenario {
        attributes.push(("scenario", words::scenario(scenario).to_owned()));
    }
    if let Some(account) = diagnosis.account_id.as_deref().filter(|id| is_account(id)) {
        attributes.push(("account", account.to_owned()));
    }
    // A sentence's action is text until it looks like one; what does not is in the message and in no filter.
    if let Some(action) = diagnosis.action.as_deref().filter(|action| is_action(action)) {
        attributes.push(("action", action.to_owned()));
    }
    attributes
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_action(action: &str) -> bool {
    action.len() <= 128
        && action.split_once(':').is_some_and(|(service, name)| {
            let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_word(service) && is_word(name)
        })
}

/// The diagnosis as JSON, and what had to be left out of it to stay within the limit: least needed first.
fn document(notice: &Notice<'_>) -> (String, Option<&'static str>) {
    let Ok(mut value) = serde_json::to_value(notice.diagnosis) else { return (String::new(), Some("everything")) };
    let whole = ascii(&serde_json::to_string(notice.diagnosis).unwrap_or_default());
    if escaped_length(&whole) <= DOCUMENT {
        return (whole, None);
    }
    for (name, cut) in [
        ("commands", drop_commands as fn(&mut Value)),
        ("policies", drop_policies),
        ("strings", |value| cut_strings(value, 1_024)),
        ("remedies", |value| {
            drop_remedies(value);
            cut_strings(value, 512);
        }),
    ] {
        cut(&mut value);
        let smaller = ascii(&value.to_string());
        if escaped_length(&smaller) <= DOCUMENT {
            return (smaller, Some(name));
        }
    }
    (json!({ "schema": crate::diagnosis::SCHEMA }).to_string(), Some("everything"))
}

fn remedies(value: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let list = value.get_mut("remedies").and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn drop_commands(value: &mut Value) {
    for remedy in remedies(value) {
        remedy.insert("commands".to_owned(), json!({ "aws_cli": null, "cloudformation": null, "terraform": null }));
    }
}

fn drop_policies(value: &mut Value) {
    for remedy in remedies(value) {
        remedy.insert("policy".to_owned(), Value::Null);
    }
}

fn drop_remedies(value: &mut Value) {
    if let Some(list) = value.get_mut("remedies").and_then(Value::as_array_mut) {
        list.truncate(4);
    }
}

fn cut_strings(value: &mut Value, most: usize) {
    match value {
        Value::String(text) if text.chars().count() > most => {
            let rest = text.chars().count() - most;
            *text = text.chars().take(most).collect();
            let _ = write!(text, "… ({rest} more characters)");
        }
        Value::Array(list) => list.iter_mut().for_each(|value| cut_strings(value, most)),
        Value::Object(map) => map.values_mut().for_each(|value| cut_strings(value, most)),
        _ => {}
    }
}

/// The text of the e-mail, which no hostile alphabet may blow up beyond its share.
fn email(mut text: String) -> String {
    if escaped_length(&text) > EMAIL {
        let end = text.char_indices().nth(EMAIL / 12).map_or(text.len(), |(at, _)| at);
        text.truncate(end);
        text.push_str("\n… cut here: the diagnosis in JSON has the rest\n");
    }
    text
}

/// The length that a text takes as a JSON string in ASCII: what counts against the limit.
fn escaped_length(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            ' '..='~' => 1,
            other => 6 * other.len_utf16(),
        })
        .sum()
}

/// JSON with every character that is not printable ASCII escaped. The content is the same; but SQS refuses some
/// characters that SNS takes, and a subscription that refuses a message loses it. And whoever prints the document as it is sees
/// what a caller's name hides.
pub(super) fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 64);
    let mut units = [0; 2];
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}
