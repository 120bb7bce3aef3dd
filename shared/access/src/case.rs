//! Cases: what makes two denials the same, what is remembered of them, and whether people have been told.
//!
//! A case is open while denials keep coming, and until a day has passed without one; a denial after that opens it anew, with a
//! new notice. Everything that a caller could make grow (sessions, addresses, events) is bounded here.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    denial::Denial,
    diagnose::{Diagnosed, Setting, diagnose_simulated},
    diagnosis::{Effect, PolicyType, Response},
    event::Record,
    evidence::Evidence,
    framing::framed,
    notice::{CaseFacts, Together},
    simulation::Verdict,
};

/// A case without a denial for this long is closed. Seconds.
pub const QUIET: i64 = 24 * 3600;
/// A closed case or a storm is kept this long for whoever looks back. Seconds.
pub(crate) const KEPT: i64 = 90 * 24 * 3600;
/// The denials whose ids are remembered, so that one delivered twice counts once.
const EVENTS: usize = 256;
/// An alarm that goes on is told again after this long. Seconds.
const TOLD_AGAIN: i64 = 3600;
/// Sessions and addresses that are named.
const NAMED: usize = 10;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// The administrators.
    Notices,
    /// The security team.
    Alarms,
}

impl Audience {
    /// Alarms go to the security team, everything else that is posted to the administrators.
    pub fn of(response: Response) -> Self {
        match response {
            Response::RaiseAlarm => Self::Alarms,
            Response::Ignore | Response::SuggestFix | Response::RequestApproval => Self::Notices,
        }
    }

    /// The word in keys and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Alarms => "alarms",
        }
    }
}

/// Whether people have been told. Whoever finds `Pending` with no lease running tells them, so that a crash between writing a
/// case and telling of it leaves nothing silent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// `pending` or `sent`.
    pub notice: NoticeState,
    /// Until when somebody may be busy telling. Milliseconds since 1970: the deadline of that invocation.
    pub lease_until: i64,
    /// SNS's message id, once published.
    pub sns: Option<String>,
    /// Slack's message, which later denials update.
    pub slack: Option<SlackMessage>,
    /// When the message was last updated. Seconds since 1970.
    pub updated_at: i64,
    /// When somebody last set about telling everybody anew; an update of a message tells nobody. Seconds since 1970.
    #[serde(default)]
    pub told_at: i64,
}

/// The two states of a notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// Not everybody has been told.
    #[default]
    Pending,
    /// Told.
    Sent,
}

/// A message in Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// The channel's id.
    pub channel: String,
    /// Slack's id of the message in it; empty where a webhook posted, which tells none.
    pub ts: String,
}

impl Told {
    /// Nobody has been told, and this invocation is about to. `now` in seconds, `until` in milliseconds.
    pub fn leased(now: i64, until: i64) -> Self {
        Self { lease_until: until, told_at: now, ..Self::default() }
    }

    /// Takes over what another left untold. `now` in seconds, `until` in milliseconds.
    pub fn take_over(&mut self, now: i64, until: i64) {
        self.lease_until = until;
        self.told_at = now;
    }

    /// Whether this invocation may take over telling. `now` in milliseconds.
    pub fn is_free(&self, now: i64) -> bool {
        self.notice == NoticeState::Pending && self.lease_until <= now
    }
}

/// What is remembered of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// [`id`] of its denials.
    pub id: String,
    /// [`call_id`] of its denials.
    pub call_id: String,
    /// Who is told.
    pub audience: Audience,
    /// Whose it is: what cases that are shown together have in common. One budget may be several principals'.
    #[serde(default)]
    pub principal: String,
    /// How many times it was opened: 1, and one more after each closing.
    pub opening: u64,
    /// When it was opened. Seconds since 1970, our clock.
    pub opened_at: i64,
    /// When the last denial came in. Seconds since 1970, our clock.
    pub seen_at: i64,
    /// CloudTrail's time of the first denial of this opening.
    pub first_seen: String,
    /// CloudTrail's time of the last.
    pub last_seen: String,
    /// The denials of this opening.
    pub count: u64,
    /// The last of their ids, shortened.
    pub event_ids: Vec<String>,
    /// The sessions that were refused.
    pub sessions: Vec<String>,
    /// The addresses that they called from.
    pub source_ips: Vec<String>,
    /// The first denial, as far as it is read: what everything said about the case is computed from again.
    pub record: Record,
    /// The entity that a denied IAM call named had an open case: without it the record alone would be out of scope.
    pub has_open_case: bool,
    /// What the policy simulator said of the call when it was opened, if it was asked. Whoever gives something asks it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated: Option<Verdict>,
    /// What else was looked up when it was opened.
    #[serde(default)]
    pub evidence: Evidence,
    /// What was said when it was opened, for programs that read the table.
    pub diagnosis: serde_json::Value,
    /// An earlier case of the same call with another cause, or for the other audience.
    pub linked: Option<String>,
    /// The principal's first case of the last ten minutes, under whose message this one is shown.
    pub shown_under: Option<String>,
    /// Whether people have been told.
    pub told: Told,
}

