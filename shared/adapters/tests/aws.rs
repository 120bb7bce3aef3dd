//! SNS and Secrets Manager against an emulated AWS, and TLS.
//!
//! Decides that what the adapters send is what a subscriber gets, and that a secret is read as seldom as promised. One server for all,
//! since starting it costs more than using it.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod moto;
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;

use adapters::http::AwsError;
use adapters::secrets::{KEPT, Secret, SecretError, Secrets};
use adapters::slack::{Slack, SlackError};
use adapters::sns::{PublishRequest, Publisher};
use aws_config::SdkConfig;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use stub::{Answer, Stub};

#[tokio::test]
async fn on_an_emulated_aws() {
    let moto = moto::Moto::start();
    let config = moto.config().await;
    a_subscriber_gets_what_was_published(&config).await;
    what_sns_refuses_is_told_apart(&config).await;
    a_secret_is_kept_for_a_while(&config).await;
    a_refused_secret_is_read_again(&config).await;
    a_secret_that_is_none_is_said(&config).await;
}

/// The one client is used for AWS and for Slack, so one test is for both. moto makes itself a certificate that nobody has signed.
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let moto = moto::Moto::start_with(&["--ssl"]);
    let slack = Slack::new(&moto.url, Duration::from_secs(5)).expect("https");
    let deadline = Instant::now() + Duration::from_secs(10);
    let error = slack.post(&Secret::new("xoxb-1"), "C1", &json!({}), deadline).await.unwrap_err();
    assert!(matches!(&error, SlackError::Unavailable(why) if why.contains("certificate")), "{error:?}");
    let error = Secrets::with_config(&moto.config().await).get("slack/token", Instant::now()).await.unwrap_err();
    let SecretError::Aws(AwsError::Unavailable(why)) = &error else { panic!("{error:?}") };
    assert!(why.contains("certificate"), "{why}");
}

async fn a_subscriber_gets_what_was_published(config: &SdkConfig) {
    let sns = aws_sdk_sns::Client::new(config);
    let topic = sns.create_topic().name("notices").send().await.unwrap().topic_arn.unwrap();
    // Attributes are for filters, so filters tell whether they came: moto's deliveries over HTTP leave them out.
    let subscribe = async |filter: Value| {
        let subscriber = Stub::start(vec![Answer::Http(200, vec![], String::new()); 2]).await;
        let request = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&subscriber.url);
        request.attributes("FilterPolicy", filter.to_string()).send().await.expect("a subscription");
        subscriber
    };
    let subscriber = subscribe(json!({"response": ["suggest-fix"], "risk": ["routine"]})).await;
    let other = subscribe(json!({"response": ["suggest-fix"], "risk": ["tampering"]})).await;
    let request = PublishRequest {
        subject: "Denied: cloudtrail:GetTrailStatus".to_owned(),
        message: json!({"default": "for all", "http": "für \"Programme\""}).to_string(),
        attributes: vec![("response".to_owned(), "suggest-fix".to_owned()), ("risk".to_owned(), "routine".to_owned())],
    };
    let id = Publisher::with_config(config).publish(&topic, &request).await.expect("published");
    let notices = |subscriber: &Stub| -> Vec<Value> {
        let posts = subscriber.requests().into_iter().map(|request| request.json());
        posts.filter(|post| post["Type"] == "Notification").collect()
    };
    assert_eq!(notices(&other).len(), 0);
    let [notice] = &notices(&subscriber)[..] else { panic!("delivered once") };
    assert_eq!(notice["MessageId"], Value::from(id));
    assert_eq!(notice["Subject"], Value::from(request.subject));
    assert_eq!(notice["Message"], "für \"Programme\"");
}

