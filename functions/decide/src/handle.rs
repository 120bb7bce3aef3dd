//! The handler: one answer from somebody who is proved to be who they are, and what becomes of it.
//!
//! The case is read, its remedy computed anew, the rules asked, and the decision written in one commit with the list of its hour,
//! which finds it should the stream lose it. Only the first one can be written: of two clicks one is a decision, and the other is
//! told whose it was. Whatever does not count is audited, too. A killed invocation leaves either a whole decision or none.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use access::{
    answer::aws::Wish,
    approval_rules::{AnswerKind, ApprovalRules, Matter, Who},
    approver::{Approver, OwnDenial},
    case::Case,
    decide::{self, Known, Outcome as Judged, Question, Refusal, Request},
    decision::{self, Answer, Approved, Decision, Revocation, Vouched},
    diagnose::Setting,
    diagnosis::{Apply, Response},
    triage::{self, is_latest_of_call, principal_key_of},
};
use adapters::{
    audit::{Entry, What},
    store::{Committed, Store, StoreError, Write},
    telemetry::{Counts, Metric, milliseconds},
    vouch::{VouchError, Voucher},
};
use serde::Serialize;
use tracing::error;

use crate::{
    answer::{Asked, Before, Outcome, Proof, Refused, Reply},
    authority::{Authority, Source},
    found::{Found, Row},
};

/// How often it is tried although others write, too.
const TRIES: u32 = 8;
/// What is over is kept this long for whoever looks back. Seconds. A decision that is gone gives nothing: reconcile takes away what
/// would still hang on it.
pub(crate) const KEPT: i64 = 90 * 24 * 3600;

/// Everything that an answer is judged and written with.
#[derive(Debug)]
pub struct Decide<S> {
    /// Where everything is kept.
    pub store: S,
    /// Who vouches for decisions.
    pub voucher: Voucher,
    /// Who may answer, and by which rules.
    pub authority: Source,
    /// Grant mode and guardrails.
    pub setting: Setting,
    /// How far this clock is ahead of the machine's, milliseconds. Zero when deployed.
    pub ahead_ms: i64,
}

/// What is counted. `received = decided + already + refused + unproved + shown + ignored + failed`.
pub const COUNTED: [Metric; 11] = [
    Metric::Received,
    Metric::Decided,
    Metric::Already,
    Metric::Refused,
    Metric::Unproved,
    Metric::Shown,
    Metric::Ignored,
    Metric::Failed,
    Metric::InvalidRules,
    Metric::EscalationTries,
    Metric::OwnDenials,
];

/// What was counted of one request.
pub type Report = Counts;

/// Why nobody knows what came of an answer, or of a page: asked again it may well be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The table.
    Store(StoreError),
    /// Whoever vouches.
    Voucher(VouchError),
    /// Others kept coming between.
    Contended,
}

