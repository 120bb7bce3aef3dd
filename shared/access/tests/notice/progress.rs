//! What became of a request: the same sentence everywhere, within everybody's limits, whoever wrote the names in it.

use access::{
    diagnosis::Response,
    notice::{
        progress::{Outcome, Progress},
        sns::TopicFormat,
        text::Style,
    },
    reconcile::{Effect, End, Reason},
    simulation::Verdict,
};
use proptest::prelude::*;

use crate::{
    offer::{decision, offered},
    slack::check_slack,
    sns::check_publication,
    world::{World, mateo, strings},
};

fn all(strings: &[String]) -> Vec<Progress> {
    let why = || End::Refused(strings[0].clone());
    vec![
        Progress::Waiting(1_790_000_000),
        Progress::Lapsed,
        Progress::Rejected,
        Progress::Approved,
        Progress::Given(None),
        Progress::Given(Some(Effect::Simulated(Verdict::Allowed))),
        Progress::Given(Some(Effect::Simulated(Verdict::DeniedByOrganization))),
        Progress::Given(Some(Effect::Used(1_791_187_300))),
        Progress::Ended(End::Expired),
        Progress::Ended(End::NotEntitled(Reason::Altered)),
        Progress::Ended(why()),
        Progress::Overdue(why(), u32::MAX),
    ]
}

fn check(world: &World, strings: &[String]) {
    let (notice, decision) = (world.in_case(), decision(world, strings));
    for progress in all(strings) {
        let is_undecided = matches!(progress, Progress::Waiting(_) | Progress::Lapsed);
        let outcome = Outcome {
            notice: &notice,
            decision: Some(&decision).filter(|_| !is_undecided),
            progress,
            is_rehearsal: false,
        };
        check_slack(&outcome.slack());
        check_slack(&outcome.slack_reply());
        assert!(!outcome.slack().to_string().contains(r#""type":"actions""#), "nothing is left to click");
        for format in [TopicFormat::Email, TopicFormat::AmazonQ] {
            check_publication(&outcome.publish(format));
        }
        assert!(!outcome.text(Style::Plain).is_empty());
    }
}

#[test]
fn what_people_are_told() {
    let world = mateo(Response::RequestApproval);
    let (notice, decision) = (world.in_case(), decision(&world, &["Saanvi".to_owned()]));
    let told = |progress| {
        let outcome = Outcome { notice: &notice, decision: Some(&decision), progress, is_rehearsal: false };
        let publication = outcome.publish(TopicFormat::Email);
        (outcome.text(Style::Plain).split_whitespace().collect::<Vec<_>>().join(" "), publication)
    };
    let (text, publication) = told(Progress::Given(None));
    assert!(text.contains("Saanvi approved it in Slack") && text.contains("It has been given."), "{text}");
    assert!(publication.subject.starts_with("Trailpass GIVEN: "), "{}", publication.subject);
    assert!(publication.attributes.contains(&("progress", "given".to_owned())));
    let (text, publication) = told(Progress::Overdue(End::Revoked, 3));
    assert!(text.contains("refused 3 times in a row") && text.contains("by hand"), "{text}");
    // The security team's filters let it pass.
    assert!(publication.attributes.contains(&("response", "raise-alarm".to_owned())));
}

#[test]
fn the_longest_names_fit() {
    for filler in ["a", "\"", "é", "<", "\u{202e}", "*"] {
        let strings = vec![filler.repeat(5_000)];
        check(&offered(&strings), &strings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whoever_wrote_the_names(strings in strings()) {
        check(&offered(&strings), &strings);
    }
}
