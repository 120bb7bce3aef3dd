//! Somebody who can write to the table, whatever stands there, and vouch for nothing.

use access::{
    decision::{Answer, Decision},
    reconcile::{self, End, Holder, HolderFile, Permission, State},
};

use super::world::{HOUR, Key, World, saanvi};

impl World {
    pub(super) fn somebody_forges(&mut self) {
        self.counts.saw("forged");
        self.is_touched = true;
        match self.below(8) {
            0 | 1 => self.somebody_forges_a_decision(),
            2 => {
                let keys: Vec<Key> = self.decisions.keys().cloned().collect();
                let Some(key) = self.one(&keys) else { return };
                self.counts.saw("decision deleted");
                self.decisions.remove(&key);
                self.lost.insert(key);
            }
            3 | 4 => self.somebody_forges_a_case(),
            _ => self.somebody_forges_grants(),
        }
    }

    fn somebody_forges_a_decision(&mut self) {
        let ids: Vec<String> = self.cases.keys().cloned().collect();
        let Some(case) = self.one(&ids).map(|id| self.cases[&id].clone()) else { return };
        let key = (case.id.clone(), case.opening);
        let diagnosed = case.diagnosed(&self.setting);
        let remedies = &diagnosed.diagnosis.remedies;
        let shown: Vec<String> = remedies.iter().map(|remedy| access::grant::approved(&case.id, remedy)).collect();
        let offers: Vec<String> = remedies.iter().filter_map(|remedy| remedy.hash.clone()).collect();
        let copied: Vec<Decision> = self.decisions.values().cloned().collect();
        match self.below(4) {
            // One written by hand.
            0 => {
                let decision = Decision {
                    case_id: case.id.clone(),
                    opening: case.opening,
                    answer: Answer::Approve,
                    remedy: self.one(&offers),
                    shown: self.one(&shown),
                    target_id: diagnosed.diagnosis.principal.unique_id,
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
            // One that shows something else.
            _ => {
                let shown = self.one(&shown);
                if let Some(decision) = self.decisions.get_mut(&key) {
                    decision.shown = shown;
                }
            }
        }
    }

    fn somebody_forges_a_case(&mut self) {
        let ids: Vec<String> = self.cases.keys().cloned().collect();
        let (Some(id), Some(other)) = (self.one(&ids), self.one(&ids)) else { return };
        self.counts.saw("case forged");
        match self.below(3) {
            0 => {
                self.cases.remove(&id);
            }
            1 => self.cases.get_mut(&id).unwrap().opening += 1,
            // Somebody else's denial, or another one, under this case's id.
            _ => {
                let record = self.cases[&other].record.clone();
                self.cases.get_mut(&id).unwrap().record = record;
            }
        }
    }

    /// What is remembered of grants.
    fn somebody_forges_grants(&mut self) {
        let keys: Vec<String> = self.files.keys().cloned().collect();
        let (Some(key), Some(other)) = (self.one(&keys), self.one(&keys)) else { return };
        let (version, mut file) = self.file(&key);
        self.counts.saw("grant forged");
        let altered: Vec<Key> = file.grants.iter().map(|grant| (grant.case_id.clone(), grant.opening)).collect();
        self.lost.extend(altered);
        let now = self.now;
        match self.below(8) {
            0 => file.grants.clear(),
            // An administrator's own policy, or one of ours that nobody approved.
            1 => {
                let other = ["other-0", "trailpass/trailpass-lake-query"][self.below(2)];
                for grant in &mut file.grants {
                    let policy_arn = format!("arn:aws:iam::111122223333:policy/{other}");
                    grant.permission = Permission::Attached { policy_arn };
                }
            }
            2 => {
                let policy = ["trailpass-by-hand", "administrator"][self.below(2)];
                for grant in &mut file.grants {
                    grant.permission = Permission::Inline { name: policy.to_owned(), document: "{}".into() };
                }
            }
            // Later ends, other holders, other states, tries put off for ever.
            3 => file.grants.iter_mut().for_each(|grant| grant.not_after += 100 * HOUR),
            4 => {
                let holder = [Holder::User("bob".into()), Holder::User("alicia".into()), Holder::Role("reader".into())];
                let holder = self.one(&holder).unwrap();
                file.grants.iter_mut().for_each(|grant| grant.holder = holder.clone());
            }
            5 => {
                let states = [
                    State::Given,
                    State::Giving,
                    State::Taking(End::Revoked),
                    State::Taken(End::Revoked),
                    State::Ended(End::Lapsed),
                ];
                let state = self.one(&states).unwrap();
                let put_off = self.below(2) == 0;
                for grant in &mut file.grants {
                    grant.state = state.clone();
                    if put_off {
                        grant.retry_at = now + 1000 * HOUR;
                        grant.absent_since = Some(now + 1000 * HOUR);
                    }
                }
            }
            6 => {
                let mut twice = file.grants.clone();
                twice.iter_mut().for_each(|grant| grant.state = State::Ended(End::Expired));
                file.grants.splice(0..0, twice);
            }
            // Another holder's grants, or what can't be read.
            _ => {
                let mut other: HolderFile = self.file(&other).1;
                let id = key.trim_start_matches(&reconcile::key("")).to_owned();
                if self.below(2) == 0 {
                    other.grants.iter_mut().for_each(|grant| grant.holder_id.clone_from(&id));
                }
                file.grants.extend(other.grants);
                if self.below(4) == 0 {
                    self.files.insert(key, (version.unwrap_or(0) + 1, "{\"grants\": 1}".into()));
                    return;
                }
            }
        }
        self.files.insert(key, (version.unwrap_or(0) + 1, serde_json::to_string(&file).unwrap()));
    }
}
