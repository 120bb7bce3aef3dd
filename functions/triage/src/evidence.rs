//! Looking up what whoever reads a notice would look up next, when a case is opened.
//!
//! People wait for the notice behind it, so it is bounded: a few cases of an invocation, one short time-out for all questions of a case, and
//! none at all for an alarm, which goes out at once. No answer is said as such, and changes nothing else.

use std::time::Duration;

#[cfg(feature = "aws")]
use access::evidence;
use access::{
    diagnosis::Response,
    evidence::{Evidence, Looked},
    triage::{Documents, Group, Now, opens},
};
use adapters::store::Store;

use crate::handle::{Run, Triage};

/// What all questions about one case may take together.
const MOST: Duration = Duration::from_secs(2);
/// Cases of one invocation. The number of cases is the caller's to choose, and the event history answers two questions a second for
/// the whole account.
const CASES: u32 = 2;

/// What one invocation has looked up.
#[derive(Debug, Default)]
pub(crate) struct LookedUp {
    cases: u32,
    /// Somebody let us wait in vain: not again in this invocation.
    is_silent: bool,
}

impl<S: Store> Triage<S> {
    /// Looks up for the cases that would be opened now.
    pub(crate) async fn look_up(&self, group: &mut Group, documents: &Documents, now: Now, run: &mut Run) {
        if !self.looks_up {
            return;
        }
        for arrivals in opens(group, documents, now) {
            if run.looked_up.cases >= CASES || run.looked_up.is_silent || !run.has_time_for(MOST) {
                return;
            }
            let first = &mut arrivals.first;
            let account = first.diagnosis.account_id.as_deref();
            let is_here = account.is_some_and(|account| self.setting.guardrails.grants.reach_account(account));
            let is_wanted = first.diagnosis.response != Response::RaiseAlarm
                && is_here
                && first.evidence.refused == Looked::NotAsked;
            if !is_wanted {
                continue;
            }
            run.looked_up.cases += 1;
            let (found, is_silent) = asked(&first.denial, now.seconds()).await;
            first.evidence = Evidence { is_simulator_silent: first.evidence.is_simulator_silent, ..found };
            run.looked_up.is_silent = is_silent;
        }
    }
}

/// What CloudTrail says, and whether it let us wait in vain.
#[cfg(feature = "aws")]
async fn asked(denial: &access::denial::Denial, now: i64) -> (Evidence, bool) {
    use access::evidence::{LOOKED_BACK, refused_beside, trail_named, user_named};
    use adapters::cloudtrail::CloudTrail;

    let Some(region) = denial.place.region.as_deref() else { return (Evidence::default(), false) };
    let cloudtrail = CloudTrail::of(Some(region)).await;
    let trail = async {
        let Some(name) = trail_named(denial) else { return Looked::NotAsked };
        match tokio::time::timeout(MOST, cloudtrail.home_of(name)).await {
            Ok(Ok(None)) => Looked::Found(evidence::Trail::Missing),
            Ok(Ok(Some(home))) if home == region => Looked::Found(evidence::Trail::Home),
            Ok(Ok(Some(home))) => Looked::Found(evidence::Trail::Shadow(home)),
            unheard => not_heard(&unheard),
        }
    };
    let refused = async {
        let Some(user) = user_named(denial) else { return Looked::NotAsked };
        match tokio::time::timeout(MOST, cloudtrail.calls_by(user, now - LOOKED_BACK)).await {
            Ok(Ok(events)) => {
                let records = events.iter().flat_map(|event| access::event::read(&event.record)).filter_map(Result::ok);
                Looked::Found(refused_beside(denial, records))
            }
            unheard => not_heard(&unheard),
        }
    };
    // Side by side: the time of both is the time of one.
    let begun = std::time::Instant::now();
    let (trail, refused) = tokio::join!(Box::pin(trail), Box::pin(refused));
    (Evidence { trail, refused, ..Evidence::default() }, begun.elapsed() >= MOST)
}

#[cfg(feature = "aws")]
fn not_heard<T, R, E: std::fmt::Debug>(why: &Result<Result<R, adapters::http::AwsError>, E>) -> Looked<T> {
    match why {
        Ok(Err(why)) => tracing::warn!(%why, "evidence could not be looked up"),
        _ => tracing::warn!("evidence was not there in time"),
    }
    Looked::Unheard
}

#[cfg(not(feature = "aws"))]
#[allow(clippy::unused_async, reason = "with AWS there is somebody to wait for")]
async fn asked(_: &access::denial::Denial, _: i64) -> (Evidence, bool) {
    (Evidence::default(), false)
}
