//! Answers on the whole road: a denial is told, somebody clicks, and the deployed program makes a decision of it that the other
//! deployed program believes.
//!
//! Slack's requests are made and signed by Slack's own `slack_sdk`. What is emulated is AWS; keys, parameters and secrets are its.

use std::time::{SystemTime, UNIX_EPOCH};

use access::{
    answer::aws::{self as answer, AwsAnswer, SignedAnswer, Wish},
    case::Case,
    decision,
    diagnosis::Apply,
    grant::GrantMode,
    link::Link,
};
use serde_json::{Value, json};
use tests::local::{
    ACCOUNT, REGION,
    aws::element,
    function::{Ended, Function, fresh_id},
    http::{Reply, Response, Server},
    moto::Moto,
    place::NOTICES,
    proxy::{Kind, Trouble, When},
    side_by_side,
    vouching::Key,
};

use crate::{
    DECIDE, USUAL, browser,
    grants::{Stack, Who},
};

use sdk::slack_sdk;

#[path = "../../../shared/access/tests/slack_answers/sdk.rs"]
mod sdk;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub const ARN: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A stack with all three functions.
pub struct Whole {
    pub stack: Stack,
    pub decide: Function,
    links: Key,
    name: String,
}

impl Whole {
    pub async fn at(moto: &Moto, name: &str) -> Self {
        Self::in_mode(moto, name, GrantMode::Managed).await
    }

    pub async fn in_mode(moto: &Moto, name: &str, mode: GrantMode) -> Self {
        let mut stack = Stack::at(moto, name, mode).await;
        let aws = stack.place.aws.clone();
        let links = Key::new(&aws).await;
        let secret = json!({
            "Name": format!("{name}/slack-signing"), "ClientRequestToken": fresh_id(),
            "SecretString": json!({ "signing_secret": SECRET }).to_string(),
        });
        aws.call("secretsmanager", "secretsmanager.CreateSecret", secret).await;
        for (setting, value) in [
            ("TRAILPASS_STACK", ARN.to_owned()),
            ("TRAILPASS_LINK_KEY", links.arn.clone()),
            ("TRAILPASS_APPROVERS", format!("/{name}/approvers")),
            ("TRAILPASS_SLACK_SIGNING_SECRET", format!("{name}/slack-signing")),
            ("TRAILPASS_SLACK_APP", "A0APP".to_owned()),
            ("TRAILPASS_SLACK_TEAM", "T0TEAM".to_owned()),
        ] {
            stack.place.set(setting, &value);
        }
        let person = |name: &str, slack: &str| {
            let user = if name == "alice" { stack.holder(Who::User) } else { name.to_owned() };
            let arn = format!("arn:aws:iam::{ACCOUNT}:user/{user}");
            json!({ "name": name, "slack": [{ "team_id": "T0TEAM", "user_id": slack }], "aws": [arn] })
        };
        let people = [person("saanvi", "U0SAANVI"), person("nikki", "U0NIKKI"), person("alice", "U0ALICE")];
        let people = json!({ "schema": "trailpass.approvers/1", "approvers": people });
        let decide = Self::started(&stack).await;
        let whole = Self { stack, decide, links, name: name.to_owned() };
        whole.parameter("approvers", &people.to_string()).await;
        whole
    }

