//! What every way of telling has to keep, whatever a caller wrote into a name: terminals, pages, Slack and SNS obey markup.

use access::notice::{Notice, html, slack, sns};
use serde_json::Value;

use crate::events;

/// Everything that a notice does not keep in one of the ways it is told.
pub fn complaints(notice: &Notice<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    let text = events::plain(notice);
    must(!text.chars().any(|c| c != '\n' && moves(c)), "the text moves a terminal's cursor or turns its direction");

    let page = html::page(notice).to_ascii_lowercase();
    must(!page.contains("<script") && !page.contains("javascript:"), "the page holds a script");
    must(!page.chars().any(|c| !matches!(c, '\n' | '\t') && moves(c)), "the page holds what is not seen");

    let message = slack::message(notice);
    must(
        message["blocks"].as_array().is_some_and(|blocks| (1..=50).contains(&blocks.len())),
        "Slack takes fifty blocks",
    );
    each_markup(&message, &mut |text| {
        // Besides the link to AWS's page nothing is markup: no mention, no channel, no other link.
        let is_plain = text.split('<').skip(1).all(|rest| rest.starts_with("https://docs.aws.amazon.com/"));
        must(is_plain, "Slack would obey something");
        must(text.chars().count() <= 3000, "longer than Slack's section");
    });

    for format in [sns::TopicFormat::Email, sns::TopicFormat::AmazonQ] {
        let publish = sns::publish(notice, format);
        let subject = &publish.subject;
        must((1..=99).contains(&subject.len()) && subject.bytes().all(|b| (b' '..=b'~').contains(&b)), "SNS's subject");
        must(subject.starts_with(|c: char| c.is_ascii_alphabetic()), "SNS's subject begins with a letter");
        must(publish.message.len() <= 250_000, "SNS's message is too long");
        let protocols: Option<Value> = serde_json::from_str(&publish.message).ok();
        must(protocols.is_some_and(|protocols| protocols["default"].is_string()), "SNS's message has no default");
        must(publish.attributes.iter().all(|(_, value)| !value.is_empty()), "an empty attribute");
    }
    found
}

/// A character that nobody sees and that somebody's screen obeys.
fn moves(character: char) -> bool {
    character.is_control()
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
}

/// The texts that Slack reads as markup.
fn each_markup(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            if members.get("type").is_none_or(|kind| kind == "mrkdwn") {
                members.get("text").and_then(Value::as_str).into_iter().for_each(&mut *found);
            }
            members.values().for_each(|value| each_markup(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| each_markup(item, found)),
        _ => {}
    }
}
