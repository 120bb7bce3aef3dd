//! Commands that only read.

use super::*;

#[test]
fn a_named_policy_is_shown_in_its_version_in_force() {
    let policy = "arn:aws:iam::111122223333:policy/limits/boundary";
    let scp = "arn:aws:organizations::111122223333:policy/o-exampleorgid/service_control_policy/p-examplepolicyid111";
    let user = |kind| remedy(kind, TargetKind::User, "alice", None);
    let as_target = |kind, target, arn| remedy(kind, target, "named", Some(arn));
    for remedy in [
        user(RemedyKind::ChangePermissionsBoundary).arn(policy),
        user(RemedyKind::ChangeSessionPolicy).arn(policy),
        user(RemedyKind::RemoveExplicitDeny).arn(policy),
        as_target(RemedyKind::RemoveExplicitDeny, TargetKind::Policy, policy),
        as_target(RemedyKind::ChangePermissionsBoundary, TargetKind::Policy, policy),
    ] {
        let calls = Stage::new().says("iam-get-policy", "v7\n").calls(&cli(&remedy));
        let expected = [
            format!("iam get-policy --policy-arn {policy} --query Policy.DefaultVersionId --output text"),
            format!(
                "iam get-policy-version --policy-arn {policy} --version-id v7 --query PolicyVersion.Document --output json"
            ),
        ];
        assert_eq!(calls, expected.map(|words| call(&words, None)));
    }
    for remedy in [
        user(RemedyKind::ChangeServiceControlPolicy).arn(scp),
        user(RemedyKind::RemoveExplicitDeny).arn(scp),
        as_target(RemedyKind::ChangeResourceControlPolicy, TargetKind::Organization, scp),
    ] {
        let expected =
            "organizations describe-policy --policy-id p-examplepolicyid111 --query Policy.Content --output text";
        assert_eq!(Stage::new().calls(&cli(&remedy)), [call(expected, None)]);
    }
}

#[test]
fn a_boundary_is_looked_up_by_whom_it_bounds() {
    for (target, word, title) in [(TargetKind::User, "user", "User"), (TargetKind::Role, "role", "Role")] {
        let remedy = remedy(RemedyKind::ChangePermissionsBoundary, target, "alice", None);
        let stage = Stage::new()
            .says(&format!("iam-get-{word}"), "arn:aws:iam::111122223333:policy/b\n")
            .says("iam-get-policy", "v1");
        let expected = [
            format!("iam get-{word} --{word}-name alice --query {title}.PermissionsBoundary.PermissionsBoundaryArn --output text"),
            "iam get-policy --policy-arn arn:aws:iam::111122223333:policy/b --query Policy.DefaultVersionId --output text".to_owned(),
            "iam get-policy-version --policy-arn arn:aws:iam::111122223333:policy/b --version-id v1 --query PolicyVersion.Document --output json".to_owned(),
        ];
        assert_eq!(stage.calls(&cli(&remedy)), expected.map(|words| call(&words, None)));
    }
}

#[test]
fn an_organizations_policies_are_listed_up_to_the_root() {
    for (kind, filter) in [
        (RemedyKind::ChangeServiceControlPolicy, "SERVICE_CONTROL_POLICY"),
        (RemedyKind::ChangeResourceControlPolicy, "RESOURCE_CONTROL_POLICY"),
    ] {
        for (target, name) in [(TargetKind::Organization, "organization"), (TargetKind::Account, ACCOUNT)] {
            let stage = Stage::new()
                .says("organizations-list-parents-1", "ou-abcd-11111111\n")
                .says("organizations-list-parents-2", "r-abcd\n");
            let calls = stage.calls(&cli(&remedy(kind, target, name, None)));
            let list = |at: &str| {
                call(
                    &format!(
                        "organizations list-policies-for-target --target-id {at} --filter {filter} --query Policies[].[Id,Name] --output text"
                    ),
                    None,
                )
            };
            let parent = |of: &str| {
                call(&format!("organizations list-parents --child-id {of} --query Parents[0].Id --output text"), None)
            };
            assert_eq!(
                calls,
                [list(ACCOUNT), parent(ACCOUNT), list("ou-abcd-11111111"), parent("ou-abcd-11111111"), list("r-abcd")]
            );
        }
    }
    let stage = Stage::new().fails("organizations-list-parents", "AccessDeniedException");
    let remedy = remedy(RemedyKind::ChangeServiceControlPolicy, TargetKind::Organization, "organization", None);
    assert!(!stage.shell("sh", &cli(&remedy)).status.success(), "it ends");
}

