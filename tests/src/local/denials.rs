//! Refused calls, in the form in which EventBridge delivers them.
//!
//! Each is the first sample of `events/triage/` with who, what and why replaced, and an id of its own: what a test doesn't
//! care about stays as AWS writes it.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{ACCOUNT, REGION, function::fresh_id, in_checkout};

/// Why no policy allowed it.
pub const NO_POLICY: &str = "no identity-based policy allows the";
/// AWS's old sentence, which gives no reason.
pub const NO_REASON: &str = "";
/// A service control policy said no.
pub const SCP: &str = "of an explicit deny in a service control policy for the";

/// A policy of the caller's said no.
pub const IDENTITY_DENY: &str = "with an explicit deny in an identity-based policy";
/// AWS has found the caller's keys where everybody can read them.
pub const QUARANTINE: &str =
    "with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";

/// A refused call that is being made up.
#[derive(Debug, Clone)]
pub struct Denial {
    who: String,
    action: String,
    resource: String,
    reason: String,
    event: Value,
}

/// A user of the account was refused a call to CloudTrail on a trail.
pub fn denial(user: &str, operation: &str) -> Denial {
    static SAMPLE: LazyLock<Value> = LazyLock::new(|| {
        let sample =
            std::fs::read_to_string(in_checkout("events/triage/00-mateojackson.json")).expect("the first sample");
        serde_json::from_str(&sample).expect("it is JSON")
    });
    let mut event = SAMPLE.clone();
    event["account"] = json!(ACCOUNT);
    event["detail"]["recipientAccountId"] = json!(ACCOUNT);
    event["detail"]["requestParameters"] = Value::Null;
    let denial = Denial {
        who: String::new(),
        action: String::new(),
        resource: format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"),
        reason: NO_POLICY.to_owned(),
        event,
    };
    denial.of_user(user).calling("cloudtrail", operation).another()
}

/// What IAM makes of a name, so that each name has one and no two share it.
fn unique_id(prefix: &str, name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    format!("{prefix}{letters:X>17}")
}

impl Denial {
    /// The same call, refused once more.
    pub fn another(&self) -> Self {
        let mut denial = self.clone();
        let id = fresh_id();
        denial.event["id"] = json!(id);
        denial.event["detail"]["eventID"] = json!(id);
        denial.event["detail"]["requestID"] = json!(fresh_id());
        denial
    }

    fn of_user(mut self, user: &str) -> Self {
        self.who = format!("arn:aws:iam::{ACCOUNT}:user/{user}");
        self.event["detail"]["userIdentity"] = json!({
            "type": "IAMUser", "principalId": unique_id("AIDA", user), "arn": self.who, "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": user,
        });
        self
    }

    /// By a session of a role instead.
    pub fn by_role(mut self, account: &str, role: &str, session: &str) -> Self {
        self.who = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
        let id = unique_id("AROA", role);
        self.event["detail"]["userIdentity"] = json!({
            "type": "AssumedRole", "principalId": format!("{id}:{session}"), "arn": self.who, "accountId": account,
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": id, "arn": format!("arn:aws:iam::{account}:role/{role}"),
                    "accountId": account, "userName": role,
                },
                "attributes": { "creationDate": "2026-10-05T07:12:44Z", "mfaAuthenticated": "false" },
            },
        });
        self
    }

    /// By somebody of another kind: the ARN that AWS's sentence names, and `userIdentity`.
    pub fn by(mut self, arn: &str, identity: Value) -> Self {
        self.who = arn.to_owned();
        self.event["detail"]["userIdentity"] = identity;
        self
    }

    /// Another service's call.
    pub fn calling(mut self, service: &str, operation: &str) -> Self {
        self.action = format!("{service}:{operation}");
        self.event["source"] = json!(format!("aws.{service}"));
        self.event["detail"]["eventSource"] = json!(format!("{service}.amazonaws.com"));
        self.event["detail"]["eventName"] = json!(operation);
        self
    }

    /// On another resource.
    pub fn on(mut self, resource: &str) -> Self {
        self.resource = resource.to_owned();
        self
    }

    /// On a trail of that name.
    pub fn on_trail(self, name: &str) -> Self {
        self.on(&format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{name}"))
    }

    /// For another reason: [`SCP`], say.
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = reason.to_owned();
        self
    }

    /// In a record of another account's trail.
    pub fn in_account(mut self, account: &str) -> Self {
        self.event["account"] = json!(account);
        self.event["detail"]["recipientAccountId"] = json!(account);
        self
    }

    /// At another time.
    pub fn at(mut self, time: &str) -> Self {
        self.event["detail"]["eventTime"] = json!(time);
        self
    }

    /// With parameters, which few denied calls have.
    pub fn with(mut self, parameters: Value) -> Self {
        self.event["detail"]["requestParameters"] = parameters;
        self
    }

    /// As EventBridge delivers it.
    pub fn event(&self) -> Value {
        let mut event = self.event.clone();
        // AWS has two forms of giving a reason, and one of giving none.
        let why = match self.reason.as_str() {
            NO_REASON => String::new(),
            reason if reason.starts_with("with ") => format!(" {reason}"),
            reason => format!(" because {reason} {} action", self.action),
        };
        event["detail"]["errorMessage"] = json!(format!(
            "User: {} is not authorized to perform: {} on resource: {}{why}",
            self.who, self.action, self.resource
        ));
        event
    }

    /// As the queue holds it.
    pub fn body(&self) -> String {
        self.event().to_string()
    }

    /// The record alone, as a log file holds it.
    pub fn record(&self) -> Value {
        self.event()["detail"].clone()
    }
}
