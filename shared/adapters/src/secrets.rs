//! Secrets Manager: Slack's token, webhook addresses and the secret that Slack signs with.
//!
//! Decides how long a secret is believed (five minutes, so that a rotation is seen without a deployment) and that it can't be printed by
//! accident: a [`Secret`] has no `Display`, and its `Debug` says nothing.

use crate::http::{AwsError, sdk_config, sort_error};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long a secret is used before it is read again.
pub const KEPT: Duration = Duration::from_secs(300);
/// How soon after reading it a refused secret is read again. A storm with a wrong token must not become a storm on Secrets Manager.
const REREAD_AFTER: Duration = Duration::from_secs(10);

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// Secrets Manager gave no answer, or not this one.
    Aws(AwsError),
    /// The secret is there and holds something else than is expected (what it holds is not said).
    Malformed(String),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(f),
            Self::Malformed(name) => write!(
                f,
                "the secret {name} holds neither a plain text without spaces nor an object with the member that is asked for: \
                 {{\"token\": \"…\"}} or {{\"url\": \"…\"}}, and in a secret of its own {{\"signing_secret\": \"…\"}}"
            ),
        }
    }
}

impl std::error::Error for SecretError {}

/// What a secret may be called in an object of Secrets Manager's console, for whoever sends it.
const SENT: &[&str] = &["token", "url"];
/// The same for who checks what Slack signed. An object that holds both kinds is none of either.
const SIGNING: &[&str] = &["signing_secret"];

/// The secrets read so far. Nothing is connected before the first one is asked for.
#[derive(Debug)]
pub struct Secrets {
    members: &'static [&'static str],
    client: OnceCell<Client>,
    kept: Mutex<HashMap<String, (Instant, Secret)>>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { members: SENT, client: OnceCell::new(), kept: Mutex::default() }
    }
}

impl Secrets {
    /// With the environment's configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration made by hand.
    pub fn with_config(config: &SdkConfig) -> Self {
        Self { client: OnceCell::new_with(Some(Client::new(config))), ..Self::default() }
    }

    /// The same for what others sign with, and nobody here sends.
    pub fn for_signing(self) -> Self {
        Self { members: SIGNING, ..self }
    }

    /// The secret of this name or ARN, not older than [`KEPT`].
    pub async fn get(&self, name: &str, now: Instant) -> Result<Secret, SecretError> {
        let kept = self.kept().get(name).cloned();
        match kept {
            Some((read, secret)) if now.saturating_duration_since(read) < KEPT => Ok(secret),
            _ => self.fetch(name, now).await,
        }
    }

    /// The secret that stands in the place of one that its receiver refused (`invalid_auth`): another one, or `None` if there is
    /// no other (yet). Reads again only if the refused one wasn't read just now.
    pub async fn refresh(&self, name: &str, refused: &Secret, now: Instant) -> Result<Option<Secret>, SecretError> {
        let kept = self.kept().get(name).cloned();
        let current = match kept {
            // Somebody else has refreshed it in the meantime.
            Some((_, secret)) if secret != *refused => secret,
            Some((read, secret)) if now.saturating_duration_since(read) < REREAD_AFTER => secret,
            _ => self.fetch(name, now).await?,
        };
        Ok(Some(current).filter(|secret| secret != refused))
    }

    async fn fetch(&self, name: &str, now: Instant) -> Result<Secret, SecretError> {
        let client = self.client.get_or_init(async || Client::new(sdk_config().await)).await;
        let answer = client.get_secret_value().secret_id(name).send().await;
        let answer = answer.map_err(|error| SecretError::Aws(sort_error(&error)))?;
        let secret = answer
            .secret_string()
            .and_then(|text| parse(text, self.members))
            .ok_or_else(|| SecretError::Malformed(name.to_owned()))?;
        self.kept().insert(name.to_owned(), (now, secret.clone()));
        Ok(secret)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, (Instant, Secret)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plain text, or the JSON object that Secrets Manager's console makes of a key and a value. It will be sent in a header or as an
/// address, so only what can stand there is taken.
fn parse(text: &str, members: &[&str]) -> Option<Secret> {
    let text = text.trim();
    let value = if text.starts_with('{') {
        let object: serde_json::Value = serde_json::from_str(text).ok()?;
        // Who posts can read such a secret whole, and could sign answers: no one function may do both.
        let is_for_both = [SENT, SIGNING].iter().all(|kind| kind.iter().any(|member| object.get(member).is_some()));
        if is_for_both {
            return None;
        }
        members.iter().find_map(|member| object.get(member))?.as_str()?.trim().to_owned()
    } else {
        text.to_owned()
    };
    let sendable = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then_some(Secret(value))
}

#[cfg(test)]
mod tests {
    use super::{SENT, SIGNING, Secret, parse};

    #[test]
    fn what_a_secret_may_look_like() {
        let token = Some(Secret::new("xoxb-1"));
        for text in ["xoxb-1", " xoxb-1\n", r#"{"token":"xoxb-1"}"#, r#"{"url": "xoxb-1", "more": 1}"#] {
            assert_eq!(parse(text, SENT), token, "{text}");
        }
        for text in
            ["", "  ", "two words", "{", r#"{"key":"xoxb-1"}"#, r#"{"token":7}"#, r#"{"token":""}"#, "a\u{e9}b", "a\nb"]
        {
            assert_eq!(parse(text, SENT), None, "{text}");
        }
        let all = r#"{"token":"xoxb-1","signing_secret":"5e"}"#;
        assert_eq!((parse(all, SENT), parse(all, SIGNING)), (None, None), "one secret would let one function do both");
        assert_eq!(parse(r#"{"signing_secret":"5e"}"#, SIGNING), Some(Secret::new("5e")));
        assert_eq!(parse(r#"{"token":"xoxb-1"}"#, SIGNING), None);
    }

    #[test]
    fn it_is_not_printed() {
        assert_eq!(format!("{:?} {:#?}", Secret::new("xoxb-1"), Secret::new("xoxb-1")), "Secret(…) Secret(…)");
    }
}
