//! Telling: a case's notice to every channel of its audience, each at least once.
//!
//! The topic comes first: it is the one that queues. What has been told is remembered channel by channel, so that a second try
//! after a failure only does what is missing. Whoever lets a call wait in vain is left alone for the rest of the invocation, so
//! that a silent SNS keeps nothing from Slack, nor either of them the cases behind it from the table.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use access::{
    case::{Audience, Case, NoticeState, Told},
    diagnose::Setting,
    notice::{Notice, Together, storm::Storm, text},
    triage::{RecentCase, StormFile},
};
#[cfg(feature = "aws")]
use serde_json::Value;
use tracing::{error, info, warn};

use crate::milliseconds;

#[cfg(feature = "aws")]
use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

#[cfg(feature = "aws")]
use access::{
    case::SlackMessage,
    notice::{slack, sns},
};
#[cfg(feature = "aws")]
use adapters::{
    http::AwsError,
    secrets::{Secret, SecretError, Secrets},
    slack::{Posted, Slack, SlackError},
    sns::{PublishRequest, Publisher},
};

/// Who is told of what.
#[derive(Debug, Default)]
pub struct Channels {
    /// For administrators.
    pub notices: Vec<Channel>,
    /// For the security team.
    pub alarms: Vec<Channel>,
    /// Where a case can be read: its address is this and the case's id.
    pub pages: Option<String>,
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
        format: sns::TopicFormat,
        /// The client, made on first use.
        publisher: std::sync::Arc<Publisher>,
    },
    /// A channel in Slack, by the bot's token: its messages can be updated.
    #[cfg(feature = "aws")]
    SlackBot {
        /// Slack's API.
        slack: Slack,
        /// The secret that holds the token.
        token_secret: String,
        /// The channel's id.
        channel: String,
        /// Where secrets are read.
        secrets: std::sync::Arc<Secrets>,
    },
    /// An incoming webhook of Slack, which can only post.
    #[cfg(feature = "aws")]
    SlackWebhook {
        /// Slack's API.
        slack: Slack,
        /// The secret that holds the address.
        url_secret: String,
        /// Where secrets are read.
        secrets: std::sync::Arc<Secrets>,
    },
    /// An incoming webhook whose address was given on the spot, on one machine.
    #[cfg(feature = "aws")]
    SlackAddress {
        /// Slack's API.
        slack: Slack,
        /// The address, which is as good as a password.
        url: Secret,
    },
}

/// What telling depends on beside the case, and what one invocation has learned from trying.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The diagnosis is computed again from the case's record with this.
    pub setting: &'a Setting,
    /// When this invocation is ended by force.
    pub deadline: SystemTime,
    /// Our own calls that AWS refused.
    own_denials: AtomicU64,
    #[cfg(feature = "aws")]
    sns: Breaker,
    #[cfg(feature = "aws")]
    slack: Breaker,
}

impl<'a> Telling<'a> {
    /// With nothing tried yet.
    pub fn new(setting: &'a Setting, deadline: SystemTime) -> Self {
        Self {
            setting,
            deadline,
            own_denials: AtomicU64::new(0),
            #[cfg(feature = "aws")]
            sns: Breaker::default(),
            #[cfg(feature = "aws")]
            slack: Breaker::default(),
        }
    }

