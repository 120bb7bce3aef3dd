//! A place to work in: a table, two topics with a queue subscribed to each, a secret, and Slack, all with names of their own.
//!
//! Decides how the function is set up in a test: as the template does it, with two Slack channels behind a bot's token, and
//! with everything that it sends going through the proxies.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    ACCOUNT, REGION,
    aws::{Aws, Keys, element},
    function::{Done, Function},
    http::Server,
    moto::Moto,
    proxy::{self, Ledger},
    slack::{self, Slack},
};

/// Slack's channel for notices.
pub const NOTICES: &str = "C0NOTICES";
/// Slack's channel for alarms.
pub const ALARMS: &str = "C0ALARMS0";

/// A topic, and a queue that hears what is published to it.
#[derive(Debug)]
pub struct Topic {
    /// The topic.
    pub arn: String,
    queue: String,
}

/// The place. Nothing in it is shared with another but the emulator's process.
#[derive(Debug)]
pub struct Place {
    /// AWS without a proxy before it, for the test's own calls.
    pub aws: Aws,
    /// The table's name.
    pub table: String,
    /// Where notices are published.
    pub notices: Topic,
    /// Where alarms are published.
    pub alarms: Topic,
    /// The stub.
    pub slack: Slack,
    /// What went through the proxies.
    pub ledger: Ledger,
    /// The function's settings.
    pub settings: BTreeMap<String, String>,
    program: PathBuf,
    _proxies: [Server; 2],
}

impl Place {
    /// On the shared emulator. `program` is the function's.
    pub async fn new(name: &str, program: &str) -> Self {
        Self::at(Moto::shared(), name, program).await
    }

    /// On an emulator of its own.
    pub async fn at(moto: &Moto, name: &str, program: &str) -> Self {
        let aws = Aws::at(moto.address);
        let table = format!("{name}-Table");
        let key = json!([{"AttributeName": "pk", "KeyType": "HASH"}]);
        let attributes = json!([{"AttributeName": "pk", "AttributeType": "S"}]);
        let request = json!({
            "TableName": table, "KeySchema": key, "AttributeDefinitions": attributes, "BillingMode": "PAY_PER_REQUEST",
        });
        aws.call("dynamodb", "DynamoDB_20120810.CreateTable", request).await;
        let notices = Topic::new(&aws, &format!("{name}-NoticesTopic")).await;
        let alarms = Topic::new(&aws, &format!("{name}-AlarmsTopic")).await;
        let secret = format!("{name}/slack-bot");
        let request =
            json!({"Name": secret, "SecretString": slack::TOKEN, "ClientRequestToken": super::function::fresh_id()});
        aws.call("secretsmanager", "secretsmanager.CreateSecret", request).await;
        let slack = Slack::start().await;
        let ledger = Ledger::default();
        let proxies = [
            proxy::before(moto.address, ledger.clone()).await,
            proxy::before(slack.server.address, ledger.clone()).await,
        ];
        let mut settings = BTreeMap::new();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", proxies[0].url()),
            ("TRAILPASS_SLACK_API", format!("{}/api", proxies[1].url())),
            ("TRAILPASS_TABLE", table.clone()),
            ("TRAILPASS_NOTICES_TOPIC", notices.arn.clone()),
            ("TRAILPASS_ALARMS_TOPIC", alarms.arn.clone()),
            ("TRAILPASS_SLACK_BOT_TOKEN_SECRET", secret),
            ("TRAILPASS_SLACK_NOTICES_CHANNEL", NOTICES.to_owned()),
            ("TRAILPASS_SLACK_ALARMS_CHANNEL", ALARMS.to_owned()),
        ] {
            settings.insert(name.to_owned(), value);
        }
        let mut place = Self {
            aws,
            table,
            notices,
            alarms,
            slack,
            ledger,
            settings,
            program: Path::new(program).into(),
            _proxies: proxies,
        };
        place.set_keys(&Keys::default());
        place
    }

    /// Whose credentials the function has.
    pub fn set_keys(&mut self, keys: &Keys) {
        self.set("AWS_ACCESS_KEY_ID", &keys.id);
        self.set("AWS_SECRET_ACCESS_KEY", &keys.secret);
        self.set("AWS_SESSION_TOKEN", keys.token.as_deref().unwrap_or_default());
    }

    /// Sets a setting; an empty one is an absent one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
        self.settings.retain(|_, value| !value.is_empty());
    }

    /// The address of a webhook of the stub, behind the proxy.
    pub fn webhook(&self) -> String {
        format!("{}/hook/T0/B0/secret", self._proxies[1].url())
    }

    /// Starts a process of the function.
    pub async fn function(&self) -> Function {
        let function = Function::start(&self.program, &self.settings).await;
        self.ledger.set_victim(function.victim());
        function
    }

    /// Sends a batch again, as the queue does, until nothing of it is left: new processes take the place of dead ones.
    /// Returns how often it took.
    pub async fn deliver(&self, bodies: &[String], deadline: Duration) -> Vec<Done> {
        let mut function = self.function().await;
        let mut left: Vec<Value> = bodies.iter().map(|body| super::function::message(body)).collect();
        let mut deliveries = Vec::new();
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while !left.is_empty() {
            assert!(
                tokio::time::Instant::now() < end,
                "{} messages never went through: {:#?}",
                left.len(),
                function.log
            );
            if !deliveries.is_empty() {
                // A queue would wait for minutes; what has to pass here is the lease of whoever died.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            match function.messages(&left, deadline).await {
                Some(done) => {
                    left = done.failed.iter().map(|&at| left[at].clone()).collect();
                    deliveries.push(done);
                }
                None => function = self.function().await,
            }
        }
        deliveries
    }

    /// Every document of one kind: `CASE`, `STORM`, `PRINCIPAL` or `ACCOUNT`, by key.
    pub async fn documents(&self, kind: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        let mut start = Value::Null;
        loop {
            let mut request = json!({"TableName": self.table, "ConsistentRead": true});
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let mut page = self.aws.call("dynamodb", "DynamoDB_20120810.Scan", request).await;
            for item in page["Items"].as_array().expect("items") {
                let key = item["pk"]["S"].as_str().expect("a key");
                let body = item["body"]["S"].as_str().expect("a body");
                if key.starts_with(&format!("{kind}#")) {
                    found.insert(key.to_owned(), serde_json::from_str(body).expect("a document is JSON"));
                }
            }
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return found;
            }
        }
    }

    /// The cases, in the order of their keys.
    pub async fn cases(&self) -> Vec<Value> {
        self.documents("CASE").await.into_values().collect()
    }

    /// The one case that there is.
    pub async fn case(&self) -> Value {
        let mut cases = self.cases().await;
        assert_eq!(cases.len(), 1, "{cases:#?}");
        cases.remove(0)
    }

    /// Turns a document's clock: what can't be waited for is written into the table. Its version stays, as time's passing
    /// changes none.
    pub async fn turn(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let key = json!({"pk": {"S": key}});
        let request = json!({"TableName": self.table, "Key": key, "ConsistentRead": true});
        let mut item = self.aws.call("dynamodb", "DynamoDB_20120810.GetItem", request).await["Item"].take();
        let mut body: Value = serde_json::from_str(item["body"]["S"].as_str().expect("a document")).expect("JSON");
        change(&mut body);
        item["body"] = json!({"S": body.to_string()});
        let request = json!({"TableName": self.table, "Item": item});
        self.aws.call("dynamodb", "DynamoDB_20120810.PutItem", request).await;
    }
}

