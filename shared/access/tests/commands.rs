//! What the commands do when they are run, not how they look: a real `sh` and a real `jq`, an `aws` that writes down what
//! it was asked, cfn-lint, and parsers of YAML and HCL that know nothing of the writers.
//!
//! Needs `sh` and `jq` on the PATH and the tools of `make tools` in `.tools/bin`; a missing one fails the test.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, and so may what it is made of"
)]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use access::{
    commands::Commands,
    diagnosis::{Apply, Place, Reach, Remedy, RemedyKind, Risk, Target, TargetKind},
    policy_document::{PolicyDocument, Statement, Trustee},
};
use serde_json::{Value, json};

#[path = "commands/documents.rs"]
mod documents;
#[path = "commands/languages.rs"]
mod languages;
#[path = "commands/look.rs"]
mod look;
#[path = "commands/matrix.rs"]
mod matrix;
#[path = "commands/stage.rs"]
mod stage;

use documents::{identity_center, one, permission_set};
use matrix::{KINDS, TARGETS, natural};
use stage::Stage;

const ACCOUNT: &str = "111122223333";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess";
const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:trail-notices";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const STORE: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:eventdatastore/1234abcd-12ab-34cd-56ef-1234567890ab";
const SET: &str = "arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-2222";
const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-1111222233334444";

/// Texts that break out of careless quoting, one language or another.
const HOSTILE: &[&str] = &[
    "it's $(touch pwned) `touch pwned` ${HOME} $HOME !! \\ \" '\\''",
    "'; touch pwned; '",
    "\n)\ntouch pwned\n#",
    "${file(\"/etc/passwd\")} %{ for x in [1] }x%{ endfor } $${a} %%{b} $$${c} $",
    "*anchor &alias !!tag {a: b} [c] # comment: - ? | > @ ` null",
    "Grüße 日本語 \u{1F600} \u{202E}evil \u{0}\u{7}\u{8}\u{c}\u{b}\t\r\u{7f}\u{85}\u{2028}",
    "EOF\nTRAILPASS\n",
    "",
    " ",
    "--debug",
];

fn remedy(kind: RemedyKind, target: TargetKind, name: &str, arn: Option<&str>) -> Remedy {
    Remedy {
        kind,
        apply: Apply::ByHand,
        risk: Risk::Routine,
        reach: Reach::OneUser,
        target: Target { kind: target, name: name.to_owned(), arn: arn.map(str::to_owned) },
        policy_arn: None,
        policy: None,
        hash: None,
        why: String::new(),
        place: Place {
            partition: Some("aws".to_owned()),
            region: Some("eu-west-1".to_owned()),
            account_id: Some(ACCOUNT.to_owned()),
        },
        grantable: false,
    }
}

trait With: Sized {
    fn policy(self, statements: Vec<Statement>) -> Self;
    fn arn(self, arn: &str) -> Self;
}

impl With for Remedy {
    fn policy(mut self, statements: Vec<Statement>) -> Self {
        self.policy = Some(PolicyDocument { statements });
        self
    }

    fn arn(mut self, arn: &str) -> Self {
        self.policy_arn = Some(arn.to_owned());
        self
    }
}

/// A statement for whoever holds it.
fn own(sid: &str, action: &str, resource: &str) -> Statement {
    Statement {
        sid: Some(sid.to_owned()),
        actions: vec![action.to_owned()],
        resources: vec![resource.to_owned()],
        ..Statement::default()
    }
}

/// A statement for CloudTrail, on one resource.
fn service(sid: &str, action: &str, resource: &str) -> Statement {
    let trail = format!("arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/management");
    let mut statement = own(sid, action, resource).when("StringEquals", "aws:SourceArn", &trail);
    statement.trustee = Some(Trustee::Service("cloudtrail.amazonaws.com".to_owned()));
    statement
}

fn trust() -> Statement {
    let mut statement = service("LetCloudTrailIn", "sts:AssumeRole", "");
    statement.resources.clear();
    statement
}