/// The denials of one case that came in together.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals {
    /// The first, whole.
    pub first: Diagnosed,
    /// For each denial what is counted of it.
    pub each: Vec<Arrival>,
}

/// What is counted of one denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which message of the batch it came in.
    pub message: usize,
    /// [`event_key`] of its record.
    pub event: String,
    /// CloudTrail's `eventID`.
    pub event_id: Option<String>,
    /// CloudTrail's time.
    pub time: String,
    /// The session.
    pub session: Option<String>,
    /// The address.
    pub source_ip: Option<String>,
}

impl Arrival {
    /// What is counted of a denial.
    pub fn of(message: usize, denial: &Denial) -> Self {
        Self {
            message,
            event: event_key(&denial.record),
            event_id: denial.record.event_id.clone(),
            time: denial.record.event_time.clone().unwrap_or_default(),
            session: denial.caller.principal.session_name.clone(),
            source_ip: denial.record.source_ip_address.clone(),
        }
    }
}

impl Case {
    /// Opens a case with its first denials. `now` in seconds.
    pub fn open(arrivals: &Arrivals, now: i64) -> Self {
        let Diagnosed { denial, diagnosis, case_id, .. } = &arrivals.first;
        let mut case = Self {
            id: case_id.clone(),
            call_id: call_id(denial),
            audience: Audience::of(diagnosis.response),
            principal: principal_of(denial).unwrap_or_default().chars().take(256).collect(),
            opening: 1,
            opened_at: now,
            seen_at: now,
            first_seen: String::new(),
            last_seen: String::new(),
            count: 0,
            event_ids: Vec::new(),
            sessions: Vec::new(),
            source_ips: Vec::new(),
            record: denial.record.clone(),
            has_open_case: arrivals.first.has_open_case,
            simulated: arrivals.first.simulated,
            evidence: arrivals.first.evidence.clone(),
            diagnosis: serde_json::to_value(diagnosis).unwrap_or_default(),
            linked: None,
            shown_under: None,
            told: Told::default(),
        };
        case.join(arrivals, now);
        case
    }

    /// Opens a closed case again, with what came in now.
    pub fn reopen(&self, arrivals: &Arrivals, now: i64) -> Self {
        Self { opening: self.opening + 1, ..Self::open(arrivals, now) }
    }

    /// Adds denials. Returns how many were new; the others had been counted before.
    pub fn join(&mut self, arrivals: &Arrivals, now: i64) -> usize {
        let before = self.count;
        for arrival in &arrivals.each {
            if self.event_ids.contains(&arrival.event) {
                continue;
            }
            self.event_ids.push(arrival.event.clone());
            self.count += 1;
            // Times of one form compare as text; deliveries are out of order.
            if self.first_seen.is_empty() || !arrival.time.is_empty() && arrival.time < self.first_seen {
                self.first_seen.clone_from(&arrival.time);
            }
            if arrival.time > self.last_seen {
                self.last_seen.clone_from(&arrival.time);
            }
            remember(&mut self.sessions, arrival.session.as_deref());
            remember(&mut self.source_ips, arrival.source_ip.as_deref());
        }
        let forgotten = self.event_ids.len().saturating_sub(EVENTS);
        self.event_ids.drain(..forgotten);
        let new = self.count - before;
        if new > 0 {
            self.seen_at = self.seen_at.max(now);
        }
        usize::try_from(new).unwrap_or(usize::MAX)
    }

    /// Whether people are to hear of it once more: somebody who tries to blind the log day after day must not be an alarm
    /// of the first day only. `now` in seconds.
    pub fn is_due_again(&self, arrivals: &Arrivals, now: i64) -> bool {
        self.audience == Audience::Alarms
            && self.told.notice == NoticeState::Sent
            && now - self.told.told_at >= TOLD_AGAIN
            && arrivals.each.iter().any(|arrival| !self.event_ids.contains(&arrival.event))
    }

    /// What is said of it, computed from its record anew.
    pub fn diagnosed(&self, setting: &Setting) -> Diagnosed {
        diagnose_simulated(self.record.clone(), setting, self.has_open_case, self.simulated)
    }

    /// What a notice shows of it beside the diagnosis. `diagnosed`: the case's own.
    pub fn facts<'a>(
        &'a self,
        diagnosed: &Diagnosed,
        together: &'a [Together],
        page_url: Option<&'a str>,
    ) -> CaseFacts<'a> {
        CaseFacts {
            id: &self.id,
            count: self.count,
            first_seen: &self.first_seen,
            last_seen: &self.last_seen,
            sessions: &self.sessions,
            source_ips: &self.source_ips,
            linked: self.linked.as_deref(),
            together,
            evidence: self.evidence.sentences(&diagnosed.denial, self.simulated),
            page_url,
        }
    }

    /// Whether denials still join it. `now` in seconds.
    pub fn is_open(&self, now: i64) -> bool {
        now - self.seen_at < QUIET
    }

    /// When it may be deleted. Seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.seen_at + KEPT
    }
}

