//! What SNS and Amazon Q Developer take, and who is told what.

use access::{
    diagnosis::{Apply, RemedyKind, Response},
    notice::{
        sns::{self, TopicFormat},
        storm::{HeldCall, Storm, StormReason},
    },
};
use serde_json::Value;

use crate::{
    text::plain,
    world::{TRAIL, World, is_dangerous, mateo, remedy},
};

pub fn check_publication(publication: &sns::Publish) {
    let subject = &publication.subject;
    assert!(subject.len() <= 99 && subject.starts_with(|c: char| c.is_ascii_alphabetic()), "{subject:?}");
    assert!(subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{subject:?}");
    let attributes: usize =
        publication.attributes.iter().map(|(name, value)| name.len() + value.len() + "String".len()).sum();
    assert!(
        publication.message.len() + subject.len() + attributes <= sns::LIMIT,
        "{} bytes",
        publication.message.len()
    );
    assert!(publication.message.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert!(publication.attributes.len() <= 10);
    for (name, value) in &publication.attributes {
        assert!(!value.is_empty() && !value.chars().any(is_dangerous), "{name}={value:?}");
    }
    let protocols: Value = serde_json::from_str(&publication.message).expect("the message is JSON");
    let protocols = protocols.as_object().expect("an object");
    assert!(
        protocols.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())),
        "SNS takes strings only"
    );
    let default: Value = serde_json::from_str(protocols["default"].as_str().expect("text")).expect("programs get JSON");
    assert!(default["schema"].as_str().is_some_and(|schema| schema.starts_with("trailpass.")));
    assert!(protocols["sms"].as_str().is_some_and(|text| text.chars().count() <= 140));
    assert!(!protocols["email"].as_str().expect("text").chars().any(|c| c != '\n' && is_dangerous(c)));
    if let Some(https) = protocols.get("https") {
        let q: Value = serde_json::from_str(https.as_str().expect("text")).expect("Q gets JSON");
        assert!(q["version"] == "1.0" && q["source"] == "custom" && q["content"]["textType"] == "client-markdown");
        assert!(
            q["content"]["description"].as_str().is_some_and(|text| !text.is_empty() && text.chars().count() < 8_000)
        );
        assert!(q["content"]["title"].as_str().is_some_and(|text| (1..=250).contains(&text.chars().count())));
        assert!(q["metadata"]["threadId"] != "");
        for (at, _) in q["content"].to_string().match_indices('<') {
            let rest = &q["content"].to_string()[at..];
            assert!(rest.starts_with("<https://docs.aws.amazon.com/") || rest.contains("|the case>"), "{rest:?}");
        }
    }
}

#[test]
fn sns_says_different_things_to_different_subscribers() {
    let world = mateo(Response::RequestApproval);
    let email = sns::publish(&world.in_case(), TopicFormat::Email);
    let protocols: Value = serde_json::from_str(&email.message).expect("JSON");
    assert_eq!(protocols.as_object().expect("an object").keys().collect::<Vec<_>>(), ["default", "email", "sms"]);
    let diagnosis: Value = serde_json::from_str(protocols["default"].as_str().expect("text")).expect("JSON");
    assert_eq!(diagnosis, serde_json::to_value(&world.diagnosis).expect("JSON"));
    assert_eq!(protocols["email"].as_str().expect("text"), plain(&world.in_case()));
    let expected = [
        ("response", "request-approval"),
        ("risk", "routine"),
        ("scenario", "not-authorized"),
        ("account", "123456789012"),
        ("action", "cloudtrail:GetTrailStatus"),
    ];
    assert_eq!(email.attributes, expected.map(|(name, value)| (name, value.to_owned())));

    let q = sns::publish(&world.in_case(), TopicFormat::AmazonQ);
    let protocols: Value = serde_json::from_str(&q.message).expect("JSON");
    let notification: Value = serde_json::from_str(protocols["https"].as_str().expect("text")).expect("JSON");
    assert_eq!(notification["metadata"]["threadId"], "2gd4tjkox2q74mauvvu6");
    assert_eq!(notification["metadata"]["relatedResources"], serde_json::json!([TRAIL]));
    let alone: Value = serde_json::from_str(&sns::publish(&world.alone(), TopicFormat::AmazonQ).message).expect("JSON");
    let alone: Value = serde_json::from_str(alone["https"].as_str().expect("text")).expect("JSON");
    assert!(alone["metadata"].get("threadId").is_none(), "strangers would share a thread");
}

#[test]
fn publish_as_json_has_the_names_of_the_api() {
    let json = sns::publish(&mateo(Response::SuggestFix).alone(), TopicFormat::Email).to_json();
    let mut names: Vec<&String> = json.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["Message", "MessageAttributes", "MessageStructure", "Subject"]);
    assert_eq!(json["MessageStructure"], "json");
    assert_eq!(
        json["MessageAttributes"]["risk"],
        serde_json::json!({ "DataType": "String", "StringValue": "routine" })
    );
}

#[test]
fn sns_cuts_what_is_too_long_and_says_what() {
    let cut_of = |world: &World| {
        let publication = sns::publish(&world.in_case(), TopicFormat::AmazonQ);
        check_publication(&publication);
        publication.attributes.iter().find(|(name, _)| *name == "cut").map(|(_, value)| value.clone())
    };
    assert_eq!(cut_of(&mateo(Response::SuggestFix)), None);
    let mut world = mateo(Response::SuggestFix);
    world.diagnosis.remedies = vec![remedy(RemedyKind::PutInlinePolicy, Apply::ByHand); 80];
    assert_eq!(cut_of(&world).as_deref(), Some("commands"));
    world.diagnosis.remedies = vec![remedy(RemedyKind::PutInlinePolicy, Apply::ByHand); 2];
    world.diagnosis.resource = Some("\u{1f6a8}".repeat(60_000));
    assert_eq!(cut_of(&world).as_deref(), Some("strings"));
    world.diagnosis.remedies = vec![remedy(RemedyKind::PutInlinePolicy, Apply::ByHand); 2_000];
    assert_eq!(cut_of(&world).as_deref(), Some("remedies"));
}

/// What costs most once it is escaped twice: a character beyond the first plane, one that is not seen, a quote.
#[test]
fn no_storm_is_too_long_for_a_publication() {
    for worst in ["\u{1f300}", "\u{e0041}", "\"", "\\", "\u{200b}"] {
        let long = |n: usize| format!("{n}{}", worst.repeat(3_000));
        let names: Vec<String> = (0..100).map(long).collect();
        let actions = names.iter().map(|name| (name.clone(), 7)).collect();
        let text = || Some(long(0));
        let call = HeldCall { action: text(), resource: text(), principal: text(), event_id: text(), time: text() };
        let calls = vec![call; 64];
        let storm = Storm {
            account_id: &names[0],
            opened_at: &names[1],
            held: u64::MAX,
            principals: &names,
            actions: &actions,
            calls: &calls,
            kept_as: long(2),
            reason: StormReason::AccountBudget,
            alarm: true,
        };
        let bytes = storm.publish(TopicFormat::AmazonQ).message.len();
        assert!(bytes < sns::LIMIT - 4_096, "{worst:?}: {bytes}");
    }
}
