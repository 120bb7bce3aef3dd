//! What a command may name: entities, and the places where whole policies live.
//!
//! Names come from CloudTrail records, and a caller chooses many of them. One that AWS would not take for its kind
//! ends here as `None`, so that no language ever has to quote it.

use std::borrow::Cow;

use crate::{
    arn::{Arn, is_account_id, is_iam_name, is_region},
    diagnosis::{Place, Remedy, Target, TargetKind},
};

/// A user, a role or a group, by its name without a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entity<'a> {
    pub(super) kind: EntityKind,
    pub(super) name: &'a str,
    /// Whose it is, as its ARN says, else the call's account.
    pub(super) account: Option<&'a str>,
}

/// The kinds of entity that hold policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityKind {
    User,
    Role,
    Group,
}

impl EntityKind {
    /// As commands and Terraform spell it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
        }
    }

    /// As CloudFormation spells it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Role => "Role",
            Self::Group => "Group",
        }
    }
}

impl<'a> Entity<'a> {
    /// The remedy's target, if it is an entity.
    pub(super) fn of(remedy: &'a Remedy) -> Option<Self> {
        let target = &remedy.target;
        let kind = match target.kind {
            TargetKind::User => EntityKind::User,
            TargetKind::Role | TargetKind::LogRole => EntityKind::Role,
            TargetKind::Group => EntityKind::Group,
            _ => return None,
        };
        let limit = if kind == EntityKind::Group { 128 } else { 64 };
        let is_named_so = |arn: &str| {
            Arn::parse(arn).is_some_and(|arn| {
                arn.service == "iam" && arn.entity().is_some_and(|(k, _, name)| k == kind.word() && name == target.name)
            })
        };
        let is_legal =
            is_iam_name(&target.name) && target.name.len() <= limit && target.arn.as_deref().is_none_or(is_named_so);
        let in_arn = target.arn.as_deref().and_then(Arn::parse).and_then(|arn| arn.account_id());
        let account = in_arn.or(remedy.place.account_id.as_deref());
        is_legal.then_some(Self { kind, name: &target.name, account })
    }

    /// The same, unless AWS lets nobody but itself change it: roles of services and of Identity Center.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>
    pub(super) fn editable(remedy: &'a Remedy) -> Option<Self> {
        let target = &remedy.target;
        let path_is_aws = |arn: &str| arn.contains(":role/aws-service-role/") || arn.contains(":role/aws-reserved/");
        Self::of(remedy).filter(|entity| {
            entity.kind != EntityKind::Role
                || !(entity.name.starts_with("AWSReservedSSO_")
                    || entity.name.starts_with("AWSServiceRoleFor")
                    || target.arn.as_deref().is_some_and(path_is_aws))
        })
    }
}