    pub async fn started(stack: &Stack) -> Function {
        let mut settings = stack.place.settings.clone();
        settings.insert("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "trailpass-decide".to_owned());
        Function::start(std::path::Path::new(DECIDE), &settings).await
    }

    async fn parameter(&self, name: &str, text: &str) {
        let name = format!("/{}/{name}", self.name);
        let request = json!({ "Name": name, "Value": text, "Type": "String", "Overwrite": true });
        self.stack.place.aws.call("ssm", "AmazonSSM.PutParameter", request).await;
    }

    /// What Slack sends of somebody's click, signed as Slack signs it.
    pub fn click(&self, case: &Case, user_id: &str, action: &str) -> Value {
        self.signed(&self.payload(case, user_id, action), SECRET, now())
    }

    fn payload(&self, case: &Case, user_id: &str, action: &str) -> Value {
        let remedies = case.diagnosed(&self.stack.setting()).diagnosis.remedies;
        let offered =
            remedies.into_iter().find(|remedy| remedy.apply == Apply::OnApproval).expect("it can be approved");
        let option = |value: &str| json!({ "type": "static_select", "selected_option": { "value": value } });
        let told = case.told.slack.clone().expect("told in Slack");
        json!({
            "type": "block_actions", "api_app_id": "A0APP", "team": { "id": "T0TEAM" },
            "user": { "id": user_id, "team_id": "T0TEAM" }, "channel": { "id": told.channel },
            "container": { "type": "message", "message_ts": told.ts, "channel_id": told.channel },
            "message": { "ts": told.ts, "text": "Ünïcode & 100 %" },
            "state": { "values": { "trailpass.choice": {
                "trailpass.remedy": option(&offered.hash.expect("a hash")), "trailpass.duration": option("60"),
            } } },
            "actions": [{ "type": "button", "action_id": format!("trailpass.{action}"), "value": format!("{}#{}", case.id, case.opening) }],
        })
    }

    fn signed(&self, payload: &Value, secret: &str, at: i64) -> Value {
        let made =
            slack_sdk(&[json!({ "work": "request", "of": { "secret": secret, "now": at, "payload": payload } })]);
        let headers = json!({
            "content-type": "application/x-www-form-urlencoded", "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "x-slack-request-timestamp": made[0]["timestamp"], "x-slack-signature": made[0]["signature"],
        });
        json!({ "version": "2.0", "routeKey": "POST /slack", "headers": headers, "body": made[0]["body"], "isBase64Encoded": false })
    }

    /// One request: the answer's status, and its counts, which add up. `None`: the function died of it.
    pub async fn asks(&mut self, event: &Value) -> Option<(u64, Value)> {
        let Ended::Answer(answer) = self.decide.invoke(event, USUAL).await else { return None };
        let metrics = self.decide.metrics().await;
        let count = |name: &str| metrics[name].as_u64().unwrap_or_else(|| panic!("no {name} in {metrics}"));
        let parts = ["Decided", "Already", "Refused", "Unproved", "Shown", "Ignored", "Failed"];
        assert_eq!((count("Received"), parts.map(count).iter().sum::<u64>()), (1, 1), "{metrics}");
        assert_eq!(metrics["Function"], "trailpass-decide");
        Some((answer["statusCode"].as_u64().expect("an answer for API Gateway"), metrics))
    }

    /// The lines of the audit, as words.
    fn audit(&self) -> Vec<&str> {
        let lines = self.decide.log.iter().filter(|line| line["target"] == "trailpass::audit");
        lines.map(|line| line["event"].as_str().unwrap()).collect()
    }

    /// The one decision that is in the table.
    pub async fn decision(&self) -> Option<Value> {
        let documents = self.stack.place.documents("DECISION").await;
        let mut decisions: Vec<Value> =
            documents.into_values().filter(|body| body["record"]["answer"].is_string()).collect();
        assert!(decisions.len() < 2, "{decisions:?}");
        decisions.pop()
    }
}

#[tokio::test]
async fn from_the_click_to_the_permission() {
    let mut whole = Whole::at(Moto::shared(), "clicked").await;
    let case = whole.stack.denied(Who::User).await;
    let start = std::time::Instant::now();
    let (status, metrics) = whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap();
    println!("from the click to the answer, slack_sdk's part and a cold start included: {:?}", start.elapsed());
    assert_eq!((status, &metrics["Decided"]), (200, &json!(1)), "{:#?}", whole.decide.log);
    let key = decision::key(&case.id, case.opening);
    assert_eq!(whole.stack.streams(&[&key]).await, Some(vec![]), "{:#?}", whole.stack.function.log);
    assert_eq!(whole.stack.held(Who::User).await.0.len(), 1, "its code is the right one");
    let text = whole.stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("saanvi approved it in Slack"), "{text}");

    let line = whole.decide.log.iter().find(|line| line["event"] == "decided").expect("a line of the audit");
    assert_eq!((&line["approver"], &line["identity"]), (&json!("saanvi"), &json!("T0TEAM/U0SAANVI")), "{line}");
    assert!(line["rules"].is_string() && line["not_after"].is_i64() && line["remedy"].is_string(), "{line}");

    // Somebody else's, and the same again: one decision.
    let first = whole.decision().await;
    for (user, answer) in [("U0NIKKI", "reject"), ("U0SAANVI", "approve")] {
        let (status, metrics) = whole.asks(&whole.click(&case, user, answer)).await.unwrap();
        assert_eq!((status, &metrics["Already"]), (200, &json!(1)));
    }
    assert_eq!(whole.decision().await, first);
    assert_eq!(whole.audit(), ["decided", "already", "already"]);
    // Everything that the stream brings by: what did not count wakes nobody up.
    let keys: Vec<String> = whole.stack.place.documents("DECISION").await.into_keys().collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!((keys.len(), whole.stack.streams(&keys).await), (3, Some(vec![])));
    assert!(whole.stack.function.log.iter().all(|line| line["level"] != "WARN"), "{:#?}", whole.stack.function.log);
}

