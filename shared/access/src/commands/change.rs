//! One change of IAM's as somebody would type it: what a rehearsal shows instead of making it.

use super::{
    shell::{option, start_iam},
    subject::{Entity, EntityKind},
};
use crate::reconcile::{Change, Holder};

/// The command for a POSIX shell, on one line.
pub fn change(change: &Change) -> String {
    let (verb, holder) = match change {
        Change::Attach(holder, _) => ("attach-", holder),
        Change::Detach(holder, _) => ("detach-", holder),
        Change::Put(holder, ..) => ("put-", holder),
        Change::Delete(holder, _) => ("delete-", holder),
    };
    let (kind, name) = match holder {
        Holder::User(name) => (EntityKind::User, name),
        Holder::Role(name) => (EntityKind::Role, name),
    };
    let mut out = String::with_capacity(512);
    start_iam(&mut out, verb, Entity { kind, name, account: None }, "-policy");
    match change {
        Change::Attach(_, arn) | Change::Detach(_, arn) => option(&mut out, "--policy-arn", arn),
        Change::Put(_, name, document) => {
            option(&mut out, "--policy-name", name);
            option(&mut out, "--policy-document", document);
        }
        Change::Delete(_, name) => option(&mut out, "--policy-name", name),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_its_command() {
        let (user, role) = (Holder::User("bob".to_owned()), Holder::Role("it's".to_owned()));
        let text = str::to_owned;
        for (made, expected) in [
            (
                Change::Attach(user.clone(), text("arn")),
                "aws iam attach-user-policy --user-name 'bob' --policy-arn 'arn'",
            ),
            (
                Change::Detach(role.clone(), text("arn")),
                r"aws iam detach-role-policy --role-name 'it'\''s' --policy-arn 'arn'",
            ),
            (
                Change::Put(user, text("p"), text("{}")),
                "aws iam put-user-policy --user-name 'bob' --policy-name 'p' --policy-document '{}'",
            ),
            (Change::Delete(role, text("p")), r"aws iam delete-role-policy --role-name 'it'\''s' --policy-name 'p'"),
        ] {
            assert_eq!(change(&made), expected);
        }
    }
}
