//! What the rules are asked: person, answer, remedy and circumstances, and how Cedar is told of them.
//!
//! Cedar is handed values, never text: a name that looks like Cedar stays a name. A fact that the record doesn't give is not
//! made up, and without it nothing can be asked.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request as CedarRequest, RestrictedExpression,
    Schema,
};
use serde::Serialize;

use crate::{
    approver::{Approver, OwnDenial},
    classify::Rule,
    decision::Channel,
    diagnosis::{Apply, Diagnosis, Reach, Remedy, RemedyKind, Response, Risk, Scenario},
};

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// Somebody whom the approvers' file lists.
    Listed(&'a Approver),
    /// Anybody else, by whatever name they came with.
    Unlisted(&'a str),
}

/// The kinds of answer, as the schema's actions are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerKind {
    /// Make the grant.
    Approve,
    /// A person said no.
    Reject,
    /// End a grant early. No rule is asked: [`may_revoke`](super::may_revoke).
    Revoke,
}

/// What an answer is about, whoever gives it.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// The kind of answer.
    pub answer: AnswerKind,
    /// The case.
    pub diagnosis: &'a Diagnosis,
    /// The remedy of this case.
    pub remedy: &'a Remedy,
    /// How long the grant would last; 0 where nothing is granted.
    pub minutes: i64,
    /// How the answer came in.
    pub channel: Channel,
}

/// Everything that the rules look at. [`Matter::asked_by`] makes it, so that nobody has to say of themselves whether a denial is theirs.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who answers.
    pub who: Who<'a>,
    /// The kind of answer.
    pub answer: AnswerKind,
    /// What it is about.
    pub remedy: RemedyFacts<'a>,
    /// How long the grant would last; 0 where nothing is granted.
    pub minutes: i64,
    /// How the answer came in.
    pub channel: Channel,
    /// Whether who answers is who was denied.
    pub own_denial: OwnDenial,
}

/// What the rules see of a remedy and its case.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "each is the field of this name in the diagnosis or the remedy")]
pub struct RemedyFacts<'a> {
    pub hash: Option<&'a str>,
    pub risk: Risk,
    pub reach: Reach,
    pub kind: RemedyKind,
    pub apply: Apply,
    pub response: Response,
    pub scenario: Option<Scenario>,
    pub rule: Rule,
    pub action: Option<&'a str>,
    pub account_id: Option<&'a str>,
}

impl<'a> Matter<'a> {
    /// The request that this person's answer is.
    pub fn asked_by(&self, who: Who<'a>) -> Request<'a> {
        let Self { answer, diagnosis, remedy, minutes, channel } = *self;
        let own_denial = match who {
            Who::Listed(approver) => approver.own_denial(&diagnosis.principal),
            Who::Unlisted(_) => OwnDenial::Unknown,
        };
        let remedy = RemedyFacts {
            hash: remedy.hash.as_deref(),
            risk: remedy.risk,
            reach: remedy.reach,
            kind: remedy.kind,
            apply: remedy.apply,
            response: diagnosis.response,
            scenario: diagnosis.scenario,
            rule: diagnosis.rule,
            action: diagnosis.action.as_deref(),
            account_id: diagnosis.account_id.as_deref(),
        };
        Request { who, answer, remedy, minutes, channel, own_denial }
    }
}

impl Request<'_> {
    /// The request and its entities, checked against the schema.
    pub(super) fn to_cedar(self, schema: &Schema) -> Result<(CedarRequest, Entities), String> {
        let (name, listed, groups) = match self.who {
            Who::Listed(approver) => (approver.name.as_str(), true, approver.groups.as_slice()),
            Who::Unlisted(name) => (name, false, [].as_slice()),
        };
        let principal = uid("Approver", name)?;
        let groups = groups.iter().map(|group| uid("Group", group)).collect::<Result<HashSet<_>, _>>()?;
        let listed = HashMap::from([("listed".to_owned(), RestrictedExpression::new_bool(listed))]);
        let approver = Entity::new(principal.clone(), listed, groups).map_err(|e| e.to_string())?;

        let facts = self.remedy;
        let resource = uid("Remedy", facts.hash.unwrap_or_default())?;
        let attributes = [
            ("risk", word("Risk", facts.risk)?),
            ("reach", word("Reach", facts.reach)?),
            ("kind", word("Kind", facts.kind)?),
            ("apply", word("Apply", facts.apply)?),
            ("response", word("Response", facts.response)?),
            ("scenario", word("Scenario", facts.scenario.ok_or("the case has no scenario")?)?),
            ("rule", text(facts.rule.id())),
            ("action", text(facts.action.ok_or("the record does not give the action")?)),
            ("account", text(facts.account_id.ok_or("the record does not say in whose account it was written")?)),
        ];
        let remedy = Entity::new(resource.clone(), named(attributes), HashSet::new()).map_err(|e| e.to_string())?;

        let own_denial = match self.own_denial {
            OwnDenial::Yes => "yes",
            OwnDenial::No => "no",
            OwnDenial::Unknown => "unknown",
        };
        let context = Context::from_pairs(named([
            ("durationMinutes", RestrictedExpression::new_long(self.minutes)),
            ("channel", RestrictedExpression::new_entity_uid(uid("Channel", self.channel.word())?)),
            ("ownDenial", RestrictedExpression::new_entity_uid(uid("OwnDenial", own_denial)?)),
        ]))
        .map_err(|e| e.to_string())?;

        let action = match self.answer {
            AnswerKind::Approve => uid("Action", "approve")?,
            AnswerKind::Reject => uid("Action", "reject")?,
            AnswerKind::Revoke => return Err("no rule speaks of revoking".to_owned()),
        };
        let entities = Entities::from_entities([approver, remedy], Some(schema)).map_err(|e| super::in_words(&e))?;
        let request =
            CedarRequest::new(principal, action, resource, context, Some(schema)).map_err(|e| super::in_words(&e))?;
        Ok((request, entities))
    }
}

fn named<const N: usize>(pairs: [(&str, RestrictedExpression); N]) -> HashMap<String, RestrictedExpression> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn uid(kind: &'static str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind.parse().map_err(|e: cedar_policy::ParseErrors| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// A value of one of the diagnosis's closed enumerations, by the word that the diagnosis uses for it.
fn word(kind: &'static str, value: impl Serialize) -> Result<RestrictedExpression, String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(RestrictedExpression::new_entity_uid(uid(kind, &word)?)),
        _ => Err(format!("no word for a {kind}")),
    }
}