/// Statements in which every text is hostile.
fn hostile(shape: fn() -> Statement) -> Vec<Statement> {
    HOSTILE
        .iter()
        .map(|text| {
            let mut statement = shape();
            statement.sid = Some((*text).to_owned());
            statement.actions = vec![format!("a:{text}"), (*text).to_owned()];
            for resource in &mut statement.resources {
                *resource = (*text).to_owned();
            }
            if let Some(trustee) = &mut statement.trustee {
                *trustee = Trustee::Aws((*text).to_owned());
            }
            statement.when("Null", text, text).when("ForAnyValue:StringLike", text, text).when("Null", text, "second")
        })
        .collect()
}

fn own_shape() -> Statement {
    own("", "", "r")
}

fn service_shape() -> Statement {
    service("", "", "r")
}

fn value(statements: &[Statement]) -> Value {
    serde_json::to_value(PolicyDocument { statements: statements.to_vec() }).expect("a policy is JSON")
}

fn cli(remedy: &Remedy) -> String {
    Commands::of(remedy).aws_cli.unwrap_or_else(|| panic!("no commands for {:?} of {:?}", remedy.kind, remedy.target))
}

const NOTHING: Commands = Commands { aws_cli: None, cloudformation: None, terraform: None };

/// Words as a person would type them, and a document behind the last option.
fn call(words: &str, document: Option<Value>) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).chain(document.map(|value| value.to_string())).collect()
}

fn writes(calls: &[Vec<String>]) -> Vec<&Vec<String>> {
    let is_write = |word: &String| {
        ["put-", "set-", "update-", "create-", "attach-", "provision-"].iter().any(|verb| word.starts_with(verb))
    };
    calls.iter().filter(|call| call.get(1).is_some_and(is_write)).collect()
}

#[test]
fn a_managed_policy_is_attached_to_its_entity() {
    for (target, word) in [(TargetKind::User, "user"), (TargetKind::Role, "role"), (TargetKind::Group, "group")] {
        for name in ["mateojackson", "a+b=c,d.e@f-g_h", "=x"] {
            let remedy = remedy(RemedyKind::AttachManagedPolicy, target, name, None).arn(READ_ONLY);
            let calls = Stage::new().calls(&cli(&remedy));
            let expected = format!("iam attach-{word}-policy --{word}-name {name} --policy-arn {READ_ONLY}");
            assert_eq!(calls, [call(&expected, None)]);
        }
    }
}

/// Every account may have an alice: what is pasted where other credentials lie around changes nobody.
#[test]
fn nothing_is_changed_in_another_account() {
    let of = |kind, target| remedy(kind, target, "alice", None);
    let role = Some("arn:aws:iam::444455556666:role/alice");
    for remedy in [
        of(RemedyKind::AttachManagedPolicy, TargetKind::User).arn(READ_ONLY),
        of(RemedyKind::PutInlinePolicy, TargetKind::Group).policy(vec![own("A", "cloudtrail:GetTrail", "*")]),
        of(RemedyKind::CreateCrossAccountRole, TargetKind::Role).policy(vec![trust()]),
        of(RemedyKind::ChangeTrustPolicy, TargetKind::Role).policy(vec![trust()]),
        of(RemedyKind::UpdateLogRole, TargetKind::LogRole).policy(vec![own("Put", "logs:PutLogEvents", "*")]),
    ] {
        for stage in
            [Stage::new().in_account("444455556666"), Stage::new().in_account(""), Stage::new().in_account("None")]
        {
            let subshell = cli(&remedy);
            let output = stage.shell("sh", &format!("if {}\nthen echo done; fi", subshell.trim_end()));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{:?}", remedy.kind);
            assert_eq!(stage.recorded(), Vec::<Vec<String>>::new(), "{:?}", remedy.kind);
        }
    }
    // Whose it is its own ARN says best.
    let theirs = remedy(RemedyKind::AttachManagedPolicy, TargetKind::Role, "alice", role).arn(READ_ONLY);
    assert_eq!(Stage::new().in_account("444455556666").calls(&cli(&theirs)).len(), 1);
    assert!(!Stage::new().shell("sh", &cli(&theirs)).status.success());
}

