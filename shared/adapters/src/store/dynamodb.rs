//! The documents in a DynamoDB table.
//!
//! Decides how the store's promises are kept over a network that loses answers. The table has one hash key, `pk`; a document has
//! the attributes `pk` (S), `version` (N), `body` (S), `expires` (N, absent for never; the table's TTL attribute) and `token` (S).
//!
//! **A lost answer.** A write may reach the table and its answer not reach us; the SDK then sends the same request again, and the
//! condition fails over our own write. Reported as a conflict, that would make the caller count one event twice. Therefore each
//! commit has a token of its own, stored with the document, and a failed condition returns the document that stands there
//! (at no cost: [ALL_OLD](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#DDB-PutItem-request-ReturnValuesOnConditionCheckFailure)).
//! If it carries our token the write was ours, and of a transaction one such document proves all. Comparing contents instead
//! would not do: two writers can write the same content from the same version, and both would believe that they had won.
//! A transaction also has the token as its [ClientRequestToken](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html),
//! by which DynamoDB itself answers a repeated request with success for ten minutes.
//! What can't be told: our single write landed, its answer was lost, and somebody else wrote over it before the second try. That is
//! reported as a conflict; who can't bear it puts something into the body by which it sees its own work again.
//!
//! **What isn't ours.** Whoever can write to the table can write an item that is no document: without a body, or with a version that
//! is no number. It is read as an empty document of version zero, so that it is nonsense to whoever parses it and stops nobody
//! from reading the rest; and it can be written over, if its version is by then what it was when it was read.
//!
//! The role needs `dynamodb:BatchGetItem` and `dynamodb:PutItem` on the table (a transaction of puts asks for nothing else).

use super::{Committed, Document, Store, StoreError, Write, check, check_key};
use crate::http::{AwsError, sdk_config, sort_error};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tracing::warn;

type Item = HashMap<String, AttributeValue>;

/// Keys in one BatchGetItem, [DynamoDB's limit](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
const KEYS_AT_ONCE: usize = 100;

/// The version of what nobody of ours has written.
const UNREADABLE: u64 = 0;

/// How many of these are remembered. Who wants to write over one that is forgotten reads it again.
const REMEMBERED: usize = 1_000;

/// The largest version that is believed: nobody writes one document as often.
const LARGEST: u64 = u64::MAX >> 1;

/// A table. Nothing is connected, and no credentials are looked for, before the first call.
#[derive(Debug)]
pub struct DynamoStore {
    table: String,
    client: OnceCell<Client>,
    /// In the place of a version what stood there, by key; `None`: nothing.
    unreadable: Mutex<HashMap<String, Option<AttributeValue>>>,
}

