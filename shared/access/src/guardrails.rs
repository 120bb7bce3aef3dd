//! Guardrails: the operator's small file of what is never granted to, and what belongs to the trail.
//!
//! It only takes possibilities away (protected principals) or widens what is looked at (trail resources). A member that
//! is not known here is an error: a guardrail that is misspelt and silently ignored would be worse than none.

use serde::{Deserialize, Serialize};

use crate::{arn::Arn, principal::Caller};

/// The operator's file. JSON; every member may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guardrails {
    /// Who is never granted anything by Trailpass.
    pub protected: Protected,
    /// Who can be granted anything at all.
    pub grants: Grants,
    /// What the account's trails write to and use: denials on these are CloudTrail's business.
    pub trail_resources: TrailResources,
    /// Calls that succeeded and blind the log or the responder are alarms, and not only refused ones.
    pub alarm_on_blinding: bool,
}

/// Principals that no approval may change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protected {
    /// Names of users and roles; `*` stands for any characters. Compared without regard to case, as IAM compares names.
    pub names: Vec<String>,
    /// Prefixes of IAM paths, such as `/break-glass/`.
    pub paths: Vec<String>,
}

/// Where grants are possible. An empty list limits nothing. What the functions may do in IAM is limited there; this keeps them from offering
/// what would be refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Accounts whose users and roles the stack can change: its own.
    pub accounts: Vec<String>,
    /// Prefixes of IAM paths, such as `/people/`.
    pub paths: Vec<String>,
}

/// Existing resources, by name or by ARN. Empty strings are skipped, so that a template may pass an unset parameter on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrailResources {
    /// S3 buckets.
    pub buckets: Vec<String>,
    /// KMS keys.
    pub keys: Vec<String>,
    /// SNS topics.
    pub topics: Vec<String>,
    /// CloudWatch Logs groups.
    pub log_groups: Vec<String>,
    /// The roles that CloudTrail assumes to write to CloudWatch Logs, and those that read the log for others.
    pub roles: Vec<String>,
}

impl Guardrails {
    /// Reads the file's text. The error says which member and why.
    pub fn from_json(json: &str) -> Result<Self, String> {
        if !json.trim_start().starts_with('{') {
            return Err("guardrails: expected a JSON object".to_owned());
        }
        let read: Self = serde_json::from_str(json).map_err(|e| format!("guardrails: {e}"))?;
        for (member, paths) in [("protected", &read.protected.paths), ("grants", &read.grants.paths)] {
            if let Some(path) = paths.iter().find(|path| !path.is_empty() && !path.starts_with('/')) {
                return Err(format!("guardrails: {member}.paths: {path:?} does not begin with a slash"));
            }
        }
        Ok(read)
    }

    /// Whether this caller must never be granted anything. An unknown path counts as protected where paths are.
    pub fn protect(&self, caller: &Caller) -> bool {
        self.protects(caller.principal.name.as_deref().unwrap_or_default(), caller.path.as_deref())
    }

    /// The same for a user or a role as IAM shows it, whose path is known.
    pub fn protect_entity(&self, name: &str, path: &str) -> bool {
        self.protects(name, Some(path))
    }

    fn protects(&self, name: &str, path: Option<&str>) -> bool {
        let mut paths = self.protected.paths.iter().filter(|path| !path.is_empty());
        let mut names = self.protected.names.iter().filter(|name| !name.is_empty());
        names.any(|pattern| matches_name(pattern, name))
            || paths.any(|prefix| path.is_none_or(|path| path.starts_with(prefix.as_str())))
    }
}

impl Grants {
    /// Whether the users and roles of an account can be granted anything.
    pub fn reach_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|one| one == account)
    }

    /// Whether a user or role under this path can be. One whose path is not known lies outside.
    pub fn reach_path(&self, path: Option<&str>) -> bool {
        self.paths.is_empty()
            || path.is_some_and(|path| self.paths.iter().any(|prefix| path.starts_with(prefix.as_str())))
    }
}

