//! Whose document a remedy sends somebody to: what stands above a caller is the caller's account's, what guards a resource its
//! owner's. And what is said where nobody has a document to change.

use serde_json::{Value, json};
use tests::{golden::assert_none, sample::*};

use super::{check, differences};

const READ: &str = "cloudtrail:GetTrailStatus";
const RCP: &str = "arn:aws:organizations::123456789012:policy/o-exampleorgid/resource_control_policy/p-examplepolicyid";
const FOREIGN_TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:444455556666:trail/Their-Trail";

fn denied(identity: Value, action: &str, resource: &str, clause: &str) -> Value {
    refused(identity.clone(), action, &format!("{} {clause}", said(&identity, action, resource)))
}

/// What the first remedy tells people to run.
fn command(record: &Value) -> Value {
    diagnosed(record)["remedies"][0]["commands"]["aws_cli"].clone()
}

#[test]
fn a_ceiling_belongs_to_whom_it_stands_over() {
    let alice = || user("alice");
    let mallory = || user_of(THERE, "mallory");
    let deny = "with an explicit deny in";
    let rcp = format!("{deny} a resource control policy: {RCP}");
    let scp = format!("{deny} a service control policy: {SCP}");
    check([
        (
            "our organization's RCP on our trail, for a stranger",
            denied(mallory(), READ, TRAIL, &rcp),
            "kinds: change-resource-control-policy; targets: organization organization",
        ),
        (
            "an RCP on another account's trail",
            denied(alice(), READ, FOREIGN_TRAIL, &rcp),
            "kinds: change-resource-control-policy; targets: account 444455556666",
        ),
        (
            "an SCP over a stranger",
            denied(mallory(), READ, TRAIL, &scp),
            "kinds: change-service-control-policy; targets: account 444455556666",
        ),
        (
            "an SCP over our caller, at another account's trail",
            denied(alice(), READ, FOREIGN_TRAIL, &scp),
            "kinds: change-service-control-policy; targets: organization organization",
        ),
        (
            "a boundary over a stranger",
            denied(mallory(), READ, TRAIL, &format!("{deny} a permissions boundary")),
            "kinds: change-permissions-boundary; targets: account 444455556666",
        ),
        (
            "a deny of our caller's own, at another account's trail",
            denied(alice(), READ, FOREIGN_TRAIL, &format!("{deny} an identity-based policy")),
            "kinds: remove-explicit-deny; targets: user alice",
        ),
        (
            "a deny in another account's resource policy",
            denied(
                alice(),
                "cloudtrail:GetEventDataStore",
                "arn:aws:cloudtrail:eu-west-1:444455556666:eventdatastore/EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE",
                &format!("{deny} a resource-based policy"),
            ),
            "kinds: remove-explicit-deny; targets: account 444455556666",
        ),
    ]);
    assert_eq!(command(&denied(mallory(), READ, TRAIL, &format!("{deny} an identity-based policy"))), Value::Null);
}

#[test]
fn an_endpoint_is_its_networks() {
    let through = |identity: Value, owner: Value| {
        let record =
            denied(identity, READ, TRAIL, "because no VPC endpoint policy allows the cloudtrail:GetTrailStatus action");
        with(with(record, "/vpcEndpointId", "vpce-0abcdef1234567890"), "/vpcEndpointAccountId", owner)
    };
    check([
        (
            "ours, as the record says",
            through(user("alice"), json!(HERE)),
            "targets: vpc-endpoint vpce-0abcdef1234567890",
        ),
        ("ours, for all we know", through(user("alice"), Value::Null), "targets: vpc-endpoint vpce-0abcdef1234567890"),
        ("a shared network's", through(user("alice"), json!(THERE)), "targets: account 444455556666"),
        (
            "ours, used by a stranger",
            through(user_of(THERE, "mallory"), json!(HERE)),
            "targets: vpc-endpoint vpce-0abcdef1234567890",
        ),
        (
            "a stranger's, for all we know",
            through(user_of(THERE, "mallory"), Value::Null),
            "targets: account 444455556666",
        ),
        ("no account at all", through(user("alice"), json!("$(id)")), "targets: vpc-endpoint vpce-0abcdef1234567890"),
    ]);
    assert_eq!(command(&through(user("alice"), json!(THERE))), Value::Null, "no command of ours reaches it");
}

#[test]
fn log_files_without_their_neighbours() {
    let file = "\"arn:aws:s3:::amzn-s3-demo-bucket/p/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/x.json.gz\"";
    let diagnosis = diagnosed(&lacking(user_of(THERE, "mallory"), "s3:GetObject", file));
    let statements = &diagnosis["remedies"][0]["policy"]["Statement"];
    // AWS Config and load balancers write below the same AWSLogs/ACCOUNT.
    assert_eq!(statements[1]["Resource"], "arn:aws:s3:::amzn-s3-demo-bucket/p/AWSLogs/111122223333/CloudTrail*/*");
    assert_eq!(
        statements[2]["Condition"]["StringLike"]["s3:prefix"], "p/AWSLogs/111122223333/CloudTrail*/*",
        "{diagnosis:#}"
    );
}

