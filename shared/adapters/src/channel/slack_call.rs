//! A call to Slack with the secret that it needs: read when it is wanted, and once more where Slack refuses it.

use std::{fmt, time::Instant};

use serde_json::Value;

use super::Telling;
use crate::{
    secrets::{Secret, SecretError, Secrets},
    slack::{Posted, Slack, SlackError},
};

/// What is asked of Slack.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// A message in this channel.
    Post {
        /// The channel's id.
        channel: &'a str,
        /// The message under which it is to stand.
        thread: Option<&'a str>,
    },
    /// Another text for a message that is there.
    Update(&'a Posted),
    /// A message by a webhook.
    Webhook,
}

/// What lets us ask: a token or a webhook's address.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// In Secrets Manager.
    Stored {
        /// Where secrets are read.
        secrets: &'a Secrets,
        /// Which one.
        name: &'a str,
    },
    /// Given on the spot.
    Given(&'a Secret),
}

/// Why Slack has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// Slack's own word.
    Slack(SlackError),
    /// There is no secret, or no answer in time.
    Before(String),
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slack(why) => why.fmt(f),
            Self::Before(why) => f.write_str(why),
        }
    }
}

impl From<String> for Untold {
    fn from(why: String) -> Self {
        Self::Before(why)
    }
}

impl Untold {
    /// Whether a message can't be brought up to date any more: somebody has deleted it, or it is too old to be edited.
    /// <https://docs.slack.dev/reference/methods/chat.update#errors>
    pub fn is_beyond_update(&self) -> bool {
        const CODES: [&str; 3] = ["message_not_found", "cant_update_message", "edit_window_closed"];
        matches!(self, Self::Slack(SlackError::Refused(code)) if CODES.contains(&code.as_str()))
    }
}

impl Telling {
    /// Asks Slack. Gives where the message is; nothing for a webhook's, which nobody knows.
    pub async fn ask_slack(
        &self,
        slack: &Slack,
        key: Key<'_>,
        ask: Ask<'_>,
        body: &Value,
    ) -> Result<Option<Posted>, Untold> {
        let asking = async |until| match key {
            Key::Given(secret) => asked(slack, secret, ask, body, until).await.map_err(Untold::Slack),
            Key::Stored { secrets, name } => {
                let unread = |why| match why {
                    SecretError::Aws(why) => self.counted(why).to_string(),
                    why @ SecretError::Malformed(_) => why.to_string(),
                };
                let now = Instant::now();
                let secret = secrets.get(name, now).await.map_err(unread)?;
                match asked(slack, &secret, ask, body, until).await {
                    // Secrets are rotated: once more with a fresh one, if there is another.
                    Err(refused) if refused.is_bad_token() => {
                        match secrets.refresh(name, &secret, now).await.map_err(unread)? {
                            Some(fresh) => asked(slack, &fresh, ask, body, until).await.map_err(Untold::Slack),
                            None => Err(Untold::Slack(refused)),
                        }
                    }
                    result => result.map_err(Untold::Slack),
                }
            }
        };
        self.slack.call("Slack", self.deadline, self.most, asking).await
    }
}

async fn asked(
    slack: &Slack,
    secret: &Secret,
    ask: Ask<'_>,
    body: &Value,
    deadline: Instant,
) -> Result<Option<Posted>, SlackError> {
    match ask {
        Ask::Post { channel, thread: None } => slack.post(secret, channel, body, deadline).await.map(Some),
        Ask::Post { channel, thread: Some(thread) } => {
            let mut body = body.clone();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("thread_ts".to_owned(), thread.into());
            }
            slack.post(secret, channel, &body, deadline).await.map(Some)
        }
        Ask::Update(posted) => slack.update(secret, posted, body, deadline).await.map(Some),
        Ask::Webhook => slack.webhook(secret, body, deadline).await.map(|()| None),
    }
}
