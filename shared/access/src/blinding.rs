//! What blinds: calls that succeeded, and after which the log, or this responder, hears less than before.
//!
//! A refused attempt is a denial like others. One that succeeded is no denial at all, so it is heeded only where somebody asks for it
//! (the deployed responder does); to whoever reads old logs it is a call that succeeded.

use crate::denial::{Denial, Refusal};

/// What hears less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blinded {
    /// The audit log.
    Log,
    /// EventBridge, by which denials come in.
    Responder,
}

/// Calls that stop, remove, narrow or lead elsewhere what is logged. Whether such a change was meant can't be told from the call.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html>
const OF_THE_LOG: [&str; 6] = [
    "DeleteEventDataStore",
    "DeleteTrail",
    "PutEventSelectors",
    "StopEventDataStoreIngestion",
    "StopLogging",
    "UpdateTrail",
];

/// Calls that change what a rule picks out, whether it does, and to whom it brings it. To enable a rule, too: it no longer sees reads
/// then, unless it is asked to.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html>
const OF_RULES: [&str; 6] = ["DeleteRule", "DisableRule", "EnableRule", "PutRule", "PutTargets", "RemoveTargets"];

impl Blinded {
    /// What a call has blinded. Which rules are the responder's own is the template's to pick out: the record names a rule, and not
    /// whose it is. What CloudFormation does for a stack is the stack's.
    pub fn by(denial: &Denial) -> Option<Self> {
        if denial.refusal != Refusal::NoError || denial.record.error_code.is_some() {
            return None;
        }
        let name = denial.record.event_name.as_deref()?;
        match denial.record.event_source.as_deref()? {
            "cloudtrail.amazonaws.com" => OF_THE_LOG.contains(&name).then_some(Self::Log),
            // A caller can't have this for an address: AWS writes it.
            "events.amazonaws.com"
                if denial.record.source_ip_address.as_deref() != Some("cloudformation.amazonaws.com") =>
            {
                OF_RULES.contains(&name).then_some(Self::Responder)
            }
            _ => None,
        }
    }
}
