//! The commands of a remedy, ready to paste: what changes, said for a shell, for CloudFormation and for Terraform.
//!
//! Two rules decide what is said. A language is left out where it can't make this change and no other: better nothing
//! to paste than a template that takes somebody's statements away. And where a name is not legal for what it names,
//! all three are left out, whatever quoting could do about it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    diagnosis::{Remedy, RemedyKind, TargetKind},
    policy_document::{PolicyDocument, Statement},
};
pub use change::change;
pub use hcl::only_in;
use subject::{Entity, EntityKind, Holder, NamedPolicy};

mod change;
mod hcl;
mod look;
mod merge;
mod shell;
mod subject;
mod text;
mod yaml;

/// The same change in the three languages that administrators paste. `None`: that language cannot say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commands {
    /// For a POSIX shell.
    pub aws_cli: Option<String>,
    /// A template, YAML.
    pub cloudformation: Option<String>,
    /// HCL.
    pub terraform: Option<String>,
}

/// What is asked for. A notice in text shows the shell's alone, and has microseconds for everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    Everything(Label<'a>),
    ShellOnly,
}

impl<'a> Wanted<'a> {
    fn template(self, write: impl FnOnce(Label<'a>) -> Option<String>) -> Option<String> {
        match self {
            Self::Everything(label) => write(label),
            Self::ShellOnly => None,
        }
    }
}

/// What tells a template from others that are deployed beside it. One that is pasted by itself needs none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Label<'a> {
    /// ASCII letters and digits, put behind the names that Terraform and CloudFormation know the things by: two files that
    /// give them the same name can't stand in one module or one stack.
    pub suffix: &'a str,
    /// The account that a CloudFormation template is for: in another one it makes nothing.
    pub account: Option<&'a str>,
}

/// The account whose credentials make this change, where that is known. A permission set is changed where Identity Center
/// lives, a bucket by its owner: no record tells either.
pub fn account(remedy: &Remedy) -> Option<&str> {
    subject::owner(remedy)
}

/// Whether the commands of a remedy change something. The others show a document, for a person to judge.
pub fn is_change(remedy: &Remedy) -> bool {
    match remedy.kind {
        RemedyKind::AttachManagedPolicy
        | RemedyKind::PutInlinePolicy
        | RemedyKind::ChangePermissionSet
        | RemedyKind::CreateCrossAccountRole
        | RemedyKind::CreateServiceLinkedRole => true,
        RemedyKind::PutResourcePolicy
        | RemedyKind::UpdateBucketPolicy
        | RemedyKind::UpdateTopicPolicy
        | RemedyKind::UpdateKeyPolicy
        | RemedyKind::UpdateLogRole
        | RemedyKind::ChangeTrustPolicy => remedy.policy.is_some(),
        RemedyKind::ChangePermissionsBoundary
        | RemedyKind::ChangeServiceControlPolicy
        | RemedyKind::ChangeResourceControlPolicy
        | RemedyKind::ChangeVpcEndpointPolicy
        | RemedyKind::ChangeSessionPolicy
        | RemedyKind::RemoveExplicitDeny
        | RemedyKind::UseHomeRegionOrOwner => false,
    }
}

impl Commands {
    /// Writes the commands of a remedy.
    pub fn of(remedy: &Remedy) -> Self {
        Self::labelled(remedy, Label::default())
    }

    /// The same, with templates that can stand beside others.
    pub fn labelled(remedy: &Remedy, label: Label) -> Self {
        let none = Self { aws_cli: None, cloudformation: None, terraform: None };
        Self::known(remedy, Wanted::Everything(label)).unwrap_or(none)
    }

    /// Writes the shell's alone.
    pub fn for_shell(remedy: &Remedy) -> Option<String> {
        Self::known(remedy, Wanted::ShellOnly)?.aws_cli
    }