#[test]
fn what_writes_in_config_is_not_allowed_on_everything() {
    let through =
        |action: &str| with(lacking(user("alice"), action, ""), "/userIdentity/invokedBy", "cloudtrail.amazonaws.com");
    for (action, policies) in [
        ("config:DescribeConfigurationRecorders", 2),
        ("config:BatchGetResourceConfig", 2),
        ("config:PutConfigurationRecorder", 0),
        ("config:DeleteConfigurationRecorder", 0),
    ] {
        let diagnosis = diagnosed(&through(action));
        let written = remedies(&diagnosis).iter().filter(|remedy| remedy["policy"].is_object()).count();
        assert_eq!(written, policies, "{action}: {diagnosis:#}");
        assert!(!remedies(&diagnosis).is_empty(), "{action}");
    }
}

#[test]
fn who_has_no_policies_is_told_where_to_look() {
    let role = "arn:aws:iam::111122223333:role/service-role/CloudTrail_CloudWatchLogs_Role";
    let pass = |identity: Value| {
        let message = missing(&identity, "iam:PassRole", role, "identity-based policy");
        refused(identity, "cloudtrail:UpdateTrail", &message)
    };
    check([
        ("root", pass(root()), "rule: CT201; kinds: change-service-control-policy"),
        ("an Identity Center user", pass(identity_center()), "rule: CT201; kinds: change-permission-set"),
    ]);
    let restored = lacking(
        user("alice"),
        "s3:RestoreObject",
        "\"arn:aws:s3:::amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/x.json.gz\"",
    );
    assert_none("an archived log file is read back", &differences(&diagnosed(&restored), "kinds: put-inline-policy"));
}

#[test]
fn a_look_at_a_trail_elsewhere_says_when_it_helps() {
    check([(
        "a read",
        lacking(user("alice"), READ, FOREIGN_TRAIL),
        "kinds: put-inline-policy, use-home-region-or-owner; why: only if the trail is this account's own organization's",
    )]);
}

#[test]
fn a_log_role_of_another_account_is_that_accounts() {
    let given = |role: &str, group: &str| {
        let record = refused(
            user("alice"),
            "cloudtrail:UpdateTrail",
            "Access denied. Check the trust relationships for your role.",
        );
        let record = with(record, "/errorCode", "InvalidCloudWatchLogsRoleArnException");
        let parameters =
            json!({ "name": "My-Trail", "cloudWatchLogsRoleArn": role, "cloudWatchLogsLogGroupArn": group });
        with(record, "/requestParameters", parameters)
    };
    let group = "arn:aws:logs:eu-west-1:111122223333:log-group:trail:*";
    let theirs = given("arn:aws:iam::444455556666:role/x", group);
    check([(
        "a role of that name may be here, too",
        theirs.clone(),
        "kinds: update-log-role; targets: account 444455556666",
    )]);
    assert_eq!(command(&theirs), Value::Null);
    let ours = given("arn:aws:iam::111122223333:role/x", group);
    check([("our own", ours.clone(), "kinds: update-log-role; targets: log-role x")]);
    assert!(command(&ours).as_str().is_some_and(|command| command.contains("'x'")));
}

#[test]
fn a_log_group_that_is_a_pattern_stands_in_no_policy() {
    let given = |group: &str| {
        let record =
            refused(user("alice"), "cloudtrail:UpdateTrail", "Access denied. Check the permissions for your role.");
        let record = with(record, "/errorCode", "InvalidCloudWatchLogsLogGroupArnException");
        let role = "arn:aws:iam::111122223333:role/x";
        with(record, "/requestParameters", json!({ "cloudWatchLogsRoleArn": role, "cloudWatchLogsLogGroupArn": group }))
    };
    let policy = |group: &str| diagnosed(&given(group))["remedies"][0]["policy"].to_string();
    assert!(policy("arn:aws:logs:eu-west-1:111122223333:log-group:trail:*").contains(":log-group:trail:log-stream:"));
    for group in ["*:*", "*", "trail*:*", "trail:*:*", "?:*"] {
        let policy = policy(&format!("arn:aws:logs:eu-west-1:111122223333:log-group:{group}"));
        assert!(!policy.contains("log-group:"), "{group}: {policy}");
    }
}

#[test]
fn nobody_is_told_where_an_attack_belongs() {
    let stop = "cloudtrail:StopLogging";
    let clause = "because no resource-based policy allows the cloudtrail:StopLogging action";
    check([(
        "a stranger's attempt on our trail",
        denied(user_of(THERE, "mallory"), stop, TRAIL, clause),
        "response: raise-alarm; kinds: none",
    )]);
}

