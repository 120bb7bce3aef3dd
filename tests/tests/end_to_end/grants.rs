//! Grants on the whole road: a denial comes in, somebody approves, IAM changes, people are told, and it ends.
//!
//! Triage and reconcile are the deployed programs; the decision is written as `decide` writes it. The clock is the machine's,
//! so an end that comes within a test is a few seconds away: such a decision was made nearly a minute ago.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use access::{
    case::Case,
    decision::{self, Answer, Approved, Channel, Decision, Revocation},
    diagnose::Setting,
    diagnosis::Apply,
    grant::{self, GrantMode, OWN_POLICIES},
    guardrails::Guardrails,
};
use serde_json::{Value, json};
use tests::local::{
    ACCOUNT, REGION,
    aws::{element, with_users_ids},
    denials::{Denial, NO_POLICY, denial},
    function::{Ended, Function, fresh_id},
    moto::Moto,
    place::{ALARMS, NOTICES, Place},
    proxy::{Kind, Trouble, When},
    side_by_side,
    vouching::{Key, hour_list},
};

use crate::{RECONCILE, TRIAGE, USUAL, assert_told};

const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A stack with one of each: a user and a role that exist in IAM, and the three policies of its own.
pub struct Stack {
    pub place: Place,
    mode: GrantMode,
    name: String,
    pub key: Key,
    /// The function, started with reconcile's settings.
    pub function: Function,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    User,
    Role,
}

impl Stack {
    /// IAM is the emulator's, and a sweep looks at all of it: whoever sweeps has an emulator of their own.
    pub async fn at(moto: &Moto, name: &str, mode: GrantMode) -> Self {
        let mut place = Place::at(moto, name, TRIAGE).await;
        for own in OWN_POLICIES {
            let document = own.document().to_json();
            let fields = [("Path", "/trailpass/"), ("PolicyName", own.name), ("PolicyDocument", document.as_str())];
            // Whoever is there first makes them.
            let made = place.aws.try_query("iam", "CreatePolicy", &fields).await;
            assert!(made.is_ok() || made.is_err_and(|why| why.text.contains("EntityAlreadyExists")));
        }
        let word = if mode == GrantMode::Exact { "exact" } else { "managed" };
        place.set("TRAILPASS_GRANT_MODE", word);
        let key = Key::new(&place.aws).await;
        place.set("TRAILPASS_MAC_KEY", &key.arn);
        let function = Self::started(&place).await;
        Self { place, mode, name: name.to_owned(), key, function }
    }

