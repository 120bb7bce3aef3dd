//! What reconcile does on its schedule: every decision, whatever is remembered, and what IAM holds beside that.

use access::reconcile::{self, Change, Grant, Holder, HolderFile};

use super::world::{MINUTE, World, names};

impl World {
    pub fn sweep(&mut self) {
        for key in self.decisions.keys().cloned().collect::<Vec<_>>() {
            self.reconcile(&key, None, 0);
        }
        // What is remembered is looked after even if its decision is gone.
        for file_key in self.files.keys().cloned().collect::<Vec<_>>() {
            for grant in self.file(&file_key).1.grants {
                self.reconcile(&(grant.case_id, grant.opening), Some(&file_key), 0);
            }
        }
        for held in self.list() {
            let (_, file) = self.file(&reconcile::key(&held.id));
            let now = self.now;
            // Everything that is remembered has just been looked after, so that what is believed is what was decided.
            let is_believed = |grant: &Grant| {
                let decision = self.decisions.get(&(grant.case_id.clone(), grant.opening));
                let vouched = decision.filter(|decision| self.vouched.contains(&decision.message()));
                vouched.is_some_and(|decision| now < decision.not_after + 15 * MINUTE)
            };
            let orphan = reconcile::orphaned_attachment(&held.policy, &held.holder, &held.id, &file, is_believed);
            self.take_orphans(&held.holder, orphan, &file);
        }
    }

    fn take_orphans(&mut self, holder: &Holder, orphans: impl IntoIterator<Item = Change>, file: &HolderFile) {
        for change in orphans {
            let (Change::Detach(_, policy) | Change::Delete(_, policy)) = &change else { panic!("{change:?}") };
            let is_put_off = file.grants.iter().any(|grant| !grant.is_over() && names(&grant.permission) == policy);
            let is_held = self.held().iter().any(|held| held.holder == *holder && held.policy == *policy);
            assert!(self.is_touched || is_put_off || !is_held, "{change:?} is left to be swept, though nobody meddled");
            self.counts.saw("orphaned");
            let _ = self.change(&change);
        }
    }
}