impl DynamoStore {
    /// The table of this name (or ARN) with the environment's configuration.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), client: OnceCell::new(), unreadable: Mutex::default() }
    }

    /// The same with a configuration made by hand.
    pub fn with_config(table: impl Into<String>, config: &SdkConfig) -> Self {
        Self { client: OnceCell::new_with(Some(Client::new(config))), ..Self::new(table) }
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(async || Client::new(sdk_config().await)).await
    }

    async fn read_chunk(&self, keys: &[&String], found: &mut HashMap<String, Document>) -> Result<(), StoreError> {
        let keys = keys.iter().map(|key| Item::from([("pk".to_owned(), AttributeValue::S(key.to_string()))]));
        let mut wanted = Some(asked_for(keys.collect())?);
        let mut wait = Wait::default();
        while let Some(request) = wanted.take() {
            let answer = self
                .client()
                .await
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(|error| sort_error(&error))?;
            // Only one table was asked, but its key in the answer may be its name where its ARN was given.
            let items = answer.responses.into_iter().flat_map(HashMap::into_values).flatten();
            let before = found.len();
            for item in items {
                let Some((document, stood)) = document(item) else { continue };
                if document.version == UNREADABLE {
                    let mut unreadable = self.lock();
                    if unreadable.len() >= REMEMBERED {
                        unreadable.clear();
                    }
                    unreadable.insert(document.key.clone(), stood);
                }
                found.insert(document.key.clone(), document);
            }
            let left = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            let left: Vec<Item> = left.flat_map(|rest| rest.keys).collect();
            if left.is_empty() {
                break;
            }
            // Keys are left over when the answer would pass 16 MB (the rest can be asked for at once) or when throttled.
            if found.len() == before {
                wait.next("BatchGetItem left keys over").await?;
            }
            wanted = Some(asked_for(left)?);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<AttributeValue>>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition(&self, write: &Write) -> Condition {
        let number = |version: u64| Some(AttributeValue::N(version.to_string()));
        let version = match write.expected {
            None => return Condition::new("attribute_not_exists(#k)", &[("#k", "pk")], None),
            Some(UNREADABLE) => self.lock().get(&write.key).cloned().unwrap_or_else(|| number(UNREADABLE)),
            Some(version) => number(version),
        };
        match version {
            Some(version) => Condition::new("#v = :v", &[("#v", "version")], Some(version)),
            None => Condition::new(
                "attribute_exists(#k) AND attribute_not_exists(#v)",
                &[("#k", "pk"), ("#v", "version")],
                None,
            ),
        }
    }

    async fn put(&self, write: &Write, token: &str) -> Result<Outcome, StoreError> {
        let condition = self.condition(write);
        let result = self
            .client()
            .await
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(write, token)?))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(Outcome::Done(Committed::Yes)) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Outcome::Done(ours_or_conflict([failed.item()], token)))
            }
            Some(PutItemError::TransactionConflictException(_)) => Ok(Outcome::Busy),
            _ => Err(sort_error(&error).into()),
        }
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<Outcome, StoreError> {
        let mut puts = Vec::with_capacity(writes.len());
        for write in writes {
            let condition = self.condition(write);
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item(write, token)?))
                .condition_expression(condition.expression)
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(condition.values)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build()
                .map_err(|error| StoreError::Invalid(error.to_string()))?;
            puts.push(TransactWriteItem::builder().put(put).build());
        }
        // A token for this request: the SDK's own tries share it. A request that follows a definite "cancelled" is a new one.
        let request = self.client().await.transact_write_items();
        let result = request.set_transact_items(Some(puts)).client_request_token(new_token()).send().await;
        match result {
            Ok(_) => Ok(Outcome::Done(Committed::Yes)),
            Err(error) => after_cancellation(&error, token),
        }
    }
}

impl Store for DynamoStore {
    async fn read(&self, keys: &[String]) -> Result<Vec<Document>, StoreError> {
        let mut seen = HashSet::with_capacity(keys.len());
        let mut wanted = Vec::with_capacity(keys.len());
        for key in keys {
            check_key(key)?;
            if seen.insert(key) {
                wanted.push(key);
            }
        }
        let mut found = HashMap::with_capacity(wanted.len());
        for chunk in wanted.chunks(KEYS_AT_ONCE) {
            self.read_chunk(chunk, &mut found).await?;
        }
        Ok(wanted.into_iter().filter_map(|key| found.remove(key)).collect())
    }

    async fn commit(&self, writes: &[Write]) -> Result<Committed, StoreError> {
        check(writes)?;
        let token = new_token();
        let mut wait = Wait::default();
        loop {
            let outcome = match writes {
                [] => return Ok(Committed::Yes),
                [write] => self.put(write, &token).await?,
                writes => self.transact(writes, &token).await?,
            };
            match outcome {
                Outcome::Done(committed) => return Ok(committed),
                Outcome::Busy => wait.next("another transaction holds these documents").await?,
            }
        }
    }
}

/// How one request ended.
enum Outcome {
    Done(Committed),
    /// Another transaction was at work on the same documents, or the table was throttled: nothing was written, and nothing is
    /// known about versions.
    Busy,
}

