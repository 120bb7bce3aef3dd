//! What triage offers where a stack grants: buttons that name what was shown, a link that ends, and the policy simulator's word; and
//! that nothing gives them back once somebody has answered.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use access::{
    answer::{DURATIONS, is_remedy_hash, read_duration, read_subject, slack as ids},
    decision::{self, Answer, Approved, Channel, Decision},
    link::Link,
};
use serde_json::{Value, json};
use tests::local::{
    aws::form,
    denials::{NO_REASON, denial},
    function::fresh_id,
    http::{Reply, Request, Response, Server},
    place::{ALARMS, NOTICES, Place},
    proxy::Kind,
    slack::Mood,
    vouching::Key,
};

use crate::{TRIAGE, USUAL, assert_told, bodies};

const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b";
const PAGES: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/cases/";
const HOUR: i64 = 3600;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A place whose stack grants, with buttons and pages.
async fn granting(name: &str) -> (Place, Key) {
    let mut place = Place::new(name, TRIAGE).await;
    let key = Key::new(&place.aws).await;
    for (name, value) in [
        ("TRAILPASS_GRANT_MODE", "managed"),
        ("TRAILPASS_SLACK_BUTTONS", "true"),
        ("TRAILPASS_STACK", STACK),
        ("TRAILPASS_PAGES", PAGES),
        ("TRAILPASS_LINK_KEY", key.arn.as_str()),
    ] {
        place.set(name, value);
    }
    (place, key)
}

/// Every element of a message that somebody can use, by its action.
fn elements(message: &Value) -> Vec<(&str, &Value)> {
    let blocks = message["blocks"].as_array().unwrap().iter();
    let elements = blocks.filter(|block| block["type"] == "actions").flat_map(|block| block["elements"].as_array());
    elements.flatten().map(|element| (element["action_id"].as_str().unwrap(), element)).collect()
}

fn has_buttons(message: &Value) -> bool {
    message.to_string().contains(r#""type":"button""#)
}

fn rejection(case: &Value) -> Decision {
    Decision {
        case_id: case["id"].as_str().unwrap().to_owned(),
        opening: case["opening"].as_u64().unwrap(),
        answer: Answer::Reject,
        remedy: None,
        shown: None,
        target_id: None,
        by: Approved { approver: "saanvi".into(), channel: Channel::Slack, identity: "T1/U1".into() },
        decided_at: now(),
        not_after: now(),
        rules: "rules".into(),
    }
}

async fn decide(place: &Place, key: &Key, case: &Value) {
    let decision = rejection(case);
    let item = json!({
        "pk": { "S": decision::key(&decision.case_id, decision.opening) }, "version": { "N": "1" },
        "body": { "S": key.decision_row(&decision).await }, "token": { "S": fresh_id() },
    });
    let request = json!({ "TableName": place.table, "Item": item });
    place.aws.call("dynamodb", "DynamoDB_20120810.PutItem", request).await;
}

#[tokio::test]
async fn what_can_be_approved_is_offered_and_named_by_ids_alone() {
    let (place, key) = granting("offers").await;
    let mut function = place.function().await;
    let (read, stop) = (denial("mateojackson", "GetTrailStatus"), denial("mallory", "StopLogging"));
    let done = function.batch(&bodies([&read, &stop]), USUAL).await;
    assert_eq!((done.counts.posted, done.failed.len()), (2, 0), "{:#?}", function.log);

    let cases = place.cases().await;
    cases.iter().for_each(assert_told);
    let case = cases.iter().find(|case| case["audience"] == "notices").unwrap();
    assert_eq!(case["diagnosis"]["response"], "request-approval");
    let [message] = &place.slack.channel(NOTICES)[..] else { panic!("one message") };
    let message = message.versions.last().unwrap();
    let found = elements(message);
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [ids::REMEDY, ids::DURATION, ids::APPROVE, ids::REJECT]);
    for (_, button) in &found[2..] {
        let value = button["value"].as_str().unwrap();
        assert_eq!(read_subject(value), Some((case["id"].as_str().unwrap(), 1)));
    }
    let options = |at: usize| found[at].1["options"].as_array().unwrap().iter().map(|o| o["value"].as_str().unwrap());
    assert!(options(0).all(is_remedy_hash) && options(0).count() > 0);
    assert_eq!(options(1).filter_map(read_duration).collect::<Vec<_>>(), DURATIONS.map(|minutes| minutes * 60));
    let offered: Vec<&str> = options(0).collect();
    let remedies = case["diagnosis"]["remedies"].as_array().unwrap();
    let can_be: Vec<&str> = remedies
        .iter()
        .filter(|remedy| remedy["apply"] == "on-approval")
        .map(|remedy| remedy["hash"].as_str().unwrap())
        .collect();
    assert_eq!(offered, can_be);

    // Somebody who tried to blind the log is offered nothing.
    let [alarm] = &place.slack.channel(ALARMS)[..] else { panic!("one alarm") };
    assert!(elements(alarm.versions.last().unwrap()).is_empty() && !has_buttons(alarm.versions.last().unwrap()));

    // Everybody gets the link, and only the key's owner could have made it.
    let publications = place.ledger.publications();
    let published = publications.iter().find(|published| published.topic == place.notices.arn).unwrap();
    let email = published.message["email"].as_str().unwrap();
    let address =
        email.split_whitespace().find(|word| word.starts_with(PAGES)).unwrap_or_else(|| panic!("a link: {email}"));
    let escaped = address.replace('&', "&amp;");
    assert!(message.to_string().contains(&escaped), "{message}");
    let (case_id, query) = address.strip_prefix(PAGES).unwrap().split_once('?').unwrap();
    let (link, code) = Link::read(case_id, query).expect("a link in its form");
    assert_eq!((link.case_id.as_str(), link.opening), (case["id"].as_str().unwrap(), 1));
    assert!(link.holds(now()) && link.holds(now() + 6 * 24 * HOUR) && !link.holds(now() + 8 * 24 * HOUR));
    assert_eq!(code, key.mac(&link.message(STACK)).await);
}

