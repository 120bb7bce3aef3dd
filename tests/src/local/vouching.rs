//! Decisions as `decide` stores them: with a code that only its key can make.
//!
//! Decides nothing about the rows; it is where the tests' knowledge of them stands once.

use access::decision::{self, Decision, HourFile, Revocation, Vouched};
use adapters::vouch::{LocalVoucher, Voucher};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::aws::Aws;

/// Who vouches, where no KMS is.
pub fn voucher() -> Voucher {
    Voucher::Local(LocalVoucher::new([7; 32]))
}

/// A decision's row.
pub async fn decision_row(voucher: &Voucher, decision: &Decision) -> String {
    let mac = voucher.vouch(&decision.message()).await.unwrap();
    serde_json::to_string(&Vouched { record: decision, mac }).unwrap()
}

/// A revocation's row.
pub async fn revocation_row(voucher: &Voucher, revocation: &Revocation) -> String {
    let mac = voucher.vouch(&revocation.message()).await.unwrap();
    serde_json::to_string(&Vouched { record: revocation, mac }).unwrap()
}

/// The list of an hour's decisions, with this one: key and body.
pub fn hour_list(key: &str, hour: i64) -> (String, String) {
    let file = HourFile { keys: vec![key.to_owned()] };
    (decision::hour_key(hour), serde_json::to_string(&file).unwrap())
}

/// A key for codes in the emulator's KMS, used as `decide` uses it.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    aws: Aws,
}

impl Key {
    /// Makes one.
    pub async fn new(aws: &Aws) -> Self {
        let request = json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" });
        let made = aws.call("kms", "TrentService.CreateKey", request).await;
        Self { arn: made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned(), aws: aws.clone() }
    }

    /// A decision's row.
    pub async fn decision_row(&self, decision: &Decision) -> String {
        let mac = self.mac(&decision.message()).await;
        serde_json::to_string(&Vouched { record: decision, mac }).unwrap()
    }

    /// A revocation's row.
    pub async fn revocation_row(&self, revocation: &Revocation) -> String {
        let mac = self.mac(&revocation.message()).await;
        serde_json::to_string(&Vouched { record: revocation, mac }).unwrap()
    }

    /// The code of a message.
    pub async fn mac(&self, message: &[u8]) -> String {
        let message = base64(&Sha256::digest(message));
        let request = json!({ "KeyId": self.arn, "Message": message, "MacAlgorithm": "HMAC_SHA_256" });
        let made = self.aws.call("kms", "TrentService.GenerateMac", request).await;
        let mac = unbase64(made["Mac"].as_str().unwrap());
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= three.len() { digit } else { '=' });
        }
    }
    text
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|byte| *byte != b'=') {
        let digit = DIGITS.iter().position(|digit| *digit == letter).expect("base64");
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap());
        }
    }
    bytes
}