    pub async fn started(place: &Place) -> Function {
        let mut settings = place.settings.clone();
        settings.insert("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "trailpass-reconcile".to_owned());
        let function = Function::start(std::path::Path::new(RECONCILE), &settings).await;
        place.ledger.set_victim(function.victim());
        function
    }

    pub fn setting(&self) -> Setting {
        Setting { mode: self.mode, guardrails: Guardrails::default() }
    }

    pub fn holder(&self, who: Who) -> String {
        format!("{}-{}", self.name, if who == Who::User { "alice" } else { "reader" })
    }

    /// Makes a user or role in IAM, and gives a denial of it.
    pub async fn denial(&self, who: Who) -> Denial {
        let name = self.holder(who);
        let read = denial(&name, "GetTrailStatus");
        match who {
            Who::User => {
                let made = self.place.aws.query("iam", "CreateUser", &[("UserName", &name)]).await;
                let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
                let id = element(&with_users_ids(&made), "UserId").unwrap();
                read.by(
                    &arn,
                    json!({
                        "type": "IAMUser", "principalId": id, "arn": arn, "accountId": ACCOUNT,
                        "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": name,
                    }),
                )
            }
            Who::Role => {
                let fields = [("RoleName", name.as_str()), ("Path", "/team/"), ("AssumeRolePolicyDocument", TRUST)];
                let made = self.place.aws.query("iam", "CreateRole", &fields).await;
                let id = element(&made, "RoleId").unwrap();
                let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/mary");
                read.by(&arn, json!({
                    "type": "AssumedRole", "principalId": format!("{id}:mary"), "arn": arn, "accountId": ACCOUNT,
                    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                    "sessionContext": { "sessionIssuer": {
                        "type": "Role", "principalId": id, "arn": format!("arn:aws:iam::{ACCOUNT}:role/team/{name}"),
                        "accountId": ACCOUNT, "userName": name,
                    } },
                }))
            }
        }
    }

    /// Triage makes a case of it, and tells.
    pub async fn denied(&self, who: Who) -> Case {
        let denial = self.denial(who).await.because(NO_POLICY);
        self.place.deliver(&[denial.body()], USUAL).await;
        let case = self.place.case().await;
        assert_told(&case);
        serde_json::from_value(case).unwrap()
    }

    /// What decide makes of a click, `left` seconds before its end.
    pub fn decision(&self, case: &Case, answer: Answer, left: i64) -> Decision {
        let diagnosed = case.diagnosed(&self.setting());
        let mut offers = diagnosed.diagnosis.remedies.iter().filter(|remedy| remedy.apply == Apply::OnApproval);
        let remedy = offers.next().expect("it can be approved");
        let decided_at = now() - 58.min(3600 - left);
        let is_approval = answer == Answer::Approve;
        Decision {
            case_id: case.id.clone(),
            opening: case.opening,
            answer,
            remedy: remedy.hash.clone().filter(|_| is_approval),
            shown: is_approval.then(|| grant::approved(&case.id, remedy)),
            target_id: diagnosed.diagnosis.principal.unique_id.clone().filter(|_| is_approval),
            by: Approved { approver: "saanvi".into(), channel: Channel::Slack, identity: "T1/U1".into() },
            decided_at,
            not_after: if is_approval { now() + left } else { decided_at },
            rules: "rules".into(),
        }
    }

    pub async fn put(&self, key: &str, body: &str) {
        let item = json!({
            "pk": { "S": key }, "version": { "N": "1" }, "body": { "S": body }, "token": { "S": fresh_id() },
        });
        let request = json!({ "TableName": self.place.table, "Item": item });
        self.place.aws.call("dynamodb", "DynamoDB_20120810.PutItem", request).await;
    }

    /// Writes it as decide does, and gives its key.
    pub async fn decided(&self, decision: &Decision) -> String {
        let key = decision::key(&decision.case_id, decision.opening);
        self.put(&key, &self.key.decision_row(decision).await).await;
        let (list, body) = hour_list(&key, decision.decided_at / 3600);
        self.put(&list, &body).await;
        key
    }

    /// Takes a grant back, as decide does, and gives the key.
    pub async fn revoked(&self, case: &Case) -> String {
        let by = self.decision(case, Answer::Approve, 3000).by;
        let revocation = Revocation { case_id: case.id.clone(), opening: case.opening, by, revoked_at: now() };
        let key = decision::revocation_key(&case.id, case.opening);
        self.put(&key, &self.key.revocation_row(&revocation).await).await;
        key
    }

    /// What the stream delivers. The function may die of it. Returns the records that have to come again.
    pub async fn streams(&mut self, keys: &[&str]) -> Option<Vec<String>> {
        let records: Vec<Value> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| {
                json!({
                    "eventID": fresh_id(), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
                    "awsRegion": REGION, "eventSourceARN": format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t/stream/s"),
                    "dynamodb": {
                        "ApproximateCreationDateTime": now(), "Keys": { "pk": { "S": key } },
                        "SequenceNumber": n.to_string(), "SizeBytes": 300, "StreamViewType": "KEYS_ONLY",
                    },
                })
            })
            .collect();
        let Ended::Answer(answer) = self.function.invoke(&json!({ "Records": records }), USUAL).await else {
            return None;
        };
        let failures = answer["batchItemFailures"].as_array().expect("a stream's answer").clone();
        Some(failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect())
    }

