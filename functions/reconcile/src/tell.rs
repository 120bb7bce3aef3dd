//! Telling: what became of a request, to every channel of its audience, each at least once.
//!
//! Slack's message of the case is brought up to date, the topic hears of every change, and what is overdue goes to the security
//! team. How far each channel has been told is remembered, so that a second try after a failure does only what is missing.
//! Whoever lets a call wait in vain is left alone for the rest of the invocation.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use access::{
    case::{Case, SlackMessage},
    decision::Decision,
    diagnose::Setting,
    notice::{
        Notice,
        progress::{Outcome, Progress},
        text,
    },
};
use tracing::error;

use crate::remembered::Told;

#[cfg(feature = "aws")]
use access::notice::sns;
#[cfg(feature = "aws")]
use adapters::{
    http::AwsError,
    secrets::{Secret, SecretError, Secrets},
    slack::{Posted, Slack, SlackError},
    sns::{PublishRequest, Publisher},
};
#[cfg(feature = "aws")]
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

/// What could not be told for so many tries is given up: at one try in five minutes, a day.
pub(crate) const GIVEN_UP: u32 = 288;

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
        publisher: Arc<Publisher>,
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
        secrets: Arc<Secrets>,
    },
    /// An incoming webhook of Slack, which can only post.
    #[cfg(feature = "aws")]
    SlackWebhook {
        /// Slack's API.
        slack: Slack,
        /// The secret that holds the address.
        url_secret: String,
        /// Where secrets are read.
        secrets: Arc<Secrets>,
    },
}

/// What is said, and where in Slack.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "the terminal has no messages to update"))]
pub(crate) struct News<'a> {
    /// What became of it.
    pub(crate) outcome: &'a Outcome<'a>,
    /// The case's own message.
    pub(crate) posted: Option<&'a SlackMessage>,
    /// The message is this opening's, and is to say what became of it. Otherwise a reply says it below.
    pub(crate) is_update: bool,
}

/// What one invocation has learned from trying.
#[derive(Debug)]
#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "the terminal never fails"))]
pub(crate) struct Telling {
    deadline: SystemTime,
    own_denials: AtomicU64,
    #[cfg(feature = "aws")]
    sns: Breaker,
    #[cfg(feature = "aws")]
    slack: Breaker,
}

impl Telling {
    pub(crate) fn new(deadline: SystemTime) -> Self {
        Self {
            deadline,
            own_denials: AtomicU64::new(0),
            #[cfg(feature = "aws")]
            sns: Breaker::default(),
            #[cfg(feature = "aws")]
            slack: Breaker::default(),
        }
    }

    pub(crate) fn own_denials(&self) -> u64 {
        self.own_denials.load(Ordering::Relaxed)
    }
}

/// What a case's notice is written from, computed from its record anew.
pub(crate) struct Shown {
    diagnosed: access::diagnose::Diagnosed,
    call: access::notice::Call,
    page_url: Option<String>,
    mode: access::grant::GrantMode,
}

impl Shown {
    pub(crate) fn of(case: &Case, channels: &Channels, setting: &Setting) -> Self {
        let diagnosed = case.diagnosed(setting);
        Self {
            call: diagnosed.call(),
            diagnosed,
            page_url: channels.pages.as_ref().map(|pages| format!("{pages}{}", case.id)),
            mode: setting.mode,
        }
    }

    pub(crate) fn notice<'a>(&'a self, case: &'a Case) -> Notice<'a> {
        Notice {
            diagnosis: &self.diagnosed.diagnosis,
            call: &self.call,
            case: Some(case.facts(&[], self.page_url.as_deref())),
            grant_mode: self.mode,
        }
    }
}

impl Channels {
    /// Tells what became of a case's request. `mark` names what is said, so that it is said once. `false`: somebody has not been told.
    pub(crate) async fn tell(
        &self,
        case: &Case,
        decision: Option<&Decision>,
        progress: Progress,
        setting: &Setting,
        told: &mut Told,
        telling: &Telling,
    ) -> bool {
        let shown = Shown::of(case, self, setting);
        let notice = shown.notice(case);
        let mark = progress.to_string();
        let is_alarm = progress.is_alarm();
        // Another opening's message waits for another answer, or shows it.
        let is_this_opening = decision.is_none_or(|decision| decision.opening == case.opening);
        let outcome = Outcome { notice: &notice, decision, progress };
        let is_reminder = matches!(outcome.progress, Progress::Waiting(_));
        let news = News {
            outcome: &outcome,
            posted: case.told.slack.as_ref().filter(|_| !is_alarm),
            is_update: is_this_opening && !is_alarm && !is_reminder,
        };
        let mut is_told = true;
        for channel in if is_alarm { &self.alarms } else { &self.notices } {
            let known = channel.known(told);
            if known.as_ref() == Some(&mark) {
                continue;
            }
            match channel.tell(news, telling).await {
                Ok(()) => *known = Some(mark.clone()),
                Err(why) => {
                    error!(why, case = case.id, "what became of a request could not be told, and will be tried again");
                    is_told = false;
                }
            }
        }
        told.failures = if is_told { 0 } else { told.failures.saturating_add(1) };
        is_told
    }
}

