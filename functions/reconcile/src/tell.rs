//! Telling: what became of a request, to every channel of its audience, each at least once.
//!
//! Slack's message of the case is brought up to date, the topic hears of every change, and what is overdue goes to the security
//! team. How far each channel has been told is remembered, so that a second try after a failure does only what is missing.

use access::{
    case::{Case, SlackMessage},
    decision::Decision,
    diagnose::Setting,
    notice::{
        Notice,
        progress::{Outcome, Progress},
    },
};
use adapters::channel::{Channel, Channels, Telling};
use tracing::error;

use crate::remembered::Told;

#[cfg(feature = "aws")]
use adapters::{
    channel::{Ask, Key},
    slack::{Posted, Slack},
};

/// What could not be told for so many tries is given up: at one try in five minutes, a day.
pub(crate) const GIVEN_UP: u32 = 288;
/// What one channel may take: permissions that have to end wait behind it.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What there is to tell.
#[derive(Debug)]
pub(crate) struct News<'a> {
    /// Of which case.
    pub(crate) case: &'a Case,
    /// What was decided of it, if somebody has.
    pub(crate) decision: Option<&'a Decision>,
    /// How far it is.
    pub(crate) progress: Progress,
    /// IAM is a picture.
    pub(crate) is_rehearsal: bool,
}

/// What is said, and where in Slack.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "the terminal has no messages to update"))]
struct Said<'a> {
    /// What became of it.
    outcome: &'a Outcome<'a>,
    /// The case's own message.
    posted: Option<&'a SlackMessage>,
    /// The message is this opening's, and is to say what became of it. Otherwise a reply says it below.
    is_update: bool,
}

/// Tells what became of a case's request. The progress names what is said, so that it is said once. `false`: somebody has not been
/// told. `now` in seconds since 1970.
pub(crate) async fn tell(
    channels: &Channels,
    news: News<'_>,
    setting: &Setting,
    told: &mut Told,
    telling: &Telling,
    now: i64,
) -> bool {
    let News { case, decision, progress, is_rehearsal } = news;
    let diagnosed = case.diagnosed(setting);
    let opening = decision.map_or(case.opening, |decision| decision.opening);
    let page_url = telling.page(channels.pages.as_ref(), &case.id, opening, now).await;
    let notice = Notice {
        diagnosis: &diagnosed.diagnosis,
        call: &diagnosed.call(),
        case: Some(case.facts(&diagnosed, &[], page_url.as_deref())),
        grant_mode: setting.mode,
    };
    let mark = progress.to_string();
    let is_alarm = progress.is_alarm();
    // Another opening's message waits for another answer, or shows it.
    let is_this_opening = opening == case.opening;
    let outcome = Outcome { notice: &notice, decision, progress, is_rehearsal };
    let is_reminder = matches!(outcome.progress, Progress::Waiting(_));
    let said = Said {
        outcome: &outcome,
        posted: case.told.slack.as_ref().filter(|_| !is_alarm),
        is_update: is_this_opening && !is_alarm && !is_reminder,
    };
    let mut is_told = true;
    for channel in if is_alarm { &channels.alarms } else { &channels.notices } {
        let known = known(channel, told);
        if known.as_ref() == Some(&mark) {
            continue;
        }
        match tell_by(channel, said, telling).await {
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

/// How far people have been told by this way.
fn known<'a>(channel: &Channel, told: &'a mut Told) -> &'a mut Option<String> {
    match channel {
        Channel::Terminal(_) => &mut told.terminal,
        #[cfg(feature = "aws")]
        Channel::Sns { .. } => &mut told.topic,
        #[cfg(feature = "aws")]
        Channel::SlackBot { .. } | Channel::SlackWebhook { .. } | Channel::SlackAddress { .. } => &mut told.slack,
    }
}

#[cfg_attr(not(feature = "aws"), allow(unused_variables, reason = "the terminal never fails"))]
async fn tell_by(channel: &Channel, said: Said<'_>, telling: &Telling) -> Result<(), String> {
    match channel {
        Channel::Terminal(style) => {
            println!("{}", said.outcome.text(*style));
            Ok(())
        }
        #[cfg(feature = "aws")]
        Channel::Sns { topic_arn, format, publisher } => {
            telling.publish(publisher, topic_arn, said.outcome.publish(*format)).await.map(drop)
        }
        #[cfg(feature = "aws")]
        Channel::SlackBot { slack, token_secret, channel, secrets, .. } => {
            let key = Key::Stored { secrets, name: token_secret };
            // The table says where the message is; the bot is not led to another channel by it.
            let posted = said.posted.filter(|posted| posted.channel == *channel && !posted.ts.is_empty());
            let posted = posted.map(|posted| Posted { channel: channel.clone(), ts: posted.ts.clone() });
            match &posted {
                Some(posted) if said.is_update => match ask_slack(slack, key, Ask::Update(posted), said, telling).await
                {
                    Err(why) if why.is_beyond_update() => {
                        error!(%why, "Slack's message can't be brought up to date");
                        Ok(())
                    }
                    asked => asked.map_err(|why| why.to_string()),
                },
                thread => {
                    let thread = thread.as_ref().map(|posted| posted.ts.as_str());
                    let asked = ask_slack(slack, key, Ask::Post { channel, thread }, said, telling).await;
                    asked.map_err(|why| why.to_string())
                }
            }
        }
        #[cfg(feature = "aws")]
        Channel::SlackWebhook { slack, url_secret, secrets } => {
            let key = Key::Stored { secrets, name: url_secret };
            ask_slack(slack, key, Ask::Webhook, said, telling).await.map_err(|why| why.to_string())
        }
        #[cfg(feature = "aws")]
        Channel::SlackAddress { slack, url } => {
            ask_slack(slack, Key::Given(url), Ask::Webhook, said, telling).await.map_err(|why| why.to_string())
        }
    }
}

#[cfg(feature = "aws")]
async fn ask_slack(
    slack: &Slack,
    key: Key<'_>,
    ask: Ask<'_>,
    said: Said<'_>,
    telling: &Telling,
) -> Result<(), adapters::channel::Untold> {
    let body = if matches!(ask, Ask::Update(_)) { said.outcome.slack() } else { said.outcome.slack_reply() };
    telling.ask_slack(slack, key, ask, &body).await.map(drop)
}
