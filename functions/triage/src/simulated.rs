//! The policy simulator's word, asked before a case is opened of which a grant hangs on it alone.
//!
//! AWS's old sentence gives no reason, and for a sensitive action that is only enough where the simulator says that nothing denies
//! the call and nothing allows it. No answer leaves the fix to a person. Whoever gives something asks again: what is said here is for
//! offering.

use std::time::Duration;

use access::{
    simulation::question,
    triage::{Documents, Group, Now, opens},
};
use adapters::{iam::Refusal, patience::Breaker, store::Store};
use tracing::{info, warn};

use crate::handle::{Run, Triage};

/// What one question may take: people wait for the notice behind it.
const MOST: Duration = Duration::from_secs(3);
/// Questions of one invocation. The number of cases is the caller's to choose.
const QUESTIONS: u32 = 5;

/// What one invocation has asked.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    asked: u32,
    breaker: Breaker,
}

impl<S: Store> Triage<S> {
    /// Asks for the cases that would be opened now, as far as something hangs on it.
    pub(crate) async fn simulate(&self, group: &mut Group, documents: &Documents, now: Now, run: &mut Run) {
        let Some(simulator) = &self.simulator else { return };
        for arrivals in opens(group, documents, now) {
            let first = &arrivals.first;
            if first.simulated.is_some() || !first.wants_simulation(&self.setting) || run.simulated.asked >= QUESTIONS {
                continue;
            }
            run.simulated.asked += 1;
            let Some(question) = question(&first.denial, now.seconds()) else { continue };
            let ask = async |_| simulator.simulate(&question).await.map_err(Unasked::Iam);
            match run.simulated.breaker.call("IAM's policy simulator", run.telling.deadline, MOST, ask).await {
                Ok(verdict) => {
                    info!(case = first.case_id, action = question.action, ?verdict, "simulated");
                    arrivals.first = arrivals.first.clone().with_simulation(&self.setting, verdict);
                }
                Err(why) => {
                    if matches!(why, Unasked::Iam(Refusal::Denied(_))) {
                        run.telling.count_own_denial();
                    }
                    warn!(?why, case = first.case_id, "the policy simulator can't be asked: the fix is a person's");
                }
            }
        }
    }
}

/// Why the simulator has said nothing.
#[derive(Debug)]
#[allow(dead_code, reason = "read in the log")]
enum Unasked {
    Iam(Refusal),
    Late(String),
}

impl From<String> for Unasked {
    fn from(why: String) -> Self {
        Self::Late(why)
    }
}
