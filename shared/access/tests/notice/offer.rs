//! Menus and buttons: only what can be approved, within Slack's limits, and what comes back from them is what was offered.

use access::{
    answer::slack::{LONGEST_BODY, Verified, read, verify},
    decision::{Answer, Approved, Channel, Decision},
    diagnosis::{Apply, RemedyKind, Response},
    notice::slack,
    policy_document::{PolicyDocument, Statement},
};
use serde_json::{Value, json};

use crate::{
    sdk::slack_sdk,
    slack::{check_limits, check_slack},
    world::{World, mateo, remedy, taken_over},
};

const CASE: &str = "2gd4tjkox2q74mauvvu6";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_790_000_000;

fn hash(n: usize) -> Option<String> {
    Some(format!("{n:064x}"))
}

/// A case in which every remedy can be approved, more of them than a menu shows, and every name is a caller's.
pub fn offered(strings: &[String]) -> World {
    let mut world = taken_over(Response::RequestApproval, strings);
    world.case_id = CASE.to_owned();
    world.diagnosis.remedies = world.diagnosis.remedies.iter().cycle().take(12).cloned().collect();
    for (at, remedy) in world.diagnosis.remedies.iter_mut().enumerate() {
        remedy.apply = Apply::OnApproval;
        remedy.hash = hash(at);
    }
    world
}

pub fn offering(world: &World) -> Value {
    let message = slack::offering(&world.in_case(), 1);
    assert_eq!(actions(&message).len(), 2, "menus and buttons");
    message
}

pub fn decision(world: &World, strings: &[String]) -> Decision {
    Decision {
        case_id: world.case_id.clone(),
        opening: 1,
        answer: Answer::Approve,
        remedy: hash(0),
        shown: None,
        target_id: None,
        by: Approved { approver: strings[0].clone(), channel: Channel::Slack, identity: "T0TEAM/U0SAANVI".into() },
        decided_at: NOW,
        not_after: NOW + 3600,
        rules: String::new(),
    }
}

fn actions(message: &Value) -> Vec<&Value> {
    message["blocks"].as_array().expect("blocks").iter().filter(|block| block["type"] == "actions").collect()
}

fn element<'a>(message: &'a Value, action_id: &str) -> &'a Value {
    let elements = actions(message).into_iter().flat_map(|block| block["elements"].as_array().expect("elements"));
    elements.into_iter().find(|element| element["action_id"] == action_id).expect(action_id)
}

/// <https://docs.slack.dev/reference/block-kit/blocks/actions-block> and what may stand in it.
pub fn check_actions(block: &Value) {
    let is = |value: &Value, most: usize| {
        let text = value["text"].as_str().expect("a text");
        value["type"] == "plain_text" && (1..=most).contains(&text.chars().count())
    };
    assert!(block["block_id"].as_str().is_some_and(|id| id.len() <= 255));
    let elements = block["elements"].as_array().expect("elements");
    assert!((1..=25).contains(&elements.len()));
    for element in elements {
        assert!(element["action_id"].as_str().is_some_and(|id| id.starts_with("trailpass.") && id.len() <= 255));
        match element["type"].as_str() {
            Some("static_select") => {
                let options = element["options"].as_array().expect("options");
                assert!((1..=10).contains(&options.len()) && options.contains(&element["initial_option"]));
                assert!(is(&element["placeholder"], 150));
                for option in options {
                    assert!(is(&option["text"], 75), "{option}");
                    assert!(option.get("description").is_none_or(|description| is(description, 75)), "{option}");
                    assert!(option["value"].as_str().is_some_and(|value| value.len() <= 75), "{option}");
                }
            }
            Some("button") => {
                assert!(
                    is(&element["text"], 75) && element["value"].as_str().is_some_and(|value| value.len() <= 2_000)
                );
                let confirm = &element["confirm"];
                let dialog = [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)];
                assert!(dialog.iter().all(|(part, most)| is(&confirm[part], *most)), "{confirm}");
            }
            other => panic!("an unexpected element: {other:?}"),
        }
    }
}

#[test]
fn an_offer_shows_what_is_given_to_whom() {
    let mut world = mateo(Response::RequestApproval);
    world.diagnosis.remedies[0].hash = hash(0);
    let message = offering(&world);
    check_limits(&message);
    let options = element(&message, "trailpass.remedy")["options"].as_array().expect("options");
    assert_eq!(options.len(), 1, "what a person has to do is not offered");
    assert_eq!(options[0]["text"]["text"], "1. Add this inline policy to IAM user mateojackson");
    assert_eq!(options[0]["description"]["text"], "this user only");
    let durations = element(&message, "trailpass.duration");
    let texts: Vec<&Value> =
        durations["options"].as_array().expect("options").iter().map(|o| &o["text"]["text"]).collect();
    assert_eq!(texts, ["15 minutes", "1 hour", "4 hours", "8 hours"]);
    assert_eq!(durations["initial_option"]["value"], "60");
    let asked = &element(&message, "trailpass.approve")["confirm"]["text"]["text"];
    assert_eq!(
        asked,
        "IAM user mateojackson of account 123456789012 is given, for the time chosen: 1. Add this inline policy to IAM user \
         mateojackson"
    );
    let refused = &element(&message, "trailpass.reject")["confirm"]["text"]["text"];
    assert_eq!(refused, "IAM user mateojackson of account 123456789012 is given nothing.");
}