impl Trouble {
    pub(crate) fn is_own_denial(&self) -> bool {
        matches!(self, Self::Store(StoreError::Denied(_)) | Self::Voucher(VouchError::Denied(_)))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<VouchError> for Trouble {
    fn from(error: VouchError) -> Self {
        Self::Voucher(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => why.fmt(f),
            Self::Voucher(why) => write!(f, "nobody could vouch for it: {why}"),
            Self::Contended => f.write_str("others kept writing in between"),
        }
    }
}

impl std::error::Error for Trouble {}

/// How an answer ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It is a decision now.
    Decided(Decision),
    /// It ends a grant now.
    Revoked(Revocation),
    /// It came too late: who was first, with what, when, and until when that holds.
    Already { before: Before, by: Approved, at: i64, not_after: Option<i64> },
    /// It does not count.
    Refused(Refused),
}

/// The same with what accounts for it.
struct Attempt {
    ended: Ended,
    found: Found,
    /// The approver's name, of an approver.
    approver: Option<String>,
    /// Something of the rules is broken that only this question showed.
    is_faulty: bool,
    /// Somebody would have given themselves or an accomplice what they must not have.
    is_escalation: bool,
}

impl<S: Store> Decide<S> {
    /// Takes an answer, and says what came of it. Counts everything but that it was received.
    pub async fn answer(&self, asked: &Asked, proof: &Proof<'_>, report: &mut Report) -> Result<Reply, Trouble> {
        let (authority, own_denials) = self.authority.now().await;
        report.add(Metric::OwnDenials, own_denials);
        for fault in &authority.faults {
            error!(%fault, "who may answer, or by which rules, can't be told: nobody is given anything");
        }
        let now = self.now();
        let ended = self.ended(asked, proof, &authority, now).await;
        let is_faulty = ended.as_ref().is_ok_and(|attempt| attempt.is_faulty) || !authority.faults.is_empty();
        report.add(Metric::InvalidRules, u64::from(is_faulty));
        let mut entry = Entry {
            answer: Some(asked.word().to_owned()),
            channel: Some(proof.channel()),
            identity: Some(proof.identity()),
            ..Entry::new(What::Failed, &asked.case_id, asked.opening, now)
        };
        if let Wish::Approve { remedy, .. } = &asked.wish {
            entry.remedy = Some(remedy.clone());
        }
        let Attempt { ended, found, approver, is_escalation, .. } = match ended {
            Ok(attempt) => attempt,
            Err(trouble) => {
                entry.result = Some(trouble.to_string());
                entry.log();
                report.add(Metric::Failed, 1);
                report.add(Metric::OwnDenials, u64::from(trouble.is_own_denial()));
                error!(case = asked.case_id, why = %trouble, "an answer could not be taken");
                return Err(trouble);
            }
        };
        entry.approver = approver;
        report.add(Metric::EscalationTries, u64::from(is_escalation));
        let (reply, is_kept) = match &ended {
            Ended::Decided(decision) => {
                report.add(Metric::Decided, 1);
                entry = Entry { event: What::Decided, ..entry }.by(Some(decision));
                let (outcome, not_after) = match decision.answer {
                    Answer::Approve => (Outcome::Approved, Some(decision.not_after)),
                    Answer::Reject => (Outcome::Rejected, None),
                };
                (Reply { outcome, by: Some(decision.by.approver.clone()), because: None, not_after }, false)
            }
            Ended::Revoked(revocation) => {
                report.add(Metric::Decided, 1);
                entry.event = What::Revoked;
                let by = Some(revocation.by.approver.clone());
                (Reply { outcome: Outcome::Revoked, by, because: None, not_after: None }, false)
            }
            Ended::Already { before, by, at, not_after } => {
                report.add(Metric::Already, 1);
                let reply = Reply::already(&by.approver, *before, *not_after);
                entry.event = What::Already;
                entry.decided_at = Some(*at);
                entry.result.clone_from(&reply.because);
                (reply, true)
            }
            Ended::Refused(refused) => {
                report.add(Metric::Refused, 1);
                entry.event = What::Refused;
                entry.result = Some(refused.because());
                (Reply::refused(refused.because()), refused.is_ours())
            }
        };
        entry.log();
        if is_kept && found.is_about(asked) {
            self.keep(&found, asked, entry, report).await;
        }
        Ok(reply)
    }

    /// The clock, which one machine may set ahead. Seconds.
    pub(crate) fn now(&self) -> i64 {
        (milliseconds(SystemTime::now()) + self.ahead_ms) / 1000
    }

    async fn ended(
        &self,
        asked: &Asked,
        proof: &Proof<'_>,
        authority: &Authority,
        now: i64,
    ) -> Result<Attempt, Trouble> {
        let mut vouched = None;
        for _ in 0..TRIES {
            let found = Found::read(&self.store, asked, now).await?;
            let mut attempt = self.judged(asked, proof, authority, found, now).await?;
            let (key, expected, row, end) = match &attempt.ended {
                Ended::Decided(decision) => {
                    let key = decision::key(&asked.case_id, asked.opening);
                    let row = self.vouched(decision, decision.message(), &mut vouched).await?;
                    (key, None, row, decision.not_after)
                }
                Ended::Revoked(revocation) => {
                    let key = decision::revocation_key(&asked.case_id, asked.opening);
                    let row = self.vouched(revocation, revocation.message(), &mut vouched).await?;
                    (key, attempt.found.revocation.version(), row, now)
                }
                Ended::Already { .. } | Ended::Refused(_) => return Ok(attempt),
            };
            let list = attempt.found.listed(&key, now);
            let write = Write { key, expected, body: row, expires: Some(end + KEPT) };
            if self.store.commit(&[write, list]).await? == Committed::Yes {
                return Ok(attempt);
            }
        }
        Err(Trouble::Contended)
    }

    /// A record with its code, which is made once for the same bytes.
    async fn vouched<T: Serialize>(
        &self,
        record: &T,
        message: Vec<u8>,
        before: &mut Option<(Vec<u8>, String)>,
    ) -> Result<String, Trouble> {
        let mac = match before.take().filter(|(its, _)| *its == message) {
            Some((_, mac)) => mac,
            None => self.voucher.vouch(&message).await?,
        };
        *before = Some((message, mac.clone()));
        serde_json::to_string(&Vouched { record, mac })
            .map_err(|why| Trouble::Store(StoreError::Invalid(why.to_string())))
    }

