//! Evidence: what was looked up about a denial when its case was opened, beside what its record says.
//!
//! For people, who would look it up next. It judges nothing and grants nothing: what a principal did elsewhere, or what a trail is called,
//! is never a reason for a fix. What could not be looked up is said to be unknown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    arn::Arn,
    denial::{Denial, Refusal},
    event::Record,
    simulation::Verdict,
};

/// How many other refused actions are named.
const ACTIONS: usize = 6;
/// How far back others are looked for. Seconds: CloudTrail shows an event after minutes.
pub const LOOKED_BACK: i64 = 30 * 60;

/// The answer to a question that need not be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Looked<T> {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// There was no answer in time, or none at all.
    Unheard,
    /// This.
    Found(T),
}

/// What was looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The trail that the call was about.
    pub trail: Looked<Trail>,
    /// The policy simulator was asked and not heard. What it said is the case's.
    pub is_simulator_silent: bool,
    /// What else the same principal was refused lately, and how often: the first few.
    pub refused: Looked<BTreeMap<String, u32>>,
}

/// What is known of a trail by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trail {
    /// There is none in the Region.
    Missing,
    /// It is there.
    Home,
    /// It is there as the shadow of one whose home is another Region: this.
    Shadow(String),
}

/// The trail that a call was about, by the name that its Region is to be asked for.
pub fn trail_named(denial: &Denial) -> Option<&str> {
    let arn = Arn::parse(denial.resource.as_deref()?)?;
    let is_here = arn.service == "cloudtrail"
        && Some(arn.region) == denial.place.region.as_deref()
        && arn.account_id() == denial.place.account_id.as_deref();
    let name = arn.resource.strip_prefix("trail/").filter(|_| is_here)?;
    // AWS's own rule for names: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
    let is_name = (3..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    is_name.then_some(name)
}

/// By which name CloudTrail's event history knows the caller: the user's, or the session's.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupAttribute.html>
pub fn user_named(denial: &Denial) -> Option<&str> {
    let principal = &denial.caller.principal;
    principal.unique_id.as_ref()?;
    principal.session_name.as_deref().or(principal.name.as_deref()).filter(|name| !name.is_empty())
}

/// What else these records show that the caller of a denial was refused, by name. A session's name is anybody's to choose, so a record
/// counts by the unique id.
pub fn refused_beside(denial: &Denial, records: impl IntoIterator<Item = Record>) -> BTreeMap<String, u32> {
    let mut refused = BTreeMap::new();
    for record in records {
        let other = Denial::of(record);
        let is_theirs = other.caller.principal.unique_id == denial.caller.principal.unique_id;
        let is_this = other.record.event_id.is_some() && other.record.event_id == denial.record.event_id;
        let is_refusal = matches!(other.refusal, Refusal::AccessDenied | Refusal::VpcEndpoint);
        let Some(action) = other.action.filter(|_| is_theirs && is_refusal && !is_this) else { continue };
        if Some(&action) == denial.action.as_ref() {
            continue;
        }
        let action: String = action.chars().take(128).collect();
        if refused.len() < ACTIONS || refused.contains_key(&action) {
            *refused.entry(action).or_default() += 1;
        }
    }
    refused
}

impl Evidence {
    /// In sentences, each of one question. `simulated`: what the simulator said. The names in them are the record's own text; whoever
    /// shows them escapes them.
    pub fn sentences(&self, denial: &Denial, simulated: Option<Verdict>) -> Vec<String> {
        let trail = trail_named(denial).unwrap_or("the trail");
        let region = denial.place.region.as_deref().unwrap_or("this Region");
        let trail = match &self.trail {
            Looked::NotAsked => None,
            Looked::Unheard => Some(format!("Whether there is a trail {trail} could not be looked up.")),
            Looked::Found(Trail::Missing) => Some(format!(
                "There is no trail {trail} in {region}: the name may be mistyped, or meant for another Region or account."
            )),
            Looked::Found(Trail::Home) => Some(format!("There is a trail {trail} in {region}.")),
            Looked::Found(Trail::Shadow(home)) => {
                Some(format!("{trail} is a trail of all Regions; its home is {home}."))
            }
        };
        let unheard = || self.is_simulator_silent.then_some("The policy simulator was not heard.");
        let simulator = simulated.map(said).or_else(unheard).map(str::to_owned);
        let refused = match &self.refused {
            Looked::NotAsked => None,
            Looked::Unheard => Some("What else this principal was refused lately could not be looked up.".to_owned()),
            Looked::Found(refused) if refused.is_empty() => None,
            Looked::Found(refused) => {
                let all: Vec<String> = refused.iter().map(|(action, count)| times(action, *count)).collect();
                Some(format!("In the half hour before, the same principal was also refused {}.", all.join(", ")))
            }
        };
        [simulator, trail, refused].into_iter().flatten().collect()
    }
}

fn times(action: &str, count: u32) -> String {
    if count == 1 { action.to_owned() } else { format!("{action} ({count} times)") }
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => {
            "The policy simulator says that the caller's policies allow it now: something that it does not see refused it (a session's \
             policy, an endpoint's, the resource's), or somebody has changed a policy since."
        }
        Verdict::ImplicitDeny => {
            "The policy simulator says that no policy of the caller's allows it, and none denies it."
        }
        Verdict::ExplicitDeny => "The policy simulator says that a policy denies it explicitly.",
        Verdict::DeniedByOrganization => {
            "The policy simulator says that a policy of the organization does not allow it."
        }
        Verdict::DeniedByBoundary => {
            "The policy simulator says that the caller's permissions boundary does not allow it."
        }
        Verdict::Unknown => {
            "The policy simulator could not tell: a policy asks for a value that the record does not give."
        }
    }
}