#[test]
fn nothing_is_offered_that_the_message_does_not_show() {
    let mut world = offered(&["name".to_owned()]);
    let options = |world: &World| {
        element(&offering(world), "trailpass.remedy")["options"].as_array().map(|options| options.len())
    };
    assert_eq!(options(&world), Some(5), "of twelve");
    world.diagnosis.remedies[0].apply = Apply::ByHand;
    assert_eq!(options(&world), Some(4), "the sixth does not move up");
}

#[test]
fn an_offer_adds_only_its_blocks() {
    let world = offered(&["name".to_owned()]);
    let mut message = offering(&world);
    check_limits(&message);
    message["blocks"].as_array_mut().expect("blocks").retain(|block| block["type"] != "actions");
    assert_eq!(message, slack::message(&world.in_case()));
}

#[test]
fn nothing_is_offered_that_nobody_could_approve() {
    let is_plain = |world: &World| slack::offering(&world.in_case(), 1) == slack::message(&world.in_case());
    let world = offered(&["name".to_owned()]);
    assert!(!is_plain(&world));
    assert_eq!(slack::offering(&world.alone(), 1), slack::message(&world.alone()), "no case");
    assert_eq!(slack::offering(&world.in_case(), 0), slack::message(&world.in_case()), "no opening");
    for response in [Response::Ignore, Response::SuggestFix, Response::RaiseAlarm] {
        let mut world = offered(&["name".to_owned()]);
        world.diagnosis.response = response;
        assert!(is_plain(&world), "{response:?}");
    }
    let changes: [fn(&mut World); 5] = [
        |world| world.case_id = "<!channel>".to_owned(),
        |world| world.diagnosis.remedies.clear(),
        |world| world.diagnosis.remedies.iter_mut().for_each(|remedy| remedy.apply = Apply::ByHand),
        |world| world.diagnosis.remedies.iter_mut().for_each(|remedy| remedy.hash = None),
        |world| world.diagnosis.remedies.iter_mut().for_each(|remedy| remedy.hash = Some("\"".repeat(64))),
    ];
    for change in changes {
        let mut world = offered(&["name".to_owned()]);
        change(&mut world);
        assert!(is_plain(&world));
    }
}

/// What Slack sends back for a click, its own way of writing JSON and forms at its longest: every sign escaped.
fn click(message: &Value, action_id: &str) -> String {
    let chosen =
        |menu: &str| json!({ "type": "static_select", "selected_option": element(message, menu)["initial_option"] });
    let button = element(message, action_id);
    let mut echoed = message.clone();
    echoed["ts"] = json!("1548261231.000200");
    json!({
        "type": "block_actions", "api_app_id": "A0APP", "team": { "id": "T0TEAM" },
        "user": { "id": "U0SAANVI", "team_id": "T0TEAM" },
        "container": { "type": "message", "message_ts": "1548261231.000200", "channel_id": "C0CHANNEL" },
        "channel": { "id": "C0CHANNEL" }, "message": echoed,
        "state": { "values": { "trailpass.choice": {
            "trailpass.remedy": chosen("trailpass.remedy"), "trailpass.duration": chosen("trailpass.duration"),
        } } },
        "actions": [{ "type": "button", "action_id": action_id, "value": button["value"], "confirm": button["confirm"] }],
    })
    .to_string()
}

#[test]
fn what_is_clicked_is_what_was_offered() {
    let world = offered(&["name".to_owned(), "<@U012AB>".to_owned()]);
    let message = offering(&world);
    let task = |id| {
        let payload: Value = serde_json::from_str(&click(&message, id)).expect("JSON");
        json!({ "work": "request", "of": { "secret": SECRET, "now": NOW, "payload": payload } })
    };
    let requests = slack_sdk(&[task("trailpass.approve"), task("trailpass.reject")]);
    for (request, answer) in requests.iter().zip([Answer::Approve, Answer::Reject]) {
        let verified = verified(request);
        let read = read(&verified).expect("it is read").expect("an answer");
        assert_eq!((read.case_id.as_str(), read.opening, read.answer), (CASE, 1, answer));
        let (remedy, duration) = if answer == Answer::Approve { (hash(0), 3600) } else { (None, 0) };
        assert_eq!((read.remedy, read.duration_seconds), (remedy, duration));
    }
}

fn verified(request: &Value) -> Verified<'_> {
    let text = |member: &str| request[member].as_str().expect("a text");
    let (timestamp, signature) = (Some(text("timestamp")), Some(text("signature")));
    verify(SECRET.as_bytes(), timestamp, signature, text("body").as_bytes(), NOW).expect("slack_sdk signed it")
}

/// The worst that names can do to lengths: escaped for Slack, in UTF-8, in a form.
const FILLERS: [&str; 6] = ["a", "&", "`", "漢", "🚨", "\u{202e}"];