#[tokio::test]
async fn a_rejection_is_told() {
    let mut whole = Whole::at(Moto::shared(), "says-no").await;
    let case = whole.stack.denied(Who::Role).await;
    assert_eq!(whole.asks(&whole.click(&case, "U0NIKKI", "reject")).await.unwrap().0, 200);
    assert_eq!(whole.stack.streams(&[&decision::key(&case.id, case.opening)]).await, Some(vec![]));
    assert_eq!(whole.stack.held(Who::Role).await.0, Vec::<String>::new());
    let text = whole.stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("nikki rejected it"), "{text}");
}

/// Each is refused, none leaves a decision, and each is a line of the audit.
#[tokio::test]
async fn tries_are_refused_and_audited() {
    let mut whole = Whole::at(Moto::shared(), "tried").await;
    let case = whole.stack.denied(Who::User).await;
    let right = whole.payload(&case, "U0SAANVI", "approve");
    let mut stranger = right.clone();
    stranger["user"]["team_id"] = json!("T0OTHERS");
    let mut altered = right.clone();
    let hash = "/state/values/trailpass.choice/trailpass.remedy/selected_option/value";
    *altered.pointer_mut(hash).unwrap() = json!("0".repeat(64));
    let mut context = whole.signed(&right, "another secret, as long as this", now());
    context["requestContext"] =
        json!({ "authorizer": { "iam": { "userArn": format!("arn:aws:iam::{ACCOUNT}:user/saanvi") } } });
    let tries = [
        (whole.click(&case, "U0ALICE", "approve"), 403, "refused", 1),
        (whole.click(&case, "U0MALLORY", "approve"), 403, "refused", 1),
        (whole.signed(&stranger, SECRET, now()), 403, "refused", 1),
        (whole.signed(&altered, SECRET, now()), 403, "refused", 0),
        (whole.signed(&right, "another secret, as long as this", now()), 401, "unproved", 0),
        (whole.signed(&right, SECRET, now() - 305), 401, "unproved", 0),
        (context, 401, "unproved", 0),
    ];
    for (n, (event, status, word, escalations)) in tries.into_iter().enumerate() {
        let (its, metrics) = whole.asks(&event).await.unwrap();
        assert_eq!((its, &metrics["EscalationTries"]), (status, &json!(escalations)), "{n}");
        assert_eq!(whole.audit().last(), Some(&word), "{n}");
        assert_eq!(whole.audit().len(), n + 1);
    }
    assert_eq!(whole.decision().await, None);
    let said = whole.decide.log.iter().map(Value::to_string).collect::<String>();
    assert!(!said.contains(SECRET) && !said.contains("v0="), "no log holds a secret or a signature");
    assert_eq!(
        whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap().0,
        200,
        "and the right one counts"
    );
}

/// A list that is not there, is another kind, or can't be read: nobody answers, and operators hear of it.
#[tokio::test]
async fn without_a_list_nobody_answers() {
    for (name, trouble) in [("gone", "gone"), ("secure", "secure"), ("broken", "{"), ("rules", "rules")] {
        let mut whole = Whole::at(Moto::shared(), &format!("lists-{name}")).await;
        let case = whole.stack.denied(Who::User).await;
        let parameter = format!("/lists-{name}/approvers");
        let aws = whole.stack.place.aws.clone();
        match trouble {
            "gone" => drop(aws.call("ssm", "AmazonSSM.DeleteParameter", json!({ "Name": parameter })).await),
            "secure" => {
                aws.call("ssm", "AmazonSSM.DeleteParameter", json!({ "Name": parameter })).await;
                let request = json!({ "Name": parameter, "Value": "x", "Type": "SecureString" });
                aws.call("ssm", "AmazonSSM.PutParameter", request).await;
            }
            "rules" => {
                whole.parameter("rules", "permit (principal, action").await;
                whole.stack.place.set("TRAILPASS_APPROVAL_RULES", "/lists-rules/rules");
                whole.decide = Whole::started(&whole.stack).await;
            }
            text => whole.parameter("approvers", text).await,
        }
        let (status, metrics) = whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap();
        assert_eq!(
            (status, &metrics["InvalidRules"], &metrics["EscalationTries"]),
            (403, &json!(1), &json!(0)),
            "{name}"
        );
        assert!(whole.decide.log.iter().any(|line| line["level"] == "ERROR"), "{name}");
        assert_eq!(whole.decision().await, None);
    }
}

