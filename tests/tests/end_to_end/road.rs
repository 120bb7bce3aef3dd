//! The road of one denial: bus, rule, queue, function, table, topic, Slack.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::local::{
    ACCOUNT, REGION,
    denials::denial,
    place::{ALARMS, NOTICES, Place, Queue},
    template,
    vouching::Key,
};

use crate::{TRIAGE, USUAL, assert_told};

/// A bus with the template's rules, each sending to the one of two queues that the template names.
async fn bus(place: &Place, name: &str) -> [Queue; 2] {
    let aws = &place.aws;
    let queues =
        [Queue::new(aws, &format!("{name}-AlarmsQueue")).await, Queue::new(aws, &format!("{name}-NoticesQueue")).await];
    aws.call("events", "AWSEvents.CreateEventBus", json!({"Name": name})).await;
    for (rule, properties) in template::hub()["rules"].as_object().unwrap() {
        let rule = format!("{name}-{rule}");
        let pattern = properties["EventPattern"].to_string();
        let request =
            json!({"Name": rule, "EventBusName": name, "EventPattern": pattern, "State": properties["State"]});
        aws.call("events", "AWSEvents.PutRule", request).await;
        let target = properties["Targets"][0]["Arn"].as_str().unwrap();
        let queue = queues.iter().find(|queue| queue.arn.rsplit('-').next() == target.rsplit('-').next()).unwrap();
        let targets = json!([{"Id": "Queue", "Arn": queue.arn}]);
        let put = aws
            .call("events", "AWSEvents.PutTargets", json!({"Rule": rule, "EventBusName": name, "Targets": targets}))
            .await;
        assert_eq!(put["FailedEntryCount"], 0);
    }
    queues
}

async fn put(place: &Place, bus: &str, events: &[Value]) {
    for some in events.chunks(10) {
        let entry = |event: &Value| {
            let detail = event["detail"].to_string();
            json!({"Source": event["source"], "DetailType": event["detail-type"], "Detail": detail, "EventBusName": bus})
        };
        let entries: Vec<Value> = some.iter().map(entry).collect();
        let answer = place.aws.call("events", "AWSEvents.PutEvents", json!({"Entries": entries})).await;
        assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    }
}

#[tokio::test]
async fn from_the_bus_to_the_administrator() {
    let place = Place::new("road", TRIAGE).await;
    let [alarms, notices] = bus(&place, "road").await;
    let read = denial("mateojackson", "GetTrailStatus");
    let stop = denial("mallory", "StopLogging");
    let mut allowed = denial("mateojackson", "GetTrail").event();
    let detail = allowed["detail"].as_object_mut().unwrap();
    detail.remove("errorCode");
    detail.remove("errorMessage");
    let elsewhere = denial("mateojackson", "DescribeInstances").calling("ec2", "DescribeInstances").event();
    put(&place, "road", &[read.event(), stop.event(), allowed, elsewhere]).await;

    let mut function = place.function().await;
    let done = notices.poll(&place.aws, &mut function, USUAL).await.unwrap();
    assert_eq!((done.failed.len(), done.counts.received, done.counts.posted), (0, 1, 1), "{done:?}");
    assert!(notices.receive(&place.aws).await.is_empty(), "done messages are gone");
    let case = place.case().await;
    assert_told(&case);
    assert_eq!((&case["count"], &case["audience"]), (&json!(1), &json!("notices")));
    assert_eq!(case["record"]["eventID"], read.record()["eventID"]);

    let done = alarms.poll(&place.aws, &mut function, USUAL).await.unwrap();
    assert_eq!((done.failed.len(), done.counts.received, done.counts.posted), (0, 1, 1), "{done:?}");
    let cases = place.cases().await;
    assert_eq!(cases.len(), 2);
    cases.iter().for_each(assert_told);

    subscribers_got_the_diagnosis(&place, &case).await;
    everybody_gets_a_form_of_their_own(&place);
    let [posted] = &place.slack.channel(NOTICES)[..] else { panic!("one message for administrators") };
    for shown in ["mateojackson", "cloudtrail:GetTrailStatus", "trail/audit", case["id"].as_str().unwrap()] {
        assert!(posted.text().contains(shown), "{shown} in {}", posted.text());
    }
    assert_eq!(
        (&json!(posted.ts), &json!(posted.channel)),
        (&case["told"]["slack"]["ts"], &case["told"]["slack"]["channel"])
    );
    let [alarm] = &place.slack.channel(ALARMS)[..] else { panic!("one message for the security team") };
    assert!(alarm.text().contains("mallory") && alarm.text().contains("cloudtrail:StopLogging"), "{}", alarm.text());
}

/// The queue that subscribes is a program: it gets `default`, the diagnosis as JSON, and can filter by attributes.
async fn subscribers_got_the_diagnosis(place: &Place, case: &Value) {
    let [envelope] = &place.notices.heard(&place.aws).await[..] else { panic!("published once") };
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["MessageId"], case["told"]["sns"]);
    assert_eq!(envelope["TopicArn"], json!(place.notices.arn));
    let diagnosis: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(diagnosis["schema"], "trailpass.diagnosis/1");
    assert_eq!(diagnosis, case["diagnosis"], "the table holds the same");
    assert_eq!(
        (&diagnosis["response"], &diagnosis["action"], &diagnosis["account_id"]),
        (&json!("suggest-fix"), &json!("cloudtrail:GetTrailStatus"), &json!(ACCOUNT))
    );
    let attribute = |name: &str| envelope["MessageAttributes"][name]["Value"].as_str().unwrap_or("-").to_owned();
    let attributes = ["response", "risk", "scenario", "account", "action"].map(attribute);
    assert_eq!(attributes, ["suggest-fix", "routine", "not-authorized", ACCOUNT, "cloudtrail:GetTrailStatus"]);
    let [envelope] = &place.alarms.heard(&place.aws).await[..] else { panic!("published once") };
    assert_eq!(envelope["MessageAttributes"]["response"]["Value"], "raise-alarm");
    assert!(envelope["Subject"].as_str().unwrap().contains("ALARM"), "{envelope}");
}

