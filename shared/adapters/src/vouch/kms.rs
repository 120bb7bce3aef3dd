//! A key of KMS's for HMAC-SHA-256, made for generating and verifying codes.
//!
//! The makers' role needs `kms:GenerateMac` on it, the checkers' `kms:VerifyMac`, and nobody both.

use access::grant::hex;
use aws_config::SdkConfig;
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::MacAlgorithmSpec,
};
use tokio::sync::OnceCell;

use super::VouchError;
use crate::http::{AwsError, sdk_config, sort_error};

/// A key. Nothing is connected, and no credentials are looked for, before the first call.
#[derive(Debug)]
pub struct KmsVoucher {
    key: String,
    client: OnceCell<Client>,
}

impl KmsVoucher {
    /// The key of this id or ARN, with the environment's configuration.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), client: OnceCell::new() }
    }

    /// The same with a configuration made by hand.
    pub fn with_config(key: impl Into<String>, config: &SdkConfig) -> Self {
        Self { key: key.into(), client: OnceCell::new_with(Some(Client::new(config))) }
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(async || Client::new(sdk_config().await)).await
    }

    pub(super) async fn vouch(&self, digest: &[u8]) -> Result<String, VouchError> {
        let request = self.client().await.generate_mac().key_id(&self.key).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        let answer = request.message(Blob::new(digest)).send().await.map_err(|error| sorted(sort_error(&error)))?;
        let code = answer.mac.ok_or_else(|| VouchError::Unavailable("an answer without a code".to_owned()))?;
        Ok(hex(code.as_ref()))
    }

    pub(super) async fn verify(&self, digest: &[u8], code: Vec<u8>) -> Result<bool, VouchError> {
        let request = self.client().await.verify_mac().key_id(&self.key).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        match request.message(Blob::new(digest)).mac(Blob::new(code)).send().await {
            Ok(answer) => Ok(answer.mac_valid),
            // KMS says so by an error: <https://docs.aws.amazon.com/kms/latest/APIReference/API_VerifyMac.html#API_VerifyMac_Errors>
            Err(SdkError::ServiceError(refused)) if refused.err().code() == Some("KMSInvalidMacException") => Ok(false),
            Err(error) => Err(sorted(sort_error(&error))),
        }
    }
}

fn sorted(error: AwsError) -> VouchError {
    match error {
        AwsError::Unavailable(why) => VouchError::Unavailable(why),
        AwsError::Denied(why) => VouchError::Denied(why),
        AwsError::Refused(why) => VouchError::Refused(why),
    }
}