#[tokio::test]
async fn once_answered_a_message_is_no_longer_triages() {
    let (place, key) = granting("answered").await;
    let mut function = place.function().await;
    let read = denial("mateojackson", "GetTrailStatus");
    function.batch(&bodies([&read]), USUAL).await;
    let case = place.case().await;
    let row = format!("CASE#{}", case["id"].as_str().unwrap());
    let message = || place.slack.channel(NOTICES).remove(0);

    // As long as nobody has answered, the counter goes up and the buttons stay.
    place.turn(&row, |case| case["told"]["updated_at"] = json!(0)).await;
    function.batch(&bodies([&read.another()]), USUAL).await;
    assert_eq!(message().versions.len(), 2);
    assert!(message().text().contains("2 times") && has_buttons(message().versions.last().unwrap()));

    decide(&place, &key, &case).await;
    place.turn(&row, |case| case["told"]["updated_at"] = json!(0)).await;
    let done = function.batch(&bodies([&read.another()]), USUAL).await;
    assert_eq!((done.counts.joined, place.case().await["count"].clone()), (1, json!(3)));
    assert_eq!(message().versions.len(), 2, "what it says is another's to write now");
}

#[tokio::test]
async fn who_answers_during_an_update_does_not_find_the_buttons_back() {
    let (place, key) = granting("meanwhile").await;
    let mut function = place.function().await;
    let read = denial("mateojackson", "GetTrailStatus");
    function.batch(&bodies([&read]), USUAL).await;
    let case = place.case().await;
    place.turn(&format!("CASE#{}", case["id"].as_str().unwrap()), |case| case["told"]["updated_at"] = json!(0)).await;
    // Slack wants the update two seconds later, and by then somebody has answered.
    let attempts = place.slack.attempts();
    place.slack.once(Mood::Limits(2));
    let again = bodies([&read.another()]);
    let answer = async {
        while place.slack.attempts() == attempts {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        decide(&place, &key, &case).await;
    };
    let (done, ()) = tokio::join!(function.batch(&again, USUAL), answer);
    assert_eq!(done.counts.joined, 1);
    let [message] = &place.slack.channel(NOTICES)[..] else { panic!("one message") };
    let [_, updated, last] = &message.versions[..] else { panic!("{} versions", message.versions.len()) };
    assert!(has_buttons(updated), "the update that was under way");
    assert!(!has_buttons(last) && last.to_string().contains("saanvi rejected it"), "{last}");
}

#[tokio::test]
async fn a_webhook_has_no_buttons() {
    let (mut place, _) = granting("webhook-offer").await;
    place.set("TRAILPASS_SLACK_NOTICES_CHANNEL", "");
    let webhook = place.webhook();
    let name = "webhook-offer/notices";
    let request = json!({"Name": name, "SecretString": webhook, "ClientRequestToken": fresh_id()});
    place.aws.call("secretsmanager", "secretsmanager.CreateSecret", request).await;
    place.set("TRAILPASS_SLACK_NOTICES_WEBHOOK_SECRET", name);
    let mut function = place.function().await;
    let done = function.batch(&bodies([&denial("mateojackson", "GetTrailStatus")]), USUAL).await;
    assert_eq!(done.counts.posted, 1, "{:#?}", function.log);
    let [message] = &place.slack.channel("webhook")[..] else { panic!("one message") };
    assert!(!has_buttons(message.versions.last().unwrap()) && message.text().contains("GetTrailStatus"));
}

#[tokio::test]
async fn without_its_key_a_notice_goes_without_a_link() {
    let (mut place, _) = granting("no-link").await;
    place.set("TRAILPASS_LINK_KEY", "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000");
    let mut function = place.function().await;
    let done = function.batch(&bodies([&denial("mateojackson", "GetTrailStatus")]), USUAL).await;
    assert_eq!((done.counts.posted, done.failed.len()), (1, 0), "{:#?}", function.log);
    let [message] = &place.slack.channel(NOTICES)[..] else { panic!("one message") };
    assert!(!message.text().contains(PAGES) && has_buttons(message.versions.last().unwrap()));
}

#[tokio::test]
async fn where_nothing_is_granted_nothing_more_is_asked() {
    let mut place = Place::new("no-grants", TRIAGE).await;
    place.set("TRAILPASS_GRANT_MODE", "none");
    place.set("TRAILPASS_SLACK_BUTTONS", "true");
    let mut function = place.function().await;
    let read = denial("mateojackson", "GetTrailStatus");
    function.batch(&bodies([&read]), USUAL).await;
    let case = place.case().await;
    assert_eq!(case["diagnosis"]["response"], "suggest-fix");
    let [message] = &place.slack.channel(NOTICES)[..] else { panic!("one message") };
    assert!(!has_buttons(message.versions.last().unwrap()));
    place.turn(&format!("CASE#{}", case["id"].as_str().unwrap()), |case| case["told"]["updated_at"] = json!(0)).await;
    let reads = place.ledger.count(Kind::Read);
    function.batch(&bodies([&read.another()]), USUAL).await;
    assert_eq!(place.slack.channel(NOTICES)[0].versions.len(), 2);
    assert_eq!(place.ledger.count(Kind::Read) - reads, 1, "the case's documents, and no decision");
}

/// IAM's policy simulator, which the emulator hasn't got: it says this of every call, or nothing at all.
pub async fn simulator(word: Option<&'static str>) -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heard = asked.clone();
    let server = Server::start(move |request: Request| {
        let fields = form(&request.text());
        let field = |name: &str| fields.iter().find(|(its, _)| its == name).map(|(_, value)| value.clone()).unwrap();
        heard.lock().unwrap().push(field("Action"));
        let reply = word.map_or(Reply::Hang, |word| {
            let (action, resource) = (field("ActionNames.member.1"), field("ResourceArns.member.1"));
            Reply::Answer(Response::text(200, &format!(
                "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName><EvalDecision>{word}</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
            )))
        });
        async move { reply }
    });
    (server.await, asked)
}

#[tokio::test]
async fn the_simulators_word_makes_an_offer_and_its_silence_does_not() {
    for (name, word, simulated, response) in [
        ("simulator-1", Some("implicitDeny"), json!("implicit-deny"), "request-approval"),
        ("simulator-2", Some("explicitDeny"), json!("explicit-deny"), "suggest-fix"),
        ("simulator-3", Some("allowed"), json!("allowed"), "suggest-fix"),
        ("simulator-4", None, Value::Null, "suggest-fix"),
    ] {
        let (mut place, _) = granting(name).await;
        let (server, asked) = simulator(word).await;
        place.set("AWS_ENDPOINT_URL_IAM", &server.url());
        let mut function = place.function().await;
        // The old form: of a sensitive action it is enough with the simulator's word only.
        let lookup = denial("alice", "LookupEvents").on("*").because(NO_REASON);
        let begun = SystemTime::now();
        let done = function.batch(&bodies([&lookup]), USUAL).await;
        assert_eq!((done.counts.posted, done.failed.len()), (1, 0), "{name}: {:#?}", function.log);
        assert!(begun.elapsed().unwrap() < Duration::from_secs(20), "{name}: nobody waits for the simulator");
        let case = place.case().await;
        assert_told(&case);
        assert_eq!((&case["simulated"], &case["diagnosis"]["response"]), (&simulated, &json!(response)), "{name}");
        let [message] = &place.slack.channel(NOTICES)[..] else { panic!("one message") };
        assert_eq!(has_buttons(message.versions.last().unwrap()), response == "request-approval", "{name}");
        assert!(asked.lock().unwrap().iter().all(|action| action == "SimulatePrincipalPolicy"));

        // It is asked for a case, not for each denial; and never where AWS gave a reason.
        let before = asked.lock().unwrap().len();
        function.batch(&bodies([&lookup.another(), &denial("bob", "LookupEvents").on("*")]), USUAL).await;
        assert_eq!(asked.lock().unwrap().len(), before, "{name}");
    }
}
