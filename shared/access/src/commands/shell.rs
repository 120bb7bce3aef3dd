//! The commands for a POSIX shell, and `aws`: what can be made in one step, and how anything is quoted.
//!
//! They are pasted into whatever shell is open: sh, bash and zsh read them alike. So there are no comments (an
//! interactive zsh takes them for commands), nothing counts on a variable being split into words, and whatever takes
//! more than one step is a subshell, which can stop without closing the terminal. Each step checks for itself that
//! the one before it worked: `set -e` means nothing inside of `( … ) && …`.

use super::{
    subject::{Entity, EntityKind},
    text::{Notation, Tree, policy},
};
use crate::policy_document::Statement;

/// What every subshell begins with. An empty `AWS_PAGER` keeps version 2 of the CLI from opening `less` in between.
pub(super) const OPEN: &str = "(\n  set -eu\n  export AWS_PAGER=''\n";

/// The beginning of what changes a user, a role or a group. Every account may have one of that name, so nothing is changed unless the
/// credentials are the right account's.
pub(super) fn open_for(out: &mut String, entity: Entity) {
    out.push_str(OPEN);
    if let Some(account) = entity.account {
        out.push_str(
            "  account=$(aws sts get-caller-identity --query Account --output text) || exit\n  [ \"$account\" = ",
        );
        push_quoted(out, account);
        out.push_str(" ] || { echo \"This is account $account.\" >&2; exit 1; }\n");
    }
}

/// `iam attach-…-policy`.
pub(super) fn attach(entity: Entity, policy_arn: &str) -> String {
    let mut out = String::with_capacity(512);
    open_for(&mut out, entity);
    out.push_str("  ");
    start_iam(&mut out, "attach-", entity, "-policy");
    option(&mut out, "--policy-arn", policy_arn);
    out.push_str("\n)\n");
    out
}

/// `iam put-…-policy`.
pub(super) fn put_inline(entity: Entity, name: &str, statements: &[Statement]) -> String {
    let mut out = String::with_capacity(1024);
    open_for(&mut out, entity);
    out.push_str("  ");
    start_iam(&mut out, "put-", entity, "-policy");
    option(&mut out, "--policy-name", name);
    document(&mut out, "--policy-document", 1, statements);
    out.push_str("\n)\n");
    out
}

/// A new role. Where the name is taken, nothing happens: the role is then somebody's.
pub(super) fn create_role(role: Entity, trust: &[&Statement], name: &str, permissions: &[&Statement]) -> String {
    let mut out = String::with_capacity(2048);
    open_for(&mut out, role);
    out.push_str("  aws iam create-role");
    option(&mut out, "--role-name", role.name);
    document(&mut out, "--assume-role-policy-document", 1, trust.iter().copied());
    out.push_str(" || exit\n");
    if !permissions.is_empty() {
        out.push_str("  aws iam put-role-policy");
        option(&mut out, "--role-name", role.name);
        option(&mut out, "--policy-name", name);
        document(&mut out, "--policy-document", 1, permissions.iter().copied());
        out.push_str(" || exit\n");
    }
    out.push_str(")\n");
    out
}

/// The role that an organization's trails need in the management account.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/using-service-linked-roles.html>
pub(super) fn service_linked_role() -> String {
    "aws iam create-service-linked-role --aws-service-name 'cloudtrail.amazonaws.com'\n".to_owned()
}

pub(super) fn start_iam(out: &mut String, verb: &str, entity: Entity, noun: &str) {
    let word = entity.kind.word();
    for part in ["aws iam ", verb, word, noun] {
        out.push_str(part);
    }
    let option_name = match entity.kind {
        EntityKind::User => "--user-name",
        EntityKind::Role => "--role-name",
        EntityKind::Group => "--group-name",
    };
    option(out, option_name, entity.name);
}

pub(super) fn region(out: &mut String, region: Option<&str>) {
    if let Some(region) = region {
        option(out, "--region", region);
    }
}

fn document<'a>(out: &mut String, name: &str, depth: usize, of: impl IntoIterator<Item = &'a Statement>) {
    let mut json = String::with_capacity(512);
    policy(&mut Tree::new(&mut json, Notation::Json, depth), of);
    option(out, name, &json);
}

/// An option and its value. A value that begins with a dash (IAM allows the name) would be taken for another option.
pub(super) fn option(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push(if value.starts_with('-') { '=' } else { ' ' });
    push_quoted(out, value);
}

/// Nothing means anything between single quotes but the closing one.
/// <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02>
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('\'');
    let mut parts = text.split('\'');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str("'\\''");
        out.push_str(part);
    }
    out.push('\'');
}