#[test]
fn a_name_that_looks_like_an_option_stays_a_name() {
    let remedy = remedy(RemedyKind::AttachManagedPolicy, TargetKind::User, "--debug", None).arn(READ_ONLY);
    let expected = format!("iam attach-user-policy --user-name=--debug --policy-arn {READ_ONLY}");
    assert_eq!(Stage::new().calls(&cli(&remedy)), [call(&expected, None)]);
}

#[test]
fn an_inline_policy_is_put_on_its_entity() {
    for (target, word) in [(TargetKind::User, "user"), (TargetKind::Role, "role"), (TargetKind::Group, "group")] {
        for statements in [vec![own("A", "cloudtrail:GetTrail", "*")], hostile(own_shape)] {
            let remedy = remedy(RemedyKind::PutInlinePolicy, target, "auditor", None).policy(statements.clone());
            let calls = Stage::new().calls(&cli(&remedy));
            let name = calls[0][5].clone();
            assert!(name.starts_with("TrailpassCloudTrailAccess-"), "{name}");
            let expected =
                format!("iam put-{word}-policy --{word}-name auditor --policy-name {name} --policy-document");
            assert_eq!(calls, [call(&expected, Some(value(&statements)))]);
        }
    }
}

#[test]
fn two_inline_policies_do_not_overwrite_each_other_and_one_made_twice_does() {
    let of = |action| {
        let remedy =
            remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None).policy(vec![own("Same", action, "*")]);
        Stage::new().calls(&cli(&remedy))[0][5].clone()
    };
    assert_eq!(of("cloudtrail:GetTrail"), of("cloudtrail:GetTrail"));
    assert_ne!(of("cloudtrail:GetTrail"), of("cloudtrail:LookupEvents"));
}

#[test]
fn a_log_roles_permissions_are_an_inline_policy_of_their_own() {
    let statements = vec![own(
        "AWSCloudTrailPutLogEvents20141101",
        "logs:PutLogEvents",
        "arn:aws:logs:eu-west-1:111122223333:log-group:trail:log-stream:*",
    )];
    let remedy = remedy(RemedyKind::UpdateLogRole, TargetKind::LogRole, "CloudTrail_CloudWatchLogs_Role", None)
        .policy(statements.clone());
    let calls = Stage::new().calls(&cli(&remedy));
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0][..4], ["iam", "put-role-policy", "--role-name", "CloudTrail_CloudWatchLogs_Role"]);
    assert_eq!(calls[0][7], value(&statements).to_string());
}

#[test]
fn a_role_for_another_account_has_its_trust_and_its_permissions() {
    for (trust, permissions) in [
        (vec![trust()], vec![own("Read", "cloudtrail:GetTrail", "*"), own("List", "cloudtrail:ListTrails", "*")]),
        (hostile(trust), hostile(own_shape)),
        (vec![trust()], vec![]),
    ] {
        let both = trust.iter().chain(&permissions).cloned().collect();
        let remedy =
            remedy(RemedyKind::CreateCrossAccountRole, TargetKind::Role, "CloudTrailReader", None).policy(both);
        let create =
            call("iam create-role --role-name CloudTrailReader --assume-role-policy-document", Some(value(&trust)));
        let put = "iam put-role-policy --role-name CloudTrailReader --policy-name TrailpassCloudTrailAccess --policy-document";
        let mut expected = vec![create.clone()];
        if !permissions.is_empty() {
            expected.push(call(put, Some(value(&permissions))));
        }
        assert_eq!(Stage::new().calls(&cli(&remedy)), expected);

        // The name is taken: the role that has it is left alone.
        let stage = Stage::new().fails("iam-create-role", "EntityAlreadyExists");
        assert!(!stage.shell("sh", &cli(&remedy)).status.success());
        assert_eq!(stage.recorded(), [create]);
    }
}