    /// What the schedule sends. `false`: the function died of it.
    pub async fn sweeps(&mut self) -> bool {
        let event = json!({
            "version": "0", "id": fresh_id(), "detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT,
            "time": "2026-10-05T08:00:00Z", "region": REGION, "resources": [], "detail": {},
        });
        matches!(self.function.invoke(&event, USUAL).await, Ended::Answer(_))
    }

    /// The names of what somebody holds under our names, and of everything else.
    pub async fn held(&self, who: Who) -> (Vec<String>, Vec<String>) {
        let (kind, name) = (if who == Who::User { "User" } else { "Role" }, self.holder(who));
        let fields = [(if who == Who::User { "UserName" } else { "RoleName" }, name.as_str())];
        let attached = self.place.aws.query("iam", &format!("ListAttached{kind}Policies"), &fields).await;
        let inline = self.place.aws.query("iam", &format!("List{kind}Policies"), &fields).await;
        let all = |xml: &str, tag: &str| -> Vec<String> {
            let open = format!("<{tag}>");
            xml.split(&open).skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
        };
        let mut held = all(&attached, "PolicyArn");
        held.extend(all(&inline, "member"));
        held.into_iter().partition(|name| name.contains("trailpass-") && !name.contains("own-"))
    }

    pub async fn grants(&self) -> Vec<Value> {
        let documents = self.place.documents("GRANT").await;
        documents.into_values().flat_map(|file| file["grants"].as_array().cloned().unwrap_or_default()).collect()
    }

    pub fn audit(&self) -> Vec<&Value> {
        self.function.log.iter().filter(|line| line["target"] == "trailpass::audit").collect()
    }
}