    fn known(remedy: &Remedy, wanted: Wanted) -> Option<Self> {
        let named = match remedy.policy_arn.as_deref() {
            Some(arn) => Some(NamedPolicy::of(arn)?),
            None => None,
        };
        if !subject::is_legal(remedy) {
            return None;
        }
        match remedy.kind {
            RemedyKind::AttachManagedPolicy => attach_managed_policy(remedy, named?, wanted),
            RemedyKind::PutInlinePolicy => put_inline_policy(remedy, wanted),
            RemedyKind::ChangePermissionSet => change_permission_set(remedy, named, wanted),
            RemedyKind::CreateCrossAccountRole => create_role(remedy, wanted),
            RemedyKind::PutResourcePolicy
            | RemedyKind::UpdateBucketPolicy
            | RemedyKind::UpdateTopicPolicy
            | RemedyKind::UpdateKeyPolicy
            | RemedyKind::ChangeTrustPolicy => change_document(remedy, wanted),
            RemedyKind::UpdateLogRole if remedy.policy.as_ref().is_some_and(grants_to_holder) => {
                put_inline_policy(remedy, wanted)
            }
            // A trust and permissions together are a whole role, to be made.
            RemedyKind::UpdateLogRole if remedy.policy.as_ref().is_some_and(is_whole_role) => {
                create_role(remedy, wanted)
            }
            RemedyKind::UpdateLogRole => change_document(remedy, wanted),
            RemedyKind::CreateServiceLinkedRole => Some(Self {
                aws_cli: Some(shell::service_linked_role()),
                cloudformation: wanted.template(|label| Some(yaml::service_linked_role(label))),
                terraform: wanted.template(|label| Some(hcl::service_linked_role(label))),
            }),
            RemedyKind::ChangePermissionsBoundary
            | RemedyKind::ChangeServiceControlPolicy
            | RemedyKind::ChangeResourceControlPolicy
            | RemedyKind::ChangeVpcEndpointPolicy
            | RemedyKind::ChangeSessionPolicy
            | RemedyKind::RemoveExplicitDeny => document_to_look_at(remedy, named).map(Self::to_look),
            RemedyKind::UseHomeRegionOrOwner => Some(Self::to_look(look::trails(remedy.place.region.as_deref()))),
        }
    }

    /// Something to read before a person decides; there is nothing to deploy.
    fn to_look(aws_cli: String) -> Self {
        Self { aws_cli: Some(aws_cli), cloudformation: None, terraform: None }
    }
}

/// CloudFormation attaches a managed policy only to what the same template makes, so it can't say this.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html>
fn attach_managed_policy(remedy: &Remedy, named: NamedPolicy, wanted: Wanted) -> Option<Commands> {
    let entity = Entity::editable(remedy)?;
    let NamedPolicy::Iam { arn, .. } = named else { return None };
    Some(Commands {
        aws_cli: Some(shell::attach(entity, arn)),
        cloudformation: None,
        terraform: wanted.template(|label| Some(hcl::attach(entity, arn, label))),
    })
}

fn put_inline_policy(remedy: &Remedy, wanted: Wanted) -> Option<Commands> {
    let entity = Entity::editable(remedy)?;
    let policy = remedy.policy.as_ref().filter(|policy| grants_to_holder(policy))?;
    let name = inline_policy_name(policy);
    Some(Commands {
        aws_cli: Some(shell::put_inline(entity, &name, &policy.statements)),
        cloudformation: wanted.template(|label| yaml::put_inline(entity, &name, policy, label)),
        terraform: wanted.template(|label| Some(hcl::put_inline(entity, &name, policy, label))),
    })
}

/// The template that made a permission set owns it whole, so CloudFormation is left out.
fn change_permission_set(remedy: &Remedy, named: Option<NamedPolicy>, wanted: Wanted) -> Option<Commands> {
    let name = subject::permission_set(&remedy.target)?;
    match (&remedy.policy, named) {
        (Some(policy), None) => grants_to_holder(policy).then(|| Commands {
            aws_cli: Some(merge::permission_set(name, &policy.statements)),
            cloudformation: None,
            terraform: wanted
                .template(|label| hcl::statements_to_merge("the permission set's inline policy", policy, label)),
        }),
        // A policy of the account's own would have to exist in every account that the set is provisioned to.
        (None, Some(NamedPolicy::Iam { arn, is_aws: true })) => Some(Commands {
            aws_cli: Some(merge::attach_to_permission_set(name, arn)),
            cloudformation: None,
            terraform: wanted.template(|label| Some(hcl::attach_to_permission_set(name, arn, label))),
        }),
        _ => None,
    }
}

fn is_whole_role(policy: &PolicyDocument) -> bool {
    let trusts = policy.statements.iter().filter(|statement| statement.trustee.is_some()).count();
    (1..policy.statements.len()).contains(&trusts)
}

fn create_role(remedy: &Remedy, wanted: Wanted) -> Option<Commands> {
    let role = Entity::editable(remedy).filter(|entity| entity.kind == EntityKind::Role)?;
    let (trust, permissions): (Vec<_>, Vec<_>) =
        remedy.policy.as_ref()?.statements.iter().partition(|statement| statement.trustee.is_some());
    let is_whole = !trust.is_empty()
        && trust.iter().all(|statement| statement.resources.is_empty() && !statement.actions.is_empty())
        && permissions.iter().all(|statement| says_what_on_what(statement));
    let name = "TrailpassCloudTrailAccess";
    is_whole.then(|| Commands {
        aws_cli: Some(shell::create_role(role, &trust, name, &permissions)),
        cloudformation: wanted.template(|label| yaml::create_role(role, &trust, name, &permissions, label)),
        terraform: wanted.template(|label| Some(hcl::create_role(role, &trust, name, &permissions, label))),
    })
}