/// Something whose policy is one document that its API replaces as a whole.
#[derive(Debug)]
pub(super) enum Holder<'a> {
    /// A bucket, by its name; where it lies is not known.
    Bucket(&'a str),
    /// An SNS topic, by ARN.
    Topic(Cow<'a, str>),
    /// A KMS key, by key ID, ARN, or an alias that has to be resolved first.
    Key { id: &'a str, is_alias: bool, region: Option<&'a str> },
    /// An event data store, a channel or a dashboard, by ARN.
    CloudTrail(Cow<'a, str>),
    /// A role, for its trust policy.
    Trust(Entity<'a>),
}

impl<'a> Holder<'a> {
    /// The remedy's target, if it is such a thing.
    pub(super) fn of(remedy: &'a Remedy) -> Option<Self> {
        let (target, place) = (&remedy.target, &remedy.place);
        match target.kind {
            TargetKind::Bucket => is_bucket_of(target).then_some(Self::Bucket(&target.name)),
            TargetKind::Topic => arn(target, place, "sns", "", is_topic_name).map(Self::Topic),
            TargetKind::Key => key(target, place),
            TargetKind::EventDataStore => {
                arn(target, place, "cloudtrail", "eventdatastore/", is_plain_id).map(Self::CloudTrail)
            }
            TargetKind::Channel => arn(target, place, "cloudtrail", "channel/", is_plain_id).map(Self::CloudTrail),
            TargetKind::Dashboard => arn(target, place, "cloudtrail", "dashboard/", is_plain_id).map(Self::CloudTrail),
            TargetKind::Role | TargetKind::LogRole => Entity::editable(remedy).map(Self::Trust),
            _ => None,
        }
    }
}

/// Whether what a remedy names could exist, as far as its kind has rules for names. What has none is never written.
pub(super) fn is_legal(remedy: &Remedy) -> bool {
    let target = &remedy.target;
    let is_harmless = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b" _+=,.@/#:-".contains(&b));
    is_legal_place(&remedy.place)
        && target.arn.as_deref().is_none_or(|arn| Arn::parse(arn).is_some())
        && match target.kind {
            TargetKind::User | TargetKind::Role | TargetKind::LogRole | TargetKind::Group => {
                Entity::of(remedy).is_some()
            }
            TargetKind::PermissionSet => permission_set(target).is_some(),
            TargetKind::VpcEndpoint => vpc_endpoint(target).is_some(),
            TargetKind::Bucket
            | TargetKind::Topic
            | TargetKind::Key
            | TargetKind::EventDataStore
            | TargetKind::Channel
            | TargetKind::Dashboard => Holder::of(remedy).is_some(),
            TargetKind::Account
            | TargetKind::Organization
            | TargetKind::LogGroup
            | TargetKind::Policy
            | TargetKind::Trail => is_harmless(&target.name),
        }
}

/// Whether every part of a place that is given is a legal one.
fn is_legal_place(place: &Place) -> bool {
    place.partition.as_deref().is_none_or(is_partition)
        && place.region.as_deref().is_none_or(is_region)
        && place.account_id.as_deref().is_none_or(is_account_id)
}

/// A managed policy that a remedy names.
#[derive(Debug, Clone, Copy)]
pub(super) enum NamedPolicy<'a> {
    /// In IAM, by ARN.
    Iam { arn: &'a str, is_aws: bool },
    /// In AWS Organizations, by its ID (`p-…`).
    Organizations(&'a str),
}

impl<'a> NamedPolicy<'a> {
    /// Reads the ARN of a policy; `None` if it is not one.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html#awsorganizations-resources-for-iam-policies>
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let arn = Arn::parse(text)?;
        let is_aws = arn.account == "aws";
        if !arn.region.is_empty() || !(is_aws || is_account_id(arn.account)) {
            return None;
        }
        let path = arn.resource.strip_prefix("policy/")?;
        let is_path = path.split('/').all(is_iam_name);
        match arn.service {
            "iam" => is_path.then_some(Self::Iam { arn: text, is_aws }),
            "organizations" => {
                let id = path.rsplit('/').next()?;
                let is_id = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && id.len() >= 8;
                (is_path && id.strip_prefix("p-").is_some_and(is_id)).then_some(Self::Organizations(id))
            }
            _ => None,
        }
    }
}

/// The name of a permission set.
/// <https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreatePermissionSet.html>
pub(super) fn permission_set(target: &Target) -> Option<&str> {
    (target.kind == TargetKind::PermissionSet && is_iam_name(&target.name) && target.name.len() <= 32)
        .then_some(target.name.as_str())
}

/// The ID of a VPC endpoint.
pub(super) fn vpc_endpoint(target: &Target) -> Option<&str> {
    let is_id = |id: &str| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    (target.kind == TargetKind::VpcEndpoint && target.name.strip_prefix("vpce-").is_some_and(is_id))
        .then_some(target.name.as_str())
}

/// The account whose organization's policies are looked at.
pub(super) fn account(remedy: &Remedy) -> Option<&str> {
    match remedy.target.kind {
        TargetKind::Account if is_account_id(&remedy.target.name) => Some(&remedy.target.name),
        _ => remedy.place.account_id.as_deref(),
    }
}

/// The account of what is changed, where the record tells it.
pub(super) fn owner(remedy: &Remedy) -> Option<&str> {
    let target = &remedy.target;
    let here = remedy.place.account_id.as_deref();
    let account = match target.kind {
        TargetKind::User | TargetKind::Role | TargetKind::LogRole | TargetKind::Group => Entity::of(remedy)?.account,
        TargetKind::Topic
        | TargetKind::Key
        | TargetKind::EventDataStore
        | TargetKind::Channel
        | TargetKind::Dashboard
        | TargetKind::Policy => {
            let given = target.arn.as_deref().or(target.name.starts_with("arn:").then_some(target.name.as_str()));
            given.map_or(here, |given| Arn::parse(given)?.account_id())
        }
        TargetKind::PermissionSet
        | TargetKind::Account
        | TargetKind::Organization
        | TargetKind::Bucket
        | TargetKind::LogGroup
        | TargetKind::Trail
        | TargetKind::VpcEndpoint => None,
    };
    account.filter(|account| is_account_id(account))
}

/// A target's ARN: given, or made from a legal name and a place that is wholly known.
fn arn<'a>(
    target: &'a Target,
    place: &Place,
    service: &str,
    prefix: &str,
    is_name: fn(&str) -> bool,
) -> Option<Cow<'a, str>> {
    let is_such = |text: &str| {
        Arn::parse(text).is_some_and(|arn| {
            arn.service == service
                && is_region(arn.region)
                && is_account_id(arn.account)
                && arn.resource.strip_prefix(prefix).is_some_and(is_name)
        })
    };
    let given = target.arn.as_deref().or(target.name.starts_with("arn:").then_some(target.name.as_str()));
    if let Some(given) = given {
        return is_such(given).then_some(Cow::Borrowed(given));
    }
    let (partition, region, account) =
        (place.partition.as_deref()?, place.region.as_deref()?, place.account_id.as_deref()?);
    let name = target.name.strip_prefix(prefix).unwrap_or(&target.name);
    is_name(name).then(|| Cow::Owned(format!("arn:{partition}:{service}:{region}:{account}:{prefix}{name}")))
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>
fn key<'a>(target: &'a Target, place: &'a Place) -> Option<Holder<'a>> {
    let id = target.arn.as_deref().unwrap_or(&target.name);
    let (resource, region) = if id.starts_with("arn:") {
        let arn =
            Arn::parse(id).filter(|arn| arn.service == "kms" && is_region(arn.region) && is_account_id(arn.account))?;
        (arn.resource, Some(arn.region))
    } else {
        (id, place.region.as_deref())
    };
    if let Some(alias) = resource.strip_prefix("alias/") {
        let is_alias = !alias.is_empty()
            && alias.len() <= 250
            && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b));
        return is_alias.then_some(Holder::Key { id, is_alias, region });
    }
    let bare = match resource.strip_prefix("key/") {
        Some(bare) if id.starts_with("arn:") => bare,
        None if !id.starts_with("arn:") => resource,
        _ => return None,
    };
    let is_id = (8..=128).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_id.then_some(Holder::Key { id, is_alias: false, region })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket_of(target: &Target) -> bool {
    let name = target.name.as_str();
    let is_edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && is_edge(name.as_bytes().first())
        && is_edge(name.as_bytes().last());
    let is_named_so = |arn: &str| Arn::parse(arn).is_some_and(|arn| arn.service == "s3" && arn.resource == name);
    is_name && target.arn.as_deref().is_none_or(is_named_so)
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
fn is_topic_name(name: &str) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    !stem.is_empty() && name.len() <= 256 && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The last part of the ARN of an event data store, a channel or a dashboard.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateDashboard.html>
fn is_plain_id(name: &str) -> bool {
    (3..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_partition(text: &str) -> bool {
    text.starts_with("aws")
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
