//! The DynamoDB store: the conformance on an emulated table, and what only a network can do (lose an answer, leave keys over,
//! refuse).
//!
//! moto gives neither throttling nor unprocessed keys nor conflicts of transactions. Those answers are played by a stub, in the
//! shape of DynamoDB's API reference.

use crate::conformance::{self, commit, document, for_each_case, get, new};
use crate::moto::{self, Moto};
use crate::stub::{self, Answer, Stub};
use adapters::store::dynamodb::DynamoStore;
use adapters::store::{Committed, Document, Store, StoreError, Write};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

const TABLE: &str = "trailpass";

/// All cases on one server: each has keys of its own, and a server takes a second to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    let moto = Moto::start();
    let store = Arc::new(OneAtATime(table(&moto.config().await).await, Mutex::new(())));
    macro_rules! run_each {
        ($($case:ident,)*) => {$(
            println!("{}", stringify!($case));
            conformance::$case(store.clone(), concat!(stringify!($case), "#").to_owned()).await;
        )*};
    }
    for_each_case!(run_each);
}

#[tokio::test]
async fn a_lost_answer_is_no_conflict() {
    let moto = Moto::start();
    table(&moto.config().await).await;
    let proxy = Lossy::start(&moto.url).await;
    let store = DynamoStore::with_config(TABLE, &moto::config(&proxy.url).await);
    for (version, lost) in [(1, 1), (2, 0), (3, 2)] {
        let write = |key: &str| Write { expected: (version > 1).then_some(version - 1), ..new(key, "same") };
        proxy.lose(lost);
        assert_eq!(commit(&store, &[write("alone")]).await, Committed::Yes, "a put, {lost} answers lost");
        proxy.lose(lost);
        assert_eq!(
            commit(&store, &[write("left"), write("right")]).await,
            Committed::Yes,
            "a transaction, {lost} answers lost"
        );
        for key in ["alone", "left", "right"] {
            assert_eq!(get(&store, key).await, Some(document(key, version, "same")), "written once");
        }
        // Somebody else's is one, whatever was lost.
        proxy.lose(lost);
        assert_eq!(commit(&store, &[write("alone")]).await, Committed::Conflict);
        proxy.lose(lost);
        assert_eq!(commit(&store, &[write("left"), write("right")]).await, Committed::Conflict);
    }
    proxy.lose(100);
    let error = store.commit(&[new("never", "")]).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_refused() {
    let moto = Moto::start();
    let store = DynamoStore::with_config("nowhere", &moto.config().await);
    for error in [store.commit(&[new("a", "")]).await.unwrap_err(), store.read(&["a".to_owned()]).await.unwrap_err()] {
        assert!(
            matches!(&error, StoreError::Refused(why) if why.starts_with("ResourceNotFoundException")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn keys_left_over_are_asked_for_again() {
    let left = |keys: &[&str]| {
        let keys: Vec<Value> = keys.iter().map(|key| json!({"pk": {"S": key}})).collect();
        json!({TABLE: {"Keys": keys, "ConsistentRead": true}})
    };
    let items = |keys: &[&str]| {
        let items = keys.iter().map(|key| json!({"pk": {"S": key}, "version": {"N": "1"}, "body": {"S": "{}"}}));
        json!({TABLE: items.collect::<Vec<_>>()})
    };
    let (stub, store) = played([
        ok(json!({"Responses": items(&["b"]), "UnprocessedKeys": left(&["a", "c"])})),
        ok(json!({"Responses": {}, "UnprocessedKeys": left(&["a", "c"])})),
        ok(json!({"Responses": items(&["c", "a"]), "UnprocessedKeys": {}})),
    ])
    .await;
    let found = store.read(&["a", "b", "c"].map(str::to_owned)).await.unwrap();
    assert_eq!(found, ["a", "b", "c"].map(|key| document(key, 1, "{}")));
    let requests = stub.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.json()["RequestItems"][TABLE]["ConsistentRead"] == true));
    assert_eq!(requests[2].json()["RequestItems"][TABLE]["Keys"], left(&["a", "c"])[TABLE]["Keys"]);

    let nothing = ok(json!({"Responses": {}, "UnprocessedKeys": left(&["a"])}));
    let (_stub, store) = played(vec![nothing; 10]).await;
    assert!(matches!(store.read(&["a".to_owned()]).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_busy_document_is_waited_for_and_is_no_conflict() {
    let busy = |code: &str| {
        let reasons = json!([{"Code": "None"}, {"Code": code, "Message": "busy"}]);
        refused("TransactionCanceledException", json!({"CancellationReasons": reasons}))
    };
    let pair = [new("a", ""), new("b", "")];
    let (stub, store) = played([busy("TransactionConflict"), busy("ThrottlingError"), ok(json!({}))]).await;
    assert_eq!(commit(&store, &pair).await, Committed::Yes);
    let tokens: Vec<Value> =
        stub.requests().iter().map(|request| request.json()["ClientRequestToken"].clone()).collect();
    assert!(tokens.len() == 3 && tokens[0] != tokens[1] && tokens[1] != tokens[2], "{tokens:?}");

    let (stub, store) = played([refused("TransactionConflictException", json!({})), ok(json!({}))]).await;
    assert_eq!(commit(&store, &pair[..1]).await, Committed::Yes);
    let items: Vec<Value> = stub.requests().iter().map(|request| request.json()["Item"]["token"].clone()).collect();
    assert!(items.len() == 2 && items[0] == items[1], "the second try is known for the first's: {items:?}");

    let (_stub, store) = played(vec![busy("TransactionConflict"); 20]).await;
    assert!(matches!(store.commit(&pair).await, Err(StoreError::Unavailable(_))));
    let (_stub, store) = played([busy("ValidationError")]).await;
    assert!(matches!(store.commit(&pair).await, Err(StoreError::Refused(why)) if why.contains("ValidationError")));
}

#[tokio::test]
async fn our_own_denial_is_told_apart() {
    let message =
        "User: arn:aws:sts::111122223333:assumed-role/triage/triage is not authorized to perform: dynamodb:PutItem";
    let denied = || refused("AccessDeniedException", json!({"Message": message}));
    let (_stub, store) = played([denied(), denied(), denied()]).await;
    for error in [
        store.commit(&[new("a", "")]).await.unwrap_err(),
        store.commit(&[new("a", ""), new("b", "")]).await.unwrap_err(),
        store.read(&["a".to_owned()]).await.unwrap_err(),
    ] {
        assert!(matches!(&error, StoreError::Denied(why) if why.contains(message)), "{error:?}");
    }
}

#[tokio::test]
async fn an_item_that_is_none_of_ours_hides_no_other_and_is_written_over() {
    let moto = Moto::start();
    let config = moto.config().await;
    let (store, client) = (table(&config).await, Client::new(&config));
    assert_eq!(commit(&store, &[new("good", "1")]).await, Committed::Yes);
    let number = |digits: &str| AttributeValue::N(digits.to_owned());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = async |key: &str, attributes: &[(&str, AttributeValue)]| {
        let item = attributes.iter().map(|(name, value)| (name.to_string(), value.clone()));
        let item = item.chain([("pk".to_owned(), text(key))]).collect();
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await.expect("anything can be put");
    };
    type Attributes<'a> = &'a [(&'a str, AttributeValue)];
    let written: [(&str, u64, Attributes<'_>); 8] = [
        ("nothing", 0, &[]),
        ("no body", 3, &[("version", number("3"))]),
        ("body of another kind", 1, &[("version", number("1")), ("body", AttributeValue::Bool(true))]),
        ("text for a version", 0, &[("version", text("1")), ("body", text("x"))]),
        ("half a version", 0, &[("version", number("1.5")), ("body", text("x"))]),
        ("a version below all", 0, &[("version", number("-1")), ("body", text("x"))]),
        ("a version that can't be counted on", 0, &[("version", number("18446744073709551615")), ("body", text("x"))]),
        ("no time for an end", 1, &[("version", number("1")), ("body", text("x")), ("expires", text("never"))]),
    ];
    for (key, version, attributes) in written {
        put(key, attributes).await;
        let found = store.read(&["good".to_owned(), key.to_owned()]).await.expect("it can be read");
        assert_eq!(found[0], document("good", 1, "1"));
        assert_eq!((found[1].version, found[1].expires), (version, None), "{key}");
        let over = Write { expected: Some(version), ..new(key, "ours") };
        // Somebody else comes between.
        put(key, &[("version", number("7"))]).await;
        assert_eq!(commit(&store, std::slice::from_ref(&over)).await, Committed::Conflict, "{key}");
        put(key, attributes).await;
        assert_eq!(commit(&store, &[over, new(&format!("{key}, beside"), "")]).await, Committed::Yes, "{key}");
        assert_eq!(get(&store, key).await, Some(document(key, version + 1, "ours")));
    }
}

async fn table(config: &SdkConfig) -> DynamoStore {
    let key =
        AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S).build().unwrap();
    let schema = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    Client::new(config)
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(key)
        .key_schema(schema)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("a table is made");
    DynamoStore::with_config(TABLE, config)
}

async fn played(answers: impl IntoIterator<Item = Answer>) -> (Stub, DynamoStore) {
    let stub = Stub::start(answers).await;
    let store = DynamoStore::with_config(TABLE, &moto::config(&stub.url).await);
    (stub, store)
}

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");

fn ok(body: Value) -> Answer {
    Answer::Http(200, vec![JSON], body.to_string())
}

fn refused(code: &str, mut body: Value) -> Answer {
    body["__type"] = format!("com.amazonaws.dynamodb.v20120810#{code}").into();
    Answer::Http(400, vec![JSON], body.to_string())
}

/// moto looks and writes in two steps that another of its threads may come between, which DynamoDB never does. So its calls go one
/// at a time; that other writers come between a read and a commit, which is what the case is about, stays.
struct OneAtATime(DynamoStore, Mutex<()>);

impl Store for OneAtATime {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let _turn = self.1.lock().await;
        self.0.read(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        let _turn = self.1.lock().await;
        self.0.commit(writes).await
    }
}

/// Hands requests on to another server and loses the next answers: the request is carried out, its connection closed.
struct Lossy {
    url: String,
    losses: Arc<AtomicU32>,
}

impl Lossy {
    async fn start(server: &str) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let losses = Arc::new(AtomicU32::new(0));
        let left = losses.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, left) = (server.clone(), left.clone());
                tokio::spawn(async move {
                    let Some(request) = stub::read_request(&mut client).await else { return };
                    let mut upstream = TcpStream::connect(server).await.expect("the server is there");
                    let head = request.head.trim_end().to_owned() + "\r\nconnection: close\r\n\r\n";
                    upstream.write_all(head.as_bytes()).await.expect("sent on");
                    upstream.write_all(&request.body).await.expect("sent on");
                    let mut answer = Vec::new();
                    upstream.read_to_end(&mut answer).await.expect("answered");
                    let lost =
                        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                    if !lost {
                        let _ = client.write_all(&answer).await;
                    }
                });
            }
        });
        Self { url, losses }
    }

    fn lose(&self, answers: u32) {
        self.losses.store(answers, Ordering::SeqCst);
    }
}
