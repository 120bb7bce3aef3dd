//! The contract as a judge: what every diagnosis has to hold, whatever it was made from.
//!
//! It sees the JSON that other programs see. What it knows, it knows from the contract's first part and not from `access`.

use serde_json::{Map, Value};

use crate::actions;

const RESPONSES: &[&str] = &["ignore", "suggest-fix", "request-approval", "raise-alarm"];
const SCENARIOS: &[&str] = &["not-authorized", "integration", "allow-others", "outside-account", "delivery"];
const RISKS: &[&str] = &["routine", "sensitive", "tampering"];
const PRINCIPALS: &[&str] = &[
    "root",
    "iam-user",
    "role-session",
    "sso-session",
    "service-linked-role",
    "federated-user",
    "saml-user",
    "web-identity-user",
    "identity-center-user",
    "aws-service",
    "aws-account",
    "anonymous",
    "unknown",
];
const LEVELS: &[&str] = &["List", "Read", "Write", "Tagging", "Permissions management"];
const EFFECTS: &[&str] = &["implicit-deny", "explicit-deny", "unknown"];
const POLICY_TYPES: &[&str] = &[
    "identity-based-policy",
    "resource-based-policy",
    "permissions-boundary",
    "session-policy",
    "service-control-policy",
    "resource-control-policy",
    "vpc-endpoint-policy",
    "role-trust-policy",
];
const KINDS: &[&str] = &[
    "attach-managed-policy",
    "put-inline-policy",
    "change-permission-set",
    "create-cross-account-role",
    "put-resource-policy",
    "update-bucket-policy",
    "update-topic-policy",
    "update-key-policy",
    "update-log-role",
    "create-service-linked-role",
    "change-permissions-boundary",
    "change-service-control-policy",
    "change-resource-control-policy",
    "change-vpc-endpoint-policy",
    "change-session-policy",
    "change-trust-policy",
    "remove-explicit-deny",
    "use-home-region-or-owner",
];
/// The contract leaves the last ones open ("…"); what stands here is what there is, so that a new word is noticed.
const REACHES: &[&str] = &[
    "one-session",
    "all-sessions",
    "one-user",
    "all-members",
    "all-assignees",
    "other-account",
    "cloudtrail-service",
    "everyone-under-policy",
    "nobody",
];
const TARGETS: &[&str] = &[
    "user",
    "role",
    "group",
    "permission-set",
    "account",
    "organization",
    "bucket",
    "topic",
    "key",
    "log-role",
    "event-data-store",
    "log-group",
    "channel",
    "dashboard",
    "policy",
    "trail",
    "vpc-endpoint",
];

/// Everything that a diagnosis does not hold.
pub fn complaints(diagnosis: &Value) -> Vec<String> {
    let mut judge = Judge(Vec::new());
    judge.whole(diagnosis);
    judge.0
}

/// What would take the log away, overwrite it, hand it on, or change who may: written down here a second time.
fn is_harmful(action: &str) -> bool {
    const HARMFUL: [&str; 15] = [
        "s3:Put",
        "s3:Delete",
        "s3:Bypass",
        "s3:Replicate",
        "logs:Delete",
        "logs:PutSubscription",
        "logs:PutRetention",
        "logs:PutResource",
        "logs:PutLogEvents",
        "kms:Disable",
        "kms:Schedule",
        "kms:Put",
        "kms:Revoke",
        "sns:Set",
        "sns:Remove",
    ];
    HARMFUL.iter().any(|start| action.starts_with(start))
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .map_or_else(|| value.as_str().into_iter().collect(), |all| all.iter().filter_map(Value::as_str).collect())
}

struct Judge(Vec<String>);

impl Judge {
    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    fn members(&mut self, where_: &str, value: &Value, names: &[&str]) {
        // Which order serde_json keeps is a feature that Cedar switches on for whatever is built with it.
        let mut found: Vec<&str> = value.as_object().map(Map::keys).into_iter().flatten().map(String::as_str).collect();
        let mut names = names.to_vec();
        found.sort_unstable();
        names.sort_unstable();
        self.must(found == names, || format!("{where_}: members {found:?}"));
    }

    fn word(&mut self, where_: &str, value: &Value, words: &[&str], nullable: bool) {
        let holds = value.as_str().is_some_and(|word| words.contains(&word)) || nullable && value.is_null();
        self.must(holds, || format!("{where_}: {value} is not one of its words"));
    }

