//! Codes over decisions: with an emulated KMS, and with a key of this process.
//!
//! Decides that a code fits its text and no other, that a wrong code is an answer, and that a key which can't be used is none.
#![cfg(feature = "kms")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod moto;
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;

use adapters::vouch::{KmsVoucher, LocalVoucher, VouchError, Voucher};
use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyUsageType},
};
use stub::{Answer, Stub};

#[tokio::test]
async fn a_code_fits_its_text_and_no_other() {
    let moto = moto::Moto::start();
    let config = moto.config().await;
    let client = Client::new(&config);
    let key = async || {
        let key = client.create_key().key_spec(KeySpec::Hmac256).key_usage(KeyUsageType::GenerateVerifyMac);
        key.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
    };
    let of_kms = [key().await, key().await].map(|arn| Voucher::Kms(KmsVoucher::with_config(arn, &config)));
    let local = [[1; 32], [2; 32]].map(|key| Voucher::Local(LocalVoucher::new(key)));
    for [one, other] in [of_kms, local] {
        // Longer than KMS takes by itself.
        let text = "a decision ".repeat(2_000);
        let code = one.vouch(text.as_bytes()).await.unwrap();
        assert_eq!(one.verify(text.as_bytes(), &code).await, Ok(true));
        assert_eq!(one.vouch(text.as_bytes()).await, Ok(code.clone()));
        assert_eq!(one.verify(b"another decision", &code).await, Ok(false));
        assert_eq!(other.verify(text.as_bytes(), &code).await, Ok(false));
        let mut altered = code.clone();
        altered.replace_range(..1, if code.starts_with('0') { "1" } else { "0" });
        for wrong in [altered.as_str(), &code[1..], &code.to_uppercase(), "", "nonsense"] {
            let is_same = wrong == code;
            assert_eq!(one.verify(text.as_bytes(), wrong).await, Ok(is_same), "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_says_nothing_about_the_code() {
    let played = async |status: u16, code: &str| {
        let body = format!(r#"{{"__type":"{code}","message":"no"}}"#);
        let answers = vec![Answer::Http(status, vec![("content-type", "application/x-amz-json-1.1")], body); 3];
        let stub = Stub::start(answers).await;
        let voucher = Voucher::Kms(KmsVoucher::with_config("key", &moto::config(&stub.url).await));
        voucher.verify(b"text", &"0".repeat(64)).await
    };
    assert_eq!(played(400, "KMSInvalidMacException").await, Ok(false));
    assert_eq!(played(400, "AccessDeniedException").await, Err(VouchError::Denied("AccessDeniedException: no".into())));
    assert_eq!(played(400, "DisabledException").await, Err(VouchError::Refused("DisabledException: no".into())));
    assert!(matches!(played(500, "KMSInternalException").await, Err(VouchError::Unavailable(_))));
}
