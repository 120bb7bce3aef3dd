//! What CloudTrail itself was refused: the bucket's, the topic's, the key's or the role's policy, as AWS documents it.
//!
//! Each statement is AWS's own, limited to this trail with `aws:SourceArn`, and is to be added to what is there.

use serde_json::Value;

use super::{account_target, allow, by_hand, ceilings, integration::log_role_target, last_part, partition};
use crate::{
    action::ResourceType,
    arn::{Arn, is_iam_name, is_literal},
    classify::Rule,
    denial::Denial,
    diagnosis::{Reach, Remedy, RemedyKind, Target, TargetKind},
    guardrails::log_group,
    policy_document::{PolicyDocument, Statement, Trustee},
};

pub(super) fn propose(denial: &Denial, rule: Rule) -> Vec<Remedy> {
    match rule {
        Rule::DeliveryTopic => vec![topic(denial)],
        Rule::DeliveryKey => {
            // AWS says the same of a bucket that refuses: the request tells which of the two there is.
            let mut remedies = vec![key(denial)];
            remedies.extend(bucket_name(denial).is_some().then(|| bucket(denial)));
            remedies
        }
        Rule::DeliveryRoleTrust => vec![role(denial, true)],
        Rule::DeliveryRolePermissions => vec![role(denial, false)],
        Rule::DeliveryServiceLinkedRole => vec![by_hand(
            denial,
            RemedyKind::CreateServiceLinkedRole,
            Reach::CloudtrailService,
            Target { kind: TargetKind::Organization, name: "management account".to_owned(), arn: None },
            "the organization's management account needs CloudTrail's service-linked role: make it there; registering the \
             delegated administrator through CloudTrail (not through Organizations) makes it, too",
        )],
        _ => vec![bucket(denial)],
    }
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html>
fn bucket(denial: &Denial) -> Remedy {
    let third = "; since this is an organization's trail, it also writes below AWSLogs/ORGANIZATION-ID: no record holds that id, so \
                 `o-*` stands for it until you put in what `aws organizations describe-organization` says. Called by a delegated \
                 administrator, the trail belongs to the management account, whose id then has to stand in aws:SourceArn";
    // Who may change a trail can point it to a bucket of their own, and then asks for nothing but this.
    let redirected = if denial.operation() == "UpdateTrail" {
        "make sure that the bucket is yours: a trail that is pointed to somebody else's is lost. "
    } else {
        ""
    };
    let why = format!(
        "{redirected}CloudTrail may deliver only where the bucket's policy lets it check the bucket and write below \
         AWSLogs/ACCOUNT for this trail; a prefix in the policy has to be the trail's own, letter for letter{}",
        if is_organizations(denial) { third } else { "" }
    );
    let remedy = |target| by_hand(denial, RemedyKind::UpdateBucketPolicy, Reach::CloudtrailService, target, why);
    let Some(bucket) = bucket_name(denial) else { return remedy(account_target(denial)) };
    // A sentence by itself does not say in which partition its bucket is.
    let arn = denial.place.partition.as_deref().map(|partition| format!("arn:{partition}:s3:::{bucket}"));
    let target = Target { kind: TargetKind::Bucket, name: bucket.to_owned(), arn: arn.clone() };
    let (Some(arn), Some(trail), Some(account)) = (arn, trail_arn(denial), denial.place.account_id.as_deref()) else {
        return remedy(target);
    };
    let prefix = match denial.record.parameter("s3KeyPrefix") {
        Some(prefix) if is_key_prefix(prefix) => format!("{prefix}/"),
        Some(_) => return remedy(target),
        None => String::new(),
    };
    let write = |sid: &str, folder: &str| {
        let files = allow(sid, &["s3:PutObject"], &format!("{arn}/{prefix}AWSLogs/{folder}/*"));
        for_cloudtrail(files.when("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control"), &trail)
    };
    let mut statements = vec![
        for_cloudtrail(allow("AWSCloudTrailAclCheck20150319", &["s3:GetBucketAcl"], &arn), &trail),
        write("AWSCloudTrailWrite20150319", account),
    ];
    statements.extend(is_organizations(denial).then(|| write("AWSCloudTrailOrganizationWrite20150319", "o-*")));
    remedy(target).with_policy(PolicyDocument { statements })
}

/// The request is for a trail of a whole organization, whose id no record holds.
fn is_organizations(denial: &Denial) -> bool {
    let flag = denial.record.request_parameters.as_ref().and_then(|parameters| parameters.get("isOrganizationTrail"));
    flag == Some(&Value::Bool(true))
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html>
fn topic(denial: &Denial) -> Remedy {
    let why =
        "CloudTrail may publish only where the topic exists and its policy (and its key's, if it is encrypted) lets it";
    let remedy = |target| by_hand(denial, RemedyKind::UpdateTopicPolicy, Reach::CloudtrailService, target, why);
    let named = denial.record.parameter("snsTopicName");
    let arn = named.and_then(|name| match Arn::parse(name) {
        Some(arn) => (arn.service == "sns" && is_literal(name)).then(|| name.to_owned()),
        None => {
            let legal = name.len() <= 256 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            let (region, account) = (denial.place.region.as_deref()?, denial.place.account_id.as_deref()?);
            legal.then(|| format!("arn:{}:sns:{region}:{account}:{name}", partition(denial)))
        }
    });
    let Some(arn) = arn else { return remedy(account_target(denial)) };
    let target = Target { kind: TargetKind::Topic, name: last_part(&arn).to_owned(), arn: Some(arn.clone()) };
    let Some(trail) = trail_arn(denial) else { return remedy(target) };
    let publish = for_cloudtrail(allow("AWSCloudTrailSNSPolicy20131101", &["sns:Publish"], &arn), &trail);
    remedy(target).with_policy(PolicyDocument::of(publish))
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>
fn key(denial: &Denial) -> Remedy {
    let why = "CloudTrail may encrypt only with a key whose policy lets it, in the Region of the bucket; a key policy's `*` means \
               this key";
    let remedy = |target| by_hand(denial, RemedyKind::UpdateKeyPolicy, Reach::CloudtrailService, target, why);
    let in_message = || {
        let message = denial.record.error_message.as_deref()?;
        message
            .split(|c: char| c.is_whitespace() || c == '"')
            .map(|word| word.trim_end_matches('.'))
            .find(|word| word.contains(":kms:"))
    };
    let named = denial.record.parameter("kmsKeyId").or_else(in_message);
    let arn = named.filter(|key| is_literal(key)).and_then(|key| match Arn::parse(key) {
        Some(arn) => (arn.service == "kms" && ["key/", "alias/"].iter().any(|kind| arn.resource.starts_with(kind)))
            .then(|| key.to_owned()),
        // By its id, or by an alias, whose key the commands look up.
        None => {
            let (prefix, name) = key.strip_prefix("alias/").map_or(("key/", key), |alias| ("alias/", alias));
            let legal = name.len() <= 250 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/".contains(&b));
            let (region, account) = (denial.place.region.as_deref()?, denial.place.account_id.as_deref()?);
            legal.then(|| format!("arn:{}:kms:{region}:{account}:{prefix}{name}", partition(denial)))
        }
    });
    let Some(arn) = arn else { return remedy(account_target(denial)) };
    let name =
        arn.rsplit_once(":alias/").map_or(last_part(&arn), |_| arn.rsplit(':').next().unwrap_or(&arn)).to_owned();
    let target = Target { kind: TargetKind::Key, name, arn: Some(arn) };
    let service = |statement: Statement| Statement { trustee: Some(cloudtrail()), ..statement };
    let is_lake = denial.operation().contains("EventDataStore") || denial.operation().contains("Query");
    let statements = match trail_arn(denial) {
        // Keys of event data stores take no condition on the source: with one, CloudTrail is refused.
        _ if is_lake => vec![
            service(allow("AllowCloudTrailToEncrypt", &["kms:GenerateDataKey"], "*")),
            service(allow("AllowCloudTrailToDecrypt", &["kms:Decrypt"], "*")),
        ],
        Some(trail) => {
            let account = denial.place.account_id.as_deref().unwrap_or_default();
            let context = format!("arn:{}:cloudtrail:*:{account}:trail/*", partition(denial));
            let encrypt = allow("AllowCloudTrailToEncryptLogs", &["kms:GenerateDataKey*"], "*").when(
                "StringLike",
                "kms:EncryptionContext:aws:cloudtrail:arn",
                &context,
            );
            vec![
                for_cloudtrail(encrypt, &trail),
                for_cloudtrail(allow("AllowCloudTrailToDescribeTheKey", &["kms:DescribeKey"], "*"), &trail),
            ]
        }
        None => return remedy(target),
    };
    remedy(target).with_policy(PolicyDocument { statements })
}

/// The trust or the permissions of the role for CloudWatch Logs.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html>
fn role(denial: &Denial, is_trust: bool) -> Remedy {
    let asked = denial.record.parameter("cloudWatchLogsRoleArn").and_then(Arn::parse);
    // A role of that name in this account is somebody else's matter: no command may change it.
    if let Some(account) =
        asked.as_ref().and_then(Arn::account_id).filter(|id| Some(*id) != denial.place.account_id.as_deref())
    {
        let why = "the role that the trail was given belongs to that account, which alone can look at its trust and its permissions: \
                   name a role of the trail's own account";
        let target = Target { kind: TargetKind::Account, name: account.to_owned(), arn: None };
        return by_hand(denial, RemedyKind::UpdateLogRole, Reach::CloudtrailService, target, why);
    }
    let named = asked.and_then(|arn| match arn.entity() {
        Some(("role", _, name)) if is_iam_name(name) => Some(name),
        _ => None,
    });
    let why = if is_trust {
        "CloudTrail may write to CloudWatch Logs only through a role that trusts it"
    } else if is_organizations(denial) {
        "the role's own policy has to allow CloudTrail's log streams in this log group, although the error speaks of the log group; \
         since this is an organization's trail, also those that begin with ORGANIZATION-ID_: no record holds that id, so `o-*` stands \
         for it until you put it in"
    } else {
        "the role's own policy has to allow CloudTrail's log streams in this log group, although the error speaks of the log group"
    };
    let remedy = |target| by_hand(denial, RemedyKind::UpdateLogRole, Reach::CloudtrailService, target, why);
    let Some(name) = named else { return remedy(account_target(denial)) };
    let target = Target {
        arn: denial.record.parameter("cloudWatchLogsRoleArn").map(str::to_owned),
        ..log_role_target(denial, name)
    };
    if is_trust {
        return remedy(target).with_policy(PolicyDocument::of(trust()));
    }
    match stream_permissions(denial) {
        Some(statement) => remedy(target).with_policy(PolicyDocument::of(statement)),
        None => remedy(target),
    }
}

/// A ready-made role for CloudWatch Logs: its trust, and its permissions where the log group is known.
pub(super) fn log_role(denial: &Denial, name: &str, why: &str) -> Remedy {
    let mut statements = vec![trust()];
    statements.extend(stream_permissions(denial).or_else(|| {
        let (region, account) = (denial.place.region.as_deref()?, denial.place.account_id.as_deref()?);
        // IAM's events come from us-east-1 whatever Region the console was in, so the Region of the log group is open.
        let region = if denial.record.event_source.as_deref() == Some("iam.amazonaws.com") { "*" } else { region };
        Some(streams(partition(denial), region, account, "aws-cloudtrail-logs-*"))
    }));
    by_hand(denial, RemedyKind::UpdateLogRole, Reach::CloudtrailService, log_role_target(denial, name), why)
        .with_policy(PolicyDocument { statements })
}

fn trust() -> Statement {
    Statement {
        sid: Some("CloudTrailAssumesThisRole".to_owned()),
        trustee: Some(cloudtrail()),
        actions: vec!["sts:AssumeRole".to_owned()],
        ..Statement::default()
    }
}

fn stream_permissions(denial: &Denial) -> Option<Statement> {
    let text = denial.record.parameter("cloudWatchLogsLogGroupArn")?;
    // One `:*` at the end is how CloudWatch Logs writes a group's own ARN; anything like it before that is no name.
    let arn = Arn::parse(text.strip_suffix(":*").unwrap_or(text)).filter(|arn| is_literal(arn.resource))?;
    let mut statement = streams(arn.partition, arn.region, arn.account_id()?, log_group(&arn)?);
    if is_organizations(denial) {
        let members = statement
            .resources
            .iter()
            .filter_map(|own| own.rsplit_once(':'))
            .map(|(group, _)| format!("{group}:o-*_*"));
        statement.resources.extend(members.collect::<Vec<_>>());
    }
    Some(statement)
}

fn streams(partition: &str, region: &str, account: &str, group: &str) -> Statement {
    allow(
        "WriteCloudTrailsLogStreams",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        &format!(
            "arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:{account}_CloudTrail_{}*",
            region.trim_end_matches('*')
        ),
    )
}

fn cloudtrail() -> Trustee {
    Trustee::Service("cloudtrail.amazonaws.com".to_owned())
}

/// For CloudTrail, on behalf of this trail only.
fn for_cloudtrail(statement: Statement, trail: &str) -> Statement {
    Statement { trustee: Some(cloudtrail()), ..statement.when("StringEquals", "aws:SourceArn", trail) }
}

/// The trail that the request is about, in this Region and account.
fn trail_arn(denial: &Denial) -> Option<String> {
    match ceilings::resource(denial) {
        Target { kind: TargetKind::Trail, arn, .. } => arn.filter(|arn| is_literal(arn)),
        _ => ResourceType::Trail.arn(&denial.place, denial.record.parameter("name")?),
    }
}

/// The bucket in the request, else the one that CloudTrail names.
fn bucket_name(denial: &Denial) -> Option<&str> {
    let message = denial.record.error_message.as_deref().unwrap_or_default();
    let behind = |words: &str| message.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
    denial
        .record
        .parameter("s3BucketName")
        .or_else(|| behind("for bucket: "))
        .or_else(|| behind("S3 bucket "))
        .map(|name| name.trim_matches(['"', '.']))
        .filter(|name| is_bucket(name))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Nothing in it may mean more in a policy than it means in a key.
fn is_key_prefix(prefix: &str) -> bool {
    prefix.len() <= 200
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./!'()".contains(&b))
        && !prefix.ends_with('/')
}
