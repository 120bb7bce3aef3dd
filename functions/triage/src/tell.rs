//! Telling: a case's notice to every channel of its audience, each at least once.
//!
//! The topic comes first: it is the one that queues. What has been told is remembered channel by channel, so that a second try
//! after a failure only does what is missing. What can be approved is offered in Slack where a bot posts and somebody takes the
//! answers; once somebody has answered, the message is no longer ours to write.

use std::time::SystemTime;

use access::{
    case::{Audience, Case, NoticeState, Told},
    decision::Decision,
    diagnose::Setting,
    notice::{Notice, Together, storm::Storm, text},
    triage::{RecentCase, StormFile},
};
use adapters::{
    channel::{Channel, Channels, Telling},
    telemetry::milliseconds,
};
use tracing::{error, info, warn};

#[cfg(feature = "aws")]
use access::{
    case::SlackMessage,
    notice::{slack, sns},
};
#[cfg(feature = "aws")]
use adapters::{
    channel::{Ask, Key},
    slack::Posted,
};

/// A notice that is written when a channel asks for it.
enum Message<'a> {
    Case {
        notice: &'a Notice<'a>,
        #[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "only Slack's messages have buttons"))]
        opening: u64,
    },
    Storm(&'a Storm<'a>),
}

/// What triage has to say, and with what it is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) channels: &'a Channels,
    /// The diagnosis is computed again from the case's record with this.
    pub(crate) setting: &'a Setting,
    pub(crate) telling: &'a Telling,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

