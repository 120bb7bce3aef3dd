//! At rest: nothing is to be changed now, so people are told how far it is, and whether it is through is written down.

use access::{
    decision::Answer,
    notice::progress::Progress,
    reconcile::{Effect, Grant, State},
};
use adapters::{
    audit::{self, What},
    store::{Committed, Store},
    telemetry::Metric,
};

use crate::{
    facts::{Known, Subject},
    handle::{Reconcile, Run, Trouble},
    remembered::Remembered,
    tell::{GIVEN_UP, News, tell},
};

/// How often what was told is written down although others write, too.
const TRIES: u32 = 8;
/// A removal that has failed so often is an alarm. The pauses double from half a minute on, and a sweep comes every five.
const OVERDUE: u32 = 3;

impl<S: Store> Reconcile<S> {
    /// Tells, and writes down that it was told. `Conflict`: the grant has come further in the meantime.
    pub(crate) async fn rest(
        &self,
        subject: &Subject,
        known: &Known,
        holder_id: Option<&str>,
        mut remembered: Remembered,
        run: &mut Run,
    ) -> Result<Committed, Trouble> {
        let Subject { case_id, opening } = subject;
        let grant = remembered.file().grant(case_id, *opening).cloned();
        // Whoever writes a decision by hand must not have us write anything on its account, nor keep us busy.
        if known.decision.is_none() && grant.is_none() {
            remembered.forget(case_id, *opening);
            return Ok(self.store.commit(&remembered.writes(self.now())).await?);
        }
        // Somebody wrote it under another holder than was decided. That is no news of the decision, and nobody's but the audit's.
        let target = known.decision.as_ref().and_then(|decision| decision.target_id.as_deref());
        if target.is_some() && target != holder_id {
            if grant.as_ref().is_none_or(Grant::is_over) {
                remembered.forget_of(case_id, *opening, holder_id);
            }
            return Ok(self.store.commit(&remembered.writes(self.now())).await?);
        }
        let effect = self.effect(known, grant.as_ref(), remembered.history().effect, run).await;
        let progress = progress(known, grant.as_ref(), effect);
        run.report.add(Metric::Overdue, u64::from(progress.as_ref().is_some_and(Progress::is_alarm)));
        let before = remembered.history().told.clone();
        let mut told = before.clone();
        let is_told = match (&progress, &known.case) {
            (Some(progress), Some(case)) => {
                let news = News {
                    case,
                    decision: known.decision.as_ref(),
                    progress: progress.clone(),
                    is_rehearsal: self.iam.is_picture(),
                };
                tell(&self.channels, news, &self.setting, &mut told, &run.telling, self.now()).await
            }
            // Without the case nobody knows what it was about; the audit does.
            _ => true,
        };
        let is_over = grant.as_ref().is_none_or(Grant::is_over);
        let is_finished = is_over && (is_told || told.failures >= GIVEN_UP);
        let now = self.now();
        for _ in 0..TRIES {
            if let Some(effect) = effect.filter(|_| remembered.history().effect != effect) {
                let history = remembered.history_mut();
                history.effect = Some(effect);
                let mut entry = self.entry(What::Effect, subject, known);
                entry.state = Some(effect.word().to_owned());
                audit::append(&mut history.entries, entry);
            }
            if told != before {
                let history = remembered.history_mut();
                history.told = told.clone();
                if let Some(progress) = progress.as_ref().filter(|_| is_told) {
                    let mut entry = self.entry(What::Told, subject, known);
                    entry.state = Some(progress.word().to_owned());
                    audit::append(&mut history.entries, entry);
                }
            }
            let is_as_before = remembered.file().grant(case_id, *opening) == grant.as_ref();
            if is_as_before {
                remembered.set_finished(case_id, *opening, holder_id, is_finished);
            }
            if self.store.commit(&remembered.writes(now)).await? == Committed::Yes {
                return Ok(if is_as_before { Committed::Yes } else { Committed::Conflict });
            }
            let documents = self.store.read(&Remembered::keys(case_id, *opening, holder_id)).await?;
            remembered = Remembered::read(case_id, *opening, holder_id, &documents);
        }
        Err(Trouble::Contended)
    }
}

/// What there is to say. `None`: nothing yet, or nothing that a person has to hear.
fn progress(known: &Known, grant: Option<&Grant>, effect: Option<Effect>) -> Option<Progress> {
    let Some(grant) = grant else {
        let answer = known.decision.as_ref().map(|decision| decision.answer);
        return (answer == Some(Answer::Reject)).then_some(Progress::Rejected);
    };
    match &grant.state {
        State::Giving => Some(Progress::Approved),
        State::Given => Some(Progress::Given(effect)),
        State::Taking(end) if grant.failures >= OVERDUE => Some(Progress::Overdue(end.clone(), grant.failures)),
        State::Taking(_) | State::Taken(_) => None,
        State::Ended(end) => Some(Progress::Ended(end.clone())),
    }
}
