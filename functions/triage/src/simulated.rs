//! The policy simulator's word, asked before a case is opened of which AWS gave no reason.
//!
//! For a sensitive action the old sentence is only enough where the simulator says that nothing denies the call and nothing allows
//! it: no answer leaves the fix to a person. Elsewhere its word is evidence, and keeps a grant from being offered that something outweighs.
//! Whoever gives something asks again: what is said here is for offering.

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
            let is_wanted =
                first.wants_simulation(&self.setting) || self.looks_up && first.has_no_reason(&self.setting);
            if first.simulated.is_some() || !is_wanted || run.simulated.asked >= QUESTIONS {
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
                    arrivals.first.evidence.is_simulator_silent = true;
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
