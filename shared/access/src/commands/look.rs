//! Commands that only read: the documents that refused, for a person to judge.

use super::{
    merge::{KEEP, find_permission_set, read, resolve},
    shell::{OPEN, option, push_quoted, region, start_iam},
    subject::{Entity, EntityKind, Holder},
};

/// Shows a holder's document; changes nothing.
pub(super) fn document(holder: &Holder) -> String {
    let mut out = String::with_capacity(256);
    if !matches!(holder, Holder::Key { is_alias: true, .. }) {
        read(&mut out, holder);
        out.push('\n');
        return out;
    }
    out.push_str(OPEN);
    resolve(&mut out, holder);
    out.push_str("  ");
    read(&mut out, holder);
    out.push_str("\n)\n");
    out
}

/// Shows the version of a managed policy that is in force.
pub(super) fn managed_policy(arn: &str) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("(\n  set -eu\n  version=$(aws iam get-policy");
    option(&mut out, "--policy-arn", arn);
    out.push_str(" --query Policy.DefaultVersionId --output text) || exit\n  aws iam get-policy-version");
    option(&mut out, "--policy-arn", arn);
    out.push_str(" --version-id \"$version\" --query PolicyVersion.Document --output json\n)\n");
    out
}

/// Shows the permissions boundary of a user or a role.
pub(super) fn boundary(entity: Entity) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("(\n  set -eu\n  boundary=$(");
    start_iam(&mut out, "get-", entity, "");
    out.push_str(" --query ");
    out.push_str(entity.kind.title());
    out.push_str(
        r#".PermissionsBoundary.PermissionsBoundaryArn --output text) || exit
  version=$(aws iam get-policy --policy-arn "$boundary" --query Policy.DefaultVersionId --output text) || exit
  aws iam get-policy-version --policy-arn "$boundary" --version-id "$version" --query PolicyVersion.Document --output json
)
"#,
    );
    out
}

/// Lists every policy of an entity, and a user's groups.
pub(super) fn policies(entity: Entity) -> String {
    let mut out = String::with_capacity(512);
    start_iam(&mut out, "list-", entity, "-policies");
    out.push('\n');
    start_iam(&mut out, "list-attached-", entity, "-policies");
    out.push('\n');
    if entity.kind == EntityKind::User {
        out.push_str("aws iam list-groups-for-user");
        option(&mut out, "--user-name", entity.name);
        out.push_str(" --query 'Groups[].GroupName'\n");
    }
    out
}

/// Shows the policies of a permission set.
pub(super) fn permission_set(name: &str) -> String {
    let mut out = String::with_capacity(2048);
    out.push_str(OPEN);
    out.push_str(KEEP);
    find_permission_set(&mut out, name);
    for command in [
        "get-inline-policy-for-permission-set",
        "list-managed-policies-in-permission-set",
        "list-customer-managed-policy-references-in-permission-set",
    ] {
        out.push_str("  aws sso-admin ");
        out.push_str(command);
        out.push_str(" --instance-arn \"$instance\" --permission-set-arn \"$permission_set\"\n");
    }
    out.push_str(")\n");
    out
}

/// Shows a policy of the organization.
pub(super) fn organization_policy(id: &str) -> String {
    let mut out = String::from("aws organizations describe-policy");
    option(&mut out, "--policy-id", id);
    out.push_str(" --query Policy.Content --output text\n");
    out
}

/// Lists an organization's policies over an account, from the account up to the root: each level has to allow. There are
/// five levels of organizational units at most between the two.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
pub(super) fn organization_policies(account: &str, filter: &str) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(OPEN);
    out.push_str("  at=");
    push_quoted(&mut out, account);
    out.push_str("\n  for level in 1 2 3 4 5 6 7; do\n    printf '%s\\n' \"$level: $at\"\n    aws organizations list-policies-for-target --target-id \"$at\"");
    option(&mut out, "--filter", filter);
    out.push_str(
        r#" --query 'Policies[].[Id,Name]' --output text || exit
    case $at in r-*) break ;; esac
    at=$(aws organizations list-parents --child-id "$at" --query 'Parents[0].Id' --output text) || exit
  done
)
"#,
    );
    out
}

/// Shows the policy of one VPC endpoint, or lists the endpoints of the Region.
pub(super) fn vpc_endpoints(id: Option<&str>, at: Option<&str>) -> String {
    let mut out = String::from("aws ec2 describe-vpc-endpoints");
    if let Some(id) = id {
        option(&mut out, "--vpc-endpoint-ids", id);
    }
    region(&mut out, at);
    out.push_str(match id {
        Some(_) => " --query 'VpcEndpoints[0].PolicyDocument' --output text\n",
        None => " --query 'VpcEndpoints[].[VpcEndpointId,ServiceName,VpcId]' --output table\n",
    });
    out
}

/// Lists the trails that work in this Region with their home Regions; the ARN holds the owner's account. The copies of
/// other Regions' and of the organization's trails are what is looked for, so they are not left out.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html>
pub(super) fn trails(at: Option<&str>) -> String {
    let mut out = String::from("aws cloudtrail describe-trails");
    region(&mut out, at);
    out.push_str(
        " --query 'trailList[].{Name:Name,HomeRegion:HomeRegion,Organization:IsOrganizationTrail,Trail:TrailARN}' --output table\n",
    );
    out
}