impl TrailResources {
    /// Whether a bucket is one of these, by its name.
    pub fn contain_bucket(&self, bucket: &str) -> bool {
        let is_arn_of = |one: &str| Arn::parse(one).is_some_and(|one| one.service == "s3" && one.resource == bucket);
        self.buckets.iter().any(|one| !one.is_empty() && (one == bucket || is_arn_of(one)))
    }

    /// Whether an ARN is one of these, or lies in one of the buckets or log groups.
    pub fn contain(&self, arn: &Arn, text: &str) -> bool {
        let listed =
            |list: &[String], name: &str| list.iter().any(|one| !one.is_empty() && (one == name || one == text));
        match arn.service {
            "s3" => {
                let bucket = arn.resource.split('/').next().unwrap_or_default();
                self.contain_bucket(bucket) || listed(&self.buckets, bucket)
            }
            "kms" => listed(&self.keys, arn.resource.strip_prefix("key/").unwrap_or(arn.resource)),
            "sns" => listed(&self.topics, arn.resource),
            "logs" => log_group(arn).is_some_and(|group| {
                self.log_groups
                    .iter()
                    .any(|one| one == group || Arn::parse(one).as_ref().and_then(log_group) == Some(group))
            }),
            "iam" => matches!(arn.entity(), Some(("role", _, name)) if listed(&self.roles, name)),
            _ => false,
        }
    }
}

/// The log group's name in an ARN of CloudWatch Logs, without what follows it.
pub fn log_group<'a>(arn: &Arn<'a>) -> Option<&'a str> {
    let rest = arn.resource.strip_prefix("log-group:").filter(|_| arn.service == "logs")?;
    rest.split(':').next().filter(|name| !name.is_empty())
}

/// `*` stands for any characters; all else is compared without regard to case.
fn matches_name(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return left.ends_with(piece);
        }
        let Some(at) = left.find(piece) else { return false };
        left = left.get(at + piece.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_guardrail_is_an_error() {
        assert!(Guardrails::from_json("{}").is_ok());
        for json in [
            "",
            "[]",
            r#"{"protectd":{}}"#,
            r#"{"protected":{"names":"x"}}"#,
            r#"{"protected":{"paths":["x/"]}}"#,
            r#"{"grants":{"paths":["x/"]}}"#,
        ] {
            assert!(Guardrails::from_json(json).unwrap_err().starts_with("guardrails: "), "{json}");
        }
    }

    #[test]
    fn stars_and_case_in_names() {
        for (pattern, name) in [
            ("break-glass*", "Break-Glass-1"),
            ("*admin*", "my-ADMIN-role"),
            ("root", "Root"),
            ("a*c*e", "abcde"),
            ("*", ""),
        ] {
            assert!(matches_name(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("break-glass", "break-glass-1"), ("a*a", "a"), ("*x", "xy"), ("a*b*c", "acb")] {
            assert!(!matches_name(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn resources_by_name_or_arn() {
        let resources = TrailResources {
            buckets: vec!["logs-bucket".into(), String::new()],
            log_groups: vec!["arn:aws:logs:eu-west-1:111122223333:log-group:trail:*".into()],
            roles: vec!["CT_Logs".into()],
            ..TrailResources::default()
        };
        let contains = |text: &str| resources.contain(&Arn::parse(text).unwrap(), text);
        assert!(contains("arn:aws:s3:::logs-bucket"));
        assert!(contains("arn:aws:s3:::logs-bucket/AWSLogs/x"));
        assert!(contains("arn:aws:logs:eu-west-1:111122223333:log-group:trail:log-stream:s"));
        assert!(contains("arn:aws:iam::111122223333:role/path/CT_Logs"));
        assert!(!contains("arn:aws:s3:::logs-bucket-2/x"));
        assert!(!contains("arn:aws:sns:eu-west-1:111122223333:topic"));
    }
}
