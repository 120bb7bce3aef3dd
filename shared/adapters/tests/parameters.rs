//! Parameters with an emulated Systems Manager, and with one that is out of order.
//!
//! Decides how long a list of approvers is believed: whoever is taken off it must be off it soon, and no outage may keep them on.
#![cfg(feature = "parameters")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod moto;
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;

use std::time::{Duration, Instant};

use adapters::{
    http::AwsError,
    parameters::{BRIDGED, KEPT, ParameterError, Parameters},
};
use aws_sdk_ssm::{Client, types::ParameterType};
use stub::{Answer, Stub};

const NAME: &str = "/trailpass/approvers";

#[tokio::test]
async fn a_change_counts_after_a_minute() {
    let moto = moto::Moto::start();
    let config = moto.config().await;
    let server = Client::new(&config);
    let put = async |kind: ParameterType, text: &str| {
        server.put_parameter().name(NAME).r#type(kind).value(text).overwrite(true).send().await.unwrap();
    };
    let parameters = Parameters::with_config(&config);
    let start = Instant::now();
    let absent = parameters.get(NAME, start).await;
    assert!(
        matches!(&absent, Err(ParameterError::Aws(AwsError::Refused(why))) if why.contains("ParameterNotFound")),
        "{absent:?}"
    );
    put(ParameterType::String, "one").await;
    // What could not be read is not asked for at each click.
    assert_eq!(parameters.get(NAME, start + Duration::from_secs(4)).await, absent);
    let read = start + Duration::from_secs(5);
    assert_eq!(parameters.get(NAME, read).await.as_deref(), Ok("one"));
    put(ParameterType::String, "two").await;
    assert_eq!(parameters.get(NAME, read + KEPT - Duration::from_secs(1)).await.as_deref(), Ok("one"));
    assert_eq!(parameters.get(NAME, read + KEPT).await.as_deref(), Ok("two"));
    // Gone is gone: that is no outage.
    server.delete_parameter().name(NAME).send().await.unwrap();
    assert!(parameters.get(NAME, read + 2 * KEPT).await.is_err());
}

#[tokio::test]
async fn only_a_plain_text_is_taken() {
    let moto = moto::Moto::start();
    let config = moto.config().await;
    let server = Client::new(&config);
    for kind in [ParameterType::SecureString, ParameterType::StringList] {
        let name = format!("/{}", kind.as_str());
        server.put_parameter().name(&name).r#type(kind).value("text").send().await.unwrap();
        let error = Parameters::with_config(&config).get(&name, Instant::now()).await.unwrap_err();
        assert_eq!(error, ParameterError::Unusable(format!("the parameter {name} is not of the type String")));
    }
}

#[tokio::test]
async fn an_outage_is_bridged_and_ends() {
    let json = |body: &str| Answer::Http(200, vec![("content-type", "application/x-amz-json-1.1")], body.to_owned());
    let good = json(r#"{"Parameter":{"Name":"n","Type":"String","Value":"list"}}"#);
    let denied =
        Answer::Http(400, vec![], r#"{"__type":"AccessDeniedException","message":"not authorized"}"#.to_owned());
    let outage = || Answer::Http(500, vec![], r#"{"__type":"InternalServerError"}"#.to_owned());
    // Each is tried three times.
    let outages = || [outage(), outage(), outage()];
    let answers = [good.clone()].into_iter().chain(outages()).chain(outages()).chain([good, denied]);
    let stub = Stub::start(answers).await;
    let parameters = Parameters::with_config(&moto::config(&stub.url).await);
    let start = Instant::now();
    assert_eq!(parameters.get(NAME, start).await.as_deref(), Ok("list"));
    let late = start + BRIDGED - Duration::from_secs(1);
    assert_eq!(parameters.get(NAME, late).await.as_deref(), Ok("list"));
    // Asked a moment ago: the outage is known, and the time is over.
    let error = parameters.get(NAME, start + BRIDGED).await.unwrap_err();
    assert!(matches!(error, ParameterError::Aws(AwsError::Unavailable(_))), "{error:?}");
    assert!(parameters.get(NAME, start + 2 * BRIDGED).await.is_err());
    assert_eq!(parameters.get(NAME, start + 3 * BRIDGED).await.as_deref(), Ok("list"), "it is over");
    // Whoever took the permission away meant it.
    let error = parameters.get(NAME, start + 3 * BRIDGED + KEPT).await.unwrap_err();
    assert!(matches!(error, ParameterError::Aws(AwsError::Denied(_))), "{error:?}");
    let request = &stub.requests()[0];
    assert_eq!(request.json()["WithDecryption"], false);
    assert_eq!(stub.requests().len(), 9);
}
