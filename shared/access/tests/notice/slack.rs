//! Slack's limits, and that nothing a caller wrote is markup there.

use access::{diagnosis::Response, notice::slack};
use serde_json::Value;

use crate::{
    offer,
    world::{RESPONSES, is_dangerous, mateo, taken_over, walk},
};

pub fn check_slack(message: &Value) {
    for name in ["\"actions\"", "\"button\"", "\"accessory\"", "\"url\""] {
        assert!(!message.to_string().contains(name), "there is nothing to click: {name}");
    }
    check_limits(message);
}

/// Of a message with menus and buttons, too.
pub fn check_limits(message: &Value) {
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    assert!(message["unfurl_links"] == false && message["unfurl_media"] == false);
    let whole = message.to_string();
    assert!(whole.chars().count() < 12_500, "{} characters", whole.chars().count());
    for block in blocks {
        match block["type"].as_str() {
            Some("header") => assert!(block["text"]["text"].as_str().expect("text").chars().count() <= 150),
            Some("section") => {
                assert!(block["text"]["text"].as_str().is_none_or(|text| (1..=3_000).contains(&text.chars().count())));
                let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
                assert!(
                    fields.len() <= 10
                        && fields
                            .iter()
                            .all(|field| field["text"].as_str().is_some_and(|text| text.chars().count() <= 2_000))
                );
            }
            Some("context") => assert!(block["elements"].as_array().is_some_and(|elements| elements.len() <= 10)),
            Some("divider") => {}
            Some("actions") => offer::check_actions(block),
            other => panic!("an unexpected block: {other:?}"),
        }
    }
    walk(message, "", &mut |name, text| {
        assert!(!text.chars().any(|c| c != '\n' && is_dangerous(c)), "{text:?}");
        if name != "text" {
            return;
        }
        assert!(!text.is_empty());
        assert_eq!(text.matches('`').count() % 2, 0, "an open code span: {text:?}");
        for (at, _) in text.match_indices('<') {
            let rest = &text[at..];
            let is_ours = rest.starts_with("<https://docs.aws.amazon.com/") || rest.contains("|Open the case>");
            assert!(is_ours, "markup that is not ours: {rest:?}");
        }
        for (at, _) in text.match_indices('&') {
            assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| text[at..].starts_with(entity)), "{:?}", &text[at..]);
        }
    });
    assert_verbatim(message);
}

/// Slack makes no links of its own in any markup.
fn assert_verbatim(value: &Value) {
    assert!(value["type"] != "mrkdwn" || value["verbatim"] == true, "Slack would make links of its own in {value}");
    let members = value.as_object().into_iter().flat_map(|object| object.values());
    members.chain(value.as_array().into_iter().flatten()).for_each(assert_verbatim);
}

#[test]
fn slack_holds_an_arn_of_five_kilobytes() {
    for filler in ["a", "&", "\"", "漢", "\u{202e}"] {
        let arn = format!("arn:aws:cloudtrail:eu-west-1:123456789012:trail/{}", filler.repeat(5_000));
        for response in RESPONSES {
            let world = taken_over(response, std::slice::from_ref(&arn));
            check_slack(&slack::message(&world.in_case()));
        }
    }
}

#[test]
fn slack_says_that_a_policy_is_cut_and_where_it_is_whole() {
    let mut world = mateo(Response::SuggestFix);
    let policy = world.diagnosis.remedies[0].policy.as_mut().expect("a policy");
    policy.statements[0].actions = (0..200).map(|n| format!("cloudtrail:Action{n}")).collect();
    let notice = world.in_case();
    check_slack(&slack::message(&notice));
    assert!(slack::message(&notice).to_string().contains("lines are missing: the case's page shows it whole"));
    assert!(slack::message(&world.alone()).to_string().contains("lines are missing: trailpass explain"));
    assert!(!slack::message(&mateo(Response::SuggestFix).alone()).to_string().contains("lines are missing"));
}

#[test]
fn slack_counts_only_what_came_more_than_once() {
    let mut world = mateo(Response::SuggestFix);
    assert!(slack::message(&world.in_case()).to_string().contains("5 times, last 09:12 UTC"));
    world.count = 1;
    assert!(!slack::message(&world.in_case()).to_string().contains("times, last"));
}
