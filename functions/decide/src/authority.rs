//! Authority: who may answer and by which rules, as the operator has it now.
//!
//! What can't be read gives nobody anything, and says so: without approvers nobody answers, without rules nobody approves or rejects.
//! Only ending a grant early asks no rule, so that a broken set of rules keeps nothing alive.

use access::{
    answer::DURATIONS,
    approval_rules::{AnswerKind, ApprovalRules, Matter, RulesError, Who},
    approver::Approvers,
    decision::Channel,
    diagnosis::{Diagnosis, Remedy},
    notice::html::May,
};

/// The operator's two files, read.
#[derive(Debug)]
pub struct Authority {
    /// Everybody who may be asked, or why nobody knows who that is.
    pub approvers: Result<Approvers, String>,
    /// The rules, or the state of having none that can be used.
    pub rules: ApprovalRules,
    /// What is wrong with either, for operators.
    pub faults: Vec<String>,
}

impl Authority {
    /// Reads the texts. An error is why there is no text; no rules at all mean the ones that ship with the project.
    pub fn read(approvers: Result<&str, String>, rules: Result<Option<&str>, String>) -> Self {
        let approvers = approvers.and_then(Approvers::from_json);
        let rules = rules.map_err(RulesError::of).and_then(ApprovalRules::parse);
        let faults = approvers.as_ref().err().cloned().into_iter();
        let faults = faults.chain(rules.as_ref().err().map(ToString::to_string)).collect();
        Self { approvers, rules: rules.unwrap_or_else(ApprovalRules::broken), faults }
    }
}

impl Authority {
    /// Everybody who may be asked, with what the rules say of their approving this remedy for the shortest time. What is longer may be
    /// refused where that is not. Nobody, where nobody knows.
    pub fn who_may(&self, diagnosis: &Diagnosis, remedy: &Remedy, channel: Channel) -> Vec<May> {
        let Ok(approvers) = &self.approvers else { return Vec::new() };
        let minutes = DURATIONS.first().copied().unwrap_or_default();
        let matter = Matter { answer: AnswerKind::Approve, diagnosis, remedy, minutes, channel };
        let may = |approver| {
            let verdict = self.rules.decide(&matter.asked_by(Who::Listed(approver)));
            May { name: approver.name.clone(), may: verdict.allowed, because: verdict.because.join("; ") }
        };
        approvers.iter().map(may).collect()
    }
}

/// Where the operator's files are.
#[derive(Debug)]
pub enum Source {
    /// In Systems Manager's parameters, where a change counts within a minute.
    #[cfg(feature = "aws")]
    Parameters(Box<parameters::FromParameters>),
    /// Read already: on one machine.
    Read(std::sync::Arc<Authority>),
}

impl Source {
    /// Who may answer, and by which rules, now. With it, how many of our own calls AWS refused.
    pub async fn now(&self) -> (std::sync::Arc<Authority>, u64) {
        match self {
            #[cfg(feature = "aws")]
            Self::Parameters(parameters) => parameters.now().await,
            Self::Read(authority) => (std::sync::Arc::clone(authority), 0),
        }
    }
}

#[cfg(feature = "aws")]
pub use parameters::FromParameters;

#[cfg(feature = "aws")]
mod parameters {
    use std::{
        sync::{Arc, Mutex, PoisonError},
        time::Instant,
    };

    use adapters::{
        http::AwsError,
        parameters::{ParameterError, Parameters},
    };

    use super::Authority;

    /// The two parameters, and what they were read as.
    #[derive(Debug)]
    pub struct FromParameters {
        parameters: Parameters,
        approvers: Option<String>,
        rules: Option<String>,
        /// Rules take milliseconds to read, and hardly ever change.
        last: Mutex<Option<(Texts, Arc<Authority>)>>,
    }

    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Texts {
        approvers: Result<Arc<str>, String>,
        rules: Result<Option<Arc<str>>, String>,
    }

    impl FromParameters {
        /// The parameters of these names. Without one for approvers nobody may answer; without one for rules the ones hold that
        /// ship with the project.
        pub fn new(parameters: Parameters, approvers: Option<String>, rules: Option<String>) -> Self {
            Self { parameters, approvers, rules, last: Mutex::default() }
        }

        pub(super) async fn now(&self) -> (Arc<Authority>, u64) {
            let now = Instant::now();
            let mut own_denials = 0;
            let mut read = async |name: &str| {
                let text = self.parameters.get(name, now).await;
                own_denials += u64::from(matches!(text, Err(ParameterError::Aws(AwsError::Denied(_)))));
                text.map_err(|why| format!("{name}: {why}"))
            };
            let approvers = match &self.approvers {
                Some(name) => read(name).await.map_err(|why| format!("approvers: {why}")),
                None => Err("approvers: no parameter is named, so that nobody may answer".to_owned()),
            };
            let rules = match &self.rules {
                Some(name) => read(name).await.map(Some),
                None => Ok(None),
            };
            let texts = Texts { approvers, rules };
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, authority)) = last.as_ref().filter(|(its, _)| *its == texts) {
                return (Arc::clone(authority), own_denials);
            }
            let authority = Arc::new(Authority::read(
                texts.approvers.as_deref().map_err(Clone::clone),
                texts.rules.as_ref().map(Option::as_deref).map_err(Clone::clone),
            ));
            *last = Some((texts, Arc::clone(&authority)));
            (authority, own_denials)
        }
    }
}
