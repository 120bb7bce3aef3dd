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
        let protocols = protocols.unwrap_or_default();
        must(protocols["default"].is_string(), "SNS's message has no default");
        // Each of them is printed as it is by somebody: a mail program, a queue's reader.
        let texts = protocols.as_object().into_iter().flatten().filter_map(|(_, text)| text.as_str());
        must(!texts.flat_map(str::chars).any(|c| c != '\n' && moves(c)), "SNS tells what is not seen");
        must(publish.attributes.iter().all(|(_, value)| !value.is_empty()), "an empty attribute");
    }
    found
}

/// A character that nobody sees, or that somebody's screen obeys: Unicode's controls, format characters and joiners as far as names
/// have been forged with them.
fn moves(character: char) -> bool {
    const UNSEEN: [std::ops::RangeInclusive<char>; 9] = [
        '\u{ad}'..='\u{ad}',
        '\u{61c}'..='\u{61c}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e007f}',
    ];
    character.is_control() || UNSEEN.iter().any(|unseen| unseen.contains(&character))
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
