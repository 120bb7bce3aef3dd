//! The policy simulator's word, asked again before anything is given.
//!
//! What the table says it said was for showing the case and for deciding. Here it is thrown away: where a grant hangs on that word
//! alone (the old sentence form of a sensitive action), IAM is asked for the very call, and its silence is a no. Once given, our own
//! policy allows the call and the answer would be another, so it is asked only before.

use access::{
    case::Case,
    diagnose::Diagnosed,
    reconcile::{DECISION_LAPSES, Grant, State},
    simulation::{Verdict, question},
};
use adapters::{iam::Refusal, store::Store};
use tracing::{error, info};

use crate::{
    facts::Known,
    handle::{Reconcile, Trouble},
};

impl<S: Store> Reconcile<S> {
    /// The case with IAM's own word in the place of the table's. `is_held`: IAM shows that it was given, if that has not been
    /// written down yet. `now` is the plan's own: what it can't give any more is not asked about, since what ends must not wait for an
    /// answer. `asked`: what the simulator has said in this run.
    pub(crate) async fn simulated(
        &self,
        known: &Known,
        grant: Option<&Grant>,
        is_held: bool,
        now: i64,
        asked: &mut Option<Verdict>,
    ) -> Result<Option<Case>, Trouble> {
        let Some(mut case) = known.case.clone() else { return Ok(None) };
        case.simulated = None;
        let diagnosed = case.diagnosed(&self.setting);
        if !diagnosed.wants_simulation(&self.setting) {
            return Ok(Some(case));
        }
        let decision = known.decision.as_ref().filter(|_| known.revocation.is_none());
        let may_begin = decision.is_some_and(|decision| now < decision.decided_at + DECISION_LAPSES);
        if !may_begin || grant.is_some_and(|grant| grant.state != State::Giving) {
            case.simulated = Some(Verdict::ImplicitDeny);
            return Ok(Some(case));
        }
        let verdict = match *asked {
            Some(verdict) => verdict,
            None => *asked.insert(self.ask(&diagnosed).await?),
        };
        case.simulated = Some(match verdict {
            // What allows it is what we gave ourselves, before we died.
            Verdict::Allowed if grant.is_some() && is_held => Verdict::ImplicitDeny,
            verdict => verdict,
        });
        Ok(Some(case))
    }

    async fn ask(&self, diagnosed: &Diagnosed) -> Result<Verdict, Trouble> {
        let Some(question) = question(&diagnosed.denial, self.now()) else { return Ok(Verdict::Unknown) };
        let verdict = match self.iam.simulate(&question).await {
            Ok(verdict) => verdict,
            Err(why @ Refusal::Passing(_)) => return Err(Trouble::Iam(why)),
            Err(why) => {
                error!(%why, case = diagnosed.case_id, "the policy simulator can't be asked: that is a no");
                Verdict::Unknown
            }
        };
        info!(case = diagnosed.case_id, action = question.action, ?verdict, "simulated");
        Ok(verdict)
    }
}
