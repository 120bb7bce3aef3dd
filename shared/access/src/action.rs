//! IAM actions: what is known of CloudTrail's own, how an event's name becomes an action, what its resource looks like.

use std::cmp::Ordering;

use crate::{
    arn::Arn,
    diagnosis::{
        AccessLevel::{self, List, Read, Tagging, Write},
        Place,
        Risk::{self, Routine, Sensitive, Tampering},
    },
};

include!("../data/actions.rs");

/// What AWS's reference and our judgement say of one action.
#[derive(Debug, PartialEq, Eq)]
pub struct CloudTrailAction {
    /// `cloudtrail:GetTrail`
    pub name: &'static str,
    /// AWS's access level.
    pub level: AccessLevel,
    /// Our judgement.
    pub risk: Risk,
    /// What it can be limited to; empty: only `*`.
    pub resources: &'static [ResourceType],
    /// AWSCloudTrail_ReadOnlyAccess allows it.
    pub in_read_only_access: bool,
}

/// The resource types of CloudTrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// `trail/NAME`
    Trail,
    /// `eventdatastore/UUID`
    EventDataStore,
    /// `channel/UUID`
    Channel,
    /// `dashboard/NAME`
    Dashboard,
}

const CHANNEL: u8 = 1;
const DASHBOARD: u8 = 2;
const STORE: u8 = 4;
const TRAIL: u8 = 8;
const ANY: u8 = 0;

const fn row(
    name: &'static str,
    level: AccessLevel,
    risk: Risk,
    types: u8,
    in_read_only_access: bool,
) -> CloudTrailAction {
    use ResourceType::{Channel, Dashboard, EventDataStore, Trail};
    let resources: &'static [ResourceType] = match types {
        ANY => &[],
        TRAIL => &[Trail],
        STORE => &[EventDataStore],
        CHANNEL => &[Channel],
        DASHBOARD => &[Dashboard],
        5 => &[Channel, EventDataStore],
        7 => &[Channel, Dashboard, EventDataStore],
        12 => &[EventDataStore, Trail],
        _ => &[Trail, EventDataStore, Channel, Dashboard],
    };
    CloudTrailAction { name, level, risk, resources, in_read_only_access }
}

impl CloudTrailAction {
    /// AWS lets nobody limit it to a resource.
    pub fn takes_only_star(&self) -> bool {
        self.resources.is_empty()
    }

    /// Reads and changes nothing, by AWS's word.
    pub fn is_read(&self) -> bool {
        matches!(self.level, Read | List)
    }

    /// Makes something of CloudTrail Lake, which takes no new customers since 2026-05-31.
    pub fn creates_lake_resource(&self) -> bool {
        matches!(
            self.name,
            "cloudtrail:CreateEventDataStore" | "cloudtrail:CreateChannel" | "cloudtrail:CreateDashboard"
        )
    }
}

/// All of CloudTrail's actions.
pub fn all() -> &'static [CloudTrailAction] {
    ACTIONS
}

/// A CloudTrail action by its name. IAM compares actions without regard to case, so a lookup must, too.
pub fn find(action: &str) -> Option<&'static CloudTrailAction> {
    // All of them begin alike, and what is the same in all need not be compared again at each step of the search.
    const ALIKE: usize = "cloudtrail".len();
    let (_, rest) = action.split_at_checked(ALIKE).filter(|(front, _)| front.eq_ignore_ascii_case("cloudtrail"))?;
    let order = |known: &CloudTrailAction| ignoring_case(known.name.get(ALIKE..).unwrap_or_default(), rest);
    ACTIONS.binary_search_by(order).ok().and_then(|at| ACTIONS.get(at))
}

