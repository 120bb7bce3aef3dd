//! From the settings to the channels of a deployed function.

use std::{sync::Arc, time::Duration};

use access::notice::sns;

use super::{Channel, Channels};
use crate::{
    config::{Audience, Config, SlackRoute, TopicFormat},
    secrets::Secrets,
    slack::{self, Slack},
    sns::Publisher,
};

/// The most that one try of a call to Slack may take.
const SLACK_TIMEOUT: Duration = Duration::from_secs(5);

impl Channels {
    /// The channels that the settings name; nothing is connected. The error says which setting is wrong.
    pub fn of(config: &Config) -> Result<Self, String> {
        let publisher = Arc::new(Publisher::new());
        let secrets = Arc::new(Secrets::new());
        let api = config.slack_api.as_deref().unwrap_or(slack::API);
        let slack = Slack::new(api, SLACK_TIMEOUT).map_err(|why| format!("TRAILPASS_SLACK_API: {why}"))?;
        let channels = |audience: &Audience| -> Vec<Channel> {
            let topic = audience.topic.as_ref().map(|topic| Channel::Sns {
                topic_arn: topic.arn.clone(),
                format: match topic.format {
                    TopicFormat::Email => sns::TopicFormat::Email,
                    TopicFormat::AmazonQ => sns::TopicFormat::AmazonQ,
                },
                publisher: Arc::clone(&publisher),
            });
            let slack = audience.slack.clone().map(|route| match route {
                SlackRoute::Bot { token_secret, channel } => Channel::SlackBot {
                    slack: slack.clone(),
                    token_secret,
                    channel,
                    secrets: Arc::clone(&secrets),
                    has_buttons: config.slack_buttons,
                },
                SlackRoute::Webhook { url_secret } => {
                    Channel::SlackWebhook { slack: slack.clone(), url_secret, secrets: Arc::clone(&secrets) }
                }
            });
            topic.into_iter().chain(slack).collect()
        };
        #[cfg(feature = "kms")]
        let pages = pages(config)?;
        #[cfg(not(feature = "kms"))]
        let pages = None;
        Ok(Self { notices: channels(&config.notices), alarms: channels(&config.alarms), pages })
    }
}

/// Where cases can be read. All three settings, or none: a link that nobody can check leads nowhere.
#[cfg(feature = "kms")]
fn pages(config: &Config) -> Result<Option<crate::pages::Pages>, String> {
    use crate::{
        pages::Pages,
        vouch::{KmsVoucher, Voucher},
    };
    match (&config.pages, &config.link_key, &config.stack) {
        (None, _, _) => Ok(None),
        (Some(base), Some(key), Some(stack)) => Ok(Some(Pages::Signed {
            base: base.clone(),
            stack: stack.clone(),
            voucher: Voucher::Kms(KmsVoucher::new(key)),
        })),
        _ => Err("TRAILPASS_PAGES needs TRAILPASS_LINK_KEY and TRAILPASS_STACK".to_owned()),
    }
}
