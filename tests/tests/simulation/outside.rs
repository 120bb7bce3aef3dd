//! What must hold, whatever happens.

use access::{
    grant::GrantMode,
    reconcile::{Grant, Holder, HolderFile},
};

use super::{
    iam::Held,
    world::{Approval, HOUR, MINUTE, World, names},
};

impl World {
    /// The approvals of a policy for whoever holds it, by the unique id: names are given anew.
    fn approvals_of<'a>(&'a self, held: &'a Held) -> impl Iterator<Item = &'a Approval> {
        self.approved.iter().filter(|approval| {
            *names(&approval.permission) == held.policy && approval.decision.target_id.as_ref() == Some(&held.id)
        })
    }

    /// Whether it came to whoever bore a name by then. Who is renamed keeps it.
    fn is_mistaken(&self, held: &Held) -> bool {
        self.mistaken.iter().any(|mistake| (&mistake.id, &mistake.policy) == (&held.id, &held.policy))
    }

    /// At every moment.
    pub fn nobody_holds_what_nobody_gave(&self) {
        for held in self.held() {
            assert!(
                self.is_mistaken(&held) || self.approvals_of(&held).next().is_some(),
                "{held:?}, which nobody approved"
            );
        }
    }

    /// Whether this approval, as it stands in the table, lets somebody hold something now.
    fn may_hold(&self, held: &Held, Approval { key, decision, .. }: &Approval) -> bool {
        let is_inline = !held.policy.contains('/');
        let has_mode = match self.setting.mode {
            GrantMode::None => false,
            GrantMode::Managed => !is_inline,
            GrantMode::Exact => true,
        };
        let (Holder::User(name) | Holder::Role(name)) = &held.holder;
        let entity = &self.iam[&held.holder];
        let is_bounded = self.limits.boundary.is_none() || self.limits.boundary == entity.boundary;
        let is_revoked = self.revocations.get(key).is_some_and(|r| self.vouched.contains(&r.message()));
        self.now < decision.not_after
            && self.decisions.get(key) == Some(decision)
            && !is_revoked
            && has_mode
            && (!is_inline || is_bounded)
            && !self.setting.guardrails.protect_entity(name, &entity.path)
    }

    /// After a sweep in which nothing failed: nobody holds what has ended.
    pub(super) fn a_calm_sweep(&mut self) {
        self.is_calm = true;
        self.sweep();
        for held in self.held() {
            let may = self.approvals_of(&held).any(|approval| self.may_hold(&held, approval));
            assert!(may || self.is_put_off(&held) || self.can_t_be_found(&held), "still {held:?}");
        }
        self.is_calm = false;
    }

    /// Its removal has failed, and is tried again after a pause, which nobody can make longer than a quarter of an hour.
    fn is_put_off(&self, held: &Held) -> bool {
        let of = |grant: &Grant| grant.holder_id == held.id && *names(&grant.permission) == held.policy;
        let is_paused = |grant: &Grant| grant.end().is_some() && !grant.is_over() && grant.retry_at > self.now;
        let is_timely =
            |grant: &Grant| self.now < grant.not_after + 15 * MINUTE && grant.retry_at <= self.now + 15 * MINUTE;
        self.all_files().flat_map(|file| file.grants).any(|grant| of(&grant) && is_paused(&grant) && is_timely(&grant))
    }

    /// An inline policy hangs under a name only, and somebody has made that name, or what is remembered of it, another: nothing
    /// finds it, and it ends by itself.
    fn can_t_be_found(&self, held: &Held) -> bool {
        let is_moved = |of: &Approval| self.lost.contains(&of.key) || of.holder != held.holder;
        !held.policy.contains('/') && (self.is_mistaken(held) || self.approvals_of(held).any(is_moved))
    }

    fn all_files(&self) -> impl Iterator<Item = HolderFile> {
        self.files.keys().map(|key| self.file(key).1)
    }

    /// Whatever happened: a day later, with nothing in the way, everything is over and nothing is left.
    pub fn everything_ends(&mut self) {
        self.is_calm = true;
        self.now += 24 * HOUR;
        self.sweep();
        assert_eq!(self.held(), [], "left behind");
        let is_ours = |name: &&String| *name != "trailpass-by-hand";
        let left: Vec<&String> = self.iam.values().flat_map(|entity| entity.inline.keys()).filter(is_ours).collect();
        assert!(self.is_touched || left.is_empty(), "left over: {left:?}");
        // Whom IAM does not show has to be missing for a while.
        self.now += HOUR;
        self.sweep();
        let unfinished: Vec<_> =
            self.all_files().flat_map(|file| file.grants).filter(|grant| !grant.is_over()).collect();
        assert_eq!(unfinished, [], "not over");
        assert!(self.iam.values().all(|entity| entity.inline.contains_key("trailpass-by-hand")));
        // Nothing is remembered anew with every sweep.
        let files = self.files.clone();
        self.sweep();
        assert_eq!(self.files, files, "never at rest");
    }
}