impl Teller<'_> {
    /// Tells of a case. What is returned is to be written into it; `Pending` if somebody has not been told.
    pub(crate) async fn tell_case(&self, case: &Case, beside: &[RecentCase], thread: Option<&str>) -> Told {
        let shown = self.shown(case, beside).await;
        let message = Message::Case { notice: &shown.notice(case), opening: case.opening };
        let told = self.tell(case.audience, &case.told, message, thread).await;
        if told.notice == NoticeState::Sent {
            info!(case = case.id, rule = shown.diagnosed.diagnosis.rule.id(), audience = case.audience.word(), "told");
        }
        told
    }

    /// Tells of a storm.
    pub(crate) async fn tell_storm(&self, storm: &StormFile) -> Told {
        let began = storm.began();
        self.tell(storm.audience, &storm.told, Message::Storm(&storm.storm(&began)), None).await
    }

    /// Brings a case's message up to date. It is a courtesy: if it fails, the next denial's does the same.
    pub(crate) async fn update_case(&self, case: &Case, beside: &[RecentCase]) {
        let shown = self.shown(case, beside).await;
        let message = Message::Case { notice: &shown.notice(case), opening: case.opening };
        self.update(case.audience, &case.told, message).await;
    }

    /// Takes the buttons away again that an update has given back to a message that somebody answered in the same moment.
    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "only Slack's messages have buttons"))]
    pub(crate) async fn update_decided(&self, case: &Case, beside: &[RecentCase], decision: &Decision) {
        #[cfg(feature = "aws")]
        let shown = self.shown(case, beside).await;
        #[cfg(feature = "aws")]
        self.update_slack(case.audience, &case.told, |_| slack::decided(&shown.notice(case), decision)).await;
    }

    /// Brings a storm's message up to date.
    pub(crate) async fn update_storm(&self, storm: &StormFile) {
        let began = storm.began();
        self.update(storm.audience, &storm.told, Message::Storm(&storm.storm(&began))).await;
    }

    fn channels(&self, audience: Audience) -> &[Channel] {
        match audience {
            Audience::Notices => &self.channels.notices,
            Audience::Alarms => &self.channels.alarms,
        }
    }

    async fn tell(&self, audience: Audience, before: &Told, message: Message<'_>, thread: Option<&str>) -> Told {
        let mut told = Told {
            notice: NoticeState::Sent,
            lease_until: 0,
            updated_at: milliseconds(SystemTime::now()) / 1000,
            ..before.clone()
        };
        let channels = self.channels(audience);
        if channels.is_empty() {
            warn!(audience = audience.word(), "nobody is configured to be told");
        }
        for channel in channels {
            if let Err(why) = self.tell_by(channel, &message, thread, &mut told).await {
                error!(why, audience = audience.word(), "a notice could not be sent, and will be tried again");
                told.notice = NoticeState::Pending;
            }
        }
        told
    }

    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "only Slack's messages can be updated"))]
    async fn update(&self, audience: Audience, told: &Told, message: Message<'_>) {
        #[cfg(feature = "aws")]
        self.update_slack(audience, told, |has_buttons| message.slack(has_buttons)).await;
    }

    #[cfg(feature = "aws")]
    async fn update_slack(&self, audience: Audience, told: &Told, message: impl Fn(bool) -> serde_json::Value) {
        for channel in self.channels(audience) {
            if let (Channel::SlackBot { slack, token_secret, secrets, has_buttons, .. }, Some(posted)) =
                (channel, &told.slack)
            {
                let posted = Posted { channel: posted.channel.clone(), ts: posted.ts.clone() };
                let key = Key::Stored { secrets, name: token_secret };
                let body = message(*has_buttons);
                if let Err(why) = self.telling.ask_slack(slack, key, Ask::Update(&posted), &body).await {
                    warn!(%why, "a message in Slack could not be updated");
                }
            }
        }
    }

    #[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "the terminal neither threads nor fails"))]
    async fn tell_by(
        &self,
        channel: &Channel,
        message: &Message<'_>,
        thread: Option<&str>,
        told: &mut Told,
    ) -> Result<(), String> {
        #[cfg(feature = "aws")]
        let telling = self.telling;
        match channel {
            Channel::Terminal(style) => {
                println!("{}", message.text(*style));
                Ok(())
            }
            #[cfg(feature = "aws")]
            Channel::Sns { .. } if told.sns.is_some() => Ok(()),
            #[cfg(feature = "aws")]
            Channel::Sns { topic_arn, format, publisher } => {
                told.sns = Some(telling.publish(publisher, topic_arn, message.sns(*format)).await?);
                Ok(())
            }
            #[cfg(feature = "aws")]
            Channel::SlackBot { .. } | Channel::SlackWebhook { .. } | Channel::SlackAddress { .. }
                if told.slack.is_some() =>
            {
                Ok(())
            }
            #[cfg(feature = "aws")]
            Channel::SlackBot { slack, token_secret, channel, secrets, has_buttons } => {
                let key = Key::Stored { secrets, name: token_secret };
                let body = message.slack(*has_buttons);
                let posted = telling.ask_slack(slack, key, Ask::Post { channel, thread }, &body).await;
                let posted = posted.map_err(|why| why.to_string())?;
                told.slack = posted.map(|Posted { channel, ts }| SlackMessage { channel, ts });
                Ok(())
            }
            #[cfg(feature = "aws")]
            Channel::SlackWebhook { slack, url_secret, secrets } => {
                let key = Key::Stored { secrets, name: url_secret };
                self.tell_webhook(slack, key, message, told).await
            }
            #[cfg(feature = "aws")]
            Channel::SlackAddress { slack, url } => self.tell_webhook(slack, Key::Given(url), message, told).await,
        }
    }

    /// A webhook's message has no buttons: nobody would take their answers.
    #[cfg(feature = "aws")]
    async fn tell_webhook(
        &self,
        slack: &adapters::slack::Slack,
        key: Key<'_>,
        message: &Message<'_>,
        told: &mut Told,
    ) -> Result<(), String> {
        let posted = self.telling.ask_slack(slack, key, Ask::Webhook, &message.slack(false)).await;
        posted.map_err(|why| why.to_string())?;
        told.slack = Some(SlackMessage { channel: "webhook".to_owned(), ts: String::new() });
        Ok(())
    }

    async fn shown(&self, case: &Case, beside: &[RecentCase]) -> Shown {
        let diagnosed = case.diagnosed(self.setting);
        let page_url = self.telling.page(self.channels.pages.as_ref(), &case.id, case.opening, self.now).await;
        Shown {
            call: diagnosed.call(),
            diagnosed,
            together: beside.iter().map(RecentCase::beside).collect(),
            page_url,
            mode: self.setting.mode,
        }
    }
}

impl Message<'_> {
    fn text(&self, style: text::Style) -> String {
        match self {
            Self::Case { notice, .. } => text::write(notice, style),
            Self::Storm(storm) => storm.text(style),
        }
    }

    #[cfg(feature = "aws")]
    fn slack(&self, has_buttons: bool) -> serde_json::Value {
        match self {
            Self::Case { notice, opening } if has_buttons => slack::offering(notice, *opening),
            Self::Case { notice, .. } => slack::message(notice),
            Self::Storm(storm) => storm.slack(),
        }
    }

    #[cfg(feature = "aws")]
    fn sns(&self, format: sns::TopicFormat) -> sns::Publish {
        match self {
            Self::Case { notice, .. } => sns::publish(notice, format),
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
    fn notice<'a>(&'a self, case: &'a Case) -> Notice<'a> {
        Notice {
            diagnosis: &self.diagnosed.diagnosis,
            call: &self.call,
            case: Some(case.facts(&self.diagnosed, &self.together, self.page_url.as_deref())),
            grant_mode: self.mode,
        }
    }
}
