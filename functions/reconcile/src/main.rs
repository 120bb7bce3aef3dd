//! The deployed function: the table's stream and a schedule in, the records that have to come again out.
//!
//! Nothing is made before it is needed, so that a cold start costs what an empty function's does. A setting that is wrong is
//! found here, at the start, and said; the invocation then fails, and the stream keeps its records.

// The SDKs' futures lie deep inside each other, deeper than the compiler looks without this.
#![recursion_limit = "256"]

use std::time::SystemTime;

use access::{diagnose::Setting, guardrails::Guardrails, reconcile::Limits};
use adapters::{
    channel::Channels,
    config::Config,
    iam::{AwsIam, Iam},
    store::dynamodb::DynamoStore,
    telemetry,
    vouch::{KmsVoucher, Voucher},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use reconcile::handle::{Account, COUNTED, Reconcile};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(std::env::var("TRAILPASS_LOG").ok().as_deref(), telemetry::Output::Stdout);
    let assembled = Config::read(|name| std::env::var(name).ok()).map_err(Error::from).and_then(assemble);
    let reconcile = match assembled {
        Ok(reconcile) => reconcile,
        Err(why) => {
            // Said as a line of the log, where operators look, and not as Rust prints what `main` returns.
            tracing::error!(%why, "the function can't start");
            std::process::exit(1);
        }
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(&reconcile, event).await)).await
}

/// Takes a batch of the table's stream, or the schedule's event.
///
/// A record is read by hand for the two texts that count in it. Read as a whole, one that has another form than is expected would
/// fail its whole batch, and come again until the stream forgets it.
async fn answer(reconcile: &Reconcile<DynamoStore>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let deadline = event.context.deadline();
    // The metrics' dimension. Lambda gives the name, so that two stacks in one account and Region count apart.
    let function = &event.context.env_config.function_name;
    let payload = &event.payload;
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let (report, answer) = if text("/Records/0/eventSource") == Some("aws:dynamodb") {
        let records = payload.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let part =
            |record: &'_ Value, pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let keys: Vec<Option<String>> = records.iter().map(|record| part(record, "/dynamodb/Keys/pk/S")).collect();
        let keys: Vec<Option<&str>> = keys.iter().map(Option::as_deref).collect();
        let report = reconcile.decided(&keys, deadline).await;
        // A number that is missing fails the whole batch, which is what should happen then.
        let failures: Vec<Value> = report
            .failed_records
            .iter()
            .filter_map(|&place| records.get(place))
            .map(|record| json!({ "itemIdentifier": part(record, "/dynamodb/SequenceNumber").unwrap_or_default() }))
            .collect();
        (report, json!({ "batchItemFailures": failures }))
    } else if text("/source") == Some("aws.events") && text("/detail-type") == Some("Scheduled Event") {
        let arn = &event.context.invoked_function_arn;
        let account = Account::of_arn(arn).ok_or("Lambda named no account in this function's ARN")?;
        (reconcile.sweep(&account, deadline).await, Value::Null)
    } else {
        return Err("only the table's stream and the schedule may send events here".into());
    };
    telemetry::emit(function, telemetry::milliseconds(SystemTime::now()), &report.each(COUNTED));
    Ok(answer)
}

fn assemble(config: Config) -> Result<Reconcile<DynamoStore>, Error> {
    let guardrails = config.guardrails.as_deref().map(Guardrails::from_json).transpose();
    let guardrails = guardrails.map_err(|why| format!("TRAILPASS_GUARDRAILS: {why}"))?.unwrap_or_default();
    let key = config.mac_key.clone().ok_or("TRAILPASS_MAC_KEY is missing: the key that vouches for decisions")?;
    let channels = Channels::of(&config)?;
    Ok(Reconcile {
        store: DynamoStore::new(config.table),
        iam: Iam::Aws(AwsIam::new()),
        voucher: Voucher::Kms(KmsVoucher::new(key)),
        channels,
        setting: Setting { mode: config.grant_mode, guardrails },
        limits: Limits { boundary: config.boundary },
        asks_history: true,
        ahead_ms: 0,
    })
}