/// The operator's own rules, from their parameter.
#[tokio::test]
async fn rules_of_the_operators_own() {
    let mut whole = Whole::at(Moto::shared(), "own-rules").await;
    let case = whole.stack.denied(Who::User).await;
    whole.parameter("rules", r#"permit (principal == Approver::"nikki", action, resource);"#).await;
    whole.stack.place.set("TRAILPASS_APPROVAL_RULES", "/own-rules/rules");
    whole.decide = Whole::started(&whole.stack).await;
    assert_eq!(whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap().0, 403);
    assert_eq!(whole.asks(&whole.click(&case, "U0NIKKI", "approve")).await.unwrap().0, 200);
}

/// With AWS credentials, by way of the emulated STS: it knows whose key it is, and believes every signature, so that which ones are
/// believed is for other tests.
#[tokio::test]
async fn by_aws_credentials() {
    let mut whole = Whole::at(Moto::shared(), "by-aws").await;
    let case = whole.stack.denied(Who::User).await;
    let aws = whole.stack.place.aws.clone();
    let mut keys = Vec::new();
    for user in ["saanvi", "mallory"] {
        aws.query("iam", "CreateUser", &[("UserName", user)]).await;
        let made = aws.query("iam", "CreateAccessKey", &[("UserName", user)]).await;
        keys.push(element(&made, "AccessKeyId").unwrap());
    }
    let remedies = case.diagnosed(&whole.stack.setting()).diagnosis.remedies;
    let remedy = remedies.into_iter().find_map(|remedy| remedy.hash.filter(|_| remedy.apply == Apply::OnApproval));
    let approve = Wish::Approve { remedy: remedy.expect("an offer"), duration_seconds: 3600 };
    let event = |key: &str, wish: &Wish| {
        let answer =
            AwsAnswer { stack: ARN.into(), case_id: case.id.clone(), opening: case.opening, wish: wish.clone() };
        let signed = SignedAnswer {
            schema: answer::SCHEMA.into(),
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={key}/20261005/{REGION}/sts/aws4_request, SignedHeaders={}, Signature={}",
                SignedAnswer::signed_headers(false),
                "0".repeat(64)
            ),
            date: "20261005T080001Z".into(),
            token: None,
            answer: answer.header().unwrap(),
        };
        let body = serde_json::to_string(&signed).unwrap();
        json!({ "version": "2.0", "routeKey": "POST /answers", "headers": {}, "body": body, "isBase64Encoded": false })
    };
    let (status, metrics) = whole.asks(&event(&keys[1], &approve)).await.unwrap();
    assert_eq!((status, &metrics["EscalationTries"]), (200, &json!(1)));
    assert_eq!(whole.decision().await, None);
    let (_, metrics) = whole.asks(&event(&keys[0], &approve)).await.unwrap();
    assert_eq!(&metrics["Decided"], &json!(1), "{:#?}", whole.decide.log);
    let key = decision::key(&case.id, case.opening);
    assert_eq!(whole.stack.streams(&[&key]).await, Some(vec![]));
    assert_eq!(whole.stack.held(Who::User).await.0.len(), 1);
    let (_, metrics) = whole.asks(&event(&keys[0], &Wish::Revoke)).await.unwrap();
    assert_eq!(&metrics["Decided"], &json!(1));
    let revoked = decision::revocation_key(&case.id, case.opening);
    assert_eq!(whole.stack.streams(&[&revoked]).await, Some(vec![]));
    assert_eq!(whole.stack.held(Who::User).await.0, Vec::<String>::new(), "its code is the right one, too");
    assert_eq!(whole.audit(), ["refused", "decided", "revoked"]);
}

