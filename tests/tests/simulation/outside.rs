//! What happens to a world from outside: administrators who know nothing of us, an attacker, IAM's own moods. And what must hold.

use std::collections::BTreeSet;

use access::{
    decision::{Answer, Decision},
    reconcile::{Change, Failure, Holder, HolderFile, Permission},
};

use super::world::{HOUR, Key, World, saanvi};

impl World {
    /// An administrator at work, who knows nothing of us.
    pub(super) fn somebody_touches_iam(&mut self) {
        let holder = {
            let all = self.holders();
            self.one(&all).unwrap()
        };
        let what = self.below(4);
        self.is_touched = true;
        match (what, self.iam.get_mut(&holder)) {
            (_, None) => self.make(holder),
            (0, Some(_)) => {
                self.iam.remove(&holder);
            }
            (1, Some(_)) => self.make(holder),
            (2, Some(entity)) => {
                entity.attached.retain(|arn| !arn.contains("/trailpass/"));
                entity.inline.clear();
            }
            (_, Some(entity)) => {
                entity
                    .inline
                    .values_mut()
                    .for_each(|document| *document = document.replace("cloudtrail:", "cloudtrail:*"));
            }
        }
    }

    /// Somebody who can write to the table, and vouch for nothing.
    pub(super) fn somebody_forges(&mut self) {
        self.counts.saw("forged");
        self.is_touched = true;
        let ids: Vec<String> = self.cases.keys().cloned().collect();
        let Some(case) = self.one(&ids).map(|id| self.cases[&id].clone()) else { return };
        let key = (case.id.clone(), case.opening);
        let offers: Vec<String> =
            case.diagnosed(&self.setting).diagnosis.remedies.iter().filter_map(|r| r.hash.clone()).collect();
        let copied: Vec<Decision> = self.decisions.values().cloned().collect();
        match self.below(4) {
            // A decision written by hand.
            0 => {
                let decision = Decision {
                    case_id: case.id.clone(),
                    opening: case.opening,
                    answer: Answer::Approve,
                    remedy: self.one(&offers),
                    shown: None,
                    target_id: case.diagnosed(&self.setting).diagnosis.principal.unique_id,
                    by: saanvi(),
                    decided_at: self.now,
                    not_after: self.now + HOUR,
                    rules: "rules".into(),
                };
                // A forger who writes what decide would have written still has no code for it.
                if !self.vouched.contains(&decision.message()) {
                    self.decisions.insert(key, decision);
                }
            }
            // A real one, copied to another case, or put back.
            1 => {
                if let Some(decision) = self.one(&copied) {
                    self.decisions.insert(key, decision);
                }
            }
            // A longer one.
            2 => {
                if let Some(decision) = self.decisions.get_mut(&key) {
                    decision.not_after += 4 * HOUR;
                }
            }
            // What is remembered of grants: another policy, or nothing at all.
            _ => {
                let keys: Vec<String> = self.files.keys().cloned().collect();
                let Some(key) = self.one(&keys) else { return };
                let (version, mut file) = self.file(&key);
                if self.below(2) == 0 {
                    file.grants.clear();
                }
                // An administrator's own policy, or one of ours that nobody approved.
                let other = ["other-0", "trailpass/trailpass-lake-query"][self.below(2)];
                for grant in &mut file.grants {
                    let policy_arn = format!("arn:aws:iam::111122223333:policy/{other}");
                    grant.permission = Permission::Attached { policy_arn };
                }
                self.files.insert(key, (version.unwrap_or(0) + 1, serde_json::to_string(&file).unwrap()));
            }
        }
    }

