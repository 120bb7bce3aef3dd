//! IAM policy documents, as far as Trailpass writes them: statements that allow, in AWS's order of members.
//!
//! There is no `Effect: Deny` here on purpose: Trailpass never mends a denial by denying something else.
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// A policy of version 2012-10-17.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// At least one.
    pub statements: Vec<Statement>,
}

/// One statement, always `Allow`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// Letters and digits only, as IAM wants it.
    pub sid: Option<String>,
    /// Who, in resource-based and trust policies; absent in identity-based ones.
    pub trustee: Option<Trustee>,
    /// IAM actions.
    pub actions: Vec<String>,
    /// ARNs or `*`; empty (and left out) in trust policies only.
    pub resources: Vec<String>,
    /// Operator → key → values.
    pub conditions: Conditions,
}

/// Condition operator → condition key → accepted values.
pub type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

/// The `Principal` member of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trustee {
    /// A service's DNS name, such as `cloudtrail.amazonaws.com`.
    Service(String),
    /// An account's root ARN or a principal's ARN.
    Aws(String),
}

impl PolicyDocument {
    /// A document of one statement.
    pub fn of(statement: Statement) -> Self {
        Self { statements: vec![statement] }
    }

    /// The same with an end: each statement allows nothing from this time on (ISO 8601, UTC).
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>
    pub fn ending_at(&self, time: &str) -> Self {
        let ending = |statement: &Statement| statement.clone().when("DateLessThan", "aws:CurrentTime", time);
        Self { statements: self.statements.iter().map(ending).collect() }
    }

    /// Every action that the document allows.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|s| s.actions.iter().map(String::as_str))
    }

    /// The document on one line, as the APIs take it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Statement {
    /// Adds a condition.
    pub fn when(mut self, operator: &'static str, key: &str, value: &str) -> Self {
        self.conditions.entry(operator).or_default().entry(key.to_owned()).or_default().push(value.to_owned());
        self
    }
}

impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("Version", "2012-10-17")?;
        map.serialize_entry("Statement", &self.statements)?;
        map.end()
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(sid) = &self.sid {
            map.serialize_entry("Sid", sid)?;
        }
        map.serialize_entry("Effect", "Allow")?;
        if let Some(trustee) = &self.trustee {
            map.serialize_entry("Principal", trustee)?;
        }
        map.serialize_entry("Action", &OneOrMany(&self.actions))?;
        if !self.resources.is_empty() {
            map.serialize_entry("Resource", &OneOrMany(&self.resources))?;
        }
        if !self.conditions.is_empty() {
            let conditions: BTreeMap<_, BTreeMap<_, _>> = self
                .conditions
                .iter()
                .map(|(operator, keys)| (operator, keys.iter().map(|(k, v)| (k, OneOrMany(v))).collect()))
                .collect();
            map.serialize_entry("Condition", &conditions)?;
        }
        map.end()
    }
}

impl Serialize for Trustee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Service(name) => map.serialize_entry("Service", name)?,
            Self::Aws(arn) => map.serialize_entry("AWS", arn)?,
        }
        map.end()
    }
}

/// A list of one is written as its only value, as AWS's own examples do.
struct OneOrMany<'a>(&'a [String]);

impl Serialize for OneOrMany<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [only] => serializer.serialize_str(only),
            many => serializer.collect_seq(many),
        }
    }
}
