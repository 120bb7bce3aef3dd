//! Who signed an answer, as an emulated STS that checks signatures says it; and what a server may do that is not well.
//!
//! The signatures are botocore's: the request that the adapter puts together has to be, to the letter, the one that somebody else has signed.
#![cfg(feature = "sts")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod moto;
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use access::answer::aws::{AwsAnswer, SCHEMA, SignedAnswer, Wish};
use adapters::sts::{Sts, StsError};
use aws_config::SdkConfig;
use serde_json::{Value, json};
use stub::{Answer, Stub};

const REGION: &str = "eu-west-1";

fn answer() -> String {
    let stack = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b".to_owned();
    let wish = Wish::Approve { remedy: "0".repeat(64), duration_seconds: 3600 };
    AwsAnswer { stack, case_id: "2gd4tjkox2q74mauvvu6".into(), opening: 1, wish }.header().unwrap()
}

fn signed() -> SignedAnswer {
    SignedAnswer {
        schema: SCHEMA.into(),
        authorization: "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261005/eu-west-1/sts/aws4_request".into(),
        date: "20261005T080001Z".into(),
        token: Some("FwoGZXIvYXdzEBYaD//token==".into()),
        answer: answer(),
    }
}

/// botocore's work, with the Python of the tools.
fn botocore(url: &str) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/python3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sts/sign.py");
    let mut python = Command::new(python);
    let mut child = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    let asked = json!({ "url": url, "region": REGION, "answer": answer() });
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "botocore failed");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn an_sts_that_checks_signatures() {
    let moto = moto::Moto::start();
    let mut made = botocore(&moto.url);
    let sts = Sts::with_config(&moto.config().await);
    let Value::Object(signed) = made["signed"].take() else { panic!("{made}") };
    assert_eq!(signed.len(), 9);
    for (name, signed) in signed {
        let body = signed.to_string();
        let asked: SignedAnswer = serde_json::from_value(signed).unwrap();
        let found = sts.caller(&asked, REGION).await;
        match name.as_str() {
            "user" => {
                let caller = found.expect(&name);
                assert_eq!(
                    (caller.arn.as_str(), caller.account.as_str()),
                    (made["user"].as_str().unwrap(), "123456789012")
                );
                assert!(SignedAnswer::read(body.as_bytes(), REGION).is_ok());
            }
            "session" => {
                let caller = found.expect(&name);
                assert_eq!(caller.arn, "arn:aws:sts::123456789012:assumed-role/Admin/saanvi");
                assert!(caller.user_id.ends_with(":saanvi"), "{caller:?}");
                assert!(SignedAnswer::read(body.as_bytes(), REGION).is_ok());
            }
            // What this emulator can't tell, since it takes Region and service from the signature, is told before STS is asked.
            "other region" | "other service" => assert!(SignedAnswer::read(body.as_bytes(), REGION).is_err(), "{name}"),
            _ => assert!(matches!(found, Err(StsError::Refused(_))), "{name}: {found:?}"),
        }
    }
}

fn at(url: &str) -> SdkConfig {
    SdkConfig::builder().endpoint_url(url).build()
}

#[tokio::test]
async fn the_request_is_the_signed_one_and_no_other() {
    let stub = Stub::start([Answer::Http(500, vec![], String::new())]).await;
    assert!(Sts::with_config(&at(&stub.url)).caller(&signed(), REGION).await.is_err());
    let request = &stub.requests()[0];
    assert_eq!(request.body, b"Action=GetCallerIdentity&Version=2011-06-15");
    let mut lines: Vec<String> = request.head.trim_end().lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "POST / HTTP/1.1");
    let mut headers: Vec<(String, String)> =
        lines.iter().filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    headers.sort();
    let signed = signed();
    let expected = [
        ("authorization", signed.authorization.as_str()),
        ("content-length", "43"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("host", "sts.eu-west-1.amazonaws.com"),
        ("x-amz-date", "20261005T080001Z"),
        ("x-amz-security-token", signed.token.as_deref().unwrap()),
        ("x-trailpass-answer", signed.answer.as_str()),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

/// What is believed leads nowhere else, is not endless, and tells nobody what was signed.
#[tokio::test]
async fn what_a_server_may_do() {
    const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/nikki</Arn><UserId>AIDA</UserId>\
        <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let elsewhere = Stub::start([Answer::Http(200, vec![], CALLER.to_owned())]).await;
    let elsewhere_url: &'static str = elsewhere.url.clone().leak();
    let quoting = format!(
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{}</Message></Error></ErrorResponse>",
        signed().token.unwrap()
    );
    let cases = [
        (vec![Answer::Http(307, vec![("location", elsewhere_url)], String::new())], "unavailable"),
        (vec![Answer::Http(200, vec![], format!("{CALLER}{}", " ".repeat(100_000)))], "unavailable"),
        (vec![Answer::Http(403, vec![], quoting)], "refused"),
        (vec![Answer::Close, Answer::Close], "unavailable"),
        (vec![Answer::Close, Answer::Http(200, vec![], CALLER.to_owned())], "found"),
        (vec![Answer::Http(503, vec![], CALLER.to_owned())], "unavailable"),
    ];
    for (n, (answers, expected)) in cases.into_iter().enumerate() {
        let stub = Stub::start(answers).await;
        let found = Sts::with_config(&at(&stub.url)).caller(&signed(), REGION).await;
        let (word, said) = match &found {
            Ok(caller) => ("found", caller.arn.clone()),
            Err(StsError::Refused(why)) => ("refused", why.clone()),
            Err(StsError::Unavailable(why)) => ("unavailable", why.clone()),
        };
        assert_eq!(word, expected, "{n}: {found:?}");
        assert!(!said.contains("token") && !said.contains("AWS4"), "{n}: {said}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

/// A signature goes nowhere that it could be read on the way, and to no host but a Region's.
#[tokio::test]
async fn where_it_does_not_go() {
    let stub = Stub::start([]).await;
    for (url, region) in [
        ("http://sts.evil.example/", REGION),
        ("ftp://127.0.0.1/", REGION),
        ("http://user@127.0.0.1:1/", REGION),
        (stub.url.as_str(), "evil.example/"),
        (stub.url.as_str(), "eu-west-1\r\nx: y"),
    ] {
        let found = Sts::with_config(&at(url)).caller(&signed(), region).await;
        assert!(matches!(found, Err(StsError::Unavailable(_))), "{url} {region}: {found:?}");
    }
    let mut folded = signed();
    folded.answer.push_str("\r\nhost: evil.example");
    assert!(Sts::with_config(&at(&stub.url)).caller(&folded, REGION).await.is_err());
    assert_eq!(stub.requests().len(), 0);
}
