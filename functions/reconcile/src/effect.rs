//! Whether what was given works: the simulator is asked once, and after that the event history until the call has succeeded.
//!
//! All of it is for people, so none of it may hold anything up: each question has a short time-out, the event history is asked only
//! in a sweep and a few times, and no answer is not an error. CloudTrail shows a call after minutes, and data events never.

use std::time::Duration;

use access::{
    denial::Denial,
    reconcile::{Effect, Grant, State},
    simulation::{Verdict, question},
};
use adapters::store::Store;
use tracing::info;

use crate::{
    facts::Known,
    handle::{Reconcile, Run},
};

/// What one question may take: permissions that have to end wait behind it.
const MOST: Duration = Duration::from_secs(3);

impl<S: Store> Reconcile<S> {
    /// What shows now that a grant works. `before`: what showed it until now.
    pub(crate) async fn effect(
        &self,
        known: &Known,
        grant: Option<&Grant>,
        before: Option<Effect>,
        run: &mut Run,
    ) -> Option<Effect> {
        let (Some(grant), Some(case)) = (grant.filter(|grant| grant.state == State::Given), &known.case) else {
            return before;
        };
        if known.decision.is_none() || matches!(before, Some(Effect::Used(_))) || !run.has_time() {
            return before;
        }
        let refused = || Denial::of(case.record.clone());
        match before {
            None => Some(Effect::Simulated(self.verdict(&refused(), grant).await)),
            Some(_) if run.lookups > 0 && self.asks_history => {
                run.lookups -= 1;
                first_use(grant, &refused()).await.map(Effect::Used).or(before)
            }
            Some(_) => before,
        }
    }

    async fn verdict(&self, refused: &Denial, grant: &Grant) -> Verdict {
        let Some(question) = question(refused, self.now()) else { return Verdict::Unknown };
        match tokio::time::timeout(MOST, self.iam.simulate(&question)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(why)) => {
                info!(%why, case = grant.case_id, "the policy simulator was not heard on what was given");
                Verdict::Unknown
            }
            Err(_) => Verdict::Unknown,
        }
    }
}

/// The first of the newest calls that succeeded, by whoever holds the grant.
#[cfg(feature = "aws")]
async fn first_use(grant: &Grant, refused: &Denial) -> Option<i64> {
    let (region, name) = (refused.place.region.as_deref()?, refused.record.event_name.as_deref()?);
    let ask = async { adapters::cloudtrail::CloudTrail::of(Some(region)).await.calls(name, grant.decided_at).await };
    let events = match tokio::time::timeout(MOST, ask).await {
        Ok(Ok(events)) => events,
        Ok(Err(why)) => {
            info!(%why, case = grant.case_id, "the event history was not heard on whether it was used");
            return None;
        }
        Err(_) => return None,
    };
    let records = events.iter().flat_map(|event| access::event::read(&event.record)).filter_map(Result::ok);
    records.filter_map(|record| grant.used_in(refused, &record)).min()
}

#[cfg(not(feature = "aws"))]
#[allow(clippy::unused_async, reason = "with AWS there is somebody to wait for")]
async fn first_use(_: &Grant, _: &Denial) -> Option<i64> {
    None
}