#[test]
fn an_offer_with_the_longest_names_is_taken_and_can_be_answered() {
    let mut tasks = Vec::new();
    for filler in FILLERS {
        let mut world = offered(&[filler.repeat(5_000)]);
        world.diagnosis.remedies.truncate(3);
        let message = offering(&world);
        check_limits(&message);
        check_slack(&slack::decided(&world.in_case(), &decision(&world, &[filler.repeat(64)])));
        tasks.push(json!({ "work": "checked", "of": actions(&message) }));
        let payload: Value = serde_json::from_str(&click(&message, "trailpass.approve")).expect("JSON");
        tasks.push(json!({ "work": "request", "of": { "secret": SECRET, "now": NOW, "payload": payload } }));
    }
    let results = slack_sdk(&tasks);
    for (at, result) in results.iter().enumerate() {
        if tasks[at]["work"] == "checked" {
            assert_eq!(*result, tasks[at]["of"], "slack_sdk knows every member");
        } else {
            let body = result["body"].as_str().expect("a body");
            assert!(body.len() < LONGEST_BODY * 3 / 4, "{} bytes", body.len());
            assert!(read(&verified(result)).is_ok_and(|read| read.is_some()));
        }
    }
}

#[test]
fn an_offer_that_slack_would_not_take_is_none() {
    let mut world = offered(&["\"".repeat(5_000)]);
    world.diagnosis.remedies.truncate(3);
    let message = slack::offering(&world.in_case(), 1);
    check_slack(&message);
    assert_eq!(message, slack::message(&world.in_case()));
    check_slack(&slack::decided(&world.in_case(), &decision(&world, &["\"".repeat(64)])));
}

#[test]
fn a_policy_makes_room_for_the_buttons_and_these_for_the_message() {
    let actions: Vec<String> = (0..30).map(|n| format!("cloudtrail:Action{n}")).collect();
    let mut seen = Vec::new();
    for length in (1..400).step_by(6) {
        let mut world = offered(&["\"".repeat(length)]);
        world.diagnosis.remedies.truncate(3);
        let statement = Statement { actions: actions.clone(), resources: vec!["*".to_owned()], ..Statement::default() };
        world.diagnosis.remedies[0].policy = Some(PolicyDocument::of(statement));
        let message = slack::offering(&world.in_case(), 1);
        check_limits(&message);
        seen.push((self::actions(&message).len(), message.to_string().contains("lines are missing")));
    }
    seen.dedup();
    // The policy is cut, then nothing is offered, and then the policy is cut in what is only read, too.
    assert_eq!(seen, [(2, false), (2, true), (0, false), (0, true)]);
}

#[test]
fn an_outcome_says_who_decided_what_and_until_when() {
    let mut world = mateo(Response::RequestApproval);
    world.diagnosis.remedies[0].hash = hash(0);
    let decided = |change: fn(&mut Decision)| {
        let mut decision = decision(&world, &["Saanvi Sarkar".to_owned()]);
        change(&mut decision);
        let message = slack::decided(&world.in_case(), &decision);
        check_slack(&message);
        let text = |block: &Value| block["text"]["text"].as_str().unwrap_or_default().to_owned();
        let blocks = message["blocks"].as_array().expect("blocks");
        let line = blocks.iter().map(text).find(|text| text.starts_with("*What was decided:*")).expect("the decision");
        assert!(!blocks.iter().any(|block| text(block).starts_with("*What happens now:*")));
        (text(&blocks[0]), message["text"].as_str().expect("text").to_owned(), line)
    };
    let (header, text, line) = decided(|_| {});
    assert_eq!(header, "✅ Approved: IAM user mateojackson was refused cloudtrail:GetTrailStatus");
    assert!(text.starts_with("APPROVED: "), "{text}");
    assert_eq!(
        line,
        "*What was decided:* Saanvi Sarkar approved it in Slack, 2026-09-21 14:13:20 UTC. Add this inline policy to IAM user \
         mateojackson. Until 2026-09-21 15:13:20 UTC, no longer."
    );
    let (header, text, line) = decided(|decision| {
        decision.answer = Answer::Reject;
        decision.by.channel = Channel::Aws;
    });
    assert_eq!(header, "⛔ Rejected: IAM user mateojackson was refused cloudtrail:GetTrailStatus");
    assert!(text.starts_with("REJECTED: "), "{text}");
    let rejected = "*What was decided:* Saanvi Sarkar rejected it with AWS credentials, 2026-09-21 14:13:20 UTC. Nothing is given.";
    assert_eq!(line, rejected);
    for other in [hash(7), None] {
        world.diagnosis.remedies[0].hash = other;
        let message = slack::decided(&world.in_case(), &decision(&world, &["Saanvi".to_owned()])).to_string();
        assert!(message.contains("What was approved is not what the case says now."), "{message}");
    }
    // A remedy without a hash is not the one that a decision without one meant.
    let nothing = Decision { remedy: None, ..decision(&world, &["Saanvi".to_owned()]) };
    world.diagnosis.remedies = vec![remedy(RemedyKind::PutInlinePolicy, Apply::OnApproval)];
    assert!(slack::decided(&world.in_case(), &nothing).to_string().contains("is not what the case says now"));
}
