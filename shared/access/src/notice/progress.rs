//! What became of a request for approval: answered or not, given, ended and why, or overdue.
//!
//! Three ways as for a case's notice (text, Slack, SNS), from one sentence. The Slack message is the case's own, once more: what
//! was refused stays in it, and nothing is left to click. What is overdue goes to the security team.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{
    Notice, escape,
    escape::shown,
    facts,
    slack::{self, outcome},
    sns::{self, Publish, TopicFormat},
    text::{Page, Style},
    words,
};
use crate::{
    decision::{Answer, Decision},
    diagnosis::Response,
    reconcile::{Effect, End, Reason},
};

/// Names the shape of the document that programs get.
const SCHEMA: &str = "trailpass.progress/1";

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has answered, and soon nobody can: until then, in seconds since 1970.
    Waiting(i64),
    /// Nobody answered in time.
    Lapsed,
    /// Somebody said no.
    Rejected,
    /// Somebody said yes; it is being given.
    Approved,
    /// IAM has it; and what shows that it works, as far as anything does.
    Given(Option<Effect>),
    /// It is over, or never began.
    Ended(End),
    /// It has to end, and IAM refuses to take it back: so many times.
    Overdue(End, u32),
}

/// Everything that is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'a> {
    /// The case's notice.
    pub notice: &'a Notice<'a>,
    /// What was decided, if it was.
    pub decision: Option<&'a Decision>,
    /// How far it has come.
    pub progress: Progress,
    /// IAM is a picture: nothing in AWS is changed, whatever is said of it.
    pub is_rehearsal: bool,
}

impl Progress {
    /// Whether the security team has to hear of it.
    pub fn is_alarm(&self) -> bool {
        matches!(self, Self::Overdue(..))
    }

    /// The word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Lapsed => "lapsed",
            Self::Rejected => "rejected",
            Self::Approved => "approved",
            Self::Given(_) => "given",
            Self::Ended(_) => "ended",
            Self::Overdue(..) => "overdue",
        }
    }

    pub(super) fn sign(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "⏳ Still waiting:",
            Self::Lapsed => "⌛ Lapsed:",
            Self::Rejected => outcome::sign(Answer::Reject),
            Self::Approved => outcome::sign(Answer::Approve),
            Self::Given(_) => "🔓 Given:",
            Self::Ended(_) => "🔒 Ended:",
            Self::Overdue(..) => "🚨 ALARM: not taken back:",
        }
    }

    /// The label for screen readers, subjects and text messages.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "STILL WAITING",
            Self::Lapsed => "LAPSED",
            Self::Rejected => "REJECTED",
            Self::Approved => "APPROVED",
            Self::Given(_) => "GIVEN",
            Self::Ended(_) => "ENDED",
            Self::Overdue(..) => "ALARM, GRANT NOT TAKEN BACK",
        }
    }

    /// What became of it, as a sentence. `None` where the decision says it all.
    fn sentence(&self) -> Option<String> {
        Some(match self {
            Self::Rejected => return None,
            Self::Waiting(until) => {
                format!("Nobody has answered. The request lapses {}.", outcome::time(*until))
            }
            Self::Lapsed => "Nobody answered within a day: the request has lapsed, and nothing is given.".to_owned(),
            Self::Approved => "It is being given.".to_owned(),
            Self::Given(effect @ Some(Effect::Used(_))) => format!("It has been given. {}", said(*effect)),
            Self::Given(effect) => {
                let text =
                    format!("It has been given. IAM needs a few seconds until it counts everywhere. {}", said(*effect));
                text.trim_end().to_owned()
            }
            Self::Ended(end) => because(end),
            Self::Overdue(end, times) => format!(
                "{} IAM has refused {times} times in a row to take it back. It is tried again and again; until then \
                 somebody holds a permission that has ended: detach or delete it by hand.",
                because(end)
            ),
        })
    }
}

fn said(effect: Option<Effect>) -> String {
    effect.map(Effect::sentence).unwrap_or_default()
}

/// Why a grant ended, or never began.
pub fn because(end: &End) -> String {
    match end {
        End::Expired => "Its time is over.".to_owned(),
        End::Revoked => "It was revoked before its time.".to_owned(),
        End::Lapsed => {
            "It could not be given within a quarter of an hour of the decision, and is not given any more.".to_owned()
        }
        End::RemovedByHand => "Somebody removed it by hand; it is not given again.".to_owned(),
        End::ChangedByHand => {
            "Somebody changed it by hand, so that it allowed something else than was approved: it is taken away."
                .to_owned()
        }
        End::HolderGone => "The user or role is gone, or another one bears its name.".to_owned(),
        End::NotEntitled(reason) => format!("Nothing may be given for it: {}.", entitled_to_nothing(*reason)),
        End::Refused(why) => format!("IAM will not have it: {}.", shown(why, escape::SENTENCE)),
    }
}

fn entitled_to_nothing(reason: Reason) -> &'static str {
    match reason {
        Reason::NotDecided => "there is no decision that anything vouches for",
        Reason::Rejected => "it was rejected",
        Reason::NoSuchCase => "there is no such case any more, or it has been opened anew",
        Reason::Duration => "its end is not where an end may be",
        Reason::InFuture => "it was decided later than now",
        Reason::NotOffered => "the case does not offer what was approved",
        Reason::OtherHolder => "it was approved for another user or role",
        Reason::Mode => "the stack grants nothing of this kind any more",
        Reason::Protected => "the guardrails protect this user or role, or AWS lets nobody change it",
        Reason::Boundary => "the user or role does not have the permissions boundary that the operator asks for",
        Reason::Altered => "what was remembered of it has been altered",
    }
}

