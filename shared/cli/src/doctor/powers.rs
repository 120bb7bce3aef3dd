//! What each function's role can do, and what it must not: asked of IAM's own simulator, of the roles as they are now.
//!
//! The template's tests hold every policy; here somebody may have changed one since. So the questions are few: for each role what its
//! job ends without, and the powers that must never meet in one.

use access::simulation::{Question, Value, Verdict};

use super::finding::Finding;

/// AWS's widest policy: whoever may attach it is an administrator.
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A question about a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// The function's name in the template.
    pub function: &'static str,
    /// The action.
    pub action: &'static str,
    /// On what, by the resource's name in the template, or as an ARN.
    pub on: &'static str,
    /// Whether it has to be able to.
    pub has_to: bool,
}

/// Everything that is asked.
pub const POWERS: [Power; 11] = [
    Power { function: "Triage", action: "sns:Publish", on: "AlarmsTopic", has_to: true },
    Power { function: "Triage", action: "iam:AttachRolePolicy", on: "role", has_to: false },
    Power { function: "Triage", action: "kms:GenerateMac", on: "DecisionsKey", has_to: false },
    Power { function: "Triage", action: "cloudtrail:StopLogging", on: "*", has_to: false },
    Power { function: "Decide", action: "iam:AttachRolePolicy", on: "role", has_to: false },
    Power { function: "Decide", action: "iam:PutRolePolicy", on: "role", has_to: false },
    Power { function: "Decide", action: "sts:AssumeRole", on: "role", has_to: false },
    Power { function: "Reconcile", action: "iam:AttachRolePolicy", on: "role", has_to: false },
    Power { function: "Reconcile", action: "iam:CreatePolicyVersion", on: "role", has_to: false },
    Power { function: "Reconcile", action: "iam:PassRole", on: "role", has_to: false },
    Power { function: "Reconcile", action: "kms:GenerateMac", on: "DecisionsKey", has_to: false },
];

impl Power {
    /// What the simulator is asked. `role`: the function's; `on`: what the action is on.
    pub fn question(&self, role: &str, on: &str) -> Question {
        // Whom it would be given to is anybody; what would be given is everything.
        let context = vec![("iam:PolicyARN", Value::Text(ADMINISTRATOR.to_owned()))];
        Question { principal_arn: role.to_owned(), action: self.action.to_owned(), resource: on.to_owned(), context }
    }

    /// What its answer means.
    pub fn finding(&self, verdict: Verdict) -> Finding {
        const CHECK: &str = "role";
        let (subject, action) = (self.function, self.action);
        let fix = "compare the role's policies with the template (a drift detection), and update the stack";
        match (verdict, self.has_to) {
            (Verdict::Allowed, true) => Finding::ok(CHECK, subject, format!("may {action}, as it has to")),
            (Verdict::Allowed, false) => {
                Finding::problem(CHECK, subject, format!("may {action}, which it must not"), fix)
            }
            (Verdict::Unknown, true) => {
                Finding::warning(CHECK, subject, format!("whether it may {action} could not be told"), fix)
            }
            (_, true) => Finding::problem(CHECK, subject, format!("may not {action}, which it has to"), fix),
            (Verdict::Unknown, false) => Finding::warning(
                CHECK,
                subject,
                format!("whether it may {action}, which it must not, could not be told"),
                fix,
            ),
            (_, false) => Finding::ok(CHECK, subject, format!("may not {action}")),
        }
    }
}
