//! The deployed function: API Gateway's requests in, its answers out.
//!
//! Nothing is made before it is needed, so that a cold start leaves most of Slack's three seconds to the answer. A setting that is
//! wrong is found here, at the start, and said.

// The SDKs' futures lie deep inside each other, deeper than the compiler looks without this.
#![recursion_limit = "256"]

use std::time::SystemTime;

use access::{diagnose::Setting, guardrails::Guardrails};
use adapters::{
    config::Config,
    parameters::Parameters,
    secrets::Secrets,
    store::dynamodb::DynamoStore,
    sts::Sts,
    telemetry,
    vouch::{KmsVoucher, Voucher},
};
use decide::{
    authority::{FromParameters, Source},
    door::{AwsDoor, Door, SlackDoor},
    handle::{COUNTED, Decide},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(std::env::var("TRAILPASS_LOG").ok().as_deref(), telemetry::Output::Stdout);
    let assembled = Config::read(|name| std::env::var(name).ok()).map_err(Error::from).and_then(assemble);
    let door = match assembled {
        Ok(door) => door,
        Err(why) => {
            // Said as a line of the log, where operators look, and not as Rust prints what `main` returns.
            tracing::error!(%why, "the function can't start");
            std::process::exit(1);
        }
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(&door, event).await)).await
}

async fn answer(door: &Door<DynamoStore>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (response, report) = door.take(&event.payload).await;
    // The metrics' dimension. Lambda gives the name, so that two stacks in one account and Region count apart.
    let function = &event.context.env_config.function_name;
    telemetry::emit(function, telemetry::milliseconds(SystemTime::now()), &report.each(COUNTED));
    Ok(response.event())
}

fn assemble(config: Config) -> Result<Door<DynamoStore>, Error> {
    let guardrails = config.guardrails.as_deref().map(Guardrails::from_json).transpose();
    let guardrails = guardrails.map_err(|why| format!("TRAILPASS_GUARDRAILS: {why}"))?.unwrap_or_default();
    let key = config.mac_key.ok_or("TRAILPASS_MAC_KEY is missing: the key that vouches for decisions")?;
    // Lambda says it. Without it, no signature could be held against it.
    let region = std::env::var("AWS_REGION").ok().filter(|region| !region.is_empty());
    let parameters = FromParameters::new(Parameters::new(), config.approvers, config.approval_rules);
    Ok(Door {
        decide: Decide {
            store: DynamoStore::new(config.table),
            voucher: Voucher::Kms(KmsVoucher::new(key)),
            authority: Source::Parameters(Box::new(parameters)),
            setting: Setting { mode: config.grant_mode, guardrails },
            ahead_ms: 0,
        },
        slack: config.slack_app.map(|app| SlackDoor { secrets: Secrets::new().for_signing(), app }),
        aws: region.map(|region| AwsDoor { sts: Sts::new(), region }),
        links: config.link_key.map(|key| Voucher::Kms(KmsVoucher::new(key))),
        stack: config.stack,
    })
}