#[test]
fn a_log_roles_trust_and_permissions_together_are_a_new_role() {
    let whole = |kind, target| {
        Commands::of(
            &remedy(kind, target, "CloudTrail_Logs", None).policy(vec![trust(), own("Put", "logs:PutLogEvents", "*")]),
        )
    };
    let made = whole(RemedyKind::UpdateLogRole, TargetKind::LogRole);
    assert_eq!(made, whole(RemedyKind::CreateCrossAccountRole, TargetKind::Role));
    assert!(made.aws_cli.is_some_and(|cli| cli.contains("aws iam create-role --role-name 'CloudTrail_Logs'")));
}

#[test]
fn the_service_linked_role_is_made_for_cloudtrail() {
    let remedy = remedy(RemedyKind::CreateServiceLinkedRole, TargetKind::Organization, "management account", None);
    let expected = "iam create-service-linked-role --aws-service-name cloudtrail.amazonaws.com";
    assert_eq!(Stage::new().calls(&cli(&remedy)), [call(expected, None)]);
}

#[test]
fn a_name_that_is_not_legal_gets_no_commands() {
    let kinds = [
        (TargetKind::User, RemedyKind::PutInlinePolicy),
        (TargetKind::Role, RemedyKind::PutInlinePolicy),
        (TargetKind::Role, RemedyKind::CreateCrossAccountRole),
        (TargetKind::Group, RemedyKind::PutInlinePolicy),
        (TargetKind::PermissionSet, RemedyKind::ChangePermissionSet),
        (TargetKind::Bucket, RemedyKind::UpdateBucketPolicy),
        (TargetKind::Topic, RemedyKind::UpdateTopicPolicy),
        (TargetKind::Key, RemedyKind::UpdateKeyPolicy),
        (TargetKind::LogRole, RemedyKind::UpdateLogRole),
        (TargetKind::EventDataStore, RemedyKind::PutResourcePolicy),
        (TargetKind::Channel, RemedyKind::PutResourcePolicy),
        (TargetKind::Dashboard, RemedyKind::PutResourcePolicy),
        (TargetKind::VpcEndpoint, RemedyKind::ChangeVpcEndpointPolicy),
        (TargetKind::Trail, RemedyKind::UseHomeRegionOrOwner),
    ];
    let others = ["a b", "a/b", "a*", "Grüße", "$(touch)", "alias/", "arn:aws:sns:eu-west-1:111122223333:a b", "..\n"];
    let long = "x".repeat(300);
    for (target, kind) in kinds {
        for name in
            HOSTILE.iter().filter(|name| **name != "--debug" && **name != " ").chain(&others).chain([&long.as_str()])
        {
            if target == TargetKind::Trail && ["", "a b", "a/b", "alias/", &long, others[6]].contains(name) {
                continue; // harmless, and never written
            }
            let policies = [None, Some(vec![own("A", "a:B", "*")]), Some(one(service_shape)), Some(vec![trust()])];
            for policy in policies {
                let mut remedy = remedy(kind, target, name, None);
                remedy.policy = policy.map(|statements| PolicyDocument { statements });
                assert_eq!(Commands::of(&remedy), NOTHING, "{kind:?} {target:?} {name:?}");
            }
        }
        let arn = "arn:aws:iam::111122223333:role/'; touch pwned; '";
        let policy = vec![own("A", "a:B", "*")];
        assert_eq!(
            Commands::of(&remedy(kind, target, "abcdefgh", Some(arn)).policy(policy)),
            NOTHING,
            "{kind:?} {target:?}"
        );
    }
    for arn in HOSTILE.iter().chain(&[
        "arn:aws:iam::aws:policy/a b",
        "arn:aws:iam::aws:policy/",
        "arn:aws:iam::aws:user/alice",
        "arn:aws:iam::*:policy/x",
    ]) {
        let remedy = remedy(RemedyKind::AttachManagedPolicy, TargetKind::User, "alice", None).arn(arn);
        assert_eq!(Commands::of(&remedy), NOTHING, "{arn}");
    }
    for hostile in HOSTILE {
        let mut remedy = remedy(RemedyKind::UseHomeRegionOrOwner, TargetKind::Trail, "My-Trail", None);
        remedy.place.region = Some((*hostile).to_owned());
        assert_eq!(Commands::of(&remedy), NOTHING, "{hostile}");
    }
}

