//! Amazon SNS: one message to one topic.
//!
//! Decides nothing about the message: its wording, its shape for each protocol and its attributes come from the caller. A topic that
//! is encrypted with a key of its own needs `kms:GenerateDataKey*` and `kms:Decrypt` besides `sns:Publish`; without them
//! [`AwsError::Denied`].

use crate::http::{AwsError, sdk_config, sort_error};
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use tokio::sync::OnceCell;

/// What [Publish](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html) takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// For e-mail: fewer than 100 characters, no line breaks or control characters.
    pub subject: String,
    /// A JSON object with one text for each protocol and one named `default` (sent as `MessageStructure=json`).
    pub message: String,
    /// Name and text, for subscribers' filters. Up to 256 KiB together with the message.
    pub attributes: Vec<(String, String)>,
}

/// Publishes. Nothing is connected, and no credentials are looked for, before the first call.
#[derive(Debug, Default)]
pub struct Publisher {
    client: OnceCell<Client>,
}

impl Publisher {
    /// With the environment's configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration made by hand.
    pub fn with_config(config: &SdkConfig) -> Self {
        Self { client: OnceCell::new_with(Some(Client::new(config))) }
    }

    /// Publishes and returns the message's id. After [`AwsError::Unavailable`] the message may have been published all the same.
    pub async fn publish(&self, topic_arn: &str, request: &PublishRequest) -> Result<String, AwsError> {
        let client = self.client.get_or_init(async || Client::new(sdk_config().await)).await;
        let mut publish = client
            .publish()
            .topic_arn(topic_arn)
            .subject(&request.subject)
            .message(&request.message)
            .message_structure("json");
        for (name, text) in &request.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
            publish = publish.message_attributes(name, value.map_err(|e| AwsError::Refused(e.to_string()))?);
        }
        let published = publish.send().await.map_err(|error| sort_error(&error))?;
        Ok(published.message_id.unwrap_or_default())
    }
}