impl Outcome<'_> {
    fn headline(&self) -> String {
        facts::headline(self.notice.diagnosis)
    }

    /// Whether it is told of something that IAM would have been asked for.
    fn is_rehearsed(&self) -> bool {
        let is_change = match self.progress {
            Progress::Waiting(_) | Progress::Lapsed | Progress::Rejected => false,
            Progress::Approved | Progress::Given(_) | Progress::Ended(_) | Progress::Overdue(..) => true,
        };
        self.is_rehearsal && is_change
    }

    fn sentences(&self) -> String {
        let rehearsed = self.is_rehearsed().then(|| "A rehearsal: nothing in AWS is changed.".to_owned());
        let decided = self.decision.map(|decision| outcome::sentence(self.notice, decision));
        // The news first: of what is too long the end is cut off.
        let all: Vec<String> = rehearsed.into_iter().chain(self.progress.sentence()).chain(decided).collect();
        all.join(" ")
    }

    /// The label for screen readers, subjects and text messages.
    fn label(&self) -> String {
        let label = self.progress.label();
        if self.is_rehearsed() { format!("REHEARSED, {label}") } else { label.to_owned() }
    }

    fn response(&self) -> Response {
        if self.progress.is_alarm() { Response::RaiseAlarm } else { self.notice.diagnosis.response }
    }

    /// For a terminal, and for the body of an e-mail.
    pub fn text(&self, style: Style) -> String {
        let mut page = Page::new(style);
        let label = self.label();
        page.headline(&label, self.response(), shown(&format!("{}.", self.headline()), escape::SENTENCE));
        page.item("Now", self.sentences());
        if let Some(case) = &self.notice.case {
            page.item("Case", shown(case.id, escape::SHORT).to_string());
        }
        page.out
    }

    /// As a Slack message: the case's, in the place of the one that asked.
    pub fn slack(&self) -> Value {
        slack::progress(self.notice, &self.progress, &self.sentences())
    }

    /// A few words as an answer below the case's message, where the whole would only repeat it.
    pub fn slack_reply(&self) -> Value {
        let mut text = format!("{}: ", self.label());
        escape::push_slack(&mut text, &self.headline(), 300);
        let blocks = vec![slack::title(self.progress.sign(), &self.headline()), slack::plain(&self.sentences())];
        slack::envelope(&text, blocks)
    }

    /// As an SNS publication.
    pub fn publish(&self, format: TopicFormat) -> Publish {
        let (headline, label) = (self.headline(), self.label());
        let diagnosis = self.notice.diagnosis;
        let document = json!({
            "schema": SCHEMA,
            "case": self.notice.case.as_ref().map(|case| shown(case.id, escape::SHORT).to_string()),
            "progress": self.progress.word(),
            "is_rehearsal": self.is_rehearsal,
            "account_id": diagnosis.account_id.as_deref().map(|id| shown(id, escape::SHORT).to_string()),
            "principal": diagnosis.principal.arn.as_deref().map(|arn| shown(arn, escape::ARN).to_string()),
            "action": diagnosis.action.as_deref().map(|action| shown(action, escape::NAME).to_string()),
            "resource": diagnosis.resource.as_deref().map(|resource| shown(resource, escape::ARN).to_string()),
            "approver": self.decision.map(|decision| shown(&decision.by.approver, escape::NAME).to_string()),
            "decided_at": self.decision.map(|decision| decision.decided_at),
            "not_after": self.decision.map(|decision| decision.not_after),
            "summary": self.sentences(),
        });
        let mut protocols = Map::new();
        protocols.insert("default".to_owned(), Value::String(document.to_string()));
        protocols.insert("email".to_owned(), Value::String(self.text(Style::Plain)));
        protocols.insert(
            "sms".to_owned(),
            Value::String(format!("Trailpass {label}: {headline}").chars().take(140).collect()),
        );
        if format == TopicFormat::AmazonQ {
            protocols.insert("https".to_owned(), Value::String(self.amazon_q(&headline).to_string()));
        }
        let mut attributes = vec![
            ("response", words::response(self.response()).to_owned()),
            ("progress", self.progress.word().to_owned()),
        ];
        let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        attributes.extend(diagnosis.account_id.as_deref().filter(is_account).map(|id| ("account", id.to_owned())));
        Publish {
            subject: escape::subject(&format!("Trailpass {label}: {headline}")),
            message: sns::ascii(&Value::Object(protocols).to_string()),
            attributes,
        }
    }

    /// In the case's own thread.
    fn amazon_q(&self, headline: &str) -> Value {
        let mut title = format!("{} ", self.progress.sign());
        escape::push_slack(&mut title, headline, 200);
        let mut description = String::new();
        escape::prose(&mut description, &self.sentences(), 1_500);
        let mut metadata = Map::new();
        metadata.insert("summary".to_owned(), json!(shown(headline, 300).to_string()));
        metadata.insert("eventType".to_owned(), json!(format!("trailpass.{}", self.progress.word())));
        if let Some(case) = self.notice.case.as_ref().filter(|case| !case.id.is_empty()) {
            metadata.insert("threadId".to_owned(), json!(shown(case.id, escape::SHORT).to_string()));
        }
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": title,
                "description": description,
                "keywords": [self.progress.word(), "CloudTrail"],
            },
            "metadata": metadata,
        })
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Ended(end) | Self::Overdue(end, _) => {
                f.write_char(' ')?;
                f.write_str(&because(end))
            }
            // Whoever has heard that it was given hears of the first use as well, and of nothing between the two.
            Self::Given(Some(Effect::Used(_))) => f.write_str(" and used"),
            _ => Ok(()),
        }
    }
}
