//! Terraform: resources for what can be made beside what exists, statements to merge for what cannot.
//!
//! A Terraform resource of a bucket's, topic's, key's or role's policy owns the whole document and would take
//! everybody else's statements out of it. Statements in a data source change nothing until somebody puts them where
//! the document is made. <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document>

use super::{
    Label,
    subject::Entity,
    text::{Notation, Tree, policy, push_text, texts, trustee_parts},
};
use crate::policy_document::{PolicyDocument, Statement};

/// A managed policy on a user, a role or a group that exists.
pub(super) fn attach(entity: Entity, policy_arn: &str, label: Label) -> String {
    let mut block = Block::open(&["aws_iam_", entity.kind.word(), "_policy_attachment"], label);
    block.text(entity.kind.word(), 10, entity.name);
    block.text("policy_arn", 10, policy_arn);
    block.close()
}

/// An inline policy of a user, a role or a group that exists.
pub(super) fn put_inline(entity: Entity, name: &str, document: &PolicyDocument, label: Label) -> String {
    let mut block = Block::open(&["aws_iam_", entity.kind.word(), "_policy"], label);
    let width = entity.kind.word().len();
    block.text("name", width, name);
    block.text(entity.kind.word(), width, entity.name);
    block.policy("policy", &document.statements);
    block.close()
}

/// A new role.
pub(super) fn create_role(
    role: Entity,
    trust: &[&Statement],
    name: &str,
    permissions: &[&Statement],
    label: Label,
) -> String {
    let mut block = Block::open(&["aws_iam_role"], label);
    block.text("name", 0, role.name);
    block.policy("assume_role_policy", trust.iter().copied());
    let mut out = block.close();
    if !permissions.is_empty() {
        let mut block = Block::open(&["aws_iam_role_policy"], label);
        block.text("name", 0, name);
        block.raw("role", 0, &format!("aws_iam_role.{}.name", own_name(label)));
        block.policy("policy", permissions.iter().copied());
        out.push('\n');
        out.push_str(&block.close());
    }
    out
}

/// One of AWS's managed policies on a permission set that exists.
pub(super) fn attach_to_permission_set(name: &str, policy_arn: &str, label: Label) -> String {
    let own = own_name(label);
    let instance = format!("tolist(data.aws_ssoadmin_instances.{own}.arns)[0]");
    let mut out = format!("data \"aws_ssoadmin_instances\" \"{own}\" {{}}\n\n");
    let mut set = Block::start(format!("data \"aws_ssoadmin_permission_set\" \"{own}\""));
    set.raw("instance_arn", 12, &instance);
    set.text("name", 12, name);
    out.push_str(&set.close());
    out.push('\n');
    let mut attachment = Block::open(&["aws_ssoadmin_managed_policy_attachment"], label);
    attachment.raw("instance_arn", 18, &instance);
    attachment.raw("permission_set_arn", 18, &format!("data.aws_ssoadmin_permission_set.{own}.arn"));
    attachment.text("managed_policy_arn", 18, policy_arn);
    out.push_str(&attachment.close());
    out
}

/// The role that an organization's trails need in the management account.
pub(super) fn service_linked_role(label: Label) -> String {
    let name = named("cloudtrail", label);
    let mut block = Block::start(format!("resource \"aws_iam_service_linked_role\" \"{name}\""));
    block.text("aws_service_name", 16, "cloudtrail.amazonaws.com");
    block.close()
}

/// What stops a whole module where the credentials are another account's: a data source is read before anything is planned.
/// <https://developer.hashicorp.com/terraform/language/validate>
pub fn only_in(account: &str) -> String {
    let mut out = String::from("data \"aws_caller_identity\" \"trailpass\" {\n  lifecycle {\n    postcondition {");
    push_attribute(&mut out, 6, "condition", 13, |out| {
        out.push_str("self.account_id == ");
        push_text(out, Notation::Hcl, account);
    });
    push_attribute(&mut out, 6, "error_message", 13, |out| {
        push_text(out, Notation::Hcl, &format!("These files are for account {account}."));
    });
    out.push_str("\n    }\n  }\n}\n");
    out
}

/// What Terraform knows a thing of ours by.
fn own_name(label: Label) -> String {
    named("trailpass", label)
}

