//! Vouching: a code over a text that only one of us can make, and that another can check.
//!
//! Decides that the key never leaves its place: with KMS who makes codes (`decide`, by GenerateMac) and who checks them
//! (`reconcile`, by VerifyMac) have different permissions on one key, and neither ever sees it. On one machine it is a key in this
//! process. The code is over the text's SHA-256, because KMS takes
//! [4,096 bytes](https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html) and a decision may be longer.

use std::fmt;

use access::grant::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

#[cfg(feature = "kms")]
mod kms;

#[cfg(feature = "kms")]
pub use kms::KmsVoucher;

/// Who makes codes and checks them.
#[derive(Debug)]
pub enum Voucher {
    /// A key of KMS's.
    #[cfg(feature = "kms")]
    Kms(KmsVoucher),
    /// A key of this process's.
    Local(LocalVoucher),
}

/// Why there is no code, or nobody knows whether it is right. A wrong code is no error but an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VouchError {
    /// Throttled, timed out, out of order or not reached: later.
    Unavailable(String),
    /// A permission that we lack ourselves.
    Denied(String),
    /// Refused for another reason: no such key, a key that is switched off.
    Refused(String),
}

impl fmt::Display for VouchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the key can't be used now: {why}"),
            Self::Denied(why) => write!(f, "this program lacks a permission on its key: {why}"),
            Self::Refused(why) => write!(f, "the key can't be used: {why}"),
        }
    }
}

impl std::error::Error for VouchError {}

impl Voucher {
    /// The code of a text, in hexadecimal digits.
    pub async fn vouch(&self, text: &[u8]) -> Result<String, VouchError> {
        let digest = Sha256::digest(text);
        match self {
            #[cfg(feature = "kms")]
            Self::Kms(kms) => kms.vouch(&digest).await,
            Self::Local(local) => Ok(hex(&local.mac(&digest).finalize().into_bytes())),
        }
    }

    /// Whether this is the code of this text. What is no code at all is a wrong one, too, and nobody is asked about it.
    pub async fn verify(&self, text: &[u8], code: &str) -> Result<bool, VouchError> {
        let digest = Sha256::digest(text);
        let Some(code) = unhex(code) else { return Ok(false) };
        match self {
            #[cfg(feature = "kms")]
            Self::Kms(kms) => kms.verify(&digest, code).await,
            // In constant time.
            Self::Local(local) => Ok(local.mac(&digest).verify_slice(&code).is_ok()),
        }
    }
}

/// A key of this process's, which is never printed.
#[derive(Clone)]
pub struct LocalVoucher([u8; 32]);

impl LocalVoucher {
    /// With this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn mac(&self, digest: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(byte, key)| *byte = key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(digest);
        mac
    }
}

impl fmt::Debug for LocalVoucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalVoucher(…)")
    }
}

/// 32 bytes, as [`hex`] writes them: one code has one form.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_code = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let pairs = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    if is_code { pairs.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_one_form() {
        let code = "0f".repeat(32);
        assert_eq!(unhex(&code), Some(vec![15; 32]));
        assert_eq!(hex(&[15; 32]), code);
        for text in ["", "0f", &code.to_uppercase(), &format!("{code}00"), &"+f".repeat(32), &"é".repeat(32)] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", Voucher::Local(LocalVoucher::new([7; 32]))), "Local(LocalVoucher(…))");
    }

    /// RFC 4231's second case has a shorter key; this one is computed with Python's hmac and hashlib.
    #[test]
    fn a_code_is_hmac_sha256_of_the_digest() {
        let local = LocalVoucher::new([7; 32]);
        let code = hex(&local.mac(&Sha256::digest(b"what do ya want for nothing?")).finalize().into_bytes());
        assert_eq!(code, "6c52b72c5476b758cacf06106ae54418c1c8c2b20aca57064803b277d0c5ab50");
    }
}
