//! An answer from Slack: proved to come from Slack, read, and compared with the message that was asked in.
//!
//! Three steps, each of which needs what the one before it gives: [`verify`] looks at the raw bytes and nothing else, [`read`]
//! takes the few ids that an answer is made of out of them, and [`checks`] says whether this app, this team and this message are
//! ours. Who the person is, and whether they may, is not said here: the approvers and the approval rules do that.
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::{is_remedy_hash, read_duration, read_subject};
use crate::{approver::is_slack_id, case::Case, decision::Answer};

/// The button that approves.
pub const APPROVE: &str = "trailpass.approve";
/// The button that rejects.
pub const REJECT: &str = "trailpass.reject";
/// The menu of remedies.
pub const REMEDY: &str = "trailpass.remedy";
/// The menu of durations.
pub const DURATION: &str = "trailpass.duration";

/// The longest body that is looked at. Slack sends the whole message back, in JSON's escapes and percent signs: the longest that
/// we write comes back in less. Bytes.
pub const LONGEST_BODY: usize = 256 * 1024;
/// A request that is older, or is from further in the future, could be a replayed one. Seconds, as Slack advises.
pub const WINDOW: i64 = 300;
/// Slack's own secrets have 32 characters. Anything this short is a setting that was forgotten, and a key that can be guessed.
const SHORTEST_SECRET: usize = 16;

/// A body that Slack signed, lately. Only [`verify`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    body: &'a [u8],
}

/// Why a request is not taken for Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unverified {
    /// The body is longer than [`LONGEST_BODY`].
    TooLong,
    /// There is no secret that anything could be compared with.
    NoSecret,
    /// The timestamp is missing or no decimal number.
    Timestamp,
    /// The timestamp is not within [`WINDOW`] of now.
    Untimely,
    /// The signature is missing or not in Slack's form.
    NoSignature,
    /// The signature is another's, or of another body.
    Forged,
}

/// Proves that Slack signed this body within [`WINDOW`] of `now`, in seconds since 1970.
///
/// A header that is missing is `None`; one that stands there twice is the caller's to refuse.
pub fn verify<'a>(
    secret: &[u8],
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &'a [u8],
    now: i64,
) -> Result<Verified<'a>, Unverified> {
    // Cheapest first: whoever sends garbage costs no more than a look at it.
    if body.len() > LONGEST_BODY {
        return Err(Unverified::TooLong);
    }
    if secret.len() < SHORTEST_SECRET {
        return Err(Unverified::NoSecret);
    }
    let timestamp = timestamp.ok_or(Unverified::Timestamp)?;
    let signed_at = decimal(timestamp).ok_or(Unverified::Timestamp)?;
    if now.abs_diff(signed_at) > WINDOW.unsigned_abs() {
        return Err(Unverified::Untimely);
    }
    let signature = signature.and_then(|text| text.strip_prefix("v0=")).and_then(bytes_of);
    let signature = signature.ok_or(Unverified::NoSignature)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Unverified::NoSecret)?;
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    // Constant time: how long it takes says nothing about how much of a guess is right.
    mac.verify_slice(&signature).map_err(|_| Unverified::Forged)?;
    Ok(Verified { body })
}

/// Seconds since 1970, as Slack writes them: digits, and no more of them than a clock could show.
fn decimal(text: &str) -> Option<i64> {
    let is_decimal = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

/// Thirty-two bytes in lower-case hexadecimal.
fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// What somebody answered in Slack. Nothing but ids of a known form and words of closed lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackAnswer {
    /// Which app Slack delivered it to.
    pub app_id: String,
    /// The workspace that it was given in.
    pub team_id: String,
    /// Who answered.
    pub user_id: String,
    /// The workspace that this person belongs to: another one where a channel is shared.
    pub user_team_id: String,
    /// The channel of the message.
    pub channel: String,
    /// The message's id in it.
    pub message_ts: String,
    /// The case that the button names.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// The answer.
    pub answer: Answer,
    /// The hash of the chosen remedy, for an approval.
    pub remedy: Option<String>,
    /// The chosen time, for an approval; otherwise 0. Seconds.
    pub duration_seconds: i64,
}

/// Why nothing was read from what Slack sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// No form with exactly one payload in it.
    Form,
    /// The payload is no JSON, or a fact is missing that every answer has.
    Payload,
    /// Something else happened in Slack than somebody using a message's buttons.
    Kind,
    /// It doesn't come from a message, or not from one alone.
    Message,
    /// An id is none of Slack's form.
    Id,
    /// Not exactly one action, or one that is not ours.
    Action,
    /// The button names no case.
    Subject,
    /// An approval without a remedy and a time that the menus offer.
    Choice,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// The members that an answer is made of. All others are left unread.
/// <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>
#[derive(Deserialize)]
struct Payload {
    api_app_id: String,
    team: Id,
    user: User,
    container: Container,
    channel: Option<Id>,
    message: Option<Message>,
    actions: Vec<Action>,
    #[serde(default)]
    state: State,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: String,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "type")]
    kind: String,
    message_ts: Option<String>,
    channel_id: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    ts: String,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    action_id: String,
    value: Option<String>,
}

