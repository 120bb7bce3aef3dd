//! What every notice must do, whichever way it is written: say what is known, say that the rest is absent, and let
//! nothing through that a caller wrote in order to be more than text.
//!
//! The diagnoses are made by hand, not by the classifier, so that a hostile string can stand in every field, legal or
//! not. This file searches for strings that get through; the others hold what each way has to say.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails says where; clippy only spares functions marked #[test]"
)]

use access::{
    diagnosis::Response,
    notice::{
        html, slack as slack_notice,
        sns::{self as sns_notice, TopicFormat},
        storm::{HeldCall, Storm, StormReason},
        text::{self as text_notice, Style},
    },
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    pages::check_page,
    slack::{check_limits, check_slack},
    sns::check_publication,
    text::plain,
    world::{RESPONSES, hostile, is_dangerous, strings, taken_over, without_our_colours},
};

#[path = "notice/offer.rs"]
mod offer;
#[path = "notice/pages.rs"]
mod pages;
#[path = "notice/progress.rs"]
mod progress;
#[path = "slack_answers/sdk.rs"]
mod sdk;
#[path = "notice/slack.rs"]
mod slack;
#[path = "notice/sns.rs"]
mod sns;
#[path = "notice/text.rs"]
mod text;
#[path = "notice/world.rs"]
mod world;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn text_is_only_text(strings in strings(), response in prop::sample::select(&RESPONSES[..])) {
        let world = taken_over(response, &strings);
        let text = plain(&world.in_case());
        prop_assert!(!text.chars().any(|c| c != '\n' && is_dangerous(c)), "{text:?}");
        let colour = text_notice::write(&world.in_case(), Style::Colour);
        prop_assert!(!without_our_colours(&colour).chars().any(|c| c != '\n' && is_dangerous(c)), "{colour:?}");
        // A caller's own line break can't begin a line that looks like one of ours.
        prop_assert!(text.lines().filter(|line| line.starts_with("Who ")).count() == 1, "{text}");
        prop_assert!(text.chars().count() < 60_000);
    }

    #[test]
    fn slack_takes_it_and_reads_no_markup_in_it(strings in strings(), response in prop::sample::select(&RESPONSES[..])) {
        let world = taken_over(response, &strings);
        check_slack(&slack_notice::message(&world.in_case()));
        check_slack(&slack_notice::message(&world.alone()));
    }

    #[test]
    fn slack_takes_an_offer_and_its_outcome(strings in strings()) {
        let mut world = offer::offered(&strings);
        world.diagnosis.remedies.truncate(3);
        check_limits(&slack_notice::offering(&world.in_case(), 1));
        check_slack(&slack_notice::decided(&world.in_case(), &offer::decision(&world, &strings)));
    }

    #[test]
    fn sns_takes_it(strings in strings(), response in prop::sample::select(&RESPONSES[..])) {
        let world = taken_over(response, &strings);
        for format in [TopicFormat::Email, TopicFormat::AmazonQ] {
            check_publication(&sns_notice::publish(&world.in_case(), format));
            check_publication(&sns_notice::publish(&world.alone(), format));
        }
    }

    #[test]
    fn a_page_is_ours_alone(strings in strings(), response in prop::sample::select(&RESPONSES[..])) {
        let world = taken_over(response, &strings);
        check_page(&html::page(&world.in_case()));
        let rows = [html::Row::Case(html::CaseRow { id: &world.case_id, diagnosis: &world.diagnosis, count: 3, last_seen: &world.times[1], stands: html::Stands::Open })];
        check_page(&html::index(&rows, html::Doors { post: world.page_url.as_deref(), folder: world.linked.as_deref() }));
        check_page(&html::index(&[], html::Doors { post: world.page_url.as_deref(), folder: world.linked.as_deref() }));
    }

    #[test]
    fn a_storm_is_as_careful(strings in strings(), alarm: bool, held: u64) {
        let actions = strings.iter().cloned().map(|name| (name, held)).collect();
        let text = |n: usize| strings.get(n).cloned();
        let calls = vec![HeldCall { action: text(0), resource: text(1), principal: text(2), event_id: text(3), time: text(4) }; 64];
        let storm = Storm {
            account_id: &strings[0], opened_at: strings.last().expect("one"), held, principals: &strings,
            actions: &actions, calls: &calls, kept_as: strings[0].clone(), reason: StormReason::PrincipalBudget, alarm,
        };
        let text = storm.text(Style::Plain);
        prop_assert!(!text.chars().any(|c| c != '\n' && is_dangerous(c)), "{text:?}");
        check_slack(&storm.slack());
        check_publication(&storm.publish(TopicFormat::AmazonQ));
        check_page(&html::index(&[html::Row::Storm(&storm)], html::Doors::default()));
    }

    #[test]
    fn a_shown_policy_means_what_the_diagnosis_says(strings in prop::collection::vec(hostile(), 8)) {
        let strings: Vec<String> = strings.iter().map(|text| text.chars().take(40).collect()).collect();
        let world = taken_over(Response::SuggestFix, &strings);
        let page = html::page(&world.alone());
        let shown = page.split_once("aria-label=\"The policy in JSON\"><code>").and_then(|(_, rest)| rest.split_once("</code>"));
        let json = shown.expect("a policy on the page").0
            .replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        let read: Value = serde_json::from_str(&json).expect("the page's policy is JSON");
        let policy = world.diagnosis.remedies[0].policy.as_ref().expect("a policy");
        prop_assert_eq!(read, serde_json::to_value(policy).expect("JSON"));
    }
}