/// Statements for a document that its API replaces as a whole. Without statements the document is shown.
fn change_document(remedy: &Remedy, wanted: Wanted) -> Option<Commands> {
    let holder = Holder::of(remedy)?;
    let fits_kind = match remedy.kind {
        RemedyKind::UpdateBucketPolicy => matches!(holder, Holder::Bucket(_)),
        RemedyKind::UpdateTopicPolicy => matches!(holder, Holder::Topic(_)),
        RemedyKind::UpdateKeyPolicy => matches!(holder, Holder::Key { .. }),
        RemedyKind::ChangeTrustPolicy | RemedyKind::UpdateLogRole => matches!(holder, Holder::Trust(_)),
        _ => !matches!(holder, Holder::Trust(_)),
    };
    if !fits_kind {
        return None;
    }
    let Some(policy) = &remedy.policy else {
        return Some(Commands::to_look(look::document(&holder)));
    };
    let is_trust = matches!(holder, Holder::Trust(_));
    let fits = |statement: &Statement| {
        statement.trustee.is_some() && !statement.actions.is_empty() && statement.resources.is_empty() == is_trust
    };
    let is_whole = !policy.statements.is_empty() && policy.statements.iter().all(fits);
    let owner = match holder {
        Holder::Bucket(_) => "the bucket's policy",
        Holder::Topic(_) => "the topic's policy",
        Holder::Key { .. } => "the key's policy",
        Holder::CloudTrail(_) => "the resource's policy",
        Holder::Trust(_) => "the role's trust policy",
    };
    is_whole.then(|| Commands {
        aws_cli: Some(merge::document(&holder, &policy.statements)),
        cloudformation: match holder {
            Holder::Bucket(bucket) => wanted.template(|label| yaml::bucket_policy(bucket, policy, label)),
            _ => None,
        },
        terraform: wanted.template(|label| hcl::statements_to_merge(owner, policy, label)),
    })
}

/// Shows the document that refused, where something names it. It is somebody's own: what to change in it is theirs to say.
fn document_to_look_at(remedy: &Remedy, named: Option<NamedPolicy>) -> Option<String> {
    let (target, place) = (&remedy.target, &remedy.place);
    let target_is_policy = matches!(target.kind, TargetKind::Policy | TargetKind::Organization);
    let as_target = || target.arn.as_deref().filter(|_| target_is_policy).and_then(NamedPolicy::of);
    match named.or_else(as_target) {
        Some(NamedPolicy::Iam { arn, .. }) => return Some(look::managed_policy(arn)),
        Some(NamedPolicy::Organizations(id)) => return Some(look::organization_policy(id)),
        None => {}
    }
    let organization = |filter| subject::account(remedy).map(|account| look::organization_policies(account, filter));
    match (remedy.kind, target.kind) {
        (RemedyKind::ChangePermissionsBoundary, TargetKind::User | TargetKind::Role) => {
            Entity::of(remedy).map(look::boundary)
        }
        (RemedyKind::ChangeServiceControlPolicy, _) => organization("SERVICE_CONTROL_POLICY"),
        (RemedyKind::ChangeResourceControlPolicy, _) => organization("RESOURCE_CONTROL_POLICY"),
        (RemedyKind::ChangeVpcEndpointPolicy | RemedyKind::RemoveExplicitDeny, TargetKind::VpcEndpoint) => {
            subject::vpc_endpoint(target).map(|id| look::vpc_endpoints(Some(id), place.region.as_deref()))
        }
        (RemedyKind::ChangeVpcEndpointPolicy, TargetKind::Account)
            if Some(&target.name) == place.account_id.as_ref() =>
        {
            Some(look::vpc_endpoints(None, Some(place.region.as_deref()?)))
        }
        (
            RemedyKind::RemoveExplicitDeny,
            TargetKind::User | TargetKind::Role | TargetKind::LogRole | TargetKind::Group,
        ) => Entity::of(remedy).map(look::policies),
        (RemedyKind::RemoveExplicitDeny, TargetKind::PermissionSet) => {
            subject::permission_set(target).map(look::permission_set)
        }
        (RemedyKind::RemoveExplicitDeny, _) => Holder::of(remedy).map(|holder| look::document(&holder)),
        _ => None,
    }
}

/// A policy for the one who holds it: it names no one, and says what is allowed on what.
fn grants_to_holder(policy: &PolicyDocument) -> bool {
    !policy.statements.is_empty()
        && policy.statements.iter().all(|statement| statement.trustee.is_none() && says_what_on_what(statement))
}

fn says_what_on_what(statement: &Statement) -> bool {
    !statement.actions.is_empty() && !statement.resources.is_empty()
}

/// A name that no other policy has. `Put…Policy` overwrites a policy of the same name in silence, so two remedies for
/// one role must not share it; the same remedy, made twice, must.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
fn inline_policy_name(policy: &PolicyDocument) -> String {
    let mut name = String::from("TrailpassCloudTrailAccess-");
    for byte in Sha256::digest(policy.to_json().as_bytes()).iter().take(4) {
        text::push_hex(&mut name, "", u32::from(*byte), 2);
    }
    name
}
