//! What a Slack message says once somebody has decided: who, what, by which way and until when.
//!
//! It says what was decided, not what was done: giving and taking back come after it, and have their own words.

use std::fmt::Write;

use crate::{
    decision::{Answer, Channel, Decision},
    notice::{
        Notice, advice,
        escape::{self, shown},
    },
};

/// The first word of the header.
pub fn sign(answer: Answer) -> &'static str {
    match answer {
        Answer::Approve => "✅ Approved:",
        Answer::Reject => "⛔ Rejected:",
    }
}

/// The decision as sentences.
pub fn sentence(notice: &Notice<'_>, decision: &Decision) -> String {
    let way = match decision.by.channel {
        Channel::Slack => "in Slack",
        Channel::Aws => "with AWS credentials",
        Channel::Local => "on this machine",
    };
    let did = match decision.answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
    };
    let who = shown(&decision.by.approver, escape::NAME);
    let mut line = format!("{who} {did} it {way}, {}.", time(decision.decided_at));
    if decision.answer == Answer::Reject {
        line.push_str(" Nothing is given.");
        return line;
    }
    let remedies = &notice.diagnosis.remedies;
    let approved = remedies.iter().find(|remedy| remedy.hash.is_some() && remedy.hash == decision.remedy);
    let _ = match approved {
        Some(remedy) => write!(line, " {}.", advice::order(remedy)),
        // The case says something else by now, and then nothing is given, either: no words are made up for it.
        None => write!(line, " What was approved is not what the case says now."),
    };
    let _ = write!(line, " Until {}, no longer.", time(decision.not_after));
    line
}

/// Seconds since 1970 as people read them; as they came where no calendar has them.
pub fn time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => escape::time(&time.to_string()),
        Err(_) => seconds.to_string(),
    }
}
