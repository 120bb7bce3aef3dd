//! Documents that are replaced as a whole: what is there stays, and a read that failed is never followed by a write.

use super::*;

/// A document's remedy, how it is read, how it is written, the read's file name, and the error that means "none yet".
pub struct Whole {
    pub remedy: Remedy,
    read: String,
    write: String,
    reader: &'static str,
    absent: Option<&'static str>,
}

pub fn whole(statements: fn(shape: fn() -> Statement) -> Vec<Statement>) -> Vec<Whole> {
    let case = |kind, target, name: &str, arn: Option<&str>, reader, absent, read: &str, write: &str| Whole {
        remedy: remedy(kind, target, name, arn).policy(statements(match target {
            TargetKind::Role | TargetKind::LogRole => trust,
            _ => service_shape,
        })),
        read: read.to_owned(),
        write: write.to_owned(),
        reader,
        absent,
    };
    let resource = |target, path: &str| {
        let arn = format!("arn:aws:cloudtrail:eu-central-1:{ACCOUNT}:{path}");
        case(
            RemedyKind::PutResourcePolicy,
            target,
            path.split_once('/').expect("a path").1,
            Some(arn.as_str()),
            "cloudtrail-get-resource-policy",
            Some("ResourcePolicyNotFoundException"),
            &format!(
                "cloudtrail get-resource-policy --resource-arn {arn} --region eu-central-1 --query ResourcePolicy --output text"
            ),
            &format!("cloudtrail put-resource-policy --resource-arn {arn} --region eu-central-1 --resource-policy"),
        )
    };
    let trust_of = |kind, target| {
        case(
            kind,
            target,
            "Logs-Role",
            Some("arn:aws:iam::111122223333:role/service/Logs-Role"),
            "iam-get-role",
            None,
            "iam get-role --role-name Logs-Role --query Role.AssumeRolePolicyDocument --output json",
            "iam update-assume-role-policy --role-name Logs-Role --policy-document",
        )
    };
    let key_of = |name: &str, arn: Option<&str>, id: &str, region: &str| {
        case(
            RemedyKind::UpdateKeyPolicy,
            TargetKind::Key,
            name,
            arn,
            "kms-get-key-policy",
            None,
            &format!(
                "kms get-key-policy --key-id {id} --region {region} --policy-name default --query Policy --output text"
            ),
            &format!("kms put-key-policy --key-id {id} --region {region} --policy-name default --policy"),
        )
    };
    vec![
        case(
            RemedyKind::UpdateBucketPolicy,
            TargetKind::Bucket,
            "audit-logs.example",
            Some("arn:aws:s3:::audit-logs.example"),
            "s3api-get-bucket-policy",
            Some("NoSuchBucketPolicy"),
            "s3api get-bucket-policy --bucket audit-logs.example --query Policy --output text",
            "s3api put-bucket-policy --bucket audit-logs.example --policy",
        ),
        case(
            RemedyKind::UpdateTopicPolicy,
            TargetKind::Topic,
            "trail-notices",
            Some(TOPIC),
            "sns-get-topic-attributes",
            None,
            &format!(
                "sns get-topic-attributes --topic-arn {TOPIC} --region eu-central-1 --query Attributes.Policy --output text"
            ),
            &format!(
                "sns set-topic-attributes --topic-arn {TOPIC} --region eu-central-1 --attribute-name Policy --attribute-value"
            ),
        ),
        key_of("1234abcd", Some(KEY), KEY, "eu-central-1"),
        key_of("1234abcd-12ab-34cd-56ef-1234567890ab", None, "1234abcd-12ab-34cd-56ef-1234567890ab", "eu-west-1"),
        resource(TargetKind::EventDataStore, "eventdatastore/1234abcd-12ab-34cd-56ef-1234567890ab"),
        resource(TargetKind::Channel, "channel/1234abcd-12ab-34cd-56ef-1234567890ab"),
        resource(TargetKind::Dashboard, "dashboard/Security_1"),
        trust_of(RemedyKind::ChangeTrustPolicy, TargetKind::Role),
        trust_of(RemedyKind::UpdateLogRole, TargetKind::LogRole),
    ]
}