    /// What is to become of an answer, as the table is now.
    async fn judged(
        &self,
        asked: &Asked,
        proof: &Proof<'_>,
        authority: &Authority,
        found: Found,
        now: i64,
    ) -> Result<Attempt, Trouble> {
        let refused = |refused: Refused, found| {
            // A good signature, and nobody who may answer: of this workspace or of another one.
            let is_escalation =
                matches!(refused, Refused::Unlisted | Refused::Slack(access::answer::slack::Refusal::Stranger));
            Attempt { ended: Ended::Refused(refused), found, approver: None, is_faulty: false, is_escalation }
        };
        let Ok(approvers) = &authority.approvers else { return Ok(refused(Refused::NoApprovers, found)) };
        let approver = match proof.approver(approvers, found.case.as_ref()) {
            Ok(approver) => approver,
            Err(why) => return Ok(refused(why, found)),
        };
        let name = approver.name.clone();
        let by = Approved { approver: name.clone(), channel: proof.channel(), identity: proof.identity() };
        let (answer, remedy, duration) = match &asked.wish {
            Wish::Revoke => {
                let ended = self.revoked(asked, &found, approver, by, now).await?;
                return Ok(Attempt { ended, found, approver: Some(name), is_faulty: false, is_escalation: false });
            }
            Wish::Approve { remedy, duration_seconds } => (Answer::Approve, Some(remedy.clone()), *duration_seconds),
            Wish::Reject => (Answer::Reject, None, 0),
        };
        let request = Request { answer, remedy, duration, by };
        let asking = Asking { approver, rules: &authority.rules, request: &request, is_faulty: AtomicBool::new(false) };
        let ended = self.decided(asked, &found, &asking, now).await?;
        let is_try = answer == Answer::Approve && matches!(ended, Ended::Refused(_));
        let is_escalation = is_try && found.case.as_ref().is_some_and(|case| self.is_escalation(case, approver));
        Ok(Attempt {
            ended,
            found,
            approver: Some(name),
            is_faulty: asking.is_faulty.load(Ordering::Relaxed),
            is_escalation,
        })
    }

    async fn decided(&self, asked: &Asked, found: &Found, asking: &Asking<'_>, now: i64) -> Result<Ended, Trouble> {
        let before = match &found.decision {
            Row::None => None,
            Row::Is(row, _) => Some(&row.record),
            Row::Unreadable(_) => {
                error!(case = asked.case_id, "what stands in a decision's place is none: somebody wrote it there");
                return Ok(Ended::Refused(Refused::Unreadable));
            }
        };
        let Some(case) = &found.case else { return Ok(Ended::Refused(Refused::NoSuchCase)) };
        if before.is_none() && case.opening != asked.opening {
            return Ok(Ended::Refused(Refused::Case(Refusal::Stale)));
        }
        let is_latest = before.is_none() && asking.request.answer == Answer::Approve && self.is_latest(case).await?;
        let known = Known { case, is_latest, before };
        let allows = |question: &Question<'_>| asking.allows(question);
        Ok(match decide::decide(&known, asking.request, &self.setting, asking.rules.hash(), allows, now) {
            Judged::Decided(decision) => Ended::Decided(*decision),
            Judged::Already(decision) => Ended::Already {
                before: Before::Answered(decision.answer),
                at: decision.decided_at,
                not_after: (decision.answer == Answer::Approve).then_some(decision.not_after),
                by: decision.by,
            },
            Judged::Refused(refusal) => Ended::Refused(Refused::Case(refusal)),
        })
    }

    /// Whether no newer case of the same call says something else.
    async fn is_latest(&self, case: &Case) -> Result<bool, Trouble> {
        let found = self.store.read(&[principal_key_of(case)]).await?.into_iter().next();
        let file = found.map(|found| triage::Found { version: found.version, body: found.body });
        Ok(is_latest_of_call(file.as_ref(), case))
    }

    /// Whether approving would have been for oneself, or of an alarm.
    fn is_escalation(&self, case: &Case, approver: &Approver) -> bool {
        let diagnosis = case.diagnosed(&self.setting).diagnosis;
        diagnosis.response == Response::RaiseAlarm || approver.own_denial(&diagnosis.principal) == OwnDenial::Yes
    }
}

/// What the rules are asked for: whose answer, and which.
struct Asking<'a> {
    approver: &'a Approver,
    rules: &'a ApprovalRules,
    request: &'a Request,
    is_faulty: AtomicBool,
}

impl Asking<'_> {
    fn allows(&self, question: &Question<'_>) -> Result<(), Vec<String>> {
        let diagnosis = &question.diagnosed.diagnosis;
        // A rejection names no remedy: it is of what would have been given, the best first.
        let best = || diagnosis.remedies.iter().find(|remedy| remedy.apply == Apply::OnApproval);
        let Some(remedy) = question.remedy.or_else(best) else { return Err(Vec::new()) };
        let (answer, minutes) = match self.request.answer {
            Answer::Approve => (AnswerKind::Approve, self.request.duration / 60),
            Answer::Reject => (AnswerKind::Reject, 0),
        };
        let matter = Matter { answer, diagnosis, remedy, minutes, channel: self.request.by.channel };
        let verdict = self.rules.decide(&matter.asked_by(Who::Listed(self.approver)));
        if verdict.faulty {
            error!(because = verdict.because.join("; "), "the approval rules can't decide: nothing is allowed");
            self.is_faulty.store(true, Ordering::Relaxed);
        }
        if verdict.allowed { Ok(()) } else { Err(verdict.because) }
    }
}