#[tokio::test]
async fn from_the_denial_to_the_end() {
    let moto = Moto::start();
    for (name, mode, who) in [
        ("managed-user", GrantMode::Managed, Who::User),
        ("managed-role", GrantMode::Managed, Who::Role),
        ("exact-user", GrantMode::Exact, Who::User),
        ("exact-role", GrantMode::Exact, Who::Role),
    ] {
        let mut stack = Stack::at(&moto, name, mode).await;
        let case = stack.denied(who).await;
        // An administrator's own.
        let own = format!("own-{name}");
        let document = OWN_POLICIES[0].document().to_json();
        let fields = [("PolicyName", own.as_str()), ("PolicyDocument", document.as_str())];
        let made = stack.place.aws.query("iam", "CreatePolicy", &fields).await;
        let (own, holder) = (element(&made, "Arn").unwrap(), stack.holder(who));
        let (action, field) =
            if who == Who::User { ("AttachUserPolicy", "UserName") } else { ("AttachRolePolicy", "RoleName") };
        stack.place.aws.query("iam", action, &[(field, &holder), ("PolicyArn", &own)]).await;

        let key = stack.decided(&stack.decision(&case, Answer::Approve, 3000)).await;
        let before = stack.place.ledger.iam_calls().len();
        assert_eq!(stack.streams(&[&key]).await, Some(vec![]), "{:#?}", stack.function.log);
        let (held, others) = stack.held(who).await;
        assert_eq!((held.len(), others.as_slice()), (1, &[own.clone()][..]), "{name}");
        let calls = stack.place.ledger.iam_calls();
        println!("{name}: {} calls to IAM to give: {:?}", calls.len() - before, &calls[before..]);
        let given =
            stack.audit().into_iter().find(|line| line["event"] == "change").expect("a line of the audit").clone();
        assert_eq!((&given["result"], &given["approver"]), (&json!("made"), &json!("saanvi")), "{given}");
        assert!(given["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{given}");
        // Slack's one message says it, and nothing is left to click; the topic has heard, too.
        let [message] = &stack.place.slack.channel(NOTICES)[..] else { panic!("one message") };
        assert!(message.text().contains("Given") && message.text().contains("saanvi approved"), "{}", message.text());
        assert!(!message.text().contains("\"button\""));
        let heard = stack.place.notices.heard(&stack.place.aws).await;
        let last: Value = serde_json::from_str(heard.last().unwrap()["Message"].as_str().unwrap()).unwrap();
        assert_eq!((&last["schema"], &last["progress"]), (&json!("trailpass.progress/1"), &json!("given")));

        // Delivered again, and swept: nothing changes.
        let changes = stack.place.ledger.count(Kind::Change);
        assert_eq!(stack.streams(&[&key, &key]).await, Some(vec![]));
        assert!(stack.sweeps().await);
        assert_eq!(stack.place.ledger.count(Kind::Change), changes);

        stack.revoked(&case).await;
        let before = stack.place.ledger.iam_calls().len();
        assert!(stack.sweeps().await);
        let calls = stack.place.ledger.iam_calls();
        println!("{name}: {} calls to IAM to take back, in a sweep: {:?}", calls.len() - before, &calls[before..]);
        assert_eq!(stack.held(who).await, (vec![], vec![own]), "{name}: {:#?}", stack.function.log);
        let [grant] = &stack.grants().await[..] else { panic!("one grant") };
        assert_eq!(grant["state"], json!({ "ended": "revoked" }));
        let text = stack.place.slack.channel(NOTICES)[0].text();
        assert!(text.contains("Ended") && text.contains("It was revoked"), "{text}");

        // With nothing left to do: one call for each of the stack's policies, and one read.
        let (before, reads) = (stack.place.ledger.iam_calls().len(), stack.place.ledger.count(Kind::Read));
        let effects = stack.place.ledger.effects().len();
        assert!(stack.sweeps().await);
        let idle = stack.place.ledger.iam_calls()[before..].to_vec();
        assert_eq!(idle, ["ListEntitiesForPolicy"; 3]);
        let reads = stack.place.ledger.count(Kind::Read) - reads - idle.len();
        println!("{name}: an idle sweep: {} calls to IAM, {reads} reads of the table", idle.len());
        assert_eq!((stack.place.ledger.effects().len(), reads <= 2), (effects, true), "{reads}");
    }
}

/// With nobody's doing: the function asks the machine's clock, so this end has to be waited for.
#[tokio::test]
async fn its_time_is_over() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "over", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let decision = stack.decision(&case, Answer::Approve, 25);
    let key = stack.decided(&decision).await;
    stack.streams(&[&key]).await.unwrap();
    while now() < decision.not_after {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::User).await.0, Vec::<String>::new());
    let [grant] = &stack.grants().await[..] else { panic!("one grant") };
    assert_eq!(grant["state"], json!({ "ended": "expired" }));
    let changes: Vec<&Value> = stack.audit().iter().filter_map(|line| line.get("change")).collect();
    assert_eq!(changes, ["AttachUserPolicy", "DetachUserPolicy"]);
}

#[tokio::test]
async fn somebody_says_no() {
    let mut stack = Stack::at(Moto::shared(), "rejected", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let key = stack.decided(&stack.decision(&case, Answer::Reject, 0)).await;
    assert_eq!(stack.streams(&[&key]).await, Some(vec![]));
    assert_eq!(stack.place.ledger.count(Kind::Change), 0);
    let text = stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("Rejected") && text.contains("saanvi rejected it"), "{text}");
}

#[tokio::test]
async fn somebody_takes_it_back() {
    let mut stack = Stack::at(Moto::shared(), "revoked", GrantMode::Managed).await;
    let case = stack.denied(Who::Role).await;
    let key = stack.decided(&stack.decision(&case, Answer::Approve, 3000)).await;
    stack.streams(&[&key]).await.unwrap();
    assert_eq!(stack.held(Who::Role).await.0.len(), 1);
    let by = stack.decision(&case, Answer::Approve, 3000).by;
    let revocation = Revocation { case_id: case.id.clone(), opening: case.opening, by, revoked_at: now() };
    let key = decision::revocation_key(&case.id, case.opening);
    // A code of somebody's own changes nothing.
    stack.put(&key, &json!({ "record": revocation, "mac": "AAAA" }).to_string()).await;
    stack.streams(&[&key]).await.unwrap();
    assert_eq!(stack.held(Who::Role).await.0.len(), 1);
    stack.revoked(&case).await;
    stack.streams(&[&key]).await.unwrap();
    assert_eq!(stack.held(Who::Role).await.0, Vec::<String>::new());
}