    fn text(&mut self, where_: &str, value: &Value, nullable: bool) {
        let holds = value.as_str().is_some_and(|text| !text.is_empty()) || nullable && value.is_null();
        self.must(holds, || format!("{where_}: {value} is no text"));
    }

    fn whole(&mut self, d: &Value) {
        self.members(
            "diagnosis",
            d,
            &[
                "schema",
                "event_id",
                "event_time",
                "partition",
                "region",
                "account_id",
                "response",
                "rule",
                "scenario",
                "risk",
                "principal",
                "action",
                "access_level",
                "resource",
                "cause",
                "summary",
                "remedies",
                "documentation",
            ],
        );
        self.must(d["schema"] == "trailpass.diagnosis/1", || format!("schema {}", d["schema"]));
        for name in ["event_id", "event_time", "partition", "region", "account_id", "action", "resource"] {
            let holds = d[name].is_null() || d[name].is_string();
            self.must(holds, || format!("{name}: {}", d[name]));
        }
        self.text("summary", &d["summary"], false);
        self.must(
            d["documentation"].as_str().is_some_and(|url| url.starts_with("https://docs.aws.amazon.com/")),
            || "documentation".into(),
        );
        self.word("response", &d["response"], RESPONSES, false);
        self.word("scenario", &d["scenario"], SCENARIOS, true);
        self.word("risk", &d["risk"], RISKS, true);
        self.word("access_level", &d["access_level"], LEVELS, true);
        self.members("principal", &d["principal"], &["kind", "arn", "account_id", "name", "unique_id", "session_name"]);
        self.word("principal.kind", &d["principal"]["kind"], PRINCIPALS, false);
        let id = &d["principal"]["unique_id"];
        let is_id = |id: &str| id.starts_with("AROA") || id.starts_with("AIDA");
        self.must(id.is_null() || id.as_str().is_some_and(is_id), || format!("unique_id {id}"));
        self.members("cause", &d["cause"], &["effect", "policy_type", "policy_arn"]);
        self.word("effect", &d["cause"]["effect"], EFFECTS, false);
        self.word("policy_type", &d["cause"]["policy_type"], POLICY_TYPES, true);
        let denies = d["cause"]["effect"] == "explicit-deny";
        self.must(d["cause"]["policy_arn"].is_null() || denies, || {
            "a policy's ARN where nothing denies explicitly".into()
        });
        let rule = d["rule"].as_str().unwrap_or_default();
        let is_rule = rule.len() == 5 && rule.starts_with("CT") && rule[2..].bytes().all(|b| b.is_ascii_digit());
        self.must(is_rule, || format!("rule {rule}"));
        let Some(remedies) = d["remedies"].as_array() else { return self.0.push("remedies is no list".into()) };
        remedies.iter().for_each(|remedy| self.remedy(d, remedy));
        self.action(d);
        self.response(d, remedies);
    }

    fn action(&mut self, d: &Value) {
        let action = d["action"].as_str().unwrap_or_default();
        let is_ignored = d["response"] == "ignore";
        let known = actions::find(action);
        let level = known.map_or(Value::Null, |known| known.0.into());
        self.must(d["access_level"] == level, || format!("{action}: access level {}", d["access_level"]));
        match known {
            _ if is_ignored => {}
            Some((_, risk, _)) => self.must(d["risk"] == risk, || format!("{action}: risk {}", d["risk"])),
            None => {
                let is_own = action.starts_with("cloudtrail:") || action.starts_with("cloudtrail-data:");
                let may_be = d["risk"].is_null() || d["risk"] == "sensitive" && !is_own;
                self.must(may_be, || format!("{action}: risk {} of an action that the table does not know", d["risk"]));
            }
        }
    }

    fn response(&mut self, d: &Value, remedies: &[Value]) {
        let response = d["response"].as_str().unwrap_or_default();
        let grants = remedies.iter().filter(|remedy| remedy["apply"] == "on-approval").count();
        self.must((response == "request-approval") == (grants > 0), || {
            format!("{response} with {grants} remedies on approval")
        });
        let is_ignored = response == "ignore";
        self.must(!is_ignored || d["scenario"].is_null() && d["risk"].is_null(), || {
            "ignored, with a scenario or a risk".into()
        });
        self.must(!is_ignored || remedies.is_empty(), || "ignored, with a remedy".into());
        self.must(is_ignored || d["scenario"].is_string(), || format!("{response} without a scenario"));
        let is_delivery = d["scenario"] == "delivery";
        if d["risk"] == "tampering" && !is_delivery {
            self.must(response == "raise-alarm", || format!("tampering, and only {response}"));
        }
        if is_delivery {
            let is_bare = d["cause"]["effect"] == "unknown"
                && d["cause"]["policy_type"].is_null()
                && d["cause"]["policy_arn"].is_null();
            self.must(is_bare, || "delivery with a cause".into());
        }
    }

