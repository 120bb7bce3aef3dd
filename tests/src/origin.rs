//! Where names come from: every ARN that Trailpass writes was in the input, or is made of parts that were.
//!
//! The parts that were not are counted here, one by one: what AWS or Trailpass call by a fixed name.

use std::collections::BTreeSet;

use serde_json::Value;

/// Words that stand in ARNs by themselves, and the fixed names.
const FIXED: &[&str] = &[
    "",
    "*",
    "arn",
    "aws",
    "iam",
    "sts",
    "s3",
    "sns",
    "kms",
    "logs",
    "cloudtrail",
    "organizations",
    "root",
    "user",
    "role",
    "group",
    "policy",
    "assumed-role",
    "trail",
    "eventdatastore",
    "channel",
    "dashboard",
    "key",
    "log-group",
    "log-stream",
    "AWSLogs",
    // Everything that CloudTrail writes of one account: its log, digest and Insights files.
    "CloudTrail*",
    // An organization's part of a bucket or a log group: no record holds its id.
    "o-*",
    "o-*_*",
    "aws-service-role",
    // AWS's policies for CloudTrail.
    "AWSCloudTrail_ReadOnlyAccess",
    "AWSCloudTrail_FullAccess",
    // Trailpass's own policies.
    "trailpass",
    "trailpass-trail-read",
    "trailpass-event-lookup",
    "trailpass-lake-query",
    // The roles that remedies make or name, and the pattern of CloudTrail's service-linked role.
    "CloudTrail_CloudWatchLogs_Role",
    "TrailpassCloudTrailReader",
    "*cloudtrail.amazonaws.com",
    // What CloudTrail's console calls its log groups.
    "aws-cloudtrail-logs-*",
];

/// The partitions that a Region implies.
const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// Every ARN in what was said whose parts were not in what was given.
pub fn invented(input: &str, diagnosis: &Value) -> Vec<String> {
    let given = Given::of(input);
    let mut arns = BTreeSet::new();
    each_text(diagnosis, &mut |text| arns.extend(arns_in(text)));
    arns.into_iter().filter(|arn| !given.explains(arn)).collect()
}

struct Given {
    texts: Vec<String>,
    words: BTreeSet<String>,
}

impl Given {
    /// A text's JSON strings, those within JSON strings included; for what is no JSON the text itself.
    fn of(input: &str) -> Self {
        let mut texts = vec![input.to_owned()];
        let mut next = 0;
        while let Some(text) = texts.get(next) {
            if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
                each_text(&value, &mut |text| texts.push(text.to_owned()));
            }
            next += 1;
        }
        let words =
            texts.iter().flat_map(|text| text.split(is_between).chain([text.as_str()])).map(str::to_owned).collect();
        Self { texts, words }
    }

    fn explains(&self, arn: &str) -> bool {
        if self.texts.iter().any(|text| text.contains(arn)) {
            return true;
        }
        let mut parts = arn.splitn(6, ':');
        let (_, partition, rest) = (parts.next(), parts.next().unwrap_or_default(), parts);
        let has = |word: &str| {
            // A role for another account's readers is named after that account.
            let word = word.strip_prefix("TrailpassCloudTrailReader-").unwrap_or(word);
            FIXED.contains(&word) || self.words.contains(word)
        };
        let is_word = |word: &str| has(word) || word.strip_suffix('*').is_some_and(|stem| self.is_stream(stem));
        (PARTITIONS.contains(&partition) || self.words.contains(partition))
            && rest.flat_map(|part| part.split(['/', ':'])).all(is_word)
    }

    /// The log streams that CloudTrail writes: `111122223333_CloudTrail_eu-west-1`.
    fn is_stream(&self, stem: &str) -> bool {
        let parts = stem.split_once("_CloudTrail_");
        parts.is_some_and(|(account, region)| {
            [account, region.trim_end_matches('*')]
                .iter()
                .all(|word| FIXED.contains(word) || self.words.contains(*word))
        })
    }
}

/// Where one word of a text ends.
fn is_between(character: char) -> bool {
    character.is_whitespace() || "/:\"'`,;()<>=[]{}".contains(character)
}

/// The ARNs in a text: from `arn:` to what can't stand in one.
fn arns_in(text: &str) -> Vec<String> {
    let ends =
        |character: char| character.is_whitespace() || "\"'`,;()<>{}\\".contains(character) || character.is_control();
    let arn = |(at, _): (usize, &str)| {
        text[at..].split(ends).next().unwrap_or_default().trim_end_matches(['.', ':']).to_owned()
    };
    text.match_indices("arn:aws").map(arn).collect()
}

fn each_text(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => found(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found(name);
            each_text(value, found);
        }),
        _ => {}
    }
}