#[tokio::test]
async fn a_page_at_its_link() {
    let mut whole = Whole::at(Moto::shared(), "page-linked").await;
    let case = whole.stack.denied(Who::User).await;
    let link = Link::new(&case.id, case.opening, now());
    let code = whole.links.mac(&link.message(ARN)).await;
    // The key that vouches for decisions vouches for no link.
    let other = whole.stack.key.mac(&link.message(ARN)).await;
    for (code, status) in [(code, 200), (other, 404), ("0".repeat(64), 404)] {
        let address = link.address("/cases/", &code).unwrap();
        let (path, query) = address.split_once('?').unwrap();
        let event = json!({
            "version": "2.0", "routeKey": "GET /cases/{id}", "rawPath": path, "rawQueryString": query,
            "pathParameters": { "id": case.id }, "headers": {}, "isBase64Encoded": false,
        });
        assert_eq!(whole.asks(&event).await.unwrap().0, status);
        if status == 200 {
            let Ended::Answer(answer) = whole.decide.invoke(&event, USUAL).await else { panic!("it lives") };
            whole.decide.metrics().await;
            let page = Response {
                status: 200,
                headers: vec![
                    ("content-type".to_owned(), "text/html; charset=utf-8".to_owned()),
                    (
                        "content-security-policy".to_owned(),
                        answer["headers"]["content-security-policy"].as_str().unwrap().to_owned(),
                    ),
                ],
                body: answer["body"].as_str().unwrap().as_bytes().to_vec(),
            };
            let served = Server::start(move |_| {
                let page = page.clone();
                async move { Reply::Answer(page) }
            })
            .await;
            browser::walk(&["page", &format!("{}/", served.url())]).await;
        }
    }
    assert_eq!(whole.stack.place.documents("DECISION").await.len(), 0);
}

/// Death before and after the one write, and an answer that is lost: whoever clicks again finds one decision, and one grant comes of it.
#[tokio::test]
async fn killed_between_any_two_effects() {
    let jobs = [When::Before, When::After, When::AnswerLost].map(|when| async move {
        let mut whole = Whole::at(Moto::shared(), &format!("decide-dies-{when:?}")).await;
        let case = whole.stack.denied(Who::User).await;
        whole.stack.place.ledger.set_victim(whole.decide.victim());
        let start = whole.stack.place.ledger.effects().len();
        whole.stack.place.ledger.fault(1, when);
        let first = whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await;
        assert!(!whole.stack.place.ledger.is_waiting(), "{when:?}: it went wrong");
        match when {
            When::AnswerLost => assert_eq!(first.expect("it lives").0, 503),
            When::Before | When::After => {
                assert!(first.is_none(), "{when:?}");
                whole.decide = Whole::started(&whole.stack).await;
            }
        }
        let is_written = whole.decision().await;
        assert_eq!(is_written.is_some(), when != When::Before, "{when:?}");
        let (status, metrics) = whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap();
        assert_eq!((status, &metrics[if when == When::Before { "Decided" } else { "Already" }]), (200, &json!(1)));
        let decided = whole.decision().await;
        assert!(decided.is_some() && (is_written.is_none() || is_written == decided), "{when:?}");
        // One write for the decision and its list; one more for what came too late.
        let writes = whole.stack.place.ledger.effects().len() - start;
        assert_eq!(writes, 2, "{when:?}");
        assert_eq!(whole.stack.streams(&[&decision::key(&case.id, case.opening)]).await, Some(vec![]));
        assert_eq!(whole.stack.held(Who::User).await.0.len(), 1, "{when:?}");
    });
    side_by_side(3, jobs).await;
}

/// What AWS refuses us is counted, and decides nothing.
#[tokio::test]
async fn a_table_that_may_not_be_written() {
    let mut whole = Whole::at(Moto::shared(), "not-allowed").await;
    let case = whole.stack.denied(Who::User).await;
    whole.stack.place.ledger.trouble(&[(Kind::Write, Trouble::Denies)]);
    let (status, metrics) = whole.asks(&whole.click(&case, "U0SAANVI", "approve")).await.unwrap();
    assert_eq!((status, &metrics["Failed"], &metrics["OwnDenials"]), (503, &json!(1), &json!(1)));
    assert_eq!((whole.decision().await, whole.audit()), (None, vec!["failed"]));
}

/// Settings that are wrong are said at the start.
#[tokio::test]
async fn what_it_cannot_start_with() {
    let mut whole = Whole::at(Moto::shared(), "wrong-settings").await;
    for (name, value) in [
        ("TRAILPASS_MAC_KEY", ""),
        ("TRAILPASS_GUARDRAILS", "{"),
        ("TRAILPASS_SLACK_TEAM", ""),
        ("TRAILPASS_APPROVERS", "approvers"),
        ("TRAILPASS_STACK", "trailpass"),
    ] {
        let right = whole.stack.place.settings.clone();
        whole.stack.place.set(name, value);
        let (content, said) = Whole::started(&whole.stack).await.ends().await;
        assert!(!content && said.contains(name) && !said.contains("panicked"), "{name}: {said}");
        whole.stack.place.settings = right;
    }
}
