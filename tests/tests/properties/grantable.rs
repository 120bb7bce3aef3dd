//! Records that may be answered with a grant: the ground that `grants` breaks and `hashes` compares.

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tests::actions::ACTIONS;

/// Everything that such a record is made of.
#[derive(Debug, Clone)]
pub struct Grantable {
    /// A role's session, or a user.
    pub is_role: bool,
    /// The caller's name.
    pub name: String,
    /// The IAM path, with both slashes.
    pub path: String,
    /// The session's name.
    pub session: String,
    /// `AIDA…` or `AROA…`.
    pub unique_id: String,
    /// The account of all.
    pub account: String,
    /// Partition and Region.
    pub place: (&'static str, &'static str),
    /// A CloudTrail action that neither tampers nor makes something of CloudTrail Lake.
    pub action: &'static str,
    /// Its risk.
    pub risk: &'static str,
    /// The type of its resource; empty where it takes only `*`.
    pub resource_type: &'static str,
    /// The resource's name.
    pub resource: String,
    /// AWS gave no reason.
    pub is_old_form: bool,
    /// The request's parameters are in the record.
    pub has_parameters: bool,
    /// The error code.
    pub code: &'static str,
}

/// The actions that make something of CloudTrail Lake.
pub const LAKE: &[&str] =
    &["cloudtrail:CreateEventDataStore", "cloudtrail:CreateChannel", "cloudtrail:CreateDashboard"];

/// Records that may be granted.
pub fn grantable() -> impl Strategy<Value = Grantable> {
    let actions: Vec<_> = ACTIONS.iter().filter(|row| row.2 != "tampering" && !LAKE.contains(&row.0)).collect();
    let who = (
        any::<bool>(),
        "[A-Za-z][A-Za-z0-9_+=,.@-]{0,63}",
        select(&["/", "/team/", "/a/b-c/d/"]),
        "[A-Za-z][A-Za-z0-9_+=,.@-]{1,63}",
        "[A-Z0-9]{17}",
    );
    let place = select(&[
        ("aws", "eu-west-1"),
        ("aws", "us-east-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-cn", "cn-north-1"),
    ]);
    let trail = "[A-Za-z][A-Za-z0-9]{1,20}([.-_][A-Za-z0-9]{1,20}){0,3}"
        .prop_filter("one separator between words", |name| is_trail_name(name));
    let what = (select(actions), trail, "[A-Za-z0-9]{8}-[a-z0-9]{4}-[a-z0-9]{12}", any::<prop::sample::Index>());
    let how = (
        any::<bool>(),
        any::<bool>(),
        select(&["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"]),
    );
    (who, "[0-9]{12}", place, what, how).prop_map(|(who, account, place, what, how)| {
        let (is_role, name, path, session, id) = who;
        let (row, trail, id_name, at) = what;
        let (is_old_form, has_parameters, code) = how;
        let types: Vec<&str> = row.3.split(' ').collect();
        let resource_type = types[at.index(types.len())];
        Grantable {
            is_role,
            name,
            path: path.to_owned(),
            session,
            unique_id: format!("{}{id}", if is_role { "AROA" } else { "AIDA" }),
            account,
            place,
            action: row.0,
            risk: row.2,
            resource_type,
            resource: if resource_type == "trail" { trail } else { id_name },
            is_old_form: is_old_form && row.2 == "routine",
            has_parameters,
            code,
        }
    })
}

/// AWS's rule for the names of trails, apart from addresses.
fn is_trail_name(name: &str) -> bool {
    let separator = |byte: u8| b".-_".contains(&byte);
    (3..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || separator(byte))
        && !name.as_bytes().windows(2).any(|pair| separator(pair[0]) && separator(pair[1]))
        && name.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

impl Grantable {
    /// `arn:PARTITION:iam::ACCOUNT:` and so on.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}::{}:{resource}", self.place.0, self.account)
    }

    /// The ARN under which the caller signed.
    pub fn signed(&self) -> String {
        match self.is_role {
            true => self.arn("sts", &format!("assumed-role/{}/{}", self.name, self.session)),
            false => self.arn("iam", &format!("user{}{}", self.path, self.name)),
        }
    }

    /// The resource's ARN, or `*`.
    pub fn resource_arn(&self) -> String {
        if self.resource_type.is_empty() {
            return "*".to_owned();
        }
        let (partition, region) = self.place;
        format!("arn:{partition}:cloudtrail:{region}:{}:{}/{}", self.account, self.resource_type, self.resource)
    }

    /// AWS's sentence up to the reason, with another resource.
    pub fn said_on(&self, resource: &str) -> String {
        let on = if resource == "*" { String::new() } else { format!(" on resource: {resource}") };
        format!("User: {} is not authorized to perform: {}{on}", self.signed(), self.action)
    }

    /// The reason that AWS gives, of a kind of policy.
    pub fn reason(&self, kind: &str) -> String {
        format!(" because no {kind} allows the {} action", self.action)
    }

    /// AWS's sentence.
    pub fn sentence(&self) -> String {
        let reason = if self.is_old_form { String::new() } else { self.reason("identity-based policy") };
        self.said_on(&self.resource_arn()) + &reason
    }

    /// Who called.
    pub fn identity(&self) -> Value {
        let entity =
            self.arn("iam", &format!("{}{}{}", if self.is_role { "role" } else { "user" }, self.path, self.name));
        match self.is_role {
            false => json!({
                "type": "IAMUser", "principalId": self.unique_id, "arn": entity, "accountId": self.account, "userName": self.name,
            }),
            true => json!({
                "type": "AssumedRole", "principalId": format!("{}:{}", self.unique_id, self.session), "arn": self.signed(), "accountId": self.account,
                "sessionContext": { "sessionIssuer": {
                    "type": "Role", "principalId": self.unique_id, "arn": entity, "accountId": self.account, "userName": self.name,
                } },
            }),
        }
    }

    /// The record.
    pub fn record(&self) -> Value {
        let (service, operation) = self.action.split_once(':').unwrap();
        let parameters = match (self.has_parameters, self.resource_type) {
            (false, _) | (_, "") => Value::Null,
            (_, "trail") => json!({ "name": self.resource_arn(), "trailName": self.resource_arn() }),
            (_, "eventdatastore") => json!({ "eventDataStore": self.resource_arn() }),
            (_, "channel") => json!({ "channel": self.resource_arn(), "channelArn": self.resource_arn() }),
            _ => json!({ "dashboardId": self.resource_arn() }),
        };
        json!({
            "eventVersion": "1.11", "userIdentity": self.identity(), "eventTime": "2026-10-05T08:00:01Z",
            "eventSource": format!("{service}.amazonaws.com"), "eventName": operation, "awsRegion": self.place.1, "sourceIPAddress": "192.0.2.7",
            "userAgent": "aws-cli/2", "errorCode": self.code, "errorMessage": self.sentence(), "requestParameters": parameters,
            "eventID": "5ef9a0c5-4c5e-4b5a-8b1e-0e5b1bb1a002", "recipientAccountId": self.account,
        })
    }
}