fn named(name: &str, label: Label) -> String {
    if label.suffix.is_empty() { name.to_owned() } else { format!("{name}_{}", label.suffix) }
}

/// Statements for a document that another resource owns. `None` where the data source would read a text as more than
/// text: it turns `&{` into `${` and has no way to write the first.
pub(super) fn statements_to_merge(owner: &'static str, document: &PolicyDocument, label: Label) -> Option<String> {
    if document.statements.iter().flat_map(texts).any(|text| text.contains("&{")) {
        return None;
    }
    let mut out = String::with_capacity(1536);
    for line in [
        "# Changes nothing by itself: a Terraform resource would own the whole document. List this one's json under\n",
        "# override_policy_documents of the aws_iam_policy_document behind ",
        owner,
        ".\n",
    ] {
        out.push_str(line);
    }
    out.push_str("data \"aws_iam_policy_document\" \"");
    out.push_str(&own_name(label));
    out.push_str("\" {");
    for (at, statement) in document.statements.iter().enumerate() {
        out.push_str(if at == 0 { "\n  statement {" } else { "\n\n  statement {" });
        let width = if statement.resources.is_empty() { "actions".len() } else { "resources".len() };
        if let Some(sid) = &statement.sid {
            push_attribute(&mut out, 4, "sid", width, |out| push_text(out, Notation::Hcl, sid));
        }
        push_attribute(&mut out, 4, "effect", width, |out| out.push_str("\"Allow\""));
        push_attribute(&mut out, 4, "actions", width, |out| push_list(out, &statement.actions));
        if !statement.resources.is_empty() {
            push_attribute(&mut out, 4, "resources", width, |out| push_list(out, &statement.resources));
        }
        if let Some((kind, who)) = statement.trustee.as_ref().map(trustee_parts) {
            out.push_str("\n\n    principals {");
            push_attribute(&mut out, 6, "type", 11, |out| push_text(out, Notation::Hcl, kind));
            push_attribute(&mut out, 6, "identifiers", 11, |out| push_list(out, &[who]));
            out.push_str("\n    }");
        }
        for (operator, keys) in &statement.conditions {
            for (key, values) in keys {
                out.push_str("\n\n    condition {");
                push_attribute(&mut out, 6, "test", 8, |out| push_text(out, Notation::Hcl, operator));
                push_attribute(&mut out, 6, "variable", 8, |out| push_text(out, Notation::Hcl, key));
                push_attribute(&mut out, 6, "values", 8, |out| push_list(out, values));
                out.push_str("\n    }");
            }
        }
        out.push_str("\n  }");
    }
    out.push_str("\n}\n");
    Some(out)
}

/// One block with its attributes, their equals signs in a column as `terraform fmt` puts them.
struct Block(String);

impl Block {
    /// A resource of this kind.
    fn open(kind: &[&str], label: Label) -> Self {
        Self::start(format!("resource \"{}\" \"{}\"", kind.concat(), own_name(label)))
    }

    fn start(head: String) -> Self {
        let mut out = head;
        out.reserve(1024);
        out.push_str(" {");
        Self(out)
    }

    fn text(&mut self, name: &str, width: usize, value: &str) {
        push_attribute(&mut self.0, 2, name, width, |out| push_text(out, Notation::Hcl, value));
    }

    /// An expression; never a text from outside.
    fn raw(&mut self, name: &str, width: usize, expression: &str) {
        push_attribute(&mut self.0, 2, name, width, |out| out.push_str(expression));
    }

    fn policy<'a>(&mut self, name: &str, statements: impl IntoIterator<Item = &'a Statement>) {
        push_attribute(&mut self.0, 2, name, 0, |out| {
            out.push_str("jsonencode(");
            policy(&mut Tree::new(out, Notation::Hcl, 1), statements);
            out.push(')');
        });
    }

    fn close(self) -> String {
        let mut out = self.0;
        out.push_str("\n}\n");
        out
    }
}

fn push_attribute(out: &mut String, indent: usize, name: &str, width: usize, value: impl FnOnce(&mut String)) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(name);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(name.len())));
    out.push_str(" = ");
    value(out);
}

fn push_list(out: &mut String, values: &[impl AsRef<str>]) {
    out.push('[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        push_text(out, Notation::Hcl, value.as_ref());
    }
    out.push(']');
}
