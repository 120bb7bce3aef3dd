//! The deployed function: SQS's batches in, the messages that have to come again out.
//!
//! Nothing is made before it is needed (clients, TLS, the table), so that a cold start costs what an empty function's does. A
//! setting that is wrong is found here, at the start, and said; the invocation then fails, and the queue keeps its messages.

// The SDKs' futures lie deep inside each other, deeper than the compiler looks without this.
#![recursion_limit = "256"]

use std::time::SystemTime;

use access::{diagnose::Setting, grant::GrantMode, guardrails::Guardrails};
use adapters::{
    channel::Channels,
    config::Config,
    iam::{AwsIam, Iam},
    store::dynamodb::DynamoStore,
    telemetry,
};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use triage::handle::{COUNTED, Triage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(std::env::var("TRAILPASS_LOG").ok().as_deref(), telemetry::Output::Stdout);
    let assembled = Config::read(|name| std::env::var(name).ok()).map_err(Error::from).and_then(|config| {
        let allow_direct_invoke = config.allow_direct_invoke;
        Ok((assemble(config)?, allow_direct_invoke))
    });
    let (triage, allow_direct_invoke) = match assembled {
        Ok(assembled) => assembled,
        Err(why) => {
            // Said as a line of the log, where operators look, and not as Rust prints what `main` returns.
            tracing::error!(%why, "the function can't start");
            std::process::exit(1);
        }
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(&triage, event, allow_direct_invoke).await))
        .await
}

/// Takes a batch of SQS; a bare event only where the stack allows a developer's hand to send one.
async fn answer(
    triage: &Triage<DynamoStore>,
    event: LambdaEvent<Value>,
    allow_direct_invoke: bool,
) -> Result<Value, Error> {
    let deadline = event.context.deadline();
    // The metrics' dimension. Lambda gives the name, so that two stacks in one account and Region count apart.
    let function = &event.context.env_config.function_name;
    let is_batch = event.payload.pointer("/Records/0/eventSource").and_then(Value::as_str) == Some("aws:sqs");
    if is_batch {
        let batch: SqsEvent = serde_json::from_value(event.payload)?;
        let bodies: Vec<&str> =
            batch.records.iter().map(|message| message.body.as_deref().unwrap_or_default()).collect();
        let report = triage.handle(&bodies, deadline).await;
        telemetry::emit(function, telemetry::milliseconds(SystemTime::now()), &report.each(COUNTED));
        // An id that is missing would fail the whole batch, which is what should happen then.
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = report
            .failed_messages
            .iter()
            .filter_map(|&at| batch.records.get(at))
            .map(|message| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                failure
            })
            .collect();
        return Ok(serde_json::to_value(response)?);
    }
    if !allow_direct_invoke {
        return Err("only SQS may send events here: AllowDirectInvoke is off".into());
    }
    let body = event.payload.to_string();
    let report = triage.handle(&[&body], deadline).await;
    telemetry::emit(function, telemetry::milliseconds(SystemTime::now()), &report.each(COUNTED));
    if report.failed_messages.is_empty() {
        Ok(Value::Null)
    } else {
        Err("the event could not be handled: see the log".into())
    }
}

fn assemble(config: Config) -> Result<Triage<DynamoStore>, Error> {
    let guardrails = config.guardrails.as_deref().map(Guardrails::from_json).transpose();
    let guardrails = guardrails.map_err(|why| format!("TRAILPASS_GUARDRAILS: {why}"))?.unwrap_or_default();
    let channels = Channels::of(&config)?;
    Ok(Triage {
        store: DynamoStore::new(config.table),
        channels,
        setting: Setting { mode: config.grant_mode, guardrails },
        simulator: (config.grant_mode != GrantMode::None || config.looks_up).then(|| Iam::Aws(AwsIam::new())),
        looks_up: config.looks_up,
        own_roles: config.own_roles,
        ahead_ms: 0,
    })
}