pub fn one(shape: fn() -> Statement) -> Vec<Statement> {
    let mut statement = shape();
    statement.sid = Some("AWSCloudTrailWrite20150319".to_owned());
    statement.actions = vec!["s3:PutObject".to_owned(), "s3:GetBucketAcl".to_owned()];
    vec![statement]
}

fn merged(calls: &[Vec<String>]) -> Value {
    serde_json::from_str(calls.last().and_then(|call| call.last()).expect("a document")).expect("JSON")
}

#[test]
fn statements_are_added_to_what_is_there() {
    let before = json!({"Version": "2008-10-17", "Id": "theirs", "Statement": [
        {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "it's $(touch pwned)"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"},
    ]});
    for statements in [one, hostile] {
        for case in whole(statements) {
            let add = case.remedy.policy.as_ref().expect("a policy").statements.clone();
            let stage = Stage::new().says(case.reader, before.to_string());
            let calls = stage.calls(&cli(&case.remedy));
            let mut after = before.clone();
            after["Statement"]
                .as_array_mut()
                .expect("a list")
                .extend(value(&add)["Statement"].as_array().expect("a list").clone());
            assert_eq!(calls, [call(&case.read, None), call(&case.write, Some(after.clone()))]);
            assert_eq!(
                serde_json::from_str::<Value>(&stage.kept("before.json")).expect("JSON"),
                before,
                "the old document is kept"
            );

            // Once more: nothing changes.
            let again = Stage::new().says(case.reader, after.to_string()).calls(&cli(&case.remedy));
            assert_eq!(merged(&again), after);
        }
    }
}

#[test]
fn a_statement_of_the_same_sid_gives_way_without_losing_its_effect() {
    let other_trail = json!({"Sid": "AWSCloudTrailWrite20150319", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::audit-logs.example/other/AWSLogs/*"});
    let deny = json!({"Sid": "AWSCloudTrailWrite20150319", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    for case in whole(one) {
        let ours = value(&case.remedy.policy.as_ref().expect("a policy").statements)["Statement"][0].clone();
        for theirs in [&other_trail, &deny] {
            let mut without_sid = theirs.clone();
            without_sid.as_object_mut().expect("a map").remove("Sid");
            // A single statement needs no list around it.
            let before = json!({"Version": "2012-10-17", "Statement": theirs});
            let after = merged(&Stage::new().says(case.reader, before.to_string()).calls(&cli(&case.remedy)));
            assert_eq!(after, json!({"Version": "2012-10-17", "Statement": [without_sid, ours]}));
            let again = merged(&Stage::new().says(case.reader, after.to_string()).calls(&cli(&case.remedy)));
            assert_eq!(again, after);
        }
        // The same under another Sid, or none, is not said twice.
        let mut renamed = ours.clone();
        renamed["Sid"] = json!("Renamed");
        let before = json!({"Version": "2012-10-17", "Statement": [renamed]});
        let after = merged(&Stage::new().says(case.reader, before.to_string()).calls(&cli(&case.remedy)));
        assert_eq!(after["Statement"], json!([ours]));
    }
}

#[test]
fn nothing_is_written_unless_the_read_succeeded() {
    for case in whole(one) {
        let script = cli(&case.remedy);
        let unreadable: [(&str, &str); 6] = [
            ("fail", "AccessDenied"),
            ("say", ""),
            ("fail", "NoSuchBucket"),
            ("say", "[]"),
            ("say", "not JSON"),
            ("say", "\"text\""),
        ];
        // All of them where the most is read, two for the others.
        let tried = if case.remedy.target.kind == TargetKind::EventDataStore { 6 } else { 2 };
        for (how, what) in unreadable.into_iter().take(tried) {
            let stage = || match how {
                "fail" => Stage::new().fails(case.reader, what),
                _ => Stage::new().says(case.reader, what),
            };
            let failed = stage();
            let output = failed.shell("sh", &script);
            assert!(!output.status.success(), "{how} {what}: {script}");
            assert!(!output.stderr.is_empty(), "{how} {what}: it says nothing");
            assert_eq!(writes(&failed.recorded()), Vec::<&Vec<String>>::new(), "{how} {what}");

            // Where `set -e` is off, and in a terminal that has to survive.
            let stage = stage();
            let subshell = script.trim_end();
            let output = stage.shell("sh", &format!("{subshell} || :\nif {subshell}\nthen :; fi\nprintf alive\n"));
            assert!(String::from_utf8_lossy(&output.stdout).ends_with("alive"));
            assert_eq!(writes(&stage.recorded()), Vec::<&Vec<String>>::new(), "{how} {what}");
        }
        let stage = Stage::new().fails(case.reader, case.absent.unwrap_or("NoSuchEntity"));
        let output = stage.shell("sh", &script);
        let ours = value(&case.remedy.policy.as_ref().expect("a policy").statements);
        if case.absent.is_some() {
            assert!(output.status.success());
            assert_eq!(stage.recorded(), [call(&case.read, None), call(&case.write, Some(ours))]);
        } else {
            assert!(!output.status.success());
            assert_eq!(stage.recorded(), [call(&case.read, None)]);
        }
    }
}

#[test]
fn an_event_data_store_may_have_none_but_its_delegated_administrators_policy() {
    let case = whole(one).into_iter().find(|case| case.remedy.target.kind == TargetKind::EventDataStore).expect("one");
    let ours = value(&case.remedy.policy.as_ref().expect("a policy").statements);
    assert_eq!(merged(&Stage::new().says(case.reader, "None\n").calls(&cli(&case.remedy))), ours);
}

#[test]
fn an_alias_is_resolved_before_the_key_is_read() {
    let remedy = remedy(RemedyKind::UpdateKeyPolicy, TargetKind::Key, "alias/trail", None).policy(one(service_shape));
    let stage =
        Stage::new().says("kms-describe-key", format!("{KEY}\n")).says("kms-get-key-policy", r#"{"Statement":[]}"#);
    let calls = stage.calls(&cli(&remedy));
    assert_eq!(
        calls[0],
        call("kms describe-key --key-id alias/trail --region eu-west-1 --query KeyMetadata.Arn --output text", None)
    );
    assert_eq!(calls[1][..4], ["kms", "get-key-policy", "--key-id", KEY]);
    assert_eq!(calls[2][..4], ["kms", "put-key-policy", "--key-id", KEY]);
    let stage = Stage::new().fails("kms-describe-key", "NotFoundException");
    assert!(!stage.shell("sh", &cli(&remedy)).status.success());
    assert_eq!(stage.recorded().len(), 1);
}

#[test]
fn arns_are_made_of_a_name_only_where_the_place_is_known() {
    let mut remedy =
        remedy(RemedyKind::UpdateTopicPolicy, TargetKind::Topic, "notices", None).policy(one(service_shape));
    let calls = Stage::new().says("sns-get-topic-attributes", r#"{"Statement":[]}"#).calls(&cli(&remedy));
    assert_eq!(calls[0][3], "arn:aws:sns:eu-west-1:111122223333:notices");
    remedy.place.region = None;
    assert_eq!(Commands::of(&remedy), NOTHING);
}

// --- permission sets -------------------------------------------------------------------------------------------------

pub fn identity_center() -> Stage {
    Stage::new()
        .says("sso-admin-list-instances", format!("[\"arn:aws:sso:::instance/ssoins-0000\", \"{INSTANCE}\"]"))
        .fails("sso-admin-list-permission-sets-1", "ValidationException")
        .says(
            "sso-admin-list-permission-sets-2",
            format!("[\"arn:aws:sso:::permissionSet/x/ps-1\", \"{SET}\", \"arn:aws:sso:::permissionSet/x/ps-3\"]"),
        )
        .says("sso-admin-describe-permission-set-1", "Auditor\n")
        .says("sso-admin-describe-permission-set-2", "Audit=ors\n")
        .says("sso-admin-describe-permission-set-3", "Audit=orss\n")
}

pub fn permission_set() -> Remedy {
    remedy(RemedyKind::ChangePermissionSet, TargetKind::PermissionSet, "Audit=ors", None)
}

#[test]
fn a_permission_set_is_found_by_name_merged_and_provisioned() {
    let at = format!("--instance-arn {INSTANCE} --permission-set-arn {SET}");
    for statements in [vec![own("Ours", "cloudtrail:GetTrail", "*")], hostile(own_shape)] {
        let remedy = permission_set().policy(statements.clone());
        let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"});
        for before in
            [json!({"Version": "2012-10-17", "Statement": [theirs]}).to_string(), "\n".to_owned(), "None\n".to_owned()]
        {
            let stage = identity_center().says("sso-admin-get-inline-policy-for-permission-set", &before);
            let calls = stage.calls(&cli(&remedy));
            let mut after = value(&statements);
            if before.starts_with('{') {
                after["Statement"].as_array_mut().expect("a list").insert(0, theirs.clone());
            }
            assert_eq!(
                calls[6..],
                [
                    call(
                        &format!(
                            "sso-admin get-inline-policy-for-permission-set {at} --query InlinePolicy --output text"
                        ),
                        None
                    ),
                    call(&format!("sso-admin put-inline-policy-to-permission-set {at} --inline-policy"), Some(after)),
                    call(
                        &format!("sso-admin provision-permission-set {at} --target-type ALL_PROVISIONED_ACCOUNTS"),
                        None
                    ),
                ]
            );
        }
    }
}

#[test]
fn awss_own_policy_is_attached_to_a_permission_set() {
    let calls = identity_center().calls(&cli(&permission_set().arn(READ_ONLY)));
    let at = format!("--instance-arn {INSTANCE} --permission-set-arn {SET}");
    assert_eq!(
        calls[6..],
        [
            call(
                &format!("sso-admin attach-managed-policy-to-permission-set {at} --managed-policy-arn {READ_ONLY}"),
                None
            ),
            call(&format!("sso-admin provision-permission-set {at} --target-type ALL_PROVISIONED_ACCOUNTS"), None),
        ]
    );
    // One of the account's own would have to exist in every other account, too.
    assert_eq!(Commands::of(&permission_set().arn("arn:aws:iam::111122223333:policy/readers")), NOTHING);
}

#[test]
fn a_permission_set_that_is_not_found_for_certain_is_not_changed() {
    let inline = permission_set().policy(vec![own("Ours", "cloudtrail:GetTrail", "*")]);
    for remedy in [inline, permission_set().arn(READ_ONLY)] {
        for stage in [
            identity_center().says("sso-admin-list-instances", "[]"),
            identity_center().says("sso-admin-list-instances", ""),
            identity_center().fails("sso-admin-list-instances", "AccessDeniedException"),
            identity_center().fails("sso-admin-list-permission-sets-2", "AccessDeniedException"),
            identity_center().fails("sso-admin-describe-permission-set-1", "AccessDeniedException"),
            identity_center().fails("sso-admin-describe-permission-set-3", "ThrottlingException"),
            identity_center().says("sso-admin-describe-permission-set-2", "Other"),
            identity_center().says("sso-admin-describe-permission-set-3", "Audit=ors"),
        ] {
            let output = stage.shell("sh", &cli(&remedy));
            assert!(!output.status.success() && !output.stderr.is_empty());
            assert_eq!(writes(&stage.recorded()), Vec::<&Vec<String>>::new());
        }
    }
    let remedy = permission_set().policy(vec![own("Ours", "cloudtrail:GetTrail", "*")]);
    for stage in [
        identity_center().fails("sso-admin-get-inline-policy-for-permission-set", "ResourceNotFoundException"),
        identity_center().says("sso-admin-get-inline-policy-for-permission-set", "not JSON"),
    ] {
        assert!(!stage.shell("sh", &cli(&remedy)).status.success());
        assert_eq!(writes(&stage.recorded()), Vec::<&Vec<String>>::new());
    }
}