async fn what_sns_refuses_is_told_apart(config: &SdkConfig) {
    let publisher = Publisher::with_config(config);
    let request =
        PublishRequest { subject: "s".to_owned(), message: json!({"default": "d"}).to_string(), attributes: vec![] };
    let nowhere = "arn:aws:sns:eu-west-1:123456789012:nowhere";
    let refused = publisher.publish(nowhere, &request).await;
    assert!(matches!(&refused, Err(AwsError::Refused(why)) if why.starts_with("NotFound")), "{refused:?}");

    let played = |status, code: &str| {
        let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>");
        Answer::Http(status, vec![("content-type", "text/xml")], body)
    };
    let one = async |answers: Vec<Answer>| {
        let stub = Stub::start(answers).await;
        Publisher::with_config(&moto::config(&stub.url).await).publish(nowhere, &request).await
    };
    assert_eq!(
        one(vec![played(403, "AuthorizationError")]).await,
        Err(AwsError::Denied("AuthorizationError: no".to_owned()))
    );
    assert_eq!(
        one(vec![played(400, "KMSAccessDenied")]).await,
        Err(AwsError::Denied("KMSAccessDenied: no".to_owned()))
    );
    for passing in [played(503, "ServiceUnavailable"), played(400, "Throttling"), Answer::Close] {
        let error = one(vec![passing; 3]).await;
        assert!(matches!(error, Err(AwsError::Unavailable(_))), "{error:?}");
    }
}

async fn a_secret_is_kept_for_a_while(config: &SdkConfig) {
    let server = aws_sdk_secretsmanager::Client::new(config);
    let made = server.create_secret().name("slack/token").secret_string(r#"{"token":"xoxb-1"}"#).send().await.unwrap();
    let secrets = Secrets::with_config(config);
    let start = Instant::now();
    for id in ["slack/token", made.arn().unwrap()] {
        assert_eq!(secrets.get(id, start).await, Ok(Secret::new("xoxb-1")));
    }
    server.put_secret_value().secret_id("slack/token").secret_string("xoxb-2").send().await.unwrap();
    let almost = start + KEPT - Duration::from_secs(1);
    assert_eq!(secrets.get("slack/token", almost).await, Ok(Secret::new("xoxb-1")));
    assert_eq!(secrets.get("slack/token", start + KEPT).await, Ok(Secret::new("xoxb-2")));
}

async fn a_refused_secret_is_read_again(config: &SdkConfig) {
    let server = aws_sdk_secretsmanager::Client::new(config);
    server.create_secret().name("rotated").secret_string("old").send().await.unwrap();
    let secrets = Secrets::with_config(config);
    let start = Instant::now();
    let later = start + Duration::from_secs(60);
    let old = secrets.get("rotated", start).await.unwrap();
    assert_eq!(secrets.refresh("rotated", &old, later).await, Ok(None), "nothing else is there");
    server.put_secret_value().secret_id("rotated").secret_string("new").send().await.unwrap();
    assert_eq!(secrets.refresh("rotated", &old, later).await, Ok(None), "it was read just now");
    let new = Some(Secret::new("new"));
    assert_eq!(secrets.refresh("rotated", &old, later + Duration::from_secs(10)).await, Ok(new.clone()));
    assert_eq!(secrets.refresh("rotated", &old, later).await, Ok(new), "somebody else has refreshed it");
}

async fn a_secret_that_is_none_is_said(config: &SdkConfig) {
    let server = aws_sdk_secretsmanager::Client::new(config);
    server.create_secret().name("odd").secret_string("hush hush").send().await.unwrap();
    let secrets = Secrets::with_config(config);
    let error = secrets.get("odd", Instant::now()).await.unwrap_err();
    assert_eq!(error, SecretError::Malformed("odd".to_owned()));
    assert!(!format!("{error} {error:?} {secrets:?}").contains("hush"));
    let absent = secrets.get("absent", Instant::now()).await;
    assert!(
        matches!(&absent, Err(SecretError::Aws(AwsError::Refused(why))) if why.contains("ResourceNotFound")),
        "{absent:?}"
    );
}
