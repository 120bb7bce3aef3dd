//! Each function's own role: with the template's policies it can do its work, and with the same credentials nothing else.
//!
//! The emulator judges by action alone. It asks for every call whether it is allowed on `*`, so the policies' resources and
//! conditions are left out here, and denials, which rest on them; that they are narrow is tested on the template itself.

use access::grant::GrantMode;
use serde_json::{Value, json};
use tests::local::{
    ACCOUNT, REGION,
    aws::{Aws, Keys, element},
    denials::denial,
    function::Counts,
    http::Request,
    moto::{self, Moto},
    place::Place,
    template,
};

use crate::{TRIAGE, USUAL, assert_told, bodies, decisions::Whole, grants::Stack, grants::Who, received};

/// From how many requests on the emulator asks whether they are allowed.
pub async fn enforce(moto: &Moto, from: &str) {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    let path = "/moto-api/reset-auth".to_owned();
    let request = Request { method: "POST".to_owned(), path, headers, body: from.as_bytes().to_vec() };
    assert_eq!(moto::send(moto.address, &request).await.unwrap().status, 200);
}

/// A role with the template's policies, and credentials of a session of it.
async fn role(aws: &Aws, hub: &Value, logical_name: &str) -> Keys {
    let name = format!("trailpass-{logical_name}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let trust = hub["roles"][logical_name]["AssumeRolePolicyDocument"].to_string();
    aws.query("iam", "CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)]).await;
    let policies = hub["policies"].as_object().unwrap().values();
    let its = policies.filter(|policy| list(&policy["Roles"]).contains(&json!(name)));
    let mut documents: Vec<(&str, Value)> =
        its.map(|policy| (policy["PolicyName"].as_str().unwrap(), by_action(&policy["PolicyDocument"]))).collect();
    // What a key's own policy allows, and on AWS no other policy can.
    let keys = hub["keys"].as_object().unwrap().values();
    let statements = keys.flat_map(|key| list(&key["KeyPolicy"]["Statement"]));
    let uses: Vec<Value> =
        statements.filter(|statement| list(&statement["Principal"]["AWS"]).contains(&json!(arn))).collect();
    documents.push(("keys", by_action(&json!({ "Version": "2012-10-17", "Statement": uses }))));
    for (policy_name, document) in documents {
        let document = document.to_string();
        let parameters = [("RoleName", name.as_str()), ("PolicyName", policy_name), ("PolicyDocument", &document)];
        aws.query("iam", "PutRolePolicy", &parameters).await;
    }
    let session = aws.query("sts", "AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "trailpass")]).await;
    let part = |name| element(&session, name).expect("credentials");
    Keys { id: part("AccessKeyId"), secret: part("SecretAccessKey"), token: Some(part("SessionToken")) }
}

/// What the emulator understands of a policy. It has an action for a transaction, too, which AWS judges by what the
/// transaction is made of; ours are puts.
fn by_action(document: &Value) -> Value {
    let allowed = list(&document["Statement"]).into_iter().filter(|statement| statement["Effect"] == "Allow");
    let statements = allowed.map(|statement| {
        let mut actions = list(&statement["Action"]);
        if actions.contains(&json!("dynamodb:PutItem")) {
            actions.push(json!("dynamodb:TransactWriteItems"));
        }
        json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })
    });
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

/// A list, or what stands for a list of one.
fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

#[tokio::test]
async fn the_job_works_and_nothing_else_does() {
    // Enforcement is the whole emulator's.
    let moto = Moto::start();
    let mut place = Place::at(&moto, "trailpass", TRIAGE).await;
    let keys = role(&place.aws, template::hub(), "TriageRole").await;
    place.set_keys(&keys);
    place.ledger.signs_forms_as(&keys);
    enforce(&moto, "0").await;

    let batch =
        bodies(&[denial("bob", "GetTrailStatus"), denial("bob", "GetTrailStatus"), denial("eve", "StopLogging")]);
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!(
        (done.failed.len(), done.counts),
        (0, Counts { posted: 2, joined: 1, ..received(3) }),
        "{:#?}",
        function.log
    );
    assert_eq!((place.slack.messages().len(), place.ledger.publications().len()), (2, 2));

    refuses_everything_else(&Aws { address: moto.address, keys }, &place).await;
    enforce(&moto, "inf").await;
    place.cases().await.iter().for_each(assert_told);
}

type Parameters<'a> = &'a [(&'a str, &'a str)];

async fn refuses_everything_else(triage: &Aws, place: &Place) {
    // The same credentials are good, so that a refusal below is one of the action and not of the signature.
    let key = json!({"pk": {"S": "CASE#none"}});
    let keys = json!({"RequestItems": {&place.table: {"Keys": [key]}}});
    triage.call("dynamodb", "DynamoDB_20120810.BatchGetItem", keys).await;
    let queue = format!("http://{}/{ACCOUNT}/trailpass-NoticesTopic-subscriber", triage.address);
    let json_calls: [(&str, &str, Value); 13] = [
        ("dynamodb", "DynamoDB_20120810.Scan", json!({"TableName": place.table})),
        (
            "dynamodb",
            "DynamoDB_20120810.ExecuteStatement",
            json!({"Statement": format!("SELECT * FROM \"{}\"", place.table)}),
        ),
        ("dynamodb", "DynamoDB_20120810.GetItem", json!({"TableName": place.table, "Key": key})),
        ("dynamodb", "DynamoDB_20120810.UpdateItem", json!({"TableName": place.table, "Key": key})),
        ("dynamodb", "DynamoDB_20120810.DeleteItem", json!({"TableName": place.table, "Key": key})),
        ("dynamodb", "DynamoDB_20120810.DeleteTable", json!({"TableName": place.table})),
        ("secretsmanager", "secretsmanager.ListSecrets", json!({})),
        (
            "secretsmanager",
            "secretsmanager.PutSecretValue",
            json!({"SecretId": "trailpass/slack-bot", "SecretString": "mine"}),
        ),
        ("sqs", "AmazonSQS.SendMessage", json!({"QueueUrl": queue, "MessageBody": "mine"})),
        ("sqs", "AmazonSQS.PurgeQueue", json!({"QueueUrl": queue})),
        ("events", "AWSEvents.PutEvents", json!({"Entries": []})),
        ("events", "AWSEvents.PutRule", json!({"Name": "mine", "EventPattern": "{}"})),
        ("cloudtrail", "CloudTrail_20131101.StopLogging", json!({"Name": "audit"})),
    ];
    for (service, operation, body) in json_calls {
        let refused = triage.try_call(service, operation, body).await.expect_err(operation);
        assert!(refused.status == 403 && refused.text.contains("not authorized"), "{operation}: {refused:?}");
    }
    let role = format!("arn:aws:iam::{ACCOUNT}:role/trailpass-TriageRole");
    let trail_policy = "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess";
    let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:trailpass-NoticesTopic");
    let query_calls: [(&str, &str, Parameters); 8] = [
        (
            "iam",
            "PutRolePolicy",
            &[("RoleName", "trailpass-TriageRole"), ("PolicyName", "more"), ("PolicyDocument", "{}")],
        ),
        ("iam", "AttachRolePolicy", &[("RoleName", "trailpass-TriageRole"), ("PolicyArn", trail_policy)]),
        ("iam", "AttachUserPolicy", &[("UserName", "bob"), ("PolicyArn", trail_policy)]),
        ("iam", "CreateUser", &[("UserName", "mallory")]),
        ("iam", "UpdateAssumeRolePolicy", &[("RoleName", "trailpass-TriageRole"), ("PolicyDocument", "{}")]),
        ("sts", "AssumeRole", &[("RoleArn", &role), ("RoleSessionName", "again")]),
        ("sns", "Subscribe", &[("TopicArn", &topic), ("Protocol", "https"), ("Endpoint", "https://mallory.example")]),
        ("sns", "DeleteTopic", &[("TopicArn", &topic)]),
    ];
    for (service, action, parameters) in query_calls {
        let refused = triage.try_query(service, action, parameters).await.expect_err(action);
        assert!(refused.status == 403 && refused.text.contains("not authorized"), "{action}: {refused:?}");
    }
}

/// A permission that is missing loses nothing either; it is in the log, and counted for the operators' alarm.
#[tokio::test]
async fn a_missing_permission_is_said() {
    let moto = Moto::start();
    let mut place = Place::at(&moto, "trailpass", TRIAGE).await;
    let keys = role(&place.aws, template::hub(), "TriageRole").await;
    place.set_keys(&keys);
    place.ledger.signs_forms_as(&keys);
    let secret = [("RoleName", "trailpass-TriageRole"), ("PolicyName", "SlackBotTokenSecret")];
    place.aws.query("iam", "DeleteRolePolicy", &secret).await;
    enforce(&moto, "0").await;
    let batch = bodies(&[denial("bob", "GetTrailStatus")]);
    let mut function = place.function().await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (1, Counts { failed: 1, own_denials: 1, ..received(1) }));
    let said: Vec<String> =
        function.log.iter().filter(|line| line["level"] == "ERROR").map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("this program lacks a permission"), "{said:?}");
    assert_eq!((place.slack.attempts(), place.ledger.publications().len()), (0, 1), "the topic has heard of it");

    enforce(&moto, "inf").await;
    let done = function.batch(&batch, USUAL).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 1, ..received(1) }));
    assert_told(&place.case().await);
    assert_eq!((place.slack.messages().len(), place.ledger.publications().len()), (1, 1));
}

