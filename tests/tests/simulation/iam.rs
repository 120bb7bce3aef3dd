//! The IAM of a world: it shows what was a moment ago, it fails before and after a change, and users in it are renamed.

use std::collections::BTreeSet;

use access::reconcile::{Change, Entity, Failure, Holder, Permission};

use super::world::{ATTACHABLE, MINUTE, World, names};

/// How late IAM may show a change.
const LATE: i64 = 2 * MINUTE;
/// What the operator asks for, now and then.
pub const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

/// Something of ours on a user or a role: its name now, its unique id, and which policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub holder: Holder,
    pub id: String,
    pub policy: String,
}

impl World {
    pub(super) fn make(&mut self, holder: Holder) {
        self.next_id += 1;
        let kind = if matches!(holder, Holder::User(_)) { "AIDA" } else { "AROA" };
        // Now and then somebody has as many policies as IAM takes.
        let attached = if self.below(12) == 0 { ATTACHABLE } else { self.below(3) };
        let others = (0..attached).map(|n| format!("arn:aws:iam::111122223333:policy/other-{n}")).collect();
        let mut entity = Entity {
            id: format!("{kind}J45Q7YFF{:04}EXAMPLE", self.next_id),
            path: "/".into(),
            boundary: (self.below(4) > 0).then(|| BOUNDARY.to_owned()),
            attached: others,
            attachable: ATTACHABLE,
            ..Entity::default()
        };
        // An administrator's own, by a name that is nearly one of ours.
        entity.inline.insert("trailpass-by-hand".into(), "{}".into());
        self.set(holder, Some(entity));
    }

    /// Changes what IAM holds; what it held is shown to some for a while yet.
    pub(super) fn set(&mut self, holder: Holder, entity: Option<Entity>) {
        let before = match entity {
            Some(entity) => self.iam.insert(holder.clone(), entity),
            None => self.iam.remove(&holder),
        };
        self.past.push((self.now, holder, before));
    }

    /// What IAM shows under a name, and whether that is how it is.
    pub(super) fn look(&mut self, holder: &Holder) -> (Option<Entity>, bool) {
        let is_shown = |(until, of, _): &&(i64, Holder, Option<Entity>)| of == holder && self.now - until <= LATE;
        let past: Vec<Option<Entity>> = self.past.iter().filter(is_shown).map(|(.., before)| before.clone()).collect();
        if !past.is_empty() && self.once_in(5) {
            self.counts.saw("looked too early");
            return (self.one(&past).flatten(), false);
        }
        (self.iam.get(holder).cloned(), true)
    }

    /// `ListEntitiesForPolicy`, for each of the stack's own.
    pub(super) fn list(&mut self) -> Vec<Held> {
        let mut holders: BTreeSet<Holder> = self.iam.keys().cloned().collect();
        holders.extend(self.past.iter().map(|(_, holder, _)| holder.clone()));
        let mut list = Vec::new();
        for holder in holders {
            let Some(entity) = self.look(&holder).0 else { continue };
            let ours = entity.attached.iter().filter(|arn| arn.contains("/trailpass/"));
            list.extend(ours.map(|arn| Held { holder: holder.clone(), id: entity.id.clone(), policy: arn.clone() }));
        }
        list
    }

    /// A change. IAM may fail before it is made, or after.
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
        let Some(mut entity) = self.iam.get(holder).cloned() else { return Err(Failure::Gone) };
        let is_ours = |name: &str| {
            let is_it = name.starts_with("trailpass-") && name != "trailpass-by-hand" || name.contains("/trailpass/");
            assert!(is_it, "an administrator's own {name} is touched");
        };
        match change {
            Change::Attach(_, arn) => {
                is_ours(arn);
                if entity.attached.len() >= entity.attachable && !entity.attached.contains(arn) {
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
                let is_approved = self.approved.iter().any(|approval| {
                    matches!(&approval.permission, Permission::Inline { name: own, document: shown } if own == name && shown == document)
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
        self.set(holder.clone(), Some(entity));
        if self.once_in(8) {
            self.counts.saw("failed after");
            return Err(Failure::Passing);
        }
        if self.once_in(30) {
            self.counts.saw("refused after");
            return Err(Failure::Lasting("made all the same".into()));
        }
        Ok(())
    }

    /// What of ours hangs on users and roles. An inline policy whose end has come allows nothing, wherever it hangs.
    pub(super) fn held(&self) -> Vec<Held> {
        let is_over = |name: &str| {
            let mut approved = self.approved.iter().filter(|approval| names(&approval.permission) == name);
            approved.all(|approval| approval.decision.not_after <= self.now)
        };
        let mut held = Vec::new();
        for (holder, entity) in &self.iam {
            let attached = entity.attached.iter().filter(|arn| arn.contains("/trailpass/"));
            let inline = entity.inline.iter().filter(|(name, _)| *name != "trailpass-by-hand");
            let inline = inline.map(|(name, _)| name).filter(|name| !is_over(name));
            held.extend(attached.chain(inline).map(|policy| Held {
                holder: holder.clone(),
                id: entity.id.clone(),
                policy: policy.clone(),
            }));
        }
        held
    }

    /// An administrator at work, who knows nothing of us.
    pub(super) fn somebody_touches_iam(&mut self) {
        let holders: Vec<Holder> = self.iam.keys().cloned().collect();
        let all = self.holders();
        let what = self.below(7);
        self.is_touched = true;
        let hold_ours: Vec<Holder> = self.held().into_iter().map(|held| held.holder).collect();
        let among = match what {
            0 => &all,
            3..=5 if !hold_ours.is_empty() => &hold_ours,
            _ => &holders,
        };
        let Some(holder) = self.one(among) else { return };
        let before = self.iam.get(&holder).cloned();
        match (what, before) {
            (0 | 1, _) => self.make(holder),
            (_, None) => {}
            (2, Some(_)) => self.set(holder, None),
            (3 | 4, Some(mut entity)) => {
                entity.attached.retain(|arn| !arn.contains("/trailpass/"));
                entity.inline.retain(|name, _| name == "trailpass-by-hand");
                self.set(holder, Some(entity));
            }
            (5, Some(mut entity)) => {
                for document in entity.inline.values_mut() {
                    *document = document.replace("cloudtrail:", "cloudtrail:*");
                }
                if self.below(2) == 0 {
                    entity.boundary = None;
                }
                self.set(holder, Some(entity));
            }
            // A user's name changes; id and policies stay.
            (_, Some(entity)) => {
                let name = ["alice", "bob", "alicia"][self.below(3)];
                let to = Holder::User(name.to_owned());
                if matches!(holder, Holder::User(_)) && !self.iam.contains_key(&to) {
                    self.counts.saw("renamed");
                    self.set(holder, None);
                    self.set(to, Some(entity));
                }
            }
        }
    }
}
