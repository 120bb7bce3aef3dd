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
use std::time::Duration;
use tokio::sync::OnceCell;

type Item = HashMap<String, AttributeValue>;

/// Keys in one BatchGetItem, [DynamoDB's limit](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
const KEYS_AT_ONCE: usize = 100;

/// A table. Nothing is connected, and no credentials are looked for, before the first call.
#[derive(Debug)]
pub struct DynamoStore {
    table: String,
    client: OnceCell<Client>,
}

impl DynamoStore {
    /// The table of this name (or ARN) with the environment's configuration.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), client: OnceCell::new() }
    }

    /// The same with a configuration made by hand.
    pub fn with_config(table: impl Into<String>, config: &SdkConfig) -> Self {
        Self { table: table.into(), client: OnceCell::new_with(Some(Client::new(config))) }
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
                let document = document(item)?;
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

    async fn put(&self, write: &Write, token: &str) -> Result<Outcome, StoreError> {
        let condition = Condition::of(write);
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
            let condition = Condition::of(write);
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
    fn of(write: &Write) -> Self {
        let named = |short: &str, name: &str| HashMap::from([(short.to_owned(), name.to_owned())]);
        match write.expected {
            None => Self { expression: "attribute_not_exists(#k)", names: named("#k", "pk"), values: None },
            Some(version) => Self {
                expression: "#v = :v",
                names: named("#v", "version"),
                values: Some(Item::from([(":v".to_owned(), AttributeValue::N(version.to_string()))])),
            },
        }
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

fn document(mut item: Item) -> Result<Document, StoreError> {
    let Some(AttributeValue::S(key)) = item.remove("pk") else {
        return Err(StoreError::Corrupt("an item without a key".to_owned()));
    };
    let corrupt = |what: &str| StoreError::Corrupt(format!("{key}: {what}"));
    let version = match item.remove("version") {
        Some(AttributeValue::N(number)) => number.parse().map_err(|_| corrupt("its version is no whole number"))?,
        _ => return Err(corrupt("no version")),
    };
    let Some(AttributeValue::S(body)) = item.remove("body") else { return Err(corrupt("no body")) };
    let expires = match item.remove("expires") {
        None => None,
        Some(AttributeValue::N(number)) => Some(number.parse().map_err(|_| corrupt("its end is no whole number"))?),
        Some(_) => return Err(corrupt("its end is no number")),
    };
    Ok(Document { key, version, body, expires })
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