    /// IAM. It may fail before a change, or after it.
    pub(super) fn change(&mut self, change: &Change) -> Result<(), Failure> {
        if self.once_in(8) {
            self.counts.saw("failed before");
            return Err(Failure::Passing);
        }
        if self.once_in(60) {
            return Err(Failure::Lasting("UnmodifiableEntity".into()));
        }
        let (Change::Attach(holder, _)
        | Change::Detach(holder, _)
        | Change::Put(holder, ..)
        | Change::Delete(holder, _)) = change;
        let Some(entity) = self.iam.get_mut(holder) else { return Err(Failure::Gone) };
        let is_ours = |name: &str| assert!(name.contains("trailpass"), "an administrator's own {name} is touched");
        match change {
            Change::Attach(_, arn) => {
                is_ours(arn);
                if entity.attached.len() >= entity.attachable {
                    return Err(Failure::Lasting("LimitExceeded".into()));
                }
                entity.attached.insert(arn.clone());
                self.counts.saw("attached");
            }
            Change::Detach(_, arn) => {
                is_ours(arn);
                if !entity.attached.remove(arn) {
                    return Err(Failure::Gone);
                }
            }
            Change::Put(_, name, document) => {
                is_ours(name);
                let is_approved = self.approved.values().any(|(_, _, permission)| {
                    matches!(permission, Permission::Inline { name: own, document: shown } if own == name && shown == document)
                });
                assert!(is_approved, "{name} is wider than what was approved: {document}");
                entity.inline.insert(name.clone(), document.clone());
                self.counts.saw("written inline");
            }
            Change::Delete(_, name) => {
                is_ours(name);
                if entity.inline.remove(name).is_none() {
                    return Err(Failure::Gone);
                }
            }
        }
        if self.once_in(8) {
            self.counts.saw("failed after");
            return Err(Failure::Passing);
        }
        Ok(())
    }

    /// What hangs on users and roles under our names.
    fn held(&self) -> Vec<(Holder, String)> {
        let of = |(holder, entity): (&Holder, &access::reconcile::Entity)| {
            let attached = entity.attached.iter().filter(|arn| arn.contains("trailpass"));
            let all: Vec<_> = attached.chain(entity.inline.keys()).map(|name| (holder.clone(), name.clone())).collect();
            all
        };
        self.iam.iter().flat_map(of).collect()
    }

    fn approvals_of<'a>(&'a self, holder: &'a Holder, name: &'a str) -> impl Iterator<Item = (&'a Key, &'a Decision)> {
        self.approved.iter().filter_map(move |(key, (decision, for_holder, permission))| {
            let is_it = match permission {
                Permission::Attached { policy_arn } => policy_arn == name,
                Permission::Inline { name: own, .. } => own == name,
            };
            (is_it && for_holder == holder).then_some((key, decision))
        })
    }

    /// At every moment.
    pub fn nobody_holds_what_nobody_gave(&self) {
        for (holder, name) in self.held() {
            assert!(
                self.approvals_of(&holder, &name).next().is_some(),
                "{holder:?} holds {name}, which nobody approved"
            );
        }
    }

    /// After a sweep in which nothing failed: nobody holds what has ended, save where a removal waits for its next try.
    pub(super) fn a_calm_sweep(&mut self) {
        self.is_calm = true;
        self.sweep();
        let now = self.now;
        let waiting: BTreeSet<String> = self
            .all_files()
            .flat_map(|file| file.grants)
            .filter(|grant| grant.failures > 0)
            .map(|grant| match grant.permission {
                Permission::Attached { policy_arn } => policy_arn,
                Permission::Inline { name, .. } => name,
            })
            .collect();
        for (holder, name) in self.held().into_iter().filter(|(_, name)| !waiting.contains(name)) {
            let is_live = self.approvals_of(&holder, &name).any(|(key, decision)| {
                now < decision.not_after
                    && !self.revocations.get(key).is_some_and(|r| self.vouched.contains(&r.message()))
            });
            assert!(is_live, "{holder:?} still holds {name}");
        }
        self.is_calm = false;
    }

    fn all_files(&self) -> impl Iterator<Item = HolderFile> {
        self.files.values().map(|(_, body)| serde_json::from_str(body).unwrap())
    }

    /// Whatever happened: a day later, with nothing in the way, everything is over and nothing is left.
    pub fn everything_ends(&mut self) {
        self.is_calm = true;
        self.now += 24 * HOUR;
        self.sweep();
        assert_eq!(self.held(), [], "left behind");
        // What IAM does not show has to be missing for a while.
        self.now += HOUR;
        self.sweep();
        let unfinished: Vec<_> =
            self.all_files().flat_map(|file| file.grants).filter(|grant| !grant.is_over()).collect();
        assert_eq!(unfinished, [], "not over");
    }
}
