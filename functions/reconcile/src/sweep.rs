//! The sweep: everything that nobody's click wakes us for.
//!
//! A time that is over, a removal to be tried again, a stream that lost a record, somebody who changed IAM or the table by hand.
//! What there is to look at comes from four places, so that none of them alone can hide anything: IAM's own word on who holds our
//! policies, the list of what is unfinished, the decisions whose time may not be over, and the requests that lapse. IAM comes first:
//! nobody can fill it with invented work. With nothing to do it costs the same however many cases there are: one read of the table,
//! and one call to IAM for each of our policies.

use std::{collections::BTreeSet, time::SystemTime};

use access::{
    decide::LONGEST,
    decision,
    grant::OWN_POLICIES,
    reconcile::{self, Change, Grant, Holder, HolderFile, history_key, orphaned_attachment},
};
use adapters::{
    audit::{Entry, What},
    iam::Refusal,
    store::{Document, Store},
    telemetry::Metric,
};
use tracing::error;

use crate::{
    facts::Subject,
    handle::{Account, Reconcile, Report, Run, Trouble},
    remembered::{ACTIVE, Active, History, Unfinished},
    requests,
};

/// Questions to the event history. It answers two a second for the whole account, and people ask it, too.
const LOOKUPS: u32 = 2;
/// Decisions of one hour that a sweep reads, the last ones. More than anybody makes; a list that somebody has filled must not fill us.
const DECISIONS: usize = 500;
/// Hours whose decisions are looked for: a decision that nobody could see to while a key or IAM was out of order is found for as long
/// as a grant of it could last.
const HOURS: i64 = LONGEST / 3600 + 1;
/// A removal may take this long before what is still attached is taken for somebody else's work. Seconds.
const REMOVED_BY: i64 = 15 * 60;

impl<S: Store> Reconcile<S> {
    /// Looks after everything that is unfinished in an account.
    pub async fn sweep(&self, account: &Account, deadline: SystemTime) -> Report {
        let mut run = Run { lookups: LOOKUPS, ..Run::new(deadline) };
        let now = self.now();
        let hours: Vec<String> = (0..=HOURS).map(|ago| decision::hour_key(now / 3600 - ago)).collect();
        let keys: Vec<String> =
            [ACTIVE.to_owned()].into_iter().chain(hours.iter().cloned()).chain(requests::keys(now)).collect();
        let documents = match self.store.read(&keys).await {
            Ok(documents) => documents,
            Err(why) => {
                // Who holds our policies can still be asked.
                run.failed("the sweep's lists", &Trouble::Store(why));
                Vec::new()
            }
        };
        let body = |key: &str| documents.iter().find(|found| found.key == key).map(|found| found.body.as_str());
        self.look_after_holders(account, &mut run).await;
        let active = body(ACTIVE).map(Active::read).unwrap_or_default();
        for Unfinished { case_id, opening, holder_id, not_after } in active.in_order(now) {
            let subject = Subject { case_id, opening };
            self.look_after(&subject, holder_id.as_deref(), not_after, &mut run).await;
        }
        let decided: BTreeSet<Subject> = hours
            .iter()
            .filter_map(|key| body(key))
            .flat_map(decisions)
            .filter_map(|key| Subject::of_key(&key))
            .collect();
        match self.unfinished(&decided, &run).await {
            Ok(unfinished) => {
                for subject in unfinished {
                    self.look_after(&subject, None, None, &mut run).await;
                }
            }
            Err(why) => run.failed("the last decisions", &why),
        }
        if let Err(why) = self.look_after_requests(&documents, now, &mut run).await {
            run.failed("requests that wait", &why);
        }
        run.report()
    }

    /// `not_after`: when it has to be over, as somebody has noted it.
    async fn look_after(&self, subject: &Subject, holder_id: Option<&str>, not_after: Option<i64>, run: &mut Run) {
        // What somebody remembered under another holder has to be looked after, too.
        let is_done = match holder_id {
            Some(id) => run.done.contains(&(subject.clone(), Some(id.to_owned()))),
            None => run.is_done(subject),
        };
        if is_done {
            return;
        }
        run.report.add(Metric::Received, 1);
        if let Err(why) = self.drive(subject, holder_id, run).await {
            run.failed(&subject.case_id, &why);
            run.report.add(Metric::Overdue, u64::from(not_after.is_some_and(|end| end <= self.now())));
        }
    }