    /// Counts a call that AWS refused us, which is an operator's to mend.
    pub fn count_own_denial(&self) {
        self.own_denials.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn own_denials(&self) -> u64 {
        self.own_denials.load(Ordering::Relaxed)
    }
}

/// A circuit breaker: open once a call has waited in vain. A quick refusal says nothing about the next call; a slow one does.
#[cfg(feature = "aws")]
#[derive(Debug, Default)]
struct Breaker(AtomicBool);

#[cfg(feature = "aws")]
impl Breaker {
    /// Makes a call with as much patience as the deadline leaves: mostly half of the time, so that there is some for the other
    /// channel.
    async fn call<T, F>(&self, party: &str, deadline: SystemTime, call: impl FnOnce(Instant) -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, String>>,
    {
        const SLOW: Duration = Duration::from_secs(2);
        if self.0.load(Ordering::Relaxed) {
            return Err(format!("{party} let an earlier call wait in vain: tried again with the next delivery"));
        }
        let begun = Instant::now();
        let patience = patience(deadline);
        // Boxed: the SDKs' futures lie so deep inside each other that the compiler would give up on one more layer.
        let result = tokio::time::timeout(patience, Box::pin(call(begun + patience))).await;
        let was_silent = result.is_err();
        let result = result.unwrap_or_else(|_| Err(format!("{party} gave no answer in {} ms", patience.as_millis())));
        if was_silent || result.is_err() && begun.elapsed() > SLOW {
            self.0.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// How long a channel may be tried.
#[cfg(feature = "aws")]
fn patience(deadline: SystemTime) -> Duration {
    /// So that the result can still be written.
    const WRITING: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(10);
    /// What is cut off may have arrived and is sent again: near the end a late answer is better than a second notice.
    const LEAST: Duration = Duration::from_secs(3);
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(WRITING);
    (left / 2).max(LEAST.min(left)).min(MOST)
}

/// A notice that is written when a channel asks for it.
enum Message<'a> {
    Case(&'a Notice<'a>),
    Storm(&'a Storm<'a>),
}

impl Channels {
    /// Tells of a case. What is returned is to be written into it; `Pending` if somebody has not been told.
    pub async fn tell_case(
        &self,
        case: &Case,
        beside: &[RecentCase],
        thread: Option<&str>,
        telling: &Telling<'_>,
    ) -> Told {
        let shown = Shown::of(case, beside, self, telling);
        let told = self.tell(case.audience, &case.told, Message::Case(&shown.notice(case)), thread, telling).await;
        if told.notice == NoticeState::Sent {
            info!(case = case.id, rule = shown.diagnosed.diagnosis.rule.id(), audience = case.audience.word(), "told");
        }
        told
    }

    /// Tells of a storm.
    pub async fn tell_storm(&self, storm: &StormFile, telling: &Telling<'_>) -> Told {
        let began = storm.began();
        self.tell(storm.audience, &storm.told, Message::Storm(&storm.storm(&began)), None, telling).await
    }

    /// Brings a case's message up to date. It is a courtesy: if it fails, the next denial's does the same.
    pub async fn update_case(&self, case: &Case, beside: &[RecentCase], telling: &Telling<'_>) {
        let shown = Shown::of(case, beside, self, telling);
        self.update(case.audience, &case.told, Message::Case(&shown.notice(case)), telling).await;
    }

    /// Brings a storm's message up to date.
    pub async fn update_storm(&self, storm: &StormFile, telling: &Telling<'_>) {
        let began = storm.began();
        self.update(storm.audience, &storm.told, Message::Storm(&storm.storm(&began)), telling).await;
    }

    fn of(&self, audience: Audience) -> &[Channel] {
        match audience {
            Audience::Notices => &self.notices,
            Audience::Alarms => &self.alarms,
        }
    }

    async fn tell(
        &self,
        audience: Audience,
        before: &Told,
        message: Message<'_>,
        thread: Option<&str>,
        telling: &Telling<'_>,
    ) -> Told {
        let mut told = Told {
            notice: NoticeState::Sent,
            lease_until: 0,
            updated_at: milliseconds(SystemTime::now()) / 1000,
            ..before.clone()
        };
        let channels = self.of(audience);
        if channels.is_empty() {
            warn!(audience = audience.word(), "nobody is configured to be told");
        }
        for channel in channels {
            if let Err(why) = channel.tell(&message, thread, &mut told, telling).await {
                error!(why, audience = audience.word(), "a notice could not be sent, and will be tried again");
                told.notice = NoticeState::Pending;
            }
        }
        told
    }

    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "only Slack's messages can be updated"))]
    async fn update(&self, audience: Audience, told: &Told, message: Message<'_>, telling: &Telling<'_>) {
        #[cfg(feature = "aws")]
        for channel in self.of(audience) {
            if let (Channel::SlackBot { slack, token_secret, secrets, .. }, Some(posted)) = (channel, &told.slack) {
                let posted = Posted { channel: posted.channel.clone(), ts: posted.ts.clone() };
                let key = Key::Stored { secrets, name: token_secret };
                let updated = ask(slack, key, Ask::Update(&posted), &message.slack(), telling).await;
                if let Err(why) = updated {
                    warn!(why, "a message in Slack could not be updated");
                }
            }
        }
    }
}

impl Channel {
    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "the terminal neither threads nor fails"))]
    async fn tell(
        &self,
        message: &Message<'_>,
        thread: Option<&str>,
        told: &mut Told,
        telling: &Telling<'_>,
    ) -> Result<(), String> {
        match self {
            Self::Terminal(style) => {
                println!("{}", message.text(*style));
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::Sns { .. } if told.sns.is_some() => Ok(()),
            #[cfg(feature = "aws")]
            Self::Sns { topic_arn, format, publisher } => {
                let publish = message.sns(*format);
                let request = PublishRequest {
                    subject: publish.subject,
                    message: publish.message,
                    attributes: publish.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                };
                let publish = async |_| {
                    let published = publisher.publish(topic_arn, &request).await;
                    published.map_err(|why| format!("SNS: {}", refused_us(why, telling)))
                };
                told.sns = Some(telling.sns.call("SNS", telling.deadline, publish).await?);
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::SlackBot { .. } | Self::SlackWebhook { .. } | Self::SlackAddress { .. } if told.slack.is_some() => {
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::SlackBot { slack, token_secret, channel, secrets } => {
                let mut body = message.slack();
                if let (Some(thread), Some(fields)) = (thread, body.as_object_mut()) {
                    fields.insert("thread_ts".to_owned(), thread.into());
                }
                let key = Key::Stored { secrets, name: token_secret };
                let posted = ask(slack, key, Ask::Post(channel), &body, telling).await?;
                told.slack = posted.map(|Posted { channel, ts }| SlackMessage { channel, ts });
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::SlackWebhook { slack, url_secret, secrets } => {
                ask(slack, Key::Stored { secrets, name: url_secret }, Ask::Webhook, &message.slack(), telling).await?;
                told.slack = Some(SlackMessage { channel: "webhook".to_owned(), ts: String::new() });
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::SlackAddress { slack, url } => {
                ask(slack, Key::Given(url), Ask::Webhook, &message.slack(), telling).await?;
                told.slack = Some(SlackMessage { channel: "webhook".to_owned(), ts: String::new() });
                Ok(())
            }
        }
    }
}

/// What is asked of Slack.
#[cfg(feature = "aws")]
enum Ask<'a> {
    /// A message in this channel.
    Post(&'a str),
    /// A message that is there.
    Update(&'a Posted),
    /// A message by a webhook.
    Webhook,
}

/// What lets us ask: a token or a webhook's address.
#[cfg(feature = "aws")]
enum Key<'a> {
    Stored { secrets: &'a Secrets, name: &'a str },
    Given(&'a Secret),
}

/// Calls Slack.
#[cfg(feature = "aws")]
async fn ask(
    slack: &Slack,
    key: Key<'_>,
    ask: Ask<'_>,
    body: &Value,
    telling: &Telling<'_>,
) -> Result<Option<Posted>, String> {
    let asking = async |until| {
        let (secrets, name) = match key {
            Key::Given(secret) => return call(slack, secret, &ask, body, until).await.map_err(|e| e.to_string()),
            Key::Stored { secrets, name } => (secrets, name),
        };
        let unread = |why| match why {
            SecretError::Aws(why) => refused_us(why, telling).to_string(),
            why @ SecretError::Malformed(_) => why.to_string(),
        };
        let now = Instant::now();
        let secret = secrets.get(name, now).await.map_err(unread)?;
        match call(slack, &secret, &ask, body, until).await {
            // Secrets are rotated: once more with a fresh one, if there is another.
            Err(refused) if refused.is_bad_token() => {
                match secrets.refresh(name, &secret, now).await.map_err(unread)? {
                    Some(fresh) => call(slack, &fresh, &ask, body, until).await.map_err(|e| e.to_string()),
                    None => Err(refused.to_string()),
                }
            }
            result => result.map_err(|e| e.to_string()),
        }
    };
    telling.slack.call("Slack", telling.deadline, asking).await
}

/// Counts an error that is a permission we lack.
#[cfg(feature = "aws")]
fn refused_us(why: AwsError, telling: &Telling<'_>) -> AwsError {
    if matches!(why, AwsError::Denied(_)) {
        telling.count_own_denial();
    }
    why
}

#[cfg(feature = "aws")]
async fn call(
    slack: &Slack,
    secret: &Secret,
    ask: &Ask<'_>,
    body: &Value,
    deadline: Instant,
) -> Result<Option<Posted>, SlackError> {
    match ask {
        Ask::Post(channel) => slack.post(secret, channel, body, deadline).await.map(Some),
        Ask::Update(posted) => slack.update(secret, posted, body, deadline).await.map(Some),
        Ask::Webhook => slack.webhook(secret, body, deadline).await.map(|()| None),
    }
}

impl Message<'_> {
    fn text(&self, style: text::Style) -> String {
        match self {
            Self::Case(notice) => text::write(notice, style),
            Self::Storm(storm) => storm.text(style),
        }
    }

    #[cfg(feature = "aws")]
    fn slack(&self) -> serde_json::Value {
        match self {
            Self::Case(notice) => slack::message(notice),
            Self::Storm(storm) => storm.slack(),
        }
    }

    #[cfg(feature = "aws")]
    fn sns(&self, format: sns::TopicFormat) -> sns::Publish {
        match self {
            Self::Case(notice) => sns::publish(notice, format),
            Self::Storm(storm) => storm.publish(format),
        }
    }
}

/// What a case's notice is written from, computed from its record anew.
struct Shown {
    diagnosed: access::diagnose::Diagnosed,
    call: access::notice::Call,
    together: Vec<Together>,
    page_url: Option<String>,
    mode: access::grant::GrantMode,
}

impl Shown {
    fn of(case: &Case, beside: &[RecentCase], channels: &Channels, telling: &Telling<'_>) -> Self {
        let diagnosed = case.diagnosed(telling.setting);
        Self {
            call: diagnosed.call(),
            diagnosed,
            together: beside.iter().map(RecentCase::beside).collect(),
            page_url: channels.pages.as_ref().map(|pages| format!("{pages}{}", case.id)),
            mode: telling.setting.mode,
        }
    }

    fn notice<'a>(&'a self, case: &'a Case) -> Notice<'a> {
        Notice {
            diagnosis: &self.diagnosed.diagnosis,
            call: &self.call,
            case: Some(case.facts(&self.together, self.page_url.as_deref())),
            grant_mode: self.mode,
        }
    }
}
