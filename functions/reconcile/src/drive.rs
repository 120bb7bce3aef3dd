//! One decision, brought to its rest: observe, plan, remember, change, look again, tell.
//!
//! What has to happen is the plan's to say ([`access::reconcile::step`]); here stands in what order. IAM is looked at first and
//! the table read after that. What a change is for is written down before it is made, and IAM's answer after it, so that a
//! death between any two of them leaves something that the next run finds as it is.

use std::time::Duration;

use access::{
    grant::GrantMode,
    reconcile::{
        self, Change, End, Entity, Facts, Failure, Grant, Holder, Permission, State, Step, answered, given_again,
        inline_name, permission, step,
    },
};
use adapters::{
    audit::{Entry, What},
    iam::{Look, Refusal},
    store::{Committed, Store},
    telemetry::{Metric, milliseconds},
};
use tracing::warn;

use crate::{
    facts::{Known, Subject},
    handle::{Reconcile, Run, Trouble, failure},
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

impl Shown {
    /// Whether IAM shows something of ours there.
    fn is_held(&self) -> bool {
        self.entity.as_ref().is_some_and(|entity| {
            entity.attached.iter().any(|arn| arn.contains(":policy/trailpass/"))
                || entity.inline.keys().any(|name| name.starts_with("trailpass-"))
        })
    }
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
        let mut asked = None;
        for attempt in 0..STEPS {
            if !run.has_time() {
                return Err(Trouble::TooLate);
            }
            let Read { mut known, remembered, holder_id } = self.read(subject, remembered_of, run).await?;
            if attempt == 0 && known.unvouched > 0 {
                run.report.add(Metric::Unvouched, known.unvouched);
                Entry::new(What::Unvouched, &subject.case_id, subject.opening, self.now()).log();
            }
            let grant = remembered.file().grant(&subject.case_id, subject.opening).cloned();
            if let Some(given) = grant.as_ref().filter(|grant| known.is_unverified && grant.end().is_none()) {
                // It was read because its time is over. What it is that ends nobody can say now, and need not.
                let expired = Grant { state: State::Taking(End::Expired), ..given.clone() };
                self.note(remembered, expired, subject, &known, run, attempt).await?;
                continue;
            }
            let now = self.now();
            let is_held = shown.as_ref().is_some_and(Shown::is_held);
            known.case = self.simulated(&known, grant.as_ref(), is_held, now, &mut asked).await?;
            let facts = Facts {
                decision: known.decision.as_ref(),
                revocation: known.revocation.as_ref(),
                case: known.case.as_ref(),
                setting: &self.setting,
            };
            let ends = known.decision.as_ref().map(|decision| decision.not_after);
            let is_over = grant.as_ref().is_some_and(Grant::is_over) && ends.is_none_or(|end| now >= end);
            let wanted = reconcile::holder(&facts, grant.as_ref()).filter(|_| !is_over);
            if let Some(holder) = &wanted {
                let depth = depth(&facts, grant.as_ref(), subject);
                let is_shown = shown.as_ref().is_some_and(|shown| shown.holder == *holder && shown.depth == depth);
                if !is_shown {
                    let looked = self.look(holder, holder_id.as_deref().unwrap_or_default(), &depth).await;
                    let entity = self.understood(looked, grant.as_ref()).inspect_err(|_| {
                        // Nobody can say whether it is still there.
                        let has_to_end = grant.as_ref().is_some_and(|grant| grant.has_to_end(now));
                        run.report.add(Metric::Overdue, u64::from(has_to_end));
                    })?;
                    shown = Some(Shown { holder: holder.clone(), depth, entity });
                    // The table is read after IAM: what was given in between is remembered by then.
                    continue;
                }
            }
            let entity = shown.as_ref().filter(|_| wanted.is_some()).and_then(|shown| shown.entity.as_ref());
            let others = remembered.file().others(&subject.case_id, subject.opening);
            match step(&facts, &self.limits, grant.as_ref(), entity, others, now) {
                Step::Record(next) => self.note(remembered, next, subject, &known, run, attempt).await?,
                Step::Apply(change) => {
                    let next = |grant: &Grant, answer: &_, now| answered(grant, &change, answer, now);
                    self.apply(subject, &known, holder_id.as_deref(), &change, next, run).await?;
                    shown = None;
                }
                Step::GiveAgain(change) => {
                    self.apply(subject, &known, holder_id.as_deref(), &change, given_again, run).await?;
                    shown = None;
                }
                Step::Wait(_) | Step::Done => {
                    if self.rest(subject, &known, holder_id.as_deref(), remembered, run).await? == Committed::Yes {
                        run.done.insert((subject.clone(), holder_id));
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
    async fn read(&self, subject: &Subject, remembered_of: Option<&str>, run: &mut Run) -> Result<Read, Trouble> {
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
            Ok(known) => {
                let end = known.decision.as_ref().map(|decision| decision.not_after);
                run.ends.insert(subject.clone(), end);
                known
            }
            Err(why) => {
                let now = self.now();
                if !remembered.file().grant(case_id, *opening).is_some_and(|grant| grant.has_to_end(now)) {
                    return Err(why);
                }
                warn!(%why, case = case_id, "its time is over: it ends without");
                subject.unverified(&documents)
            }
        };
        Ok(Read { known, remembered, holder_id })
    }

    /// What a look that failed means for what is to be done.
    fn understood(
        &self,
        looked: Result<Option<Entity>, Refusal>,
        grant: Option<&Grant>,
    ) -> Result<Option<Entity>, Trouble> {
        let ends_by_itself =
            |grant: &Grant| matches!(grant.permission, Permission::Inline { .. }) && self.now() >= grant.not_after;
        match looked {
            // The operator has taken the right to inline policies from us. This one allows nothing any more.
            Err(Refusal::Denied(why)) if grant.is_some_and(ends_by_itself) => {
                warn!(why, "an inline policy that has ended can't be looked at, and stays where it is");
                Ok(None)
            }
            looked => looked.map_err(Trouble::Iam),
        }
    }

    async fn look(&self, holder: &Holder, id: &str, depth: &Depth) -> Result<Option<Entity>, Refusal> {
        if !holder.can_be() {
            warn!(?holder, "somebody wrote a name that nobody bears");
            return Ok(None);
        }
        let look = async |look: Look<'_>| self.iam.look(holder, id, look).await;
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

    /// Writes down how far it has come.
    async fn note(
        &self,
        mut remembered: Remembered,
        next: Grant,
        subject: &Subject,
        known: &Known,
        run: &mut Run,
        attempt: u32,
    ) -> Result<(), Trouble> {
        let entry = self.entry(What::Grant, subject, known).of(&next);
        remembered.remember(next.clone(), entry.clone());
        if self.store.commit(&remembered.writes(self.now())).await? == Committed::Yes {
            entry.log();
            count(run, &next);
        } else {
            pause(attempt).await;
        }
        Ok(())
    }

    /// Makes a change, and writes down what IAM answered. The line of the log comes first: whatever becomes of the table, it was
    /// done.
    async fn apply(
        &self,
        subject: &Subject,
        known: &Known,
        holder_id: Option<&str>,
        change: &Change,
        next: impl Fn(&Grant, &Result<(), Failure>, i64) -> Grant,
        run: &mut Run,
    ) -> Result<(), Trouble> {
        let changed = self.iam.change(change).await;
        let mut entry = self.entry(What::Change, subject, known).answered(change, &changed);
        entry.holder_id = holder_id.map(str::to_owned);
        entry.log();
        if let Err(why) = &changed.result {
            warn!(%why, case = subject.case_id, "IAM was not changed, or has not said so");
            run.report.add(Metric::OwnDenials, u64::from(matches!(why, Refusal::Denied(_))));
        }
        let answer = changed.result.clone().map_err(|why| failure(&why));
        for attempt in 0..TRIES {
            let keys = Remembered::keys(&subject.case_id, subject.opening, holder_id);
            let documents = self.store.read(&keys).await?;
            let mut remembered = Remembered::read(&subject.case_id, subject.opening, holder_id, &documents);
            let now = self.now();
            match remembered.file().grant(&subject.case_id, subject.opening).cloned() {
                Some(grant) => {
                    let next = next(&grant, &answer, now);
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
    let entitled = permission(facts).ok().map(|entitlement| entitlement.permission);
    match (grant.map(|grant| (&grant.permission, &grant.state)), entitled) {
        (Some((Permission::Attached { .. }, _)), _) | (None, Some(Permission::Attached { .. })) => Depth::Attached,
        // All of them have to fit together.
        (Some((Permission::Inline { .. }, State::Giving)), _) | (None, Some(Permission::Inline { .. })) => {
            Depth::AllInline
        }
        (Some((Permission::Inline { name, .. }, _)), _) => Depth::Inline(name.clone()),
        // Whatever it was, what is remembered of it may be lost. Inline policies are looked at only where they are given, or may
        // have been: what runs and gives nothing is there to end what another mode has given.
        (None, None) if facts.setting.mode != GrantMode::Managed => {
            Depth::Either(inline_name(&subject.case_id, subject.opening))
        }
        (None, None) => Depth::Attached,
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
