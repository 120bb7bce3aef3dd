//! Every kind of remedy on every kind of target: which languages say it.

use super::*;

#[rustfmt::skip]
pub const KINDS: [RemedyKind; 18] = {
    use RemedyKind::*;
    [AttachManagedPolicy, PutInlinePolicy, ChangePermissionSet, CreateCrossAccountRole, PutResourcePolicy, UpdateBucketPolicy,
     UpdateTopicPolicy, UpdateKeyPolicy, UpdateLogRole, CreateServiceLinkedRole, ChangePermissionsBoundary, ChangeServiceControlPolicy,
     ChangeResourceControlPolicy, ChangeVpcEndpointPolicy, ChangeSessionPolicy, ChangeTrustPolicy, RemoveExplicitDeny, UseHomeRegionOrOwner]
};

#[rustfmt::skip]
pub const TARGETS: [(TargetKind, &str); 17] = {
    use TargetKind::*;
    [(User, "alice"), (Role, "reader"), (Group, "auditors"), (PermissionSet, "Audit=ors"), (Account, ACCOUNT), (Organization, "o-exampleorgid"),
     (Bucket, "audit-logs"), (Topic, "notices"), (Key, "1234abcd-12ab-34cd-56ef-1234567890ab"), (LogRole, "CloudTrail_CloudWatchLogs_Role"),
     (LogGroup, "aws-cloudtrail-logs-1"), (EventDataStore, "1234abcd-12ab-34cd-56ef-1234567890ab"),
     (Channel, "1234abcd-12ab-34cd-56ef-1234567890ab"), (Dashboard, "Security"), (Policy, "boundary"), (Trail, "My-Trail"),
     (VpcEndpoint, "vpce-0123456789abcdef0")]
};

/// A remedy of this kind on this target, as it would be proposed.
pub fn natural(kind: RemedyKind, (target, name): (TargetKind, &str)) -> Remedy {
    let remedy = remedy(kind, target, name, None);
    match kind {
        RemedyKind::AttachManagedPolicy => remedy.arn(READ_ONLY),
        RemedyKind::PutInlinePolicy | RemedyKind::ChangePermissionSet => {
            remedy.policy(vec![own("TrailpassCloudTrailAccess", "cloudtrail:LookupEvents", "*").when(
                "StringEquals",
                "aws:RequestedRegion",
                "eu-west-1",
            )])
        }
        RemedyKind::CreateCrossAccountRole => {
            let mut trust = trust();
            trust.trustee = Some(Trustee::Aws("arn:aws:iam::444455556666:root".to_owned()));
            remedy.policy(vec![trust, own("ReadCloudTrail", "cloudtrail:GetTrail", "*")])
        }
        RemedyKind::UpdateBucketPolicy => remedy.policy(vec![
            service("AWSCloudTrailAclCheck20150319", "s3:GetBucketAcl", "arn:aws:s3:::audit-logs"),
            service("AWSCloudTrailWrite20150319", "s3:PutObject", "arn:aws:s3:::audit-logs/AWSLogs/111122223333/*")
                .when("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control"),
        ]),
        RemedyKind::UpdateTopicPolicy => {
            remedy.policy(vec![service("AWSCloudTrailSNSPolicy20131101", "sns:Publish", TOPIC)])
        }
        RemedyKind::UpdateKeyPolicy => {
            remedy.policy(vec![service("Allow CloudTrail to encrypt logs", "kms:GenerateDataKey*", "*")])
        }
        RemedyKind::PutResourcePolicy if target == TargetKind::Bucket => {
            remedy.policy(vec![service("TrailpassTrailResource", "s3:GetObject", "arn:aws:s3:::audit-logs/*")])
        }
        RemedyKind::PutResourcePolicy => {
            let mut statement = own("TrailpassOtherAccount", "cloudtrail:StartQuery", STORE);
            statement.trustee = Some(Trustee::Aws("arn:aws:iam::444455556666:root".to_owned()));
            remedy.policy(vec![statement])
        }
        RemedyKind::UpdateLogRole | RemedyKind::ChangeTrustPolicy => remedy.policy(vec![trust()]),
        RemedyKind::CreateServiceLinkedRole
        | RemedyKind::ChangePermissionsBoundary
        | RemedyKind::ChangeServiceControlPolicy
        | RemedyKind::ChangeResourceControlPolicy
        | RemedyKind::ChangeVpcEndpointPolicy
        | RemedyKind::ChangeSessionPolicy
        | RemedyKind::RemoveExplicitDeny
        | RemedyKind::UseHomeRegionOrOwner => remedy,
    }
}

/// One line a kind, one column a target in the order of TARGETS. `s`: shell only, `t`: shell and Terraform, `3`: all three.
#[test]
fn each_kind_of_remedy_on_each_kind_of_target() {
    let mut table = String::new();
    for kind in KINDS {
        for target in TARGETS {
            let commands = Commands::of(&natural(kind, target));
            table.push(
                match (commands.aws_cli.is_some(), commands.cloudformation.is_some(), commands.terraform.is_some()) {
                    (false, false, false) => '-',
                    (true, false, false) => 's',
                    (true, false, true) => 't',
                    (true, true, true) => '3',
                    other => panic!("{kind:?} on {target:?}: {other:?}"),
                },
            );
        }
        let name = serde_json::to_string(&kind).expect("a word");
        table.push_str(&format!(" {}\n", name.trim_matches('"')));
    }
    //             URGPAOBTKLGECDPTV
    let expected = "ttt------t------- attach-managed-policy
333------3------- put-inline-policy
---t------------- change-permission-set
-3-------3------- create-cross-account-role
------3tt--ttt--- put-resource-policy
------3---------- update-bucket-policy
-------t--------- update-topic-policy
--------t-------- update-key-policy
-t-------t------- update-log-role
33333333333333333 create-service-linked-role
ss--------------- change-permissions-boundary
sssssssssssssssss change-service-control-policy
sssssssssssssssss change-resource-control-policy
----s-----------s change-vpc-endpoint-policy
----------------- change-session-policy
-t-------t------- change-trust-policy
ssss--ssss-sss--s remove-explicit-deny
sssssssssssssssss use-home-region-or-owner
";
    assert_eq!(table, expected, "\n{table}");
}
