//! What shows that a grant works: first the policy simulator's word, and then, once CloudTrail has it, a call that succeeded.
//!
//! Nothing hangs on it. It is said to people, who otherwise wait for somebody to tell them; what is given, and when it ends, stays what
//! was decided. The simulator's word is never called more than that: it knows neither sessions nor resources' policies.

use serde::{Deserialize, Serialize};

use crate::{denial::Denial, event::Record, principal::Caller, simulation::Verdict};

use super::{Grant, Permission};

/// What shows that a grant works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// What the simulator says of the refused call, now that it was given. `Unknown` where it could not be asked.
    Simulated(Verdict),
    /// The same call by the same principal has succeeded: when, in seconds since 1970.
    Used(i64),
}

impl Effect {
    /// In a few words, for the audit.
    pub fn word(self) -> &'static str {
        match self {
            Self::Used(_) => "used",
            Self::Simulated(Verdict::Allowed) => "simulated: allowed",
            Self::Simulated(Verdict::Unknown) => "simulated: not known",
            Self::Simulated(
                Verdict::ImplicitDeny
                | Verdict::ExplicitDeny
                | Verdict::DeniedByOrganization
                | Verdict::DeniedByBoundary,
            ) => "simulated: still refused",
        }
    }

    /// What people are told behind "It has been given". Empty where there is nothing to say.
    pub fn sentence(self) -> String {
        let still = |why: &str| format!("But the policy simulator says that the call will be refused again: {why}.");
        match self {
            Self::Used(at) => format!("The call has succeeded since: {}.", crate::notice::time(at)),
            Self::Simulated(Verdict::Allowed) => {
                "The policy simulator says that the call is allowed now; no such call has been seen yet.".to_owned()
            }
            Self::Simulated(Verdict::Unknown) => String::new(),
            Self::Simulated(Verdict::ImplicitDeny) => {
                "The policy simulator does not see it yet, or another condition of a policy keeps it from counting."
                    .to_owned()
            }
            Self::Simulated(Verdict::ExplicitDeny) => still("a policy denies it explicitly"),
            Self::Simulated(Verdict::DeniedByOrganization) => still("a policy of the organization does not allow it"),
            Self::Simulated(Verdict::DeniedByBoundary) => still("the permissions boundary does not allow it"),
        }
    }
}

impl Grant {
    /// When this record shows that the grant works: the call that had been refused, by whoever holds the grant, has succeeded since.
    /// Seconds since 1970.
    pub fn used_in(&self, refused: &Denial, record: &Record) -> Option<i64> {
        let call = |record: &Record| Some((record.event_source.clone()?, record.event_name.clone()?));
        let is_success = record.error_code.is_none() && record.error_message.is_none();
        if !is_success || call(record).is_none() || call(record) != call(&refused.record) {
            return None;
        }
        let caller = Caller::of(record.user_identity.as_ref());
        let is_holders = match self.permission {
            Permission::Attached { .. } => caller.principal.unique_id.as_ref() == Some(&self.holder_id),
            // Given to one session.
            Permission::Inline { .. } => {
                caller.user_id().is_some_and(|id| refused.caller.user_id() == Some(id))
                    && caller.principal.unique_id.as_ref() == Some(&self.holder_id)
            }
        };
        let at = record.seconds()?;
        (is_holders && at >= self.decided_at).then_some(at)
    }
}