#[test]
fn what_denies_is_listed_or_shown() {
    let look = |kind, target, name: &str, arn: Option<&str>, expected: &[&str]| {
        let calls = Stage::new().calls(&cli(&remedy(kind, target, name, arn)));
        assert_eq!(calls, expected.iter().map(|words| call(words, None)).collect::<Vec<_>>());
    };
    let deny = RemedyKind::RemoveExplicitDeny;
    look(
        deny,
        TargetKind::Role,
        "r",
        None,
        &["iam list-role-policies --role-name r", "iam list-attached-role-policies --role-name r"],
    );
    look(
        deny,
        TargetKind::Group,
        "g",
        None,
        &["iam list-group-policies --group-name g", "iam list-attached-group-policies --group-name g"],
    );
    look(
        deny,
        TargetKind::User,
        "u",
        None,
        &[
            "iam list-user-policies --user-name u",
            "iam list-attached-user-policies --user-name u",
            "iam list-groups-for-user --user-name u --query Groups[].GroupName",
        ],
    );
    // Looking is allowed where editing is not.
    look(
        deny,
        TargetKind::Role,
        "AWSReservedSSO_Auditors_0123456789abcdef",
        None,
        &[
            "iam list-role-policies --role-name AWSReservedSSO_Auditors_0123456789abcdef",
            "iam list-attached-role-policies --role-name AWSReservedSSO_Auditors_0123456789abcdef",
        ],
    );
    look(
        deny,
        TargetKind::Bucket,
        "logs",
        None,
        &["s3api get-bucket-policy --bucket logs --query Policy --output text"],
    );
    look(
        RemedyKind::ChangeVpcEndpointPolicy,
        TargetKind::VpcEndpoint,
        "vpce-0123456789abcdef0",
        None,
        &[
            "ec2 describe-vpc-endpoints --vpc-endpoint-ids vpce-0123456789abcdef0 --region eu-west-1 --query VpcEndpoints[0].PolicyDocument --output text",
        ],
    );
    look(
        RemedyKind::ChangeVpcEndpointPolicy,
        TargetKind::Account,
        ACCOUNT,
        None,
        &[
            "ec2 describe-vpc-endpoints --region eu-west-1 --query VpcEndpoints[].[VpcEndpointId,ServiceName,VpcId] --output table",
        ],
    );
    look(
        RemedyKind::UseHomeRegionOrOwner,
        TargetKind::Trail,
        "My-Trail",
        None,
        &[
            "cloudtrail describe-trails --region eu-west-1 --query trailList[].{Name:Name,HomeRegion:HomeRegion,Organization:IsOrganizationTrail,Trail:TrailARN} --output table",
        ],
    );
    // A document without a policy to add to it is shown, too.
    look(
        RemedyKind::ChangeTrustPolicy,
        TargetKind::Role,
        "r",
        None,
        &["iam get-role --role-name r --query Role.AssumeRolePolicyDocument --output json"],
    );
    look(
        RemedyKind::PutResourcePolicy,
        TargetKind::EventDataStore,
        "x",
        Some(STORE),
        &[&format!(
            "cloudtrail get-resource-policy --resource-arn {STORE} --region eu-central-1 --query ResourcePolicy --output text"
        )],
    );
    let calls = identity_center().calls(&cli(&remedy(deny, TargetKind::PermissionSet, "Audit=ors", None)));
    assert_eq!(calls.len(), 9);
    assert_eq!(writes(&calls), Vec::<&Vec<String>>::new());
}

#[test]
fn without_a_region_none_is_named() {
    let mut remedy = remedy(RemedyKind::UseHomeRegionOrOwner, TargetKind::Trail, "My-Trail", None);
    remedy.place = Place::default();
    assert!(!cli(&remedy).contains("--region"));
}
