//! A picture of IAM on one machine: what grants would change, rehearsed.
//!
//! Decides that whoever is asked for is there, with the unique id that the record gave and nothing attached: what the account really
//! holds isn't known here, and nothing in it is read. The picture is kept in a file where a folder is given, so that a grant that
//! began before a restart ends after it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use access::reconcile::{Change, Entity, Holder};
use serde::{Deserialize, Serialize};

use super::{ATTACHABLE, Changed, Holders, Refusal};

/// The picture. Its changes are whole: written beside, then put in the place of what was.
#[derive(Debug, Default)]
pub struct LocalIam {
    file: Option<PathBuf>,
    entities: Mutex<BTreeMap<Holder, Entity>>,
    changes: Mutex<Vec<Change>>,
}

/// One user or role in the file.
#[derive(Serialize, Deserialize)]
struct Row {
    holder: Holder,
    id: String,
    attached: std::collections::BTreeSet<String>,
    inline: BTreeMap<String, String>,
}

impl LocalIam {
    /// One that is forgotten with the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// One that is kept in a file, which is made with the first change.
    pub fn kept_in(file: PathBuf) -> io::Result<Self> {
        let rows: Vec<Row> = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let entities = rows
            .into_iter()
            .map(|Row { holder, id, attached, inline }| (holder, Entity { attached, inline, ..stranger(&id) }));
        Ok(Self { file: Some(file), entities: Mutex::new(entities.collect()), changes: Mutex::default() })
    }

    /// Puts somebody into the picture, or takes them out of it, as an administrator would.
    pub fn set(&self, holder: Holder, entity: Option<Entity>) {
        let mut entities = self.entities();
        match entity {
            Some(entity) => drop(entities.insert(holder, entity)),
            None => drop(entities.remove(&holder)),
        }
    }

    /// The changes that were made since this was last asked, in their order: what would have been asked of IAM.
    pub fn taken_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everybody in it.
    pub fn all(&self) -> BTreeMap<Holder, Entity> {
        self.entities().clone()
    }

    pub(super) fn look(&self, holder: &Holder, id: &str) -> Option<Entity> {
        let mut entities = self.entities();
        // Somebody who bears a name twice is one person too many: who is known stays as known.
        let is_known_elsewhere = entities.iter().any(|(other, entity)| other != holder && entity.id == id);
        if is_known_elsewhere {
            return entities.get(holder).cloned();
        }
        Some(entities.entry(holder.clone()).or_insert_with(|| stranger(id)).clone())
    }

    pub(super) fn change(&self, change: &Change) -> Changed {
        let mut entities = self.entities();
        let (Change::Attach(holder, _)
        | Change::Detach(holder, _)
        | Change::Put(holder, ..)
        | Change::Delete(holder, _)) = change;
        let Some(entity) = entities.get_mut(holder) else {
            return Changed {
                result: Err(Refusal::Gone("NoSuchEntity".to_owned())),
                request_id: None,
                is_rehearsed: true,
            };
        };
        match change {
            Change::Attach(_, arn) => drop(entity.attached.insert(arn.clone())),
            Change::Detach(_, arn) => drop(entity.attached.remove(arn)),
            Change::Put(_, name, document) => drop(entity.inline.insert(name.clone(), document.clone())),
            Change::Delete(_, name) => drop(entity.inline.remove(name)),
        }
        let result = self.keep(&entities).map_err(|why| Refusal::Passing(why.to_string()));
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change.clone());
        Changed { result, request_id: None, is_rehearsed: true }
    }

    pub(super) fn holders_of(&self, policy_arn: &str) -> Holders {
        let entities = self.entities();
        let has_it = entities.iter().filter(|(_, entity)| entity.attached.contains(policy_arn));
        Holders {
            entities: has_it.map(|(holder, entity)| (holder.clone(), entity.id.clone())).collect(),
            groups: Vec::new(),
        }
    }

    fn keep(&self, entities: &BTreeMap<Holder, Entity>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let rows: Vec<Row> = entities
            .iter()
            .map(|(holder, entity)| Row {
                holder: holder.clone(),
                id: entity.id.clone(),
                attached: entity.attached.clone(),
                inline: entity.inline.clone(),
            })
            .collect();
        let beside = file.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&rows)?)?;
        fs::rename(beside, file)
    }

    fn entities(&self) -> MutexGuard<'_, BTreeMap<Holder, Entity>> {
        self.entities.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody of whom nothing but the id is known.
fn stranger(id: &str) -> Entity {
    Entity { id: id.to_owned(), path: "/".to_owned(), attachable: ATTACHABLE, ..Entity::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Holder {
        Holder::User("bob".to_owned())
    }

    #[test]
    fn what_was_attached_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(format!("trailpass-picture-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("iam.json");
        let picture = LocalIam::kept_in(file.clone()).unwrap();
        assert_eq!(picture.look(&bob(), "AIDA1").unwrap().id, "AIDA1");
        assert_eq!(picture.change(&Change::Attach(bob(), "arn".to_owned())).result, Ok(()));
        let again = LocalIam::kept_in(file).unwrap();
        assert_eq!(again.holders_of("arn").entities, [(bob(), "AIDA1".to_owned())]);
        assert_eq!(again.change(&Change::Detach(bob(), "arn".to_owned())).result, Ok(()));
        assert_eq!(again.holders_of("arn"), Holders::default());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nobody_is_changed_who_was_never_looked_at() {
        let picture = LocalIam::in_memory();
        let changed = picture.change(&Change::Attach(bob(), "arn".to_owned()));
        assert!(matches!(changed.result, Err(Refusal::Gone(_))), "{changed:?}");
    }
}