    /// Those of these decisions that are not known to be through.
    async fn unfinished(&self, decided: &BTreeSet<Subject>, run: &Run) -> Result<Vec<Subject>, Trouble> {
        let left: Vec<&Subject> = decided.iter().filter(|subject| !run.is_done(subject)).collect();
        let keys: Vec<String> = left.iter().map(|subject| history_key(&subject.case_id, subject.opening)).collect();
        let histories = self.store.read(&keys).await?;
        let is_finished = |subject: &&Subject| {
            let key = history_key(&subject.case_id, subject.opening);
            let found = histories.iter().find(|found| found.key == key);
            found.and_then(|found| serde_json::from_str::<History>(&found.body).ok()).is_some_and(|h| h.is_finished)
        };
        Ok(left.into_iter().filter(|subject| !is_finished(subject)).cloned().collect())
    }

    /// Asks IAM who holds our policies, and the table why.
    async fn look_after_holders(&self, account: &Account, run: &mut Run) {
        for own in OWN_POLICIES {
            let arn = own.arn(&account.partition, &account.id);
            let holders = match self.iam.holders_of(&arn).await {
                Ok(holders) => holders,
                Err(why) => {
                    run.failed(own.name, &Trouble::Iam(why));
                    continue;
                }
            };
            if !holders.groups.is_empty() {
                // We may not change groups, and have never attached anything to one.
                error!(policy = arn, groups = ?holders.groups, "somebody has attached our policy to groups");
                run.report.add(Metric::Orphans, holders.groups.len() as u64);
            }
            for (holder, id) in &holders.entities {
                if let Err(why) = self.look_after_holder(&arn, holder, id, account.is_shared, run).await {
                    run.failed(id, &why);
                }
            }
        }
    }

    async fn look_after_holder(
        &self,
        arn: &str,
        holder: &Holder,
        id: &str,
        is_shared: bool,
        run: &mut Run,
    ) -> Result<(), Trouble> {
        for grant in self.file(id).await?.grants.into_iter().filter(|grant| !grant.is_over()) {
            let Grant { case_id, opening, not_after, .. } = grant;
            self.look_after(&Subject { case_id, opening }, Some(id), Some(not_after), run).await;
        }
        if self.orphan(arn, holder, id, run).await?.is_none() {
            return Ok(());
        }
        // A name may have come to be another's since IAM gave the list.
        let entity = self.iam.look(holder, id, adapters::iam::Look::Attached).await.map_err(Trouble::Iam)?;
        if !entity.is_some_and(|entity| entity.id == id && entity.attached.contains(arn)) {
            return Ok(());
        }
        let Some((change, metric)) = self.orphan(arn, holder, id, run).await? else { return Ok(()) };
        run.report.add(metric, 1);
        if is_shared {
            error!(policy = arn, ?holder, holder_id = id, "somebody else has attached this policy: it is left there");
            return Ok(());
        }
        let changed = self.iam.change(&change).await;
        let mut entry = Entry::new(What::Orphan, "", 0, self.now()).answered(&change, &changed);
        entry.holder_id = Some(id.to_owned());
        entry.log();
        match changed.result {
            Ok(()) | Err(Refusal::Gone(_)) => Ok(()),
            Err(why) => Err(Trouble::Iam(why)),
        }
    }

    /// How to take back what nothing accounts for, and what to count it as. A note is believed inside the time that its decision was made for, and a while
    /// longer, since its own removal may not have been shown yet; where nobody can say what was decided, inside its own.
    async fn orphan(
        &self,
        arn: &str,
        holder: &Holder,
        id: &str,
        run: &Run,
    ) -> Result<Option<(Change, Metric)>, Trouble> {
        let now = self.now();
        let is_believed = |grant: &Grant| {
            let subject = Subject { case_id: grant.case_id.clone(), opening: grant.opening };
            match run.ends.get(&subject) {
                Some(decided) => decided.is_some_and(|end| now < end + REMOVED_BY),
                None => grant.may_be_live(now),
            }
        };
        let file = self.file(id).await?;
        let change = orphaned_attachment(arn, holder, id, &file, is_believed);
        // A removal of ours that doesn't come to its end is nobody else's work.
        let is_ours = |grant: &Grant| grant.end().is_some() && !grant.is_over() && grant.holder_id == id;
        let metric = if file.grants.iter().any(is_ours) { Metric::Overdue } else { Metric::Orphans };
        Ok(change.map(|change| (change, metric)))
    }

    async fn file(&self, holder_id: &str) -> Result<HolderFile, Trouble> {
        let key = reconcile::key(holder_id);
        let documents = self.store.read(std::slice::from_ref(&key)).await?;
        Ok(documents.first().map(|Document { body, .. }| HolderFile::read(&key, body)).unwrap_or_default())
    }
}

/// The keys of an hour's decisions.
fn decisions(body: &str) -> Vec<String> {
    let list: decision::HourFile = serde_json::from_str(body).unwrap_or_default();
    let more = list.keys.len().saturating_sub(DECISIONS);
    list.keys.into_iter().skip(more).collect()
}