    fn remedy(&mut self, d: &Value, r: &Value) {
        let names = ["kind", "apply", "risk", "reach", "target", "policy_arn", "policy", "hash", "why", "commands"];
        self.members("remedy", r, &names);
        self.word("kind", &r["kind"], KINDS, false);
        self.word("apply", &r["apply"], &["on-approval", "by-hand"], false);
        self.word("remedy.risk", &r["risk"], RISKS, false);
        self.word("reach", &r["reach"], REACHES, false);
        self.members("target", &r["target"], &["kind", "name", "arn"]);
        self.word("target.kind", &r["target"]["kind"], TARGETS, false);
        self.text("target.name", &r["target"]["name"], false);
        self.text("why", &r["why"], false);
        self.members("commands", &r["commands"], &["aws_cli", "cloudformation", "terraform"]);
        for language in ["aws_cli", "cloudformation", "terraform"] {
            self.text(language, &r["commands"][language], true);
        }
        let kind = r["kind"].as_str().unwrap_or_default();
        // Whoever is refused while helping others is never answered with power over identities.
        if d["scenario"] == "allow-others" {
            let grants_iam = allowed(r).iter().any(|action| action.starts_with("iam:") || *action == "*");
            self.must(!grants_iam, || "allow-others with an IAM permission".into());
        }
        // For people from outside, what this account can change is proposed, or the account itself is named.
        if let (true, Some(here)) = (d["scenario"] == "outside-account", d["account_id"].as_str()) {
            let is_whole = matches!(r["target"]["kind"].as_str(), Some("account" | "organization"));
            let is_here = |arn: &str| arn.split(':').nth(4).is_none_or(|account| account.is_empty() || account == here);
            let target = &r["target"]["arn"];
            self.must(is_whole || target.as_str().is_none_or(is_here), || format!("outside-account, on {target}"));
        }
        let is_theirs = d["scenario"] != "delivery" && is_harmful(d["action"].as_str().unwrap_or_default());
        self.must(!is_theirs, || format!("an order where {} was refused", d["action"]));
        let full = r["policy_arn"].as_str().filter(|arn| arn.ends_with("FullAccess"));
        self.must(full.is_none_or(|arn| arn.ends_with(":policy/AWSCloudTrail_FullAccess")), || format!("{full:?}"));
        let is_trail = r["target"]["kind"] == "trail";
        self.must(!(kind == "put-resource-policy" && is_trail), || "a resource policy for a trail".into());
        let is_sso = d["principal"]["kind"] == "sso-session" && d["scenario"] != "allow-others";
        self.must(!(is_sso && matches!(kind, "put-inline-policy" | "attach-managed-policy")), || {
            "a policy for a reserved role".into()
        });
        self.policy(r);
        match r["apply"].as_str() {
            Some("on-approval") => self.grant(d, r),
            _ => self.must(r["hash"].is_null(), || "a hash of what nobody can approve".into()),
        }
    }

    fn policy(&mut self, r: &Value) {
        if r["policy"].is_null() {
            return;
        }
        self.must(r["policy"]["Version"] == "2012-10-17", || "policy version".into());
        let statements = r["policy"]["Statement"].as_array().map_or(&[][..], Vec::as_slice);
        self.must(!statements.is_empty(), || "a policy without a statement".into());
        for statement in statements {
            self.must(statement["Effect"] == "Allow", || "a statement that does not allow".into());
            for member in ["NotAction", "NotResource", "NotPrincipal"] {
                self.must(statement.get(member).is_none(), || format!("a policy with {member}"));
            }
            let to_all = statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*";
            self.must(!to_all, || "a policy for everybody".into());
        }
        // Only CloudTrail itself, or the role it writes with, is let near what keeps the log.
        let is_for_people = |statement: &&Value| statement["Principal"].get("Service").is_none();
        let people = statements.iter().filter(is_for_people).filter(|_| r["target"]["kind"] != "log-role");
        let harmful: Vec<&str> = people.flat_map(|s| texts(&s["Action"])).filter(|action| is_harmful(action)).collect();
        self.must(harmful.is_empty(), || format!("a policy that lets somebody harm the log: {harmful:?}"));
        // Nothing that tampers stands in a policy; of what is not CloudTrail's, everything is sensitive.
        let risks = allowed(r).into_iter().map(|action| actions::find(action).map_or("sensitive", |known| known.1));
        let highest = risks.max_by_key(|risk| RISKS.iter().position(|word| word == risk)).unwrap_or_default();
        self.must(r["policy_arn"].is_string() || r["risk"] == highest, || {
            format!("risk {} of a policy that is {highest}", r["risk"])
        });
        self.must(highest != "tampering", || "a policy that lets somebody tamper".into());
    }