/// The first few different ones, each of bounded length.
fn remember(names: &mut Vec<String>, name: Option<&str>) {
    let Some(name) = name else { return };
    let name: String = name.chars().take(128).collect();
    if names.len() < NAMED && !names.contains(&name) {
        names.push(name);
    }
}

/// Names a denial for counting it once: by the request that AWS numbered, since a late or corrected record of it has another `eventID`; else
/// by that, or, where there is neither, by the whole record.
pub fn event_key(record: &Record) -> String {
    let whole;
    let is_id = |id: &&str| !id.is_empty();
    let request = record.request_id.as_deref().filter(is_id);
    let text = match request.or(record.event_id.as_deref().filter(is_id)) {
        Some(id) => id,
        None => {
            whole = serde_json::to_string(record).unwrap_or_default();
            &whole
        }
    };
    base32(&Sha256::digest(text.as_bytes()), 16)
}

/// The id of the case that a denial belongs to: the same facts give the same id, in whatever process they are read.
///
/// It covers partition, account, Region, the principal's unique id (its ARN or name where there is none), action,
/// resource and cause, and for an alarm that it is one: an alarm that joined a notice's case would reach nobody of the
/// security team. Twenty letters and digits, a hundred bits: nobody can aim at another's case.
pub fn id(denial: &Denial, audience: Audience) -> String {
    let cause = &denial.cause;
    let alarm = match audience {
        Audience::Notices => None,
        Audience::Alarms => Some(Some(audience.word())),
    };
    digest_id(
        call_parts(denial)
            .into_iter()
            .chain([Some(effect_word(cause.effect)), cause.policy_type.map(policy_type_word)])
            .chain(alarm),
    )
}

/// The id of the call whatever its cause and whoever is told: cases that share it are linked.
pub fn call_id(denial: &Denial) -> String {
    digest_id(call_parts(denial))
}

/// What makes a call the same call.
fn call_parts(denial: &Denial) -> [Option<&str>; 7] {
    let principal = &denial.caller.principal;
    [
        denial.place.partition.as_deref(),
        denial.place.account_id.as_deref(),
        denial.place.region.as_deref(),
        principal.account_id.as_deref(),
        principal_of(denial),
        denial.action.as_deref(),
        denial.resource.as_deref(),
    ]
}

/// What tells one principal from another within its account.
fn principal_of(denial: &Denial) -> Option<&str> {
    let principal = &denial.caller.principal;
    principal.unique_id.as_deref().or(principal.arn.as_deref()).or(principal.name.as_deref())
}

/// Letters and digits in the id of a case.
const ID: usize = 20;

fn digest_id<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    // One piece to hash: a hash that is fed in a dozen pieces spends its time on where one ends.
    let mut whole = Vec::with_capacity(384);
    framed(parts, |bytes| whole.extend_from_slice(bytes));
    base32(&Sha256::digest(&whole), ID)
}

/// Whether a text has the form of [`id`]'s.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// RFC 4648's alphabet in lower case, five bits a character.
fn base32(bytes: &[u8], length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut window, mut bits) = (0_u32, 0_u32);
    let mut text = String::with_capacity(length);
    for &byte in bytes {
        window = window << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 && text.len() < length {
            bits -= 5;
            if let Some(&letter) = ALPHABET.get((window >> bits & 31) as usize) {
                text.push(letter.into());
            }
        }
    }
    text
}

fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::ImplicitDeny => "implicit-deny",
        Effect::ExplicitDeny => "explicit-deny",
        Effect::Unknown => "unknown",
    }
}

fn policy_type_word(policy_type: PolicyType) -> &'static str {
    match policy_type {
        PolicyType::IdentityBasedPolicy => "identity-based-policy",
        PolicyType::ResourceBasedPolicy => "resource-based-policy",
        PolicyType::PermissionsBoundary => "permissions-boundary",
        PolicyType::SessionPolicy => "session-policy",
        PolicyType::ServiceControlPolicy => "service-control-policy",
        PolicyType::ResourceControlPolicy => "resource-control-policy",
        PolicyType::VpcEndpointPolicy => "vpc-endpoint-policy",
        PolicyType::RoleTrustPolicy => "role-trust-policy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(digest_id([Some("ab"), Some("c")]), digest_id([Some("a"), Some("bc")]));
        assert_ne!(digest_id([Some(""), None]), digest_id([None, Some("")]));
        assert!(is_id(&digest_id([Some("x")])));
    }
}
