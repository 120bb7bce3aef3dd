//! CloudFormation templates: whole ones, since a fragment can't be deployed.
//!
//! A template owns what it makes. So there is one only for what can be made beside what exists; statements of a
//! document that somebody else owns are left to the shell, with one exception: CloudFormation refuses to make the
//! policy of a bucket that has one.

use super::{
    Label,
    subject::{Entity, EntityKind},
    text::{Notation, Tree, policy, push_text, texts},
};
use crate::policy_document::{PolicyDocument, Statement};

const NEEDS_IAM: &str = "# Deploy with --capabilities CAPABILITY_IAM.\n";

const NEEDS_NAMED_IAM: &str = "# Deploy with --capabilities CAPABILITY_NAMED_IAM.\n";

/// Known as an obstacle to those who want to add a statement; here it keeps a policy from being overwritten.
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1068>
const OWNS_BUCKET_POLICY: &str = "\
# A bucket has one policy, and this resource is all of it. CloudFormation stops here if the bucket already has
# another: add the statements to the template that made that one then.
";

/// An inline policy of a user, a role or a group that exists.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html>
pub(super) fn put_inline(entity: Entity, name: &str, document: &PolicyDocument, label: Label) -> Option<String> {
    let (kind, name_key) = match entity.kind {
        EntityKind::User => ("AWS::IAM::UserPolicy", "UserName"),
        EntityKind::Role => ("AWS::IAM::RolePolicy", "RoleName"),
        EntityKind::Group => ("AWS::IAM::GroupPolicy", "GroupName"),
    };
    is_literal(&document.statements).then(|| {
        template(NEEDS_IAM, "TrailpassPolicy", kind, label, |tree| {
            tree.key(name_key).text(entity.name);
            tree.key("PolicyName").text(name);
            policy(tree.key("PolicyDocument"), &document.statements);
        })
    })
}

/// A new role.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html>
pub(super) fn create_role(
    role: Entity,
    trust: &[&Statement],
    name: &str,
    permissions: &[&Statement],
    label: Label,
) -> Option<String> {
    is_literal(trust.iter().chain(permissions).copied()).then(|| {
        template(NEEDS_NAMED_IAM, "TrailpassRole", "AWS::IAM::Role", label, |tree| {
            tree.key("RoleName").text(role.name);
            policy(tree.key("AssumeRolePolicyDocument"), trust.iter().copied());
            if !permissions.is_empty() {
                tree.key("Policies").list([permissions], |tree, permissions| {
                    tree.map(|tree| {
                        tree.key("PolicyName").text(name);
                        policy(tree.key("PolicyDocument"), permissions.iter().copied());
                    });
                });
            }
        })
    })
}

/// The policy of a bucket that has none yet.
pub(super) fn bucket_policy(bucket: &str, document: &PolicyDocument, label: Label) -> Option<String> {
    is_literal(&document.statements).then(|| {
        template(OWNS_BUCKET_POLICY, "TrailpassBucketPolicy", "AWS::S3::BucketPolicy", label, |tree| {
            tree.key("Bucket").text(bucket);
            policy(tree.key("PolicyDocument"), &document.statements);
        })
    })
}

/// The role that an organization's trails need in the management account.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-servicelinkedrole.html>
pub(super) fn service_linked_role(label: Label) -> String {
    template("", "CloudTrailServiceLinkedRole", "AWS::IAM::ServiceLinkedRole", label, |tree| {
        tree.key("AWSServiceName").text("cloudtrail.amazonaws.com");
    })
}

/// A template of one resource. Nothing here but the account and the properties comes from outside.
///
/// A resource whose condition doesn't hold is not made, and a stack without any is refused.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>
fn template(
    comment: &'static str,
    id: &'static str,
    kind: &'static str,
    label: Label,
    properties: impl FnOnce(&mut Tree),
) -> String {
    let mut out = String::with_capacity(1536);
    out.push_str(comment);
    out.push_str("AWSTemplateFormatVersion: \"2010-09-09\"\n");
    if let Some(account) = label.account {
        out.push_str("Conditions:\n  IsItsAccount:\n    Fn::Equals:\n      - Ref: AWS::AccountId\n      - ");
        push_text(&mut out, Notation::Yaml, account);
        out.push('\n');
    }
    for part in ["Resources:\n  ", id, label.suffix, ":\n    Type: ", kind] {
        out.push_str(part);
    }
    if label.account.is_some() {
        out.push_str("\n    Condition: IsItsAccount");
    }
    out.push_str("\n    Properties:");
    Tree::new(&mut out, Notation::Yaml, 2).map(properties);
    out.push('\n');
    out
}

/// Whether CloudFormation takes these statements as they stand. It fetches a secret for `{{resolve:…}}` anywhere in a
/// text, and computes a map whose only key is a function's name; neither can be escaped.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>
fn is_literal<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> bool {
    let is_function = |key: &str| key.starts_with("Fn::") || key == "Ref" || key == "Condition";
    statements.into_iter().all(|statement| {
        texts(statement).all(|text| !text.contains("{{resolve:"))
            && statement.conditions.values().flat_map(|keys| keys.keys()).all(|key| !is_function(key))
    })
}
