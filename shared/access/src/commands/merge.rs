//! Documents that their API replaces as a whole: read what is there, add to it, write it back.
//!
//! A bucket's, topic's, key's or role's policy is shared with everybody who put a statement there. So whatever fails
//! before the write ends the matter, "there is none" is believed only by its own error code, and the document as it
//! was stays in a file.

use super::{
    shell::{OPEN, open_for, option, push_quoted, region},
    subject::Holder,
    text::{Notation, Tree, statements},
};
use crate::policy_document::Statement;

/// Adds statements to a document, and takes nothing away. What says the same already is not said twice. A statement of
/// the same Sid that says something else (AWS's own examples carry a Sid that each trail with this bucket repeats) gives
/// up its Sid, which has to be unique and means nothing, and keeps its effect. No document, no success.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html>
const MERGE: &str = r#"jq -ce --argjson add "$add" '
    if type == "object" then . else error("this is no policy") end
    | .Statement = ([.Statement // empty] | flatten
        | map(select(del(.Sid) as $old | any($add[]; del(.Sid) == $old) | not))
        | map(if .Sid as $sid | any($add[]; .Sid != null and .Sid == $sid) then del(.Sid) else . end)) + $add
  ' "$kept/before.json""#;

/// A folder that only this user can read; the document as it was stays there.
pub(super) const KEEP: &str = "  kept=$(mktemp -d) || exit\n";

const CLOSE: &str = "  printf 'Done. The policy as it was: %s\\n' \"$kept/before.json\"\n)\n";

const EMPTY_POLICY: &str = r#"'{"Version":"2012-10-17","Statement":[]}'"#;

/// Finds the one permission set of a name, in the Region that the CLI is set to: a record does not tell Identity
/// Center's own. An instance that can't hold permission sets (an account's own) is passed over.
/// <https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListInstances.html>
const FIND_PERMISSION_SET: [&str; 2] = [
    r#"  : >"$kept/found"
  aws sso-admin list-instances --query 'Instances[].InstanceArn' --output json >"$kept/instances.json" || exit
  jq -r '.[]' "$kept/instances.json" >"$kept/instances" || exit
  while IFS= read -r instance; do
    aws sso-admin list-permission-sets --instance-arn "$instance" --query PermissionSets --output json >"$kept/sets.json" </dev/null || continue
    jq -r '.[]' "$kept/sets.json" >"$kept/sets" || exit
    while IFS= read -r permission_set; do
      name=$(aws sso-admin describe-permission-set --instance-arn "$instance" --permission-set-arn "$permission_set" --query PermissionSet.Name --output text </dev/null) || exit
      if [ "$name" = "#,
    r#" ]; then printf '%s\n' "$instance" "$permission_set" >>"$kept/found"; fi
    done <"$kept/sets"
  done <"$kept/instances"
  if [ "$(wc -l <"$kept/found")" -ne 2 ]; then
    echo 'There is not exactly one permission set of this name here. Use the account and the Region of IAM Identity Center (AWS_REGION).' >&2
    exit 1
  fi
  { IFS= read -r instance && IFS= read -r permission_set; } <"$kept/found" || exit
"#,
];

/// Brings a changed permission set to the accounts that have it; until then it changes nothing.
const PROVISION: &str = r#"  aws sso-admin provision-permission-set --instance-arn "$instance" --permission-set-arn "$permission_set" --target-type ALL_PROVISIONED_ACCOUNTS || exit
"#;

/// Reads the document that is there, adds to it, writes it back. Whatever fails, nothing is written after it.
pub(super) fn document(holder: &Holder, add: &[Statement]) -> String {
    let mut out = String::with_capacity(2048);
    match holder {
        Holder::Trust(role) => open_for(&mut out, *role),
        // All others are named by an ARN, or by a name that nobody else has.
        _ => out.push_str(OPEN),
    }
    start(&mut out, add);
    resolve(&mut out, holder);
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html
    // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetResourcePolicy.html
    let absent = match holder {
        Holder::Bucket(_) => Some("NoSuchBucketPolicy"),
        Holder::CloudTrail(_) => Some("ResourcePolicyNotFoundException"),
        Holder::Topic(_) | Holder::Key { .. } | Holder::Trust(_) => None,
    };
    out.push_str(if absent.is_some() { "  if ! " } else { "  " });
    read(&mut out, holder);
    out.push_str(" >\"$kept/before.json\"");
    match absent {
        Some(error) => {
            out.push_str(" 2>\"$kept/error\"; then\n    grep -q '(");
            out.push_str(error);
            out.push_str(")' \"$kept/error\" || { cat \"$kept/error\" >&2; exit 1; }\n    printf '%s\\n' ");
            out.push_str(EMPTY_POLICY);
            out.push_str(" >\"$kept/before.json\"\n  fi\n");
        }
        None => out.push_str(" || exit\n"),
    }
    // An organization's event data store may have nothing but the policy that AWS made for its delegated administrator.
    if let Holder::CloudTrail(_) = holder {
        empty_if(&mut out, "None");
    }
    finish(&mut out);
    write(&mut out, holder);
    out.push_str(" \"$after\" || exit\n");
    out.push_str(CLOSE);
    out
}

/// The same for the inline policy of a permission set, which has to be provisioned afterwards.
/// <https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PutInlinePolicyToPermissionSet.html>
pub(super) fn permission_set(name: &str, add: &[Statement]) -> String {
    let mut out = String::with_capacity(4096);
    out.push_str(OPEN);
    start(&mut out, add);
    find_permission_set(&mut out, name);
    out.push_str(
        r#"  aws sso-admin get-inline-policy-for-permission-set --instance-arn "$instance" --permission-set-arn "$permission_set" --query InlinePolicy --output text >"$kept/before.json" || exit
"#,
    );
    empty_if(&mut out, "'' | None");
    finish(&mut out);
    out.push_str(
        r#"aws sso-admin put-inline-policy-to-permission-set --instance-arn "$instance" --permission-set-arn "$permission_set" --inline-policy "$after" || exit
"#,
    );
    out.push_str(PROVISION);
    out.push_str(CLOSE);
    out
}

/// One of AWS's managed policies, attached to a permission set.
pub(super) fn attach_to_permission_set(name: &str, policy_arn: &str) -> String {
    let mut out = String::with_capacity(2048);
    out.push_str(OPEN);
    out.push_str(KEEP);
    find_permission_set(&mut out, name);
    out.push_str(
        r#"  aws sso-admin attach-managed-policy-to-permission-set --instance-arn "$instance" --permission-set-arn "$permission_set""#,
    );
    option(&mut out, "--managed-policy-arn", policy_arn);
    out.push_str(" || exit\n");
    out.push_str(PROVISION);
    out.push_str(")\n");
    out
}

fn start(out: &mut String, add: &[Statement]) {
    out.push_str("  add=");
    let mut json = String::with_capacity(1024);
    statements(&mut Tree::new(&mut json, Notation::Json, 1), add);
    push_quoted(out, &json);
    out.push('\n');
    out.push_str(KEEP);
}

fn finish(out: &mut String) {
    out.push_str("  after=$(");
    out.push_str(MERGE);
    out.push_str(
        ") || exit\n  [ -n \"$after\" ] || { echo 'Nothing was read, so nothing is written.' >&2; exit 1; }\n  ",
    );
}

/// Takes what the CLI prints for a document that is not there as an empty one.
fn empty_if(out: &mut String, pattern: &str) {
    for part in [
        "  case $(cat \"$kept/before.json\") in ",
        pattern,
        ") printf '%s\\n' ",
        EMPTY_POLICY,
        " >\"$kept/before.json\" ;; esac\n",
    ] {
        out.push_str(part);
    }
}

pub(super) fn find_permission_set(out: &mut String, name: &str) {
    let [before, after] = FIND_PERMISSION_SET;
    out.push_str(before);
    push_quoted(out, name);
    out.push_str(after);
}

/// An alias names a key, but a key policy is read and written by the key itself.
pub(super) fn resolve(out: &mut String, holder: &Holder) {
    if let Holder::Key { id, is_alias: true, region: at } = holder {
        out.push_str("  key=$(aws kms describe-key");
        option(out, "--key-id", id);
        region(out, *at);
        out.push_str(" --query KeyMetadata.Arn --output text) || exit\n");
    }
}

/// The command that prints a holder's document.
pub(super) fn read(out: &mut String, holder: &Holder) {
    match holder {
        Holder::Bucket(name) => {
            out.push_str("aws s3api get-bucket-policy");
            option(out, "--bucket", name);
            out.push_str(" --query Policy --output text");
        }
        Holder::Topic(arn) => {
            out.push_str("aws sns get-topic-attributes");
            option(out, "--topic-arn", arn);
            region(out, region_of(arn));
            out.push_str(" --query Attributes.Policy --output text");
        }
        Holder::Key { id, is_alias, region: at } => {
            out.push_str("aws kms get-key-policy");
            key_id(out, id, *is_alias);
            region(out, *at);
            out.push_str(" --policy-name default --query Policy --output text");
        }
        Holder::CloudTrail(arn) => {
            out.push_str("aws cloudtrail get-resource-policy");
            option(out, "--resource-arn", arn);
            region(out, region_of(arn));
            out.push_str(" --query ResourcePolicy --output text");
        }
        Holder::Trust(role) => {
            out.push_str("aws iam get-role");
            option(out, "--role-name", role.name);
            out.push_str(" --query Role.AssumeRolePolicyDocument --output json");
        }
    }
}

/// The command that replaces a holder's document, up to the document.
fn write(out: &mut String, holder: &Holder) {
    match holder {
        Holder::Bucket(name) => {
            out.push_str("aws s3api put-bucket-policy");
            option(out, "--bucket", name);
            out.push_str(" --policy");
        }
        Holder::Topic(arn) => {
            out.push_str("aws sns set-topic-attributes");
            option(out, "--topic-arn", arn);
            region(out, region_of(arn));
            out.push_str(" --attribute-name Policy --attribute-value");
        }
        Holder::Key { id, is_alias, region: at } => {
            out.push_str("aws kms put-key-policy");
            key_id(out, id, *is_alias);
            region(out, *at);
            out.push_str(" --policy-name default --policy");
        }
        Holder::CloudTrail(arn) => {
            out.push_str("aws cloudtrail put-resource-policy");
            option(out, "--resource-arn", arn);
            region(out, region_of(arn));
            out.push_str(" --resource-policy");
        }
        Holder::Trust(role) => {
            out.push_str("aws iam update-assume-role-policy");
            option(out, "--role-name", role.name);
            out.push_str(" --policy-document");
        }
    }
}

fn key_id(out: &mut String, id: &str, is_alias: bool) {
    if is_alias {
        out.push_str(" --key-id \"$key\"");
    } else {
        option(out, "--key-id", id);
    }
}

fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3)
}