#[test]
fn a_role_that_only_aws_can_change_gets_no_commands_that_change_it() {
    let path = "arn:aws:iam::111122223333:role/aws-service-role/cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail";
    for (name, arn) in [
        ("AWSReservedSSO_Auditors_0123456789abcdef", None),
        ("AWSServiceRoleForCloudTrail", None),
        ("AWSServiceRoleForCloudTrail", Some(path)),
    ] {
        let target = TargetKind::Role;
        for remedy in [
            remedy(RemedyKind::AttachManagedPolicy, target, name, arn).arn(READ_ONLY),
            remedy(RemedyKind::PutInlinePolicy, target, name, arn).policy(vec![own("A", "a:B", "*")]),
            remedy(RemedyKind::ChangeTrustPolicy, target, name, arn).policy(vec![trust()]),
            remedy(RemedyKind::CreateCrossAccountRole, target, name, arn).policy(vec![trust()]),
        ] {
            assert_eq!(Commands::of(&remedy), NOTHING, "{:?} {name}", remedy.kind);
        }
    }
}

#[test]
fn a_policy_that_does_not_fit_its_place_gets_no_commands() {
    let (own, service) = (own("A", "a:B", "*"), one(service_shape).remove(0));
    let misfits = |kind, target, name: &str, policies: &[Vec<Statement>]| {
        for policy in policies {
            assert_eq!(
                Commands::of(&remedy(kind, target, name, None).policy(policy.clone())),
                NOTHING,
                "{kind:?} {policy:?}"
            );
        }
    };
    misfits(
        RemedyKind::PutInlinePolicy,
        TargetKind::User,
        "alice",
        &[vec![], vec![service.clone()], vec![trust()], vec![own.clone(), trust()]],
    );
    misfits(
        RemedyKind::UpdateBucketPolicy,
        TargetKind::Bucket,
        "logs",
        &[vec![], vec![own.clone()], vec![trust()], vec![service.clone(), own.clone()]],
    );
    misfits(RemedyKind::ChangeTrustPolicy, TargetKind::Role, "r", &[vec![], vec![own.clone()], vec![service.clone()]]);
    misfits(
        RemedyKind::UpdateLogRole,
        TargetKind::LogRole,
        "r",
        &[vec![], vec![own.clone(), service.clone()], vec![service.clone()]],
    );
    misfits(
        RemedyKind::CreateCrossAccountRole,
        TargetKind::Role,
        "r",
        &[vec![], vec![own.clone()], vec![service.clone(), own]],
    );
    assert_eq!(Commands::of(&remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None)), NOTHING);
    assert_eq!(Commands::of(&remedy(RemedyKind::ChangePermissionSet, TargetKind::PermissionSet, "Set", None)), NOTHING);
}

#[test]
fn what_a_language_would_read_as_more_than_text_is_left_out_of_it() {
    let secret = "{{resolve:secretsmanager:prod:SecretString:password}}";
    let commands = Commands::of(
        &remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None).policy(vec![own("A", "a:B", secret)]),
    );
    assert!(commands.aws_cli.is_some() && commands.cloudformation.is_none() && commands.terraform.is_some());
    let function = vec![own("A", "a:B", "*").when("StringEquals", "Fn::Transform", "x")];
    assert!(
        Commands::of(&remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None).policy(function))
            .cloudformation
            .is_none()
    );
    let variable = vec![service("A", "a:B", "&{aws:username}")];
    let commands =
        Commands::of(&remedy(RemedyKind::UpdateBucketPolicy, TargetKind::Bucket, "logs", None).policy(variable));
    assert!(commands.aws_cli.is_some() && commands.cloudformation.is_some() && commands.terraform.is_none());
}
