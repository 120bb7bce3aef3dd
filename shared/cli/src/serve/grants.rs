//! Grants on one machine: what was decided is applied, what is over is taken back, and each change is shown.
//!
//! The store's changes stand in the place of the stream, and a short interval in the place of the schedule. In a rehearsal IAM is a
//! picture in this folder: each change of it is printed as the command that it stands for, and nothing in AWS is changed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use adapters::iam::Iam;
use tokio::time::{Instant, timeout_at};

use super::Machine;
use crate::output;

/// How often it is looked whether something is over. A picture costs nothing; IAM is asked, and counts the calls.
const EVERY: Duration = Duration::from_secs(2);
const EVERY_IN_AWS: Duration = Duration::from_secs(60);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks after grants for as long as the machine runs.
pub async fn look_after(machine: &Arc<Machine>) {
    // What came before this run is the sweep's: the list of what is unfinished, and the decisions whose time may not be over.
    let mut seen = machine.store.changes(0).ok().and_then(|all| all.last().map(|(number, _)| *number)).unwrap_or(0);
    let every = if machine.is_rehearsal() { EVERY } else { EVERY_IN_AWS };
    let mut next = Instant::now();
    loop {
        // However much is written in the meantime: what is over ends by this alone.
        if Instant::now() >= next {
            machine.sweep().await;
            next = Instant::now() + every;
        }
        // Woken, or not: a store that can't be read now is read the next time.
        let _ = timeout_at(next, machine.wake.notified()).await;
        let changes = machine.store.changes(seen).unwrap_or_default();
        let Some((last, _)) = changes.last() else { continue };
        seen = *last;
        let keys = changes.iter().map(|(_, found)| found.key.as_str());
        let decided: Vec<Option<&str>> = keys.filter(|key| key.starts_with("DECISION#")).map(Some).collect();
        machine.reconcile.decided(&decided, SystemTime::now() + PATIENCE).await;
        machine.show_changes();
    }
}

impl Machine {
    /// Looks after everything that is unfinished.
    async fn sweep(&self) {
        self.reconcile.sweep(&self.account, SystemTime::now() + PATIENCE).await;
        self.show_changes();
    }

    /// Prints what was changed in the picture.
    fn show_changes(&self) {
        let changes = match &self.reconcile.iam {
            Iam::Local(picture) => picture.taken_changes(),
            #[cfg(feature = "aws")]
            Iam::Aws(_) => return,
        };
        for change in changes {
            let command = access::commands::change(&change).replace(access::notice::is_hidden, "?");
            // Nobody who reads it is no reason to stop.
            let _ = output::write(&format!("REHEARSED, nothing in AWS is changed:\n    {command}\n\n"));
        }
    }
}