/// Where a text sorts beside another, capitals or not.
fn ignoring_case(one: &str, other: &str) -> Ordering {
    for (one, other) in one.bytes().zip(other.bytes()) {
        let order = one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase());
        if order != Ordering::Equal {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

/// The services whose permissions CloudTrail's own documentation asks for somewhere: trails, Lake, Config and
/// CloudWatch Logs integrations, organizations, the console's pages, sharing of log files.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_id-based-policy-examples.html>
const COMPANIONS: &[&str] = &[
    "config",
    "dynamodb",
    "events",
    "glue",
    "iam",
    "kms",
    "lakeformation",
    "lambda",
    "logs",
    "organizations",
    "s3",
    "sns",
    "sts",
    "tag",
];

/// The risk of allowing an action; `None` for one that nothing is known of.
pub fn risk(action: &str) -> Option<Risk> {
    find(action).map(|known| known.risk).or_else(|| companion_risk(action))
}

/// The risk of an action that is not CloudTrail's.
pub fn companion_risk(action: &str) -> Option<Risk> {
    COMPANIONS.contains(&service(action)).then_some(Sensitive)
}

/// What setting a trail up and reading its log take of the services around it. Nothing else of these is ever written into a
/// remedy: among what is not on this list is all that takes the log away, overwrites it, hands it on, or rewrites who may.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_id-based-policy-examples.html>
const HARMLESS: &[(&str, &[&str])] = &[
    ("s3", &["Get*", "Head*", "List*", "CreateBucket", "RestoreObject"]),
    ("kms", &["Describe*", "Get*", "List*", "Decrypt", "Encrypt", "GenerateDataKey*", "CreateKey", "CreateAlias"]),
    // Whoever may publish can tell every reader of the topic of files that CloudTrail never wrote.
    ("sns", &["Get*", "List*", "CreateTopic"]),
    (
        "logs",
        &[
            "Describe*",
            "Filter*",
            "Get*",
            "List*",
            "StartQuery",
            "StopQuery",
            "StartLiveTail",
            "TestMetricFilter",
            "Unmask",
            "CreateLogGroup",
            "CreateLogStream",
            "PutMetricFilter",
        ],
    ),
];

/// Whether allowing an action of S3, KMS, SNS or CloudWatch Logs could harm the log that is kept there.
pub fn may_harm_the_log(action: &str) -> bool {
    let Some((_, harmless)) = HARMLESS.iter().find(|(name, _)| *name == service(action)) else { return false };
    let operation = operation(action);
    !harmless.iter().any(|known| match known.strip_suffix('*') {
        Some(verb) => operation.starts_with(verb),
        None => operation == *known,
    })
}

/// `cloudtrail` of `cloudtrail:GetTrail`.
pub fn service(action: &str) -> &str {
    action.split_once(':').map_or(action, |(service, _)| service)
}

/// `GetTrail` of `cloudtrail:GetTrail`.
pub fn operation(action: &str) -> &str {
    action.split_once(':').map_or(action, |(_, operation)| operation)
}

/// Whether the action is one of CloudTrail's, known or not.
pub fn is_cloudtrail(action: &str) -> bool {
    matches!(service(action), "cloudtrail" | "cloudtrail-data")
}

/// The action that IAM checks for an API call, where AWS's sentence doesn't say.
///
/// Nearly always service and operation bear the same names; the exceptions that matter here:
/// `ListInsightsMetricData` is checked as `LookupEvents`, S3's calls have names of their own
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).
pub fn of_event(event_source: &str, event_name: &str) -> Option<String> {
    let service =
        event_source.strip_suffix(".amazonaws.com").or_else(|| event_source.strip_suffix(".amazonaws.com.cn"))?;
    let legal = |s: &str| !s.is_empty() && s.len() <= 128 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !legal(service) || !legal(event_name) {
        return None;
    }
    let operation = match (service, event_name) {
        ("cloudtrail", "ListInsightsMetricData") => "LookupEvents",
        ("s3", "HeadObject" | "SelectObjectContent") => "GetObject",
        ("s3", "HeadBucket" | "ListObjects" | "ListObjectsV2") => "ListBucket",
        ("s3", "ListObjectVersions") => "ListBucketVersions",
        ("s3", "ListBuckets") => "ListAllMyBuckets",
        ("s3", "DeleteObjects") => "DeleteObject",
        ("s3", "PutBucketLifecycle" | "DeleteBucketLifecycle" | "PutBucketLifecycleConfiguration") => {
            "PutLifecycleConfiguration"
        }
        ("s3", "GetBucketLifecycle" | "GetBucketLifecycleConfiguration") => "GetLifecycleConfiguration",
        ("s3", "PutBucketEncryption" | "DeleteBucketEncryption") => "PutEncryptionConfiguration",
        ("s3", "GetBucketEncryption") => "GetEncryptionConfiguration",
        ("s3", "PutBucketReplication") => "PutReplicationConfiguration",
        _ => event_name,
    };
    Some(format!("{service}:{operation}"))
}

impl ResourceType {
    /// The word in the ARN.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Trail => "trail",
            Self::EventDataStore => "eventdatastore",
            Self::Channel => "channel",
            Self::Dashboard => "dashboard",
        }
    }

    /// The type of a CloudTrail ARN's resource, with its name.
    pub fn of<'a>(arn: &Arn<'a>) -> Option<(Self, &'a str)> {
        let (prefix, name) = arn.resource.split_once('/').filter(|_| arn.service == "cloudtrail")?;
        [Self::Trail, Self::EventDataStore, Self::Channel, Self::Dashboard]
            .into_iter()
            .find(|kind| kind.prefix() == prefix)
            .map(|kind| (kind, name))
    }

    /// Whether CloudTrail would take this name. Trails: 3 to 128 letters, digits, dots, dashes and underscores, a letter
    /// or digit at both ends, no two separators together
    /// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html>).
    pub fn accepts(self, name: &str) -> bool {
        let separator = |b: u8| matches!(b, b'.' | b'-' | b'_');
        match self {
            Self::Trail => {
                let bytes = name.as_bytes();
                (3..=128).contains(&bytes.len())
                    && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || separator(b))
                    && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
                    && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
                    && !bytes.windows(2).any(|pair| pair.iter().all(|&b| separator(b)))
                    && name.parse::<std::net::Ipv4Addr>().is_err()
            }
            Self::EventDataStore | Self::Channel => {
                (3..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }
            Self::Dashboard => {
                (3..=128).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            }
        }
    }

    /// The ARN of a thing of this type, if the name is legal and the place is known.
    pub fn arn(self, place: &Place, name: &str) -> Option<String> {
        if !self.accepts(name) {
            return None;
        }
        let (partition, region, account) =
            (place.partition.as_deref()?, place.region.as_deref()?, place.account_id.as_deref()?);
        Some(format!("arn:{partition}:cloudtrail:{region}:{account}:{}/{name}", self.prefix()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        let names: Vec<String> = ACTIONS.iter().map(|a| a.name.to_ascii_lowercase()).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert_eq!(ACTIONS.len(), 67);
        assert_eq!(ACTIONS.iter().filter(|a| a.takes_only_star()).count(), 16);
        assert_eq!(ACTIONS.iter().filter(|a| a.risk == Tampering).count(), 22);
        assert_eq!(ACTIONS.iter().filter(|a| a.in_read_only_access).count(), 27);
        for action in ACTIONS {
            assert_eq!(find(action.name), Some(action));
        }
    }

    #[test]
    fn case_hides_nothing() {
        assert_eq!(risk("cloudtrail:stoplogging"), Some(Tampering));
        assert_eq!(risk("CLOUDTRAIL:DELETETRAIL"), Some(Tampering));
        assert_eq!(risk("widgets:GetWidget"), None);
        assert_eq!(risk("cloudtrail:NoSuchAction"), None);
        assert_eq!(risk("s3:GetObject"), Some(Sensitive));
    }

    #[test]
    fn legal_trail_names() {
        for name in ["My-Trail", "a.b", "management_events", "192.168.5.4.x"] {
            assert!(ResourceType::Trail.accepts(name), "{name}");
        }
        for name in
            ["ab", "-abc", "abc-", "my..trail", "my-_trail", "a b c", "trail*", "${aws:x}", "192.168.5.4", "tr\u{e4}il"]
        {
            assert!(!ResourceType::Trail.accepts(name), "{name}");
        }
    }
}
