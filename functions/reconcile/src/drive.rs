//! One decision, brought to its rest: observe, plan, remember, change, look again, tell.
//!
//! What has to happen is the plan's to say ([`access::reconcile::step`]); here stands in what order. IAM is looked at first and
//! the table read after that. What a change is for is written down before it is made, and IAM's answer after it, so that a
//! death between any two of them leaves something that the next run finds as it is.

use std::time::Duration;

use access::reconcile::{
    self, Change, Entity, Facts, Grant, Holder, Permission, State, Step, answered, permission, step,
};
use adapters::{
    iam::Look,
    store::{Committed, Store},
    telemetry::Metric,
};
use tracing::warn;

use crate::{
    audit::{Entry, What},
    facts::{Known, Subject},
    handle::{Reconcile, Run, Trouble, failure},
    milliseconds,
    remembered::Remembered,
};

/// More steps than any decision takes.
const STEPS: u32 = 24;
/// How often what has happened is written down although others write, too.
const TRIES: u32 = 8;

/// What IAM showed, so that it is asked again only when something has changed.
struct Shown {
    holder: Holder,
    depth: Depth,
    entity: Option<Entity>,
}

/// How much of the holder the next step needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Depth {
    Attached,
    Inline(String),
    AllInline,
    /// Both kinds, where it is not known which of them was given.
    Either(String),
}

/// Everything about a decision, as it was read.
struct Read {
    known: Known,
    remembered: Remembered,
    /// Under whose id its grant is remembered.
    holder_id: Option<String>,
}

impl<S: Store> Reconcile<S> {
    /// Brings one decision to its rest. `remembered_of`: under whose id it is remembered, where that is known from elsewhere than
    /// from the decision.
    pub(crate) async fn drive(
        &self,
        subject: &Subject,
        remembered_of: Option<&str>,
        run: &mut Run,
    ) -> Result<(), Trouble> {
        let mut shown: Option<Shown> = None;
        for attempt in 0..STEPS {
            if !run.has_time() {
                return Err(Trouble::TooLate);
            }
            let Read { known, remembered, holder_id } = self.read(subject, remembered_of, run).await?;
            if attempt == 0 && known.unvouched > 0 {
                run.report.add(Metric::Unvouched, known.unvouched);
                Entry::new(What::Unvouched, &subject.case_id, subject.opening, self.now()).log();
            }
            let grant = remembered.file().grant(&subject.case_id, subject.opening).cloned();
            let facts = Facts {
                decision: known.decision.as_ref(),
                revocation: known.revocation.as_ref(),
                case: known.case.as_ref(),
                setting: &self.setting,
            };
            let is_over = grant.as_ref().is_some_and(Grant::is_over);
            let wanted = reconcile::holder(&facts, grant.as_ref()).filter(|_| !is_over);
            if let Some(holder) = &wanted {
                let depth = depth(&facts, grant.as_ref(), subject);
                let is_shown = shown.as_ref().is_some_and(|shown| shown.holder == *holder && shown.depth == depth);
                if !is_shown {
                    let entity = self.look(holder, holder_id.as_deref().unwrap_or_default(), &depth).await?;
                    shown = Some(Shown { holder: holder.clone(), depth, entity });
                    // The table is read after IAM: what was given in between is remembered by then.
                    continue;
                }
            }
            let entity = shown.as_ref().filter(|_| wanted.is_some()).and_then(|shown| shown.entity.as_ref());
            let others = remembered.file().others(&subject.case_id, subject.opening);
            match step(&facts, &self.limits, grant.as_ref(), entity, others, self.now()) {
                Step::Record(next) => {
                    let entry = self.entry(What::Grant, subject, &known).of(&next);
                    if self.record(remembered, next.clone(), entry.clone()).await? == Committed::Yes {
                        entry.log();
                        count(run, &next);
                    } else {
                        pause(attempt).await;
                    }
                }
                Step::Apply(change) => {
                    self.apply(subject, &known, holder_id.as_deref(), &change, run).await?;
                    shown = None;
                }
                Step::Wait(_) | Step::Done => {
                    if self.rest(subject, &known, holder_id.as_deref(), remembered, run).await? == Committed::Yes {
                        run.done.insert(subject.clone());
                        return Ok(());
                    }
                    pause(attempt).await;
                }
            }
        }
        Err(Trouble::Contended)
    }

    /// Reads everything about a decision. Where nobody can say whether it is vouched for, it is not believed, but what has to end is
    /// ended all the same: a key that is out of order must not keep anybody's permission alive.
    async fn read(&self, subject: &Subject, remembered_of: Option<&str>, run: &Run) -> Result<Read, Trouble> {
        let Subject { case_id, opening } = subject;
        let mut keys = subject.keys();
        keys.extend(Remembered::keys(case_id, *opening, remembered_of));
        let documents = self.store.read(&keys).await?;
        let known = subject.known(&documents, &self.voucher, &run.verified).await;
        let mut holder_id = remembered_of.map(str::to_owned);
        let mut remembered = Remembered::read(case_id, *opening, remembered_of, &documents);
        // Where it is remembered is the decision's to say. Who is told otherwise only looks after what somebody left there.
        let target = known.as_ref().ok().and_then(|known| known.decision.as_ref()?.target_id.clone());
        if target.is_some() && target != holder_id && remembered.file().grant(case_id, *opening).is_none() {
            let documents = self.store.read(&Remembered::keys(case_id, *opening, target.as_deref())).await?;
            remembered = Remembered::read(case_id, *opening, target.as_deref(), &documents);
            holder_id = target;
        }
        let known = match known {
            Ok(known) => known,
            Err(why) => {
                let now = self.now();
                let has_to_end = |grant: &Grant| grant.end().is_some() || now >= grant.not_after;
                if !remembered.file().grant(case_id, *opening).is_some_and(has_to_end) {
                    return Err(why);
                }
                warn!(%why, case = case_id, "its time is over: it ends without");
                Known::default()
            }
        };
        Ok(Read { known, remembered, holder_id })
    }