/// Only the queue's form can be received here; the others are looked at on their way to the topic.
fn everybody_gets_a_form_of_their_own(place: &Place) {
    let publications = place.ledger.publications();
    let topics: Vec<&str> = publications.iter().map(|publication| publication.topic.as_str()).collect();
    assert_eq!(topics, [&place.notices.arn, &place.alarms.arn]);
    for publication in &publications {
        let subject = &publication.subject;
        assert!(subject.is_ascii() && subject.len() < 100 && subject.starts_with(char::is_alphabetic), "{subject}");
        let forms: BTreeSet<&str> = publication.message.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(forms, BTreeSet::from(["default", "email", "sms"]));
        let email = publication.message["email"].as_str().unwrap();
        assert!(email.lines().count() > 5 && serde_json::from_str::<Value>(email).is_err(), "{email}");
        assert!(publication.message["sms"].as_str().unwrap().len() <= 140);
    }
    let mail = publications[0].message["email"].as_str().unwrap();
    assert!(mail.contains("mateojackson") && mail.contains("cloudtrail:GetTrailStatus"), "{mail}");
}

#[tokio::test]
async fn a_topic_for_amazon_q_speaks_its_schema() {
    let mut place = Place::new("amazon-q", TRIAGE).await;
    place.set("TRAILPASS_NOTICES_TOPIC_FORMAT", "amazon-q");
    let mut function = place.function().await;
    let done =
        function.batch(&[denial("bob", "GetTrailStatus").body(), denial("eve", "DeleteTrail").body()], USUAL).await;
    assert_eq!((done.counts.posted, done.failed.len()), (2, 0));
    for publication in place.ledger.publications() {
        // Q subscribes over https and drops what is not its schema without a word.
        let Some(text) = publication.message["https"].as_str() else {
            assert_eq!(publication.topic, place.alarms.arn, "the other topic feeds mailboxes");
            continue;
        };
        assert_eq!(publication.topic, place.notices.arn);
        let notification: Value = serde_json::from_str(text).unwrap();
        assert_eq!((&notification["version"], &notification["source"]), (&json!("1.0"), &json!("custom")));
        assert!(notification["content"]["description"].as_str().unwrap().contains("bob"), "{notification}");
    }
}

#[tokio::test]
async fn a_webhook_takes_the_place_of_a_bot() {
    let mut place = Place::new("webhook", TRIAGE).await;
    let webhook = json!({"url": place.webhook()}).to_string();
    let secret = json!({"Name": "webhook/hook", "SecretString": webhook, "ClientRequestToken": "0".repeat(32)});
    let made = place.aws.call("secretsmanager", "secretsmanager.CreateSecret", secret).await;
    place.set("TRAILPASS_SLACK_NOTICES_CHANNEL", "");
    place.set("TRAILPASS_SLACK_NOTICES_WEBHOOK_SECRET", made["ARN"].as_str().unwrap());
    let mut function = place.function().await;
    let one = denial("bob", "GetTrailStatus");
    assert_eq!(function.batch(&[one.body()], USUAL).await.counts.posted, 1);
    assert_told(&place.case().await);
    assert_eq!(function.batch(&[one.body()], USUAL).await.counts.duplicate, 1);
    assert_eq!(place.slack.channel("webhook").len(), 1);
    assert_eq!(place.slack.messages().len(), 1);
}

/// Whatever the tests set is what the template sets: a name that only one of them knows would make the other a fiction.
#[tokio::test]
async fn the_settings_are_the_templates() {
    let place = Place::new("settings", TRIAGE).await;
    let variables = &template::hub()["functions"]["Triage"]["Environment"]["Variables"];
    for name in place.settings.keys().filter(|name| name.starts_with("TRAILPASS_")) {
        assert!(variables.get(name).is_some() || name == "TRAILPASS_SLACK_API", "{name} is not in the template");
    }
    let mut deployed = variables.clone();
    // The resources' names are the template's; these alone are of this place.
    deployed["TRAILPASS_TABLE"] = json!(place.table);
    deployed["TRAILPASS_NOTICES_TOPIC"] = json!(place.notices.arn);
    deployed["TRAILPASS_ALARMS_TOPIC"] = json!(place.alarms.arn);
    deployed["TRAILPASS_SLACK_BOT_TOKEN_SECRET"] = json!("settings/slack-bot");
    deployed["TRAILPASS_LINK_KEY"] = json!(Key::new(&place.aws).await.arn);
    let mut place = place;
    for (name, value) in deployed.as_object().unwrap() {
        place.set(name, value.as_str().unwrap_or_else(|| panic!("{name} is resolved: {value}")));
    }
    let mut function = place.function().await;
    let on_the_bucket =
        denial("bob", "GetBucketPolicy").calling("s3", "GetBucketPolicy").on("arn:aws:s3:::acme-audit-logs");
    let done = function.batch(&[denial("bob", "GetTrailStatus").body(), on_the_bucket.body()], USUAL).await;
    assert_eq!(
        (done.counts.posted, done.failed.len()),
        (2, 0),
        "the trail's bucket is known from the guardrails: {done:?}"
    );
    assert!(place.settings["TRAILPASS_OWN_ROLES"].starts_with(&format!("arn:aws:iam::{ACCOUNT}:role/")), "{REGION}");
}
