//! Channels: the ways to tell people, how they follow from the settings, and one invocation's patience with each.
//!
//! What is said is the caller's; here is how it gets there. Whoever lets a call wait in vain is left alone for the rest of the
//! invocation, so that a silent SNS keeps nothing from Slack, nor either of them the work behind it. Our own calls that AWS refused
//! are counted, because they are an operator's to mend.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use access::notice::text;

use crate::{pages::Pages, patience::Breaker};

#[cfg(feature = "aws")]
pub use slack_call::{Ask, Key, Untold};

#[cfg(feature = "aws")]
mod assembly;
#[cfg(feature = "aws")]
mod slack_call;

/// Who is told of what.
#[derive(Debug, Default)]
pub struct Channels {
    /// For administrators.
    pub notices: Vec<Channel>,
    /// For the security team.
    pub alarms: Vec<Channel>,
    /// Where a case can be read.
    pub pages: Option<Pages>,
}

/// One way to tell people.
#[derive(Debug)]
pub enum Channel {
    /// Standard output, on one machine.
    Terminal(text::Style),
    /// An SNS topic.
    #[cfg(feature = "aws")]
    Sns {
        /// Its ARN.
        topic_arn: String,
        /// Who reads it.
        format: access::notice::sns::TopicFormat,
        /// The client, made on first use.
        publisher: std::sync::Arc<crate::sns::Publisher>,
    },
    /// A channel in Slack, by the bot's token: its messages can be updated, and hold buttons.
    #[cfg(feature = "aws")]
    SlackBot {
        /// Slack's API.
        slack: crate::slack::Slack,
        /// The secret that holds the token.
        token_secret: String,
        /// The channel's id.
        channel: String,
        /// Where secrets are read.
        secrets: std::sync::Arc<crate::secrets::Secrets>,
        /// Whether somebody takes the answers that its buttons give.
        has_buttons: bool,
    },
    /// An incoming webhook of Slack, which can only post.
    #[cfg(feature = "aws")]
    SlackWebhook {
        /// Slack's API.
        slack: crate::slack::Slack,
        /// The secret that holds the address.
        url_secret: String,
        /// Where secrets are read.
        secrets: std::sync::Arc<crate::secrets::Secrets>,
    },
    /// An incoming webhook whose address was given on the spot, on one machine.
    #[cfg(feature = "aws")]
    SlackAddress {
        /// Slack's API.
        slack: crate::slack::Slack,
        /// The address, which is as good as a password.
        url: crate::secrets::Secret,
    },
}

/// One invocation's calls to the channels: until when, how patiently, and what has been learned from trying.
#[derive(Debug)]
pub struct Telling {
    /// When this invocation is ended by force.
    pub deadline: SystemTime,
    /// The most that one call may take.
    #[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "the terminal never makes anybody wait"))]
    most: Duration,
    own_denials: AtomicU64,
    #[cfg(feature = "aws")]
    sns: Breaker,
    #[cfg(feature = "aws")]
    slack: Breaker,
    pages: Breaker,
}

impl Telling {
    /// With nothing tried yet. `most`: what one call to a channel may take.
    pub fn new(deadline: SystemTime, most: Duration) -> Self {
        Self {
            deadline,
            most,
            own_denials: AtomicU64::new(0),
            #[cfg(feature = "aws")]
            sns: Breaker::default(),
            #[cfg(feature = "aws")]
            slack: Breaker::default(),
            pages: Breaker::default(),
        }
    }

    /// Counts a call that AWS refused us.
    pub fn count_own_denial(&self) {
        self.own_denials.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn own_denials(&self) -> u64 {
        self.own_denials.load(Ordering::Relaxed)
    }

    /// The address of a case's page, if there are pages, and if it can be had quickly: a notice without its link is better than
    /// a late one. `now` in seconds since 1970.
    pub async fn page(&self, pages: Option<&Pages>, case_id: &str, opening: u64, now: i64) -> Option<String> {
        /// A link is a courtesy.
        const MOST: Duration = Duration::from_secs(2);
        let pages = pages?;
        let address = async |_| {
            pages.address(case_id, opening, now).await.map_err(|why| {
                if matches!(why, crate::vouch::VouchError::Denied(_)) {
                    self.count_own_denial();
                }
                why.to_string()
            })
        };
        match self.pages.call("The key for links", self.deadline, MOST, address).await {
            Ok(address) => address,
            Err(why) => {
                tracing::warn!(why, case = case_id, "a notice goes without the link to its page");
                None
            }
        }
    }

    /// Publishes to a topic. Gives the message's id.
    #[cfg(feature = "aws")]
    pub async fn publish(
        &self,
        publisher: &crate::sns::Publisher,
        topic_arn: &str,
        publish: access::notice::sns::Publish,
    ) -> Result<String, String> {
        let request = crate::sns::PublishRequest {
            subject: publish.subject,
            message: publish.message,
            attributes: publish.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let call = async |_| {
            let published = publisher.publish(topic_arn, &request).await;
            published.map_err(|why| format!("SNS: {}", self.counted(why)))
        };
        self.sns.call("SNS", self.deadline, self.most, call).await
    }

    /// Hands an error on, counted if it is a permission that we lack.
    #[cfg(feature = "aws")]
    fn counted(&self, why: crate::http::AwsError) -> crate::http::AwsError {
        if matches!(why, crate::http::AwsError::Denied(_)) {
            self.count_own_denial();
        }
        why
    }
}
