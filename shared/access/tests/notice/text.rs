//! The text notice, and what all ways of writing must say alike.

use access::{
    diagnosis::{Apply, Cause, Effect, RemedyKind, Response},
    grant::GrantMode,
    notice::{
        Call, Notice, html, slack,
        sns::{self, TopicFormat},
        text::{self, Style},
    },
    principal::{Principal, PrincipalKind},
};
use serde_json::Value;

use crate::world::{RESPONSES, TRAIL, mateo, remedy};

pub fn plain(notice: &Notice<'_>) -> String {
    text::write(notice, Style::Plain)
}

/// The text with its line breaks taken out again, for looking for sentences.
pub fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn text_answers_in_the_order_of_the_questions() {
    let world = mateo(Response::RequestApproval);
    let text = plain(&world.in_case());
    let labels = [
        "APPROVAL ASKED",
        "Who ",
        "What ",
        "Where ",
        "Why ",
        "Fix ",
        "Run ",
        "Or ",
        "Now ",
        "Note ",
        "Case ",
        "Docs ",
        "Rule ",
    ];
    let mut from = 0;
    for label in labels {
        let at = text[from..].lines().scan(from, |at, line| {
            let start = *at;
            *at += line.len() + 1;
            Some((start, line))
        });
        let found = at.into_iter().find(|(_, line)| line.starts_with(label));
        from = found.unwrap_or_else(|| panic!("no {label:?} in its place in\n{text}")).0;
    }
    let flowing = flowing(&text);
    for fact in [
        "mateojackson",
        "203.0.113.7",
        "aws-cli/2.15.30",
        TRAIL,
        "2026-10-05 08:00:01 UTC",
        "An approver is asked",
        "5 times, last 09:12 UTC",
    ] {
        assert!(flowing.contains(fact), "{fact} is missing in\n{text}");
    }
}

#[test]
fn each_response_says_what_happens_now() {
    let expected = [
        "counted and not posted",
        "Only a person can make this change",
        "would ask an approver",
        "Nobody is offered a button",
    ];
    for (response, words) in RESPONSES.into_iter().zip(expected) {
        let world = mateo(response);
        let text = flowing(&plain(&world.alone()));
        assert!(text.contains(words), "{response:?}: {text}");
        for other in expected.iter().filter(|other| **other != words) {
            assert!(!text.contains(other), "{response:?} says {other:?}, too: {text}");
        }
    }
}

#[test]
fn an_alarm_has_steps_and_nothing_to_paste() {
    let mut world = mateo(Response::RaiseAlarm);
    world.diagnosis.remedies = vec![remedy(RemedyKind::PutInlinePolicy, Apply::ByHand)];
    let notice = world.in_case();
    let (text, page) = (plain(&notice), html::page(&notice));
    let message = slack::message(&notice).to_string();
    let publication = sns::publish(&notice, TopicFormat::AmazonQ);
    let protocols: Value = serde_json::from_str(&publication.message).expect("JSON");
    for written in
        [&text, &page, &message, protocols["https"].as_str().expect("text"), protocols["email"].as_str().expect("text")]
    {
        assert!(
            !written.contains("2012-10-17") && !written.contains("put-user-policy"),
            "an alarm offers a change: {written}"
        );
        assert!(flowing(written).contains("treat the credentials as stolen"), "{written}");
    }
    assert!(text.starts_with("!!! ALARM !!!"), "{text}");
    assert!(message.contains("🚨 ALARM 🚨"));
    assert!(publication.subject.starts_with("Trailpass ALARM"), "{}", publication.subject);
}

#[test]
fn absent_facts_are_said_to_be_absent() {
    let mut world = mateo(Response::SuggestFix);
    world.call = Call::default();
    let diagnosis = &mut world.diagnosis;
    diagnosis.principal = Principal {
        kind: PrincipalKind::Unknown,
        arn: None,
        account_id: None,
        name: None,
        unique_id: None,
        session_name: None,
    };
    (diagnosis.event_id, diagnosis.event_time, diagnosis.region, diagnosis.account_id) = (None, None, None, None);
    (diagnosis.action, diagnosis.resource, diagnosis.access_level, diagnosis.risk) =
        (None, Some(String::new()), None, None);
    diagnosis.cause = Cause { effect: Effect::Unknown, policy_type: None, policy_arn: None };
    diagnosis.remedies.clear();
    let text = plain(&world.alone());
    for label in ["Who ", "What ", "Where ", "Record "] {
        let line = text.lines().find(|line| line.starts_with(label));
        assert!(line.is_some_and(|line| line.contains("not in the record")), "{label}: {text}");
    }
    assert!(text.contains("with what client is not in the record"), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "a label without an answer:\n{text}");
    assert!(html::page(&world.alone()).matches("not in the record").count() >= 8);
    let fields = slack::message(&world.alone())["blocks"][1]["fields"].to_string();
    assert!(fields.matches("not in the record").count() >= 7, "{fields}");
    let attributes = sns::publish(&world.alone(), TopicFormat::Email).attributes;
    assert_eq!(attributes.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["response", "scenario"]);
}

#[test]
fn what_could_be_granted_is_said_only_where_nothing_is() {
    let world = mateo(Response::SuggestFix);
    let words = "could be approved for a few hours";
    assert!(flowing(&plain(&world.alone())).contains(words));
    assert!(!flowing(&plain(&Notice { grant_mode: GrantMode::Exact, ..world.alone() })).contains(words));
    let mut never = mateo(Response::SuggestFix);
    never.diagnosis.remedies[0].grantable = false;
    assert!(!flowing(&plain(&never.alone())).contains(words));
}

/// No policy limits where a trail delivers: whoever judges the call has to see it.
#[test]
fn what_the_request_would_have_set_is_shown() {
    let mut world = mateo(Response::SuggestFix);
    world.call.settings =
        vec![("bucket", "attacker-\u{202e}bucket".to_owned()), ("organization trail", "yes".to_owned())];
    let words = "asking for bucket: attacker-\\u{202e}bucket; organization trail: yes";
    assert!(flowing(&plain(&world.alone())).contains(words), "{}", plain(&world.alone()));
    for told in [html::page(&world.alone()), slack::message(&world.alone()).to_string().replace("\\\\", "\\")] {
        assert!(told.contains("attacker-\\u{202e}bucket"), "{told}");
    }
    assert!(!plain(&mateo(Response::SuggestFix).alone()).contains("asking for"));
}

#[test]
fn a_command_for_an_approvable_fix_says_that_it_lasts() {
    let lasting = "lasts until somebody takes it back";
    assert!(plain(&mateo(Response::RequestApproval).alone()).contains(lasting));
    assert!(!plain(&mateo(Response::SuggestFix).alone()).contains(lasting));
}

#[test]
fn lines_break_before_column_97_unless_they_are_one_word_or_a_command() {
    let mut world = mateo(Response::SuggestFix);
    world.call.user_agent = Some("client with many words ".repeat(7));
    for line in plain(&world.in_case()).lines().filter(|line| line.chars().count() > 96) {
        assert!(
            line.trim_start().starts_with("aws ") || line.trim_start_matches("Docs").trim().split(' ').count() == 1,
            "{line:?}"
        );
    }
}