fn after_cancellation(error: &SdkError<TransactWriteItemsError>, token: &str) -> Result<Outcome, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Err(sort_error(error).into());
    };
    let reasons = cancelled.cancellation_reasons();
    let because = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
    if because("ConditionalCheckFailed") {
        return Ok(Outcome::Done(ours_or_conflict(reasons.iter().map(CancellationReason::item), token)));
    }
    if ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"].into_iter().any(because) {
        return Ok(Outcome::Busy);
    }
    let code = reasons.iter().find_map(|reason| reason.code().filter(|code| *code != "None")).unwrap_or("no reason");
    let message = reasons.iter().find_map(CancellationReason::message).unwrap_or("no message");
    Err(StoreError::Refused(crate::http::bounded(&format!("transaction cancelled, {code}: {message}"))))
}

/// What a failed condition means, told by the documents that stood in the way.
fn ours_or_conflict<'a>(standing: impl IntoIterator<Item = Option<&'a Item>>, token: &str) -> Committed {
    let ours = |item: &Item| matches!(item.get("token"), Some(AttributeValue::S(t)) if t == token);
    if standing.into_iter().flatten().any(ours) { Committed::Yes } else { Committed::Conflict }
}

struct Condition {
    expression: &'static str,
    names: HashMap<String, String>,
    values: Option<Item>,
}

impl Condition {
    /// With `:v` for a value.
    fn new(expression: &'static str, names: &[(&str, &str)], value: Option<AttributeValue>) -> Self {
        let names = names.iter().map(|(short, name)| (short.to_string(), name.to_string())).collect();
        Self { expression, names, values: value.map(|value| Item::from([(":v".to_owned(), value)])) }
    }
}

fn item(write: &Write, token: &str) -> Result<Item, StoreError> {
    let mut item = Item::from([
        ("pk".to_owned(), AttributeValue::S(write.key.clone())),
        ("version".to_owned(), AttributeValue::N(write.version()?.to_string())),
        ("body".to_owned(), AttributeValue::S(write.body.clone())),
        ("token".to_owned(), AttributeValue::S(token.to_owned())),
    ]);
    if let Some(expires) = write.expires {
        item.insert("expires".to_owned(), AttributeValue::N(expires.to_string()));
    }
    Ok(item)
}

/// A document, and what stands in the place of its version.
fn document(mut item: Item) -> Option<(Document, Option<AttributeValue>)> {
    let Some(AttributeValue::S(key)) = item.remove("pk") else { return None };
    let stood = item.remove("version");
    let number = |value: &AttributeValue| value.as_n().ok()?.parse::<u64>().ok();
    let version = stood.as_ref().and_then(number).filter(|version| (1..=LARGEST).contains(version));
    let body = item.remove("body").and_then(|body| body.as_s().ok().cloned());
    if version.is_none() || body.is_none() {
        warn!(key, "the table holds something that nobody of ours has written");
    }
    // Only the table itself goes by when a document may be deleted.
    let expires = item.remove("expires").and_then(|expires| expires.as_n().ok()?.parse().ok());
    let document = Document { key, version: version.unwrap_or(UNREADABLE), body: body.unwrap_or_default(), expires };
    Some((document, stood))
}

fn asked_for(keys: Vec<Item>) -> Result<KeysAndAttributes, StoreError> {
    let request = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys));
    request.build().map_err(|error| StoreError::Invalid(error.to_string()))
}

/// Waits that grow, with jitter, up to some two seconds in all.
#[derive(Default)]
struct Wait {
    times: u32,
}

impl Wait {
    async fn next(&mut self, why: &str) -> Result<(), StoreError> {
        const TIMES: u32 = 6;
        if self.times == TIMES {
            return Err(StoreError::Unavailable(format!("{why}, {TIMES} times")));
        }
        let longest = 25_u64 << self.times;
        self.times += 1;
        tokio::time::sleep(Duration::from_millis(longest / 2 + random() % (longest / 2 + 1))).await;
        Ok(())
    }
}

/// 32 hexadecimal digits that no other commit has.
fn new_token() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// Seeded by the operating system (the standard library's hash keys), which is as unique as a token has to be; nothing secret
/// hangs on it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl From<AwsError> for StoreError {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::Unavailable(why) => Self::Unavailable(why),
            AwsError::Denied(why) => Self::Denied(why),
            AwsError::Refused(why) => Self::Refused(why),
        }
    }
}