/// What stands in the message's menus, by block and action.
#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Reads a body that Slack signed. `None`: somebody chose from a menu and has not answered yet, which Slack tells, too.
pub fn read(verified: &Verified<'_>) -> Result<Option<SlackAnswer>, Unread> {
    let json = payload_of(verified.body).ok_or(Unread::Form)?;
    let Kind { kind } = serde_json::from_str(&json).map_err(|_| Unread::Payload)?;
    if kind != "block_actions" {
        return Err(Unread::Kind);
    }
    let payload: Payload = serde_json::from_str(&json).map_err(|_| Unread::Payload)?;
    let [action] = payload.actions.as_slice() else { return Err(Unread::Action) };
    let answer = match (action.action_id.as_str(), action.kind.as_str()) {
        (APPROVE, "button") => Answer::Approve,
        (REJECT, "button") => Answer::Reject,
        (REMEDY | DURATION, "static_select") => return Ok(None),
        _ => return Err(Unread::Action),
    };
    let (case_id, opening) = action.value.as_deref().and_then(read_subject).ok_or(Unread::Subject)?;
    let (channel, message_ts) = place(&payload).ok_or(Unread::Message)?;
    let (remedy, duration_seconds) = match answer {
        Answer::Approve => {
            let remedy = payload.state.chosen(REMEDY).filter(|hash| is_remedy_hash(hash)).ok_or(Unread::Choice)?;
            let duration = payload.state.chosen(DURATION).and_then(read_duration).ok_or(Unread::Choice)?;
            (Some(remedy.to_owned()), duration)
        }
        Answer::Reject => (None, 0),
    };
    let read = SlackAnswer {
        case_id: case_id.to_owned(),
        opening,
        channel: channel.to_owned(),
        message_ts: message_ts.to_owned(),
        app_id: payload.api_app_id,
        team_id: payload.team.id,
        user_id: payload.user.id,
        user_team_id: payload.user.team_id,
        answer,
        remedy,
        duration_seconds,
    };
    if read.has_legal_ids() { Ok(Some(read)) } else { Err(Unread::Id) }
}

impl State {
    /// The value that stands in one of our menus. A message has each menu once: which of two was meant, nobody could say.
    fn chosen(&self, action_id: &str) -> Option<&str> {
        let mut found = self.values.values().filter_map(|block| block.get(action_id));
        let element = found.next().filter(|_| found.next().is_none())?;
        element.get("selected_option")?.get("value")?.as_str()
    }
}

impl SlackAnswer {
    fn has_legal_ids(&self) -> bool {
        is_slack_id(&self.app_id, &['A'])
            && is_slack_id(&self.team_id, &['T', 'E'])
            && is_slack_id(&self.user_id, &['U', 'W'])
            && is_slack_id(&self.user_team_id, &['T', 'E'])
            && is_slack_id(&self.channel, &['C', 'G', 'D'])
            && is_message_ts(&self.message_ts)
    }
}

/// The one channel and message in which it was clicked, as often as Slack names them.
fn place(payload: &Payload) -> Option<(&str, &str)> {
    let Container { kind, message_ts, channel_id } = &payload.container;
    let (channel, ts) = (channel_id.as_deref()?, message_ts.as_deref()?);
    let agrees = kind == "message"
        && payload.channel.as_ref().is_none_or(|named| named.id == channel)
        && payload.message.as_ref().is_none_or(|named| named.ts == ts);
    agrees.then_some((channel, ts))
}

/// Seconds and a count, as in `1548261231.000200`.
fn is_message_ts(text: &str) -> bool {
    let is_number = |part: &str| (1..=16).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(seconds, count)| is_number(seconds) && is_number(count))
}

/// The one field `payload` of a form.
fn payload_of(body: &[u8]) -> Option<String> {
    let mut payloads = body.split(|&byte| byte == b'&').filter_map(|field| {
        let mut halves = field.splitn(2, |&byte| byte == b'=');
        let (name, value) = (halves.next()?, halves.next().unwrap_or_default());
        (unescaped(name).as_deref() == Some("payload")).then_some(value)
    });
    let payload = payloads.next()?;
    if payloads.next().is_some() { None } else { unescaped(payload) }
}

/// A form's text; `None` where an escape is none, or the bytes are no UTF-8.
/// <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>
fn unescaped(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || nibble(rest.next()?.to_ascii_lowercase());
                digit()? << 4 | digit()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The app and the workspace that are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The app's id, `A…`.
    pub app_id: &'a str,
    /// The workspace's id, `T…`.
    pub team_id: &'a str,
}

/// Why an answer from Slack is not one to what we asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another app's button.
    App,
    /// Another workspace.
    Team,
    /// Somebody of another workspace, in a channel that is shared with it.
    Stranger,
    /// Another case than this one, or another opening of it.
    Case,
    /// Not the message that asked.
    Message,
}

impl Refusal {
    /// For the person who answered.
    pub fn because(self) -> &'static str {
        match self {
            Self::App => "the button belongs to another app",
            Self::Team => "the answer comes from another workspace",
            Self::Stranger => "only people of this workspace can answer, and you belong to another one",
            Self::Case => "the message is about an earlier opening of the case: look at the newest one",
            Self::Message => "this is not the message in which the case was told",
        }
    }
}

/// Whether an answer was given to our app, in our team, by somebody who belongs to it, and in the case's own message.
///
/// An approver is looked up by team and user after this, never before: an id of another workspace could be the same.
pub fn checks(answer: &SlackAnswer, expected: &Expected<'_>, case: &Case) -> Result<(), Refusal> {
    // Where a webhook told it, there is no message that could be compared, and no button either.
    let told = case.told.slack.as_ref().filter(|message| !message.ts.is_empty());
    let is_told = told.is_some_and(|told| told.channel == answer.channel && told.ts == answer.message_ts);
    let checks = [
        (answer.app_id == expected.app_id, Refusal::App),
        (answer.team_id == expected.team_id, Refusal::Team),
        (answer.user_team_id == expected.team_id, Refusal::Stranger),
        (answer.case_id == case.id && answer.opening == case.opening, Refusal::Case),
        (is_told, Refusal::Message),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, refusal)| Err(refusal))
}