    /// What holds for everything that one click would give.
    fn grant(&mut self, d: &Value, r: &Value) {
        let principal = &d["principal"];
        self.must(d["scenario"] == "not-authorized", || format!("a grant in {}", d["scenario"]));
        self.must(principal["account_id"].is_string() && principal["account_id"] == d["account_id"], || {
            "a grant to another account".into()
        });
        let kind = match principal["kind"].as_str() {
            Some("iam-user") => "user",
            Some("role-session") => "role",
            _ => "nobody",
        };
        self.must(r["target"]["kind"] == kind, || {
            format!("a grant to a {} for a {}", r["target"]["kind"], principal["kind"])
        });
        self.must(r["target"]["name"] == principal["name"], || "a grant to another name".into());
        self.must(r["target"]["arn"] == principal["arn"], || "a grant to another ARN".into());
        let action = d["action"].as_str().unwrap_or_default();
        let known = actions::find(action);
        self.must(known.is_some_and(|known| known.1 != "tampering"), || format!("a grant of {action}"));
        let hash = r["hash"].as_str().unwrap_or_default();
        self.must(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), || "a grant without a hash".into());
        self.must(!r["policy"].to_string().contains("CurrentTime"), || "a policy with an end".into());
        match r["kind"].as_str() {
            Some("put-inline-policy") => self.exact(d, r),
            Some("attach-managed-policy") => {
                let arn = r["policy_arn"].as_str().unwrap_or_default();
                let own = format!(":iam::{}:policy/trailpass/", d["account_id"].as_str().unwrap_or_default());
                self.must(arn.contains(&own), || format!("a grant of {arn}"));
                self.must(allowed(r).contains(&action), || format!("a policy that does not allow {action}"));
                self.must(!allowed(r).iter().any(|action| action.contains('*')), || {
                    "an own policy with a wildcard".into()
                });
            }
            kind => self.0.push(format!("a grant by {kind:?}")),
        }
    }

    /// No more than the refused action on the refused resource, to no more than the refused caller.
    fn exact(&mut self, d: &Value, r: &Value) {
        let statements = r["policy"]["Statement"].as_array().map_or(&[][..], Vec::as_slice);
        let [statement] = statements else { return self.0.push("an exact policy of several statements".into()) };
        let mut members: Vec<&str> =
            statement.as_object().map(Map::keys).into_iter().flatten().map(String::as_str).collect();
        members.retain(|member| *member != "Sid");
        members.sort_unstable();
        self.must(members == ["Action", "Condition", "Effect", "Resource"], || {
            format!("an exact policy with {members:?}")
        });
        self.must(statement["Action"] == d["action"], || format!("an exact policy of {}", statement["Action"]));
        self.must(statement["Resource"] == d["resource"], || format!("an exact policy on {}", statement["Resource"]));
        let is_star = d["resource"] == "*";
        let resource = d["resource"].as_str().unwrap_or_default();
        self.must(is_star || !resource.contains(['*', '?', '$']), || {
            format!("an exact policy on the pattern {resource}")
        });
        let types = d["action"].as_str().and_then(actions::find).map_or("", |known| known.2);
        self.must(!is_star || types.is_empty(), || "an exact policy on everything".into());
        let equals = &statement["Condition"]["StringEquals"];
        let id = d["principal"]["unique_id"].as_str().unwrap_or_default();
        let user_id = match d["principal"]["session_name"].as_str() {
            Some(session) => format!("{id}:{session}"),
            None => id.to_owned(),
        };
        self.must(equals["aws:userid"] == user_id.as_str() && !user_id.contains(['*', '?', '$']), || {
            format!("for {}", equals["aws:userid"])
        });
        self.must(!is_star || equals["aws:RequestedRegion"] == d["region"] && d["region"].is_string(), || {
            "in every Region".into()
        });
    }
}

/// The actions that a remedy's policy allows.
fn allowed(remedy: &Value) -> Vec<&str> {
    let statements = remedy["policy"]["Statement"].as_array().map_or(&[][..], Vec::as_slice);
    statements.iter().flat_map(|statement| texts(&statement["Action"])).collect()
}
