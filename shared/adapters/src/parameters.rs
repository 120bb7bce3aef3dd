//! Systems Manager's parameters: the operator's lists of who may approve, and of what.
//!
//! Decides how long a parameter is believed: for a minute, so that whoever is taken off a list is off it soon; and, while nobody
//! can read it, as it was last read, for five minutes and no longer. A parameter that is gone, that is of another kind, or that we
//! may not read is none from the moment that this is known: only an outage that passes by itself is bridged.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_ssm::{Client, types::ParameterType};
use tokio::sync::OnceCell;
use tracing::warn;

use crate::http::{AwsError, sdk_config, sort_error};

/// How long a parameter is used before it is read again.
pub const KEPT: Duration = Duration::from_secs(60);
/// How long the last one is used while none can be read.
pub const BRIDGED: Duration = Duration::from_secs(300);
/// How soon after a failure it is tried again: a storm of answers must not become a storm on Systems Manager.
const RETRIED_AFTER: Duration = Duration::from_secs(5);
/// The longest text that is taken. AWS takes 8 KB at the most today. Bytes.
const LONGEST: usize = 64 * 1024;

/// Why there is no parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// Systems Manager gave no answer, or not this one.
    Aws(AwsError),
    /// The parameter is there, and it is no plain text of a length that is taken.
    Unusable(String),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(f),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ParameterError {}

/// The parameters read so far. Nothing is connected before the first one is asked for.
#[derive(Debug, Default)]
pub struct Parameters {
    client: OnceCell<Client>,
    kept: Mutex<HashMap<String, Kept>>,
}

/// What is known of one.
#[derive(Clone, Debug)]
struct Kept {
    asked: Instant,
    text: Result<Arc<str>, ParameterError>,
    /// What was read last, and when, while only an outage stands between.
    good: Option<(Instant, Arc<str>)>,
}

impl Kept {
    /// What asking now has given.
    fn after(before: Option<&Self>, text: Result<Arc<str>, ParameterError>, now: Instant) -> Self {
        let good = match &text {
            Ok(text) => Some((now, Arc::clone(text))),
            Err(ParameterError::Aws(AwsError::Unavailable(_))) => before.and_then(|before| before.good.clone()),
            Err(_) => None,
        };
        Self { asked: now, text, good }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let lasts = if self.text.is_ok() { KEPT } else { RETRIED_AFTER };
        now.saturating_duration_since(self.asked) < lasts
    }

    fn text(self, now: Instant) -> Result<Arc<str>, ParameterError> {
        match (self.text, self.good) {
            (Err(why), Some((read, text))) if now.saturating_duration_since(read) < BRIDGED => {
                warn!(%why, "a parameter can't be read now: what it last held is used");
                Ok(text)
            }
            (text, _) => text,
        }
    }
}

impl Parameters {
    /// With the environment's configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration made by hand.
    pub fn with_config(config: &SdkConfig) -> Self {
        Self { client: OnceCell::new_with(Some(Client::new(config))), kept: Mutex::default() }
    }

    /// The text of the parameter of this name.
    pub async fn get(&self, name: &str, now: Instant) -> Result<Arc<str>, ParameterError> {
        let before = self.kept().get(name).cloned();
        if let Some(fresh) = before.as_ref().filter(|kept| kept.is_fresh(now)) {
            return fresh.clone().text(now);
        }
        let kept = Kept::after(before.as_ref(), self.fetch(name).await, now);
        self.kept().insert(name.to_owned(), kept.clone());
        kept.text(now)
    }

    async fn fetch(&self, name: &str) -> Result<Arc<str>, ParameterError> {
        let client = self.client.get_or_init(async || Client::new(sdk_config().await)).await;
        let answer = client.get_parameter().name(name).with_decryption(false).send().await;
        let answer = answer.map_err(|error| ParameterError::Aws(sort_error(&error)))?;
        let unusable = |why: &str| Err(ParameterError::Unusable(format!("the parameter {name} {why}")));
        match answer.parameter {
            Some(found) if found.r#type != Some(ParameterType::String) => unusable("is not of the type String"),
            Some(found) => match found.value {
                Some(text) if text.len() <= LONGEST => Ok(text.into()),
                Some(_) => unusable("is too long"),
                None => unusable("holds nothing"),
            },
            None => unusable("holds nothing"),
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_bridged_for_five_minutes_and_nothing_else_is() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let outage = || Err(ParameterError::Aws(AwsError::Unavailable("out of order".to_owned())));
        let good = Kept::after(None, Ok("list".into()), start);
        assert!(good.is_fresh(at(59)) && !good.is_fresh(at(60)));
        let first = Kept::after(Some(&good), outage(), at(60));
        assert!(first.is_fresh(at(64)) && !first.is_fresh(at(65)));
        assert_eq!(first.clone().text(at(64)), Ok("list".into()));
        // However often it is tried in vain, the time runs from when it was last read.
        let second = Kept::after(Some(&first), outage(), at(299));
        assert_eq!(second.clone().text(at(299)), Ok("list".into()));
        assert_eq!(second.text(at(300)), outage());
        for lasting in [
            ParameterError::Aws(AwsError::Refused("ParameterNotFound".to_owned())),
            ParameterError::Aws(AwsError::Denied("AccessDeniedException".to_owned())),
            ParameterError::Unusable("is not of the type String".to_owned()),
        ] {
            let gone = Kept::after(Some(&good), Err(lasting.clone()), at(60));
            assert_eq!(gone.clone().text(at(60)), Err(lasting));
            assert_eq!(Kept::after(Some(&gone), outage(), at(66)).text(at(66)), outage(), "nor by an outage after it");
        }
    }
}