/// Written straight into the table, by whoever can.
#[tokio::test]
async fn a_decision_by_hand() {
    let mut stack = Stack::at(Moto::shared(), "by-hand", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let decision = stack.decision(&case, Answer::Approve, 3000);
    let key = decision::key(&case.id, case.opening);
    stack.put(&key, &json!({ "record": decision, "mac": "AAAA" }).to_string()).await;
    let effects = stack.place.ledger.effects().len();
    assert_eq!(stack.streams(&[&key, "DECISION#nonsense", "CASE#x"]).await, Some(vec![]));
    assert_eq!((stack.place.ledger.effects().len(), stack.held(Who::User).await.0.len()), (effects, 0));
    // Once the metrics are there, so is everything else that was logged.
    assert_eq!(stack.function.metrics().await["Unvouched"], 1);
    assert!(stack.audit().iter().any(|line| line["event"] == "unvouched" && line["case"] == json!(case.id)));
}

/// The name is another user's by now.
#[tokio::test]
async fn a_name_that_was_made_anew() {
    let mut stack = Stack::at(Moto::shared(), "anew", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let name = stack.holder(Who::User);
    stack.place.aws.query("iam", "DeleteUser", &[("UserName", &name)]).await;
    stack.place.aws.query("iam", "CreateUser", &[("UserName", &name)]).await;
    let key = stack.decided(&stack.decision(&case, Answer::Approve, 3000)).await;
    assert_eq!(stack.streams(&[&key]).await, Some(vec![]));
    assert_eq!((stack.held(Who::User).await.0.len(), stack.place.ledger.count(Kind::Change)), (0, 0));
}

/// A removal that IAM refuses is tried again and again, and the security team hears of it.
#[tokio::test]
async fn what_cannot_be_taken_back_is_an_alarm() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "stuck", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let decision = stack.decision(&case, Answer::Approve, 3000);
    let key = stack.decided(&decision).await;
    stack.streams(&[&key]).await.unwrap();
    stack.revoked(&case).await;
    stack.place.ledger.trouble(&[(Kind::Change, Trouble::Denies)]);
    let file = format!("GRANT#{}", decision.target_id.unwrap());
    for _ in 0..4 {
        assert!(stack.sweeps().await);
        // The pause passes.
        stack.place.turn(&file, |file| file["grants"][0]["retry_at"] = json!(0)).await;
    }
    let [alarm] = &stack.place.slack.channel(ALARMS)[..] else { panic!("one alarm") };
    assert!(alarm.text().contains("not taken back") && alarm.text().contains("by hand"), "{}", alarm.text());
    assert_eq!(stack.place.alarms.heard(&stack.place.aws).await.len(), 1);
    let overdue = |line: &&Value| line["Overdue"].as_u64().is_some_and(|count| count > 0);
    assert!(stack.function.log.iter().any(|line| overdue(&line)), "{:#?}", stack.function.log);
    assert_eq!(stack.held(Who::User).await.0.len(), 1);

    stack.place.ledger.trouble(&[]);
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::User).await.0.len(), 0);
    let text = stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("It was revoked"), "{text}");
}

