//! The sweep: everything that nobody's click wakes us for.
//!
//! A time that is over, a removal to be tried again, a stream that lost a record, somebody who changed IAM or the table by hand.
//! What there is to look at comes from four places, so that none of them alone can hide anything: the list of what is
//! unfinished, the decisions of this hour and the last, IAM's own word on who holds our policies, and the requests that
//! lapse. With nothing to do it costs the same however many cases there are: one read of the table, and one call to IAM for
//! each of our policies.

use std::{collections::BTreeSet, time::SystemTime};

use access::{
    decision,
    grant::{GrantMode, OWN_POLICIES},
    reconcile::{self, Grant, Holder, HolderFile, history_key, orphaned_attachment},
};
use adapters::{
    audit::{Entry, What},
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

/// Decisions of one hour that a sweep reads. More than anybody makes; a list that somebody has filled must not fill us.
const DECISIONS: usize = 500;

impl<S: Store> Reconcile<S> {
    /// Looks after everything that is unfinished in an account.
    pub async fn sweep(&self, account: &Account, deadline: SystemTime) -> Report {
        let mut run = Run::new(deadline);
        let now = self.now();
        let hours = [now / 3600, now / 3600 - 1].map(decision::hour_key);
        let keys: Vec<String> =
            [ACTIVE.to_owned()].into_iter().chain(hours.clone()).chain(requests::keys(now)).collect();
        let documents = match self.store.read(&keys).await {
            Ok(documents) => documents,
            Err(why) => {
                // Who holds our policies can still be asked.
                run.failed("the sweep's lists", &Trouble::Store(why));
                Vec::new()
            }
        };
        let body = |key: &str| documents.iter().find(|found| found.key == key).map(|found| found.body.as_str());
        // First what is unfinished: a permission whose time is over is among it.
        let active = body(ACTIVE).map(Active::read).unwrap_or_default();
        for Unfinished { case_id, opening, holder_id, .. } in active.in_order(now) {
            let subject = Subject { case_id, opening };
            self.look_after(&subject, holder_id.as_deref(), &mut run).await;
        }
        if self.setting.mode != GrantMode::None {
            self.look_after_holders(account, &mut run).await;
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
                    self.look_after(&subject, None, &mut run).await;
                }
            }
            Err(why) => run.failed("the last decisions", &why),
        }
        if let Err(why) = self.look_after_requests(&documents, now, &mut run).await {
            run.failed("requests that wait", &why);
        }
        run.report()
    }

    async fn look_after(&self, subject: &Subject, holder_id: Option<&str>, run: &mut Run) {
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
                if let Err(why) = self.look_after_holder(&arn, holder, id, run).await {
                    run.failed(id, &why);
                }
            }
        }
    }

    async fn look_after_holder(&self, arn: &str, holder: &Holder, id: &str, run: &mut Run) -> Result<(), Trouble> {
        for grant in self.file(id).await?.grants.into_iter().filter(|grant| !grant.is_over()) {
            let Grant { case_id, opening, .. } = grant;
            self.look_after(&Subject { case_id, opening }, Some(id), run).await;
        }
        let file = self.file(id).await?;
        let Some(change) = orphaned_attachment(arn, holder, id, &file) else { return Ok(()) };
        // A name may have come to be another's since IAM gave the list.
        let entity = self.iam.look(holder, id, adapters::iam::Look::Attached).await.map_err(Trouble::Iam)?;
        if !entity.is_some_and(|entity| entity.id == id && entity.attached.contains(arn)) {
            return Ok(());
        }
        if orphaned_attachment(arn, holder, id, &self.file(id).await?).is_none() {
            return Ok(());
        }
        run.report.add(Metric::Orphans, 1);
        let changed = self.iam.change(&change).await;
        let mut entry = Entry::new(What::Orphan, "", 0, self.now()).answered(&change, &changed);
        entry.holder_id = Some(id.to_owned());
        entry.log();
        changed.result.map_err(Trouble::Iam)
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
    list.keys.into_iter().take(DECISIONS).collect()
}