/// What none of the three can do alone, they do together, each with its own role. No call of theirs is refused on the way.
#[tokio::test]
async fn three_roles_make_one_grant() {
    let (attached, inline) = three_roles_grant(GrantMode::Managed).await;
    assert_eq!((attached.len(), inline.len()), (1, 0), "{attached:?}");
}

/// The same in the mode that writes policies, which reconcile's role may do in that mode alone.
#[tokio::test]
async fn three_roles_make_one_exact_grant() {
    let (written, _) = three_roles_grant(GrantMode::Exact).await;
    assert!(matches!(&written[..], [name] if name.starts_with("trailpass-")), "{written:?}");
    let may_write = |hub: &Value| {
        let policies = hub["policies"].as_object().unwrap().values();
        let mut statements = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        statements.any(|one| one["Effect"] == "Allow" && list(&one["Action"]).contains(&json!("iam:PutUserPolicy")))
    };
    assert!(may_write(&template::hub_in("exact")) && !may_write(template::hub()), "in no other mode");
}

/// What the user holds when it is done.
async fn three_roles_grant(mode: GrantMode) -> (Vec<String>, Vec<String>) {
    let word = serde_json::to_value(mode).unwrap();
    let hub = template::hub_in(word.as_str().unwrap());
    let moto = Moto::start();
    let mut whole = Whole::in_mode(&moto, "trailpass", mode).await;
    let aws = whole.stack.place.aws.clone();
    let [triage, decide, reconcile] = [
        role(&aws, &hub, "TriageRole").await,
        role(&aws, &hub, "DecideRole").await,
        role(&aws, &hub, "ReconcileRole").await,
    ];
    whole.stack.place.set_keys(&decide);
    whole.decide = Whole::started(&whole.stack).await;
    whole.stack.place.set_keys(&reconcile);
    whole.stack.function = Stack::started(&whole.stack.place).await;
    whole.stack.place.set_keys(&triage);
    whole.stack.place.ledger.signs_forms_as(&triage);
    let case = whole.stack.denied(Who::User).await;

    whole.stack.place.ledger.signs_forms_as(&reconcile);
    let click = whole.click(&case, "U0SAANVI", "approve");
    enforce(&moto, "0").await;
    let (status, metrics) = whole.asks(&click).await.unwrap();
    assert_eq!((status, &metrics["OwnDenials"]), (200, &json!(0)), "{:#?}", whole.decide.log);
    let key = access::decision::key(&case.id, case.opening);
    for is_sweep in [false, true] {
        let is_done =
            if is_sweep { whole.stack.sweeps().await } else { whole.stack.streams(&[&key]).await == Some(vec![]) };
        let metrics = whole.stack.function.metrics().await;
        assert_eq!(
            (&metrics["OwnDenials"], &metrics["Failed"]),
            (&json!(0), &json!(0)),
            "{:#?}",
            whole.stack.function.log
        );
        assert!(is_done);
    }

    enforce(&moto, "inf").await;
    whole.stack.held(Who::User).await
}