/// Settings that are wrong, and events that nobody may send it.
#[tokio::test]
async fn what_it_refuses() {
    let mut stack = Stack::at(Moto::shared(), "refuses-others", GrantMode::Managed).await;
    for event in
        [json!({}), json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] }), json!({ "source": "me" })]
    {
        assert!(matches!(stack.function.invoke(&event, USUAL).await, Ended::Error(_)), "{event}");
    }
    assert!(stack.place.ledger.effects().is_empty());
    for (name, value) in [
        ("TRAILPASS_MAC_KEY", ""),
        ("TRAILPASS_GRANT_MODE", "everything"),
        ("TRAILPASS_PERMISSIONS_BOUNDARY", "ceiling"),
        ("TRAILPASS_GUARDRAILS", "{"),
    ] {
        let right = stack.place.settings.clone();
        stack.place.set(name, value);
        let (content, said) = Stack::started(&stack.place).await.ends().await;
        assert!(!content && said.contains(name) && !said.contains("panicked"), "{name}: {said}");
        stack.place.settings = right;
    }
}

/// Death before and after each effect of giving and of taking back.
#[tokio::test]
async fn killed_between_any_two_effects() {
    for (mode, giving, taking) in [(GrantMode::Managed, 6, 6), (GrantMode::Exact, 6, 6)] {
        let whole = killed(format!("dies-{mode:?}-whole"), mode, None).await;
        println!("{mode:?}: {whole:?} effects to give and to take back");
        assert!(whole.0 >= giving && whole.1 >= taking, "{whole:?}");
        let effects = (1..=whole.0).map(|n| (true, n)).chain((1..=whole.1).map(|n| (false, n)));
        let jobs = effects.flat_map(|(is_giving, n)| [When::Before, When::After].map(|when| (is_giving, n, when)));
        let jobs = jobs.map(|(is_giving, n, when)| async move {
            killed(format!("dies-{mode:?}-{is_giving}-{n}-{when:?}"), mode, Some((is_giving, n, when))).await
        });
        side_by_side(8, jobs).await;
    }
}

/// Returns how many effects giving and taking back had.
async fn killed(name: String, mode: GrantMode, dies: Option<(bool, usize, When)>) -> (usize, usize) {
    let mut stack = Stack::at(Moto::shared(), &name, mode).await;
    let case = stack.denied(Who::Role).await;
    let key = stack.decided(&stack.decision(&case, Answer::Approve, 3000)).await;
    stack.place.ledger.set_victim(stack.function.victim());
    let start = stack.place.ledger.effects().len();
    if let Some((true, n, when)) = dies {
        stack.place.ledger.fault(n, when);
        let _ = stack.streams(&[&key]).await;
        assert!(!stack.place.ledger.is_waiting(), "{name}: it went wrong");
        stack.function = Stack::started(&stack.place).await;
    }
    assert_eq!(stack.streams(&[&key]).await, Some(vec![]), "{name}: {:#?}", stack.function.log);
    let given = stack.place.ledger.effects().len();
    assert_eq!(stack.held(Who::Role).await.0.len(), 1, "{name}");
    let [grant] = &stack.grants().await[..] else { panic!("{name}: one grant") };
    assert_eq!(grant["state"], "given", "{name}");

    let key = stack.revoked(&case).await;
    let start_of_end = stack.place.ledger.effects().len();
    if let Some((false, n, when)) = dies {
        stack.place.ledger.fault(n, when);
        let _ = stack.streams(&[&key]).await;
        assert!(!stack.place.ledger.is_waiting(), "{name}: it went wrong");
        stack.function = Stack::started(&stack.place).await;
    }
    assert_eq!(stack.streams(&[&key]).await, Some(vec![]), "{name}: {:#?}", stack.function.log);
    assert_eq!(stack.held(Who::Role).await.0, Vec::<String>::new(), "{name}");
    let [grant] = &stack.grants().await[..] else { panic!("{name}: one grant") };
    assert_eq!(grant["state"], json!({ "ended": "revoked" }), "{name}");
    let text = stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("It was revoked"), "{name}: {text}");
    (given - start, stack.place.ledger.effects().len() - start_of_end)
}