#[test]
fn what_is_missing_on_our_side_is_said_first() {
    let role = "arn:aws:iam::444455556666:role/CloudTrailReader";
    let store = STORE.replace(HERE, THERE);
    let channel = CHANNEL.replace(HERE, THERE);
    check([
        (
            "no policy of ours lets our caller assume their role",
            refused_there("sts:AssumeRole", role, "identity-based policy"),
            "kinds: put-inline-policy, change-trust-policy; targets: user alice, account 444455556666; why: half",
        ),
        (
            "their role's trust does not let our caller in",
            refused_there("sts:AssumeRole", role, "resource-based policy"),
            "kinds: change-trust-policy; targets: account 444455556666",
        ),
        (
            "their event data store",
            denied(user("alice"), "cloudtrail:StartQuery", &store, ""),
            "kinds: put-resource-policy; targets: account 444455556666",
        ),
        (
            "their channel",
            denied(user("alice"), "cloudtrail-data:PutAuditEvents", &channel, ""),
            "kinds: put-resource-policy; targets: account 444455556666",
        ),
    ]);
}

/// Refused in the service whose action it is.
fn refused_there(action: &str, resource: &str, kind: &str) -> Value {
    refused(user("alice"), action, &missing(&user("alice"), action, resource, kind))
}

/// Our account may have a user or a role of the same name.
#[test]
fn a_stranger_is_not_our_user_of_that_name() {
    let file = "\"arn:aws:s3:::amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/x.json.gz\"";
    let mallory = || user_of(THERE, "alice");
    let said_to_be_ours = with(mallory(), "/accountId", HERE);
    for identity in [mallory(), said_to_be_ours] {
        for (action, resource) in [(READ, TRAIL), ("s3:GetObject", file), ("cloudtrail:DescribeTrails", "*")] {
            for kind in ["identity-based policy", "permissions boundary", "session policy", "resource-based policy"] {
                let diagnosis =
                    diagnosed(&refused(identity.clone(), action, &missing(&identity, action, resource, kind)));
                for remedy in remedies(&diagnosis) {
                    assert_ne!(remedy["target"]["kind"], "user", "{action} {kind}: {diagnosis:#}");
                }
            }
        }
    }
}

#[test]
fn who_is_let_in_sends_what_only_this_role_asks_for() {
    let trust = |account: &str, trail: &str| {
        let mallory = user_of(account, "mallory");
        let diagnosis = diagnosed(&lacking(mallory, READ, trail));
        diagnosis["remedies"][0]["policy"]["Statement"][0].clone()
    };
    let id = |statement: &Value| statement["Condition"]["StringEquals"]["sts:ExternalId"].as_str().unwrap().to_owned();
    let first = trust(THERE, TRAIL);
    assert_eq!(first["Action"], "sts:AssumeRole");
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_AssumeRole.html: 2 to 1,224 of these.
    assert!(id(&first).len() > 20 && id(&first).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{first}");
    assert_eq!(first, trust(THERE, TRAIL));
    assert_ne!(id(&first), id(&trust(MANAGEMENT, TRAIL)));
    assert_ne!(id(&first), id(&trust(THERE, "arn:aws:cloudtrail:eu-west-1:111122223333:trail/Another")));
}

#[test]
fn nobody_is_told_to_give_a_policy_to_an_account() {
    let nameless = json!({
        "type": "AssumedRole", "principalId": "111122223333:bob", "arn": "arn:aws:sts::111122223333:assumed-root",
        "accountId": HERE,
    });
    check([(
        "a root session",
        lacking(nameless, "cloudtrail:DescribeTrails", "*"),
        "kinds: put-inline-policy; why: find the caller first",
    )]);
}

#[test]
fn what_could_harm_the_stored_log_has_a_rule_of_its_own() {
    let file = "\"arn:aws:s3:::amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/x.json.gz\"";
    let topic = "arn:aws:sns:eu-west-1:111122223333:trail-topic";
    let through = |record: Value| with(record, "/userIdentity/invokedBy", "cloudtrail.amazonaws.com");
    for kind in ["identity-based policy", "service control policy", "resource-based policy", "permissions boundary"] {
        let by = |action: &str, resource: &str| {
            refused(user("alice"), action, &missing(&user("alice"), action, resource, kind))
        };
        check([
            ("a log file is deleted", by("s3:DeleteObject", file), "rule: CT209; response: suggest-fix; kinds: none"),
            ("a log file is overwritten", by("s3:PutObject", file), "rule: CT209; kinds: none"),
            // Whoever may publish can tell the readers of a trail of files that it never wrote.
            ("a delivery is made up", through(by("sns:Publish", topic)), "rule: CT209; kinds: none"),
        ]);
    }
}