impl Channel {
    /// How far people have been told by this way.
    fn known<'a>(&self, told: &'a mut Told) -> &'a mut Option<String> {
        match self {
            Self::Terminal(_) => &mut told.terminal,
            #[cfg(feature = "aws")]
            Self::Sns { .. } => &mut told.topic,
            #[cfg(feature = "aws")]
            Self::SlackBot { .. } | Self::SlackWebhook { .. } => &mut told.slack,
        }
    }

    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "the terminal never fails"))]
    async fn tell(&self, news: News<'_>, telling: &Telling) -> Result<(), String> {
        match self {
            Self::Terminal(style) => {
                println!("{}", news.outcome.text(*style));
                Ok(())
            }
            #[cfg(feature = "aws")]
            Self::Sns { topic_arn, format, publisher } => {
                let publish = news.outcome.publish(*format);
                let request = PublishRequest {
                    subject: publish.subject,
                    message: publish.message,
                    attributes: publish.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                };
                let publish = async |_| {
                    let published = publisher.publish(topic_arn, &request).await;
                    published.map(drop).map_err(|why| format!("SNS: {}", refused_us(why, telling)))
                };
                telling.sns.call("SNS", telling.deadline, publish).await
            }
            #[cfg(feature = "aws")]
            Self::SlackBot { slack, token_secret, channel, secrets } => {
                // The table says where the message is; the bot is not led to another channel by it.
                let posted = news.posted.filter(|posted| posted.channel == *channel && !posted.ts.is_empty());
                let posted = posted.map(|posted| Posted { channel: channel.clone(), ts: posted.ts.clone() });
                let ask = match posted {
                    Some(posted) if news.is_update => Ask::Update(posted),
                    thread => Ask::Post(channel, thread.map(|posted| posted.ts)),
                };
                ask_slack(slack, secrets, token_secret, &ask, news, telling).await
            }
            #[cfg(feature = "aws")]
            Self::SlackWebhook { slack, url_secret, secrets } => {
                ask_slack(slack, secrets, url_secret, &Ask::Webhook, news, telling).await
            }
        }
    }
}

/// What is asked of Slack.
#[cfg(feature = "aws")]
enum Ask<'a> {
    /// A message in this channel, or in this thread of it.
    Post(&'a str, Option<String>),
    /// A message that is there.
    Update(Posted),
    /// A message by a webhook.
    Webhook,
}

#[cfg(feature = "aws")]
async fn ask_slack(
    slack: &Slack,
    secrets: &Secrets,
    secret_name: &str,
    ask: &Ask<'_>,
    news: News<'_>,
    telling: &Telling,
) -> Result<(), String> {
    let mut body = if matches!(ask, Ask::Update(_)) { news.outcome.slack() } else { news.outcome.slack_reply() };
    if let (Ask::Post(_, Some(thread)), Some(fields)) = (ask, body.as_object_mut()) {
        fields.insert("thread_ts".to_owned(), thread.as_str().into());
    }
    let asking = async |until| {
        let unread = |why| match why {
            SecretError::Aws(why) => refused_us(why, telling).to_string(),
            why @ SecretError::Malformed(_) => why.to_string(),
        };
        let now = Instant::now();
        let secret = secrets.get(secret_name, now).await.map_err(unread)?;
        let mut answer = call(slack, &secret, ask, &body, until).await;
        // Secrets are rotated: once more with a fresh one, if there is another.
        if answer.as_ref().is_err_and(SlackError::is_bad_token)
            && let Some(fresh) = secrets.refresh(secret_name, &secret, now).await.map_err(unread)?
        {
            answer = call(slack, &fresh, ask, &body, until).await;
        }
        match answer {
            // Somebody has deleted the message, or it is too old to be edited: there is nothing to bring up to date.
            Err(SlackError::Refused(code)) if is_beyond_update(ask, &code) => {
                error!(code, "Slack's message can't be brought up to date");
                Ok(())
            }
            answer => answer.map_err(|why| why.to_string()),
        }
    };
    telling.slack.call("Slack", telling.deadline, asking).await
}

#[cfg(feature = "aws")]
fn is_beyond_update(ask: &Ask<'_>, code: &str) -> bool {
    const CODES: [&str; 3] = ["message_not_found", "cant_update_message", "edit_window_closed"];
    matches!(ask, Ask::Update(_)) && CODES.contains(&code)
}

#[cfg(feature = "aws")]
async fn call(
    slack: &Slack,
    secret: &Secret,
    ask: &Ask<'_>,
    body: &serde_json::Value,
    deadline: Instant,
) -> Result<(), SlackError> {
    match ask {
        Ask::Post(channel, _) => slack.post(secret, channel, body, deadline).await.map(drop),
        Ask::Update(posted) => slack.update(secret, posted, body, deadline).await.map(drop),
        Ask::Webhook => slack.webhook(secret, body, deadline).await,
    }
}

/// Counts an error that is a permission we lack.
#[cfg(feature = "aws")]
fn refused_us(why: AwsError, telling: &Telling) -> AwsError {
    if matches!(why, AwsError::Denied(_)) {
        telling.own_denials.fetch_add(1, Ordering::Relaxed);
    }
    why
}

/// A circuit breaker: open once a call has waited in vain.
#[cfg(feature = "aws")]
#[derive(Debug, Default)]
struct Breaker(AtomicBool);

#[cfg(feature = "aws")]
impl Breaker {
    async fn call<F>(&self, party: &str, deadline: SystemTime, call: impl FnOnce(Instant) -> F) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>>,
    {
        /// What one channel may take: permissions that have to end wait behind it.
        const MOST: Duration = Duration::from_secs(5);
        if self.0.load(Ordering::Relaxed) {
            return Err(format!("{party} let an earlier call wait in vain"));
        }
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let patience = (left / 2).min(MOST);
        // Boxed: the SDKs' futures lie so deep inside each other that the compiler would give up on one more layer.
        let result = tokio::time::timeout(patience, Box::pin(call(Instant::now() + patience))).await;
        result.unwrap_or_else(|_| {
            self.0.store(true, Ordering::Relaxed);
            Err(format!("{party} gave no answer in {} ms", patience.as_millis()))
        })
    }
}