impl Topic {
    async fn new(aws: &Aws, name: &str) -> Self {
        let made = aws.query("sns", "CreateTopic", &[("Name", name)]).await;
        let arn = element(&made, "TopicArn").expect("a topic has an ARN");
        let queue = Queue::new(aws, &format!("{name}-subscriber")).await;
        let subscription = [("TopicArn", arn.as_str()), ("Protocol", "sqs"), ("Endpoint", &queue.arn)];
        aws.query("sns", "Subscribe", &subscription).await;
        Self { arn, queue: queue.url }
    }

    /// What the subscriber has received since it was last asked: SNS's envelopes.
    pub async fn heard(&self, aws: &Aws) -> Vec<Value> {
        let queue = Queue { url: self.queue.clone(), arn: String::new() };
        let messages = queue.receive(aws).await;
        queue.delete(aws, &messages).await;
        messages
            .iter()
            .map(|message| serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON"))
            .collect()
    }
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    /// Its address.
    pub url: String,
    /// Its ARN.
    pub arn: String,
}

impl Queue {
    /// Makes one. What was received and not deleted comes again at once.
    pub async fn new(aws: &Aws, name: &str) -> Self {
        let attributes = json!({"VisibilityTimeout": "0"});
        let made = aws.call("sqs", "AmazonSQS.CreateQueue", json!({"QueueName": name, "Attributes": attributes})).await;
        let url = made["QueueUrl"].as_str().expect("a queue has an address").to_owned();
        Self { url, arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}") }
    }

    /// All that is in it, each message once.
    pub async fn receive(&self, aws: &Aws) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            // Within this loop what was received stays hidden; whoever wants it back makes it visible.
            let request = json!({
                "QueueUrl": self.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600, "WaitTimeSeconds": 0,
                "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
            });
            let mut page = aws.call("sqs", "AmazonSQS.ReceiveMessage", request).await;
            let Some(messages) = page["Messages"].as_array_mut().filter(|messages| !messages.is_empty()) else {
                return all;
            };
            all.append(messages);
        }
    }

    /// Removes messages.
    pub async fn delete(&self, aws: &Aws, messages: &[Value]) {
        for message in messages {
            let request = json!({"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]});
            aws.call("sqs", "AmazonSQS.DeleteMessage", request).await;
        }
    }

    /// What Lambda's poller does: a batch to the function, what is done removed, the rest visible again.
    pub async fn poll(&self, aws: &Aws, function: &mut Function, deadline: Duration) -> Option<Done> {
        let received = self.receive(aws).await;
        let messages: Vec<Value> = received.iter().map(|message| self.for_lambda(message)).collect();
        let done = function.messages(&messages, deadline).await;
        for (at, message) in received.iter().enumerate() {
            if done.as_ref().is_some_and(|done| !done.failed.contains(&at)) {
                self.delete(aws, std::slice::from_ref(message)).await;
                continue;
            }
            let handle = &message["ReceiptHandle"];
            let request = json!({"QueueUrl": self.url, "ReceiptHandle": handle, "VisibilityTimeout": 0});
            aws.call("sqs", "AmazonSQS.ChangeMessageVisibility", request).await;
        }
        done
    }

    fn for_lambda(&self, message: &Value) -> Value {
        json!({
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": REGION,
        })
    }
}