    async fn look(&self, holder: &Holder, id: &str, depth: &Depth) -> Result<Option<Entity>, Trouble> {
        let look = async |look: Look<'_>| self.iam.look(holder, id, look).await.map_err(Trouble::Iam);
        match depth {
            Depth::Attached => look(Look::Attached).await,
            Depth::Inline(name) => look(Look::Inline(name)).await,
            Depth::AllInline => look(Look::AllInline).await,
            Depth::Either(name) => {
                let Some(entity) = look(Look::Attached).await? else { return Ok(None) };
                let inline = look(Look::Inline(name)).await?.filter(|inline| inline.id == entity.id);
                Ok(inline.map(|inline| Entity { inline: inline.inline, ..entity }))
            }
        }
    }

    async fn record(&self, mut remembered: Remembered, next: Grant, entry: Entry) -> Result<Committed, Trouble> {
        remembered.remember(next, entry);
        Ok(self.store.commit(&remembered.writes(self.now())).await?)
    }

    /// Makes a change, and writes down what IAM answered. The line of the log comes first: whatever becomes of the table, it was
    /// done.
    async fn apply(
        &self,
        subject: &Subject,
        known: &Known,
        holder_id: Option<&str>,
        change: &Change,
        run: &mut Run,
    ) -> Result<(), Trouble> {
        let changed = self.iam.change(change).await;
        let mut entry = self.entry(What::Change, subject, known).answered(change, &changed);
        entry.holder_id = holder_id.map(str::to_owned);
        entry.log();
        if let Err(why) = &changed.result {
            warn!(%why, case = subject.case_id, "IAM was not changed, or has not said so");
            run.report.add(Metric::OwnDenials, u64::from(matches!(why, adapters::iam::Refusal::Denied(_))));
        }
        let answer = changed.result.as_ref().map(|()| ()).map_err(failure);
        for attempt in 0..TRIES {
            let keys = Remembered::keys(&subject.case_id, subject.opening, holder_id);
            let documents = self.store.read(&keys).await?;
            let mut remembered = Remembered::read(&subject.case_id, subject.opening, holder_id, &documents);
            let now = self.now();
            match remembered.file().grant(&subject.case_id, subject.opening).cloned() {
                Some(grant) => {
                    let next = answered(&grant, change, &answer, now);
                    let entry = entry.clone();
                    let is_new_state = grant.state != next.state;
                    remembered.remember(next.clone(), entry);
                    if self.store.commit(&remembered.writes(now)).await? == Committed::Yes {
                        if is_new_state {
                            self.entry(What::Grant, subject, known).of(&next).log();
                            count(run, &next);
                        }
                        return Ok(());
                    }
                }
                // Somebody has removed what was remembered: the sweep finds what hangs there without it.
                None => return Ok(()),
            }
            pause(attempt).await;
        }
        Err(Trouble::Contended)
    }

    pub(crate) fn entry(&self, what: What, subject: &Subject, known: &Known) -> Entry {
        Entry::new(what, &subject.case_id, subject.opening, self.now()).by(known.decision.as_ref())
    }
}

fn depth(facts: &Facts<'_>, grant: Option<&Grant>, subject: &Subject) -> Depth {
    let name = || reconcile::inline_name(&subject.case_id, subject.opening);
    let entitled = permission(facts).ok().map(|entitlement| entitlement.permission);
    match (grant.map(|grant| (&grant.permission, &grant.state)), entitled) {
        (Some((Permission::Attached { .. }, _)), _) | (None, Some(Permission::Attached { .. })) => Depth::Attached,
        // All of them have to fit together.
        (Some((Permission::Inline { .. }, State::Giving)), _) | (None, Some(Permission::Inline { .. })) => {
            Depth::AllInline
        }
        (Some((Permission::Inline { name, .. }, _)), _) => Depth::Inline(name.clone()),
        (None, None) => Depth::Either(name()),
    }
}

fn count(run: &mut Run, grant: &Grant) {
    match grant.state {
        State::Given => run.report.add(Metric::Given, 1),
        State::Ended(_) => run.report.add(Metric::Ended, 1),
        State::Giving | State::Taking(_) | State::Taken(_) => {}
    }
}

/// Longer each time, and different for two who met: the clock's last digits serve as chance.
async fn pause(attempt: u32) {
    let chance = u64::try_from(milliseconds(std::time::SystemTime::now()) % 20).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis((10 << attempt.min(5)) + chance)).await;
}
