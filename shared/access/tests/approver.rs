//! Who is an approver, and whether a denial is their own: every way in which two identities can be the same, and can't.

#![allow(clippy::unwrap_used, reason = "a test that fails says where; clippy only spares functions marked #[test]")]

use access::{
    approver::{Approver, Approvers, OwnDenial},
    principal::{Principal, PrincipalKind},
};
use serde_json::{Value, json};

const OPS: &str = "AWSReservedSSO_Ops_0123456789abcdef";
const READ: &str = "AWSReservedSSO_Read_fedcba9876543210";

fn person(name: &str, aws: &[&str]) -> Value {
    json!({ "name": name, "aws": aws })
}

fn file(people: &[Value]) -> String {
    json!({ "schema": "trailpass.approvers/1", "approvers": people }).to_string()
}

/// One approver with these identities.
fn with(aws: &[&str]) -> Approver {
    let approvers = Approvers::from_json(&file(&[person("alice", aws)])).unwrap();
    approvers.iter().next().unwrap().clone()
}

fn denied(kind: PrincipalKind, arn: &str, session: Option<&str>) -> Principal {
    Principal {
        kind,
        arn: Some(arn.to_owned()),
        account_id: arn.split(':').nth(4).map(str::to_owned),
        name: arn.rsplit('/').next().map(str::to_owned),
        unique_id: None,
        session_name: session.map(str::to_owned),
    }
}

fn user(arn: &str) -> Principal {
    denied(PrincipalKind::IamUser, arn, None)
}

fn sso(account: &str, role: &str, session: Option<&str>) -> Principal {
    let arn = format!("arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{role}");
    denied(PrincipalKind::SsoSession, &arn, session)
}

#[test]
fn a_denied_user_is_the_approver_of_that_name_and_account() {
    let alice = with(&["arn:aws:iam::111122223333:user/staff/alice"]);
    for (arn, own) in [
        ("arn:aws:iam::111122223333:user/staff/alice", OwnDenial::Yes),
        // Names are unique whatever their path and case, so these are the same user, or one made anew in its place.
        ("arn:aws:iam::111122223333:user/alice", OwnDenial::Yes),
        ("arn:aws:iam::111122223333:user/staff/Alice", OwnDenial::Yes),
        ("arn:aws:iam::444455556666:user/staff/alice", OwnDenial::No),
        ("arn:aws:iam::111122223333:user/staff/alice2", OwnDenial::No),
    ] {
        assert_eq!(alice.own_denial(&user(arn)), own, "{arn}");
    }
    // A role may be called like a user, and whoever assumes it may call the session so.
    let role = denied(PrincipalKind::RoleSession, "arn:aws:iam::111122223333:role/alice", Some("alice"));
    assert_eq!(alice.own_denial(&role), OwnDenial::No);
}

#[test]
fn a_denied_role_is_the_approvers_whatever_the_session() {
    let alice = with(&["arn:aws:iam::111122223333:role/team/Admin"]);
    for session in [Some("alice"), Some("mallory"), None] {
        for (arn, own) in [
            ("arn:aws:iam::111122223333:role/team/Admin", OwnDenial::Yes),
            ("arn:aws:iam::111122223333:role/admin", OwnDenial::Yes),
            ("arn:aws:iam::444455556666:role/team/Admin", OwnDenial::No),
            ("arn:aws:iam::111122223333:role/team/Reader", OwnDenial::No),
        ] {
            let denied = denied(PrincipalKind::RoleSession, arn, session);
            assert_eq!(alice.own_denial(&denied), own, "{arn} {session:?}");
        }
    }
    assert_eq!(alice.own_denial(&user("arn:aws:iam::111122223333:user/Admin")), OwnDenial::No);
    let whole_set = with(&[&format!("arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/{OPS}")]);
    assert_eq!(whole_set.own_denial(&sso("111122223333", OPS, Some("bob@example.com"))), OwnDenial::Yes);
    assert_eq!(whole_set.own_denial(&sso("111122223333", READ, Some("bob@example.com"))), OwnDenial::No);
}

#[test]
fn a_session_s_name_counts_for_identity_center_s_roles_alone() {
    let alice = with(&[&format!("arn:aws:sts::111122223333:assumed-role/{OPS}/alice@example.com")]);
    for (denied, own) in [
        (sso("111122223333", OPS, Some("alice@example.com")), OwnDenial::Yes),
        (sso("111122223333", OPS, Some("Alice@Example.com")), OwnDenial::Yes),
        (sso("111122223333", OPS, Some("bob@example.com")), OwnDenial::No),
        (sso("111122223333", OPS, None), OwnDenial::Unknown),
        // The same person with another permission set.
        (sso("111122223333", READ, Some("alice@example.com")), OwnDenial::Yes),
        (sso("111122223333", READ, Some("bob@example.com")), OwnDenial::No),
        (sso("111122223333", READ, None), OwnDenial::Unknown),
        (sso("444455556666", OPS, Some("alice@example.com")), OwnDenial::No),
    ] {
        assert_eq!(alice.own_denial(&denied), own, "{denied:?}");
    }
    // The role of that name, but not said to be Identity Center's: its sessions may be called anything.
    for session in ["alice@example.com", "bob@example.com"] {
        let arn = format!("arn:aws:iam::111122223333:role/{OPS}");
        let denied = denied(PrincipalKind::RoleSession, &arn, Some(session));
        assert_eq!(alice.own_denial(&denied), OwnDenial::Unknown, "{session}");
    }
    let ordinary =
        denied(PrincipalKind::RoleSession, "arn:aws:iam::111122223333:role/Reader", Some("alice@example.com"));
    assert_eq!(alice.own_denial(&ordinary), OwnDenial::No);
}

#[test]
fn what_is_not_known_is_not_no() {
    let alice = with(&["arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/Admin"]);
    let bob = user("arn:aws:iam::111122223333:user/bob");
    assert_eq!(alice.own_denial(&bob), OwnDenial::No);
    for unknown in [
        Principal { arn: None, ..bob.clone() },
        Principal { account_id: None, ..bob.clone() },
        Principal { name: None, ..bob.clone() },
        // Parts that contradict each other.
        Principal { account_id: Some("444455556666".to_owned()), ..bob.clone() },
        Principal { name: Some("carol".to_owned()), ..bob.clone() },
        Principal { kind: PrincipalKind::RoleSession, ..bob.clone() },
        Principal { arn: Some("bob".to_owned()), ..bob.clone() },
        Principal::unknown(),
    ] {
        assert_eq!(alice.own_denial(&unknown), OwnDenial::Unknown, "{unknown:?}");
    }
    for kind in [
        PrincipalKind::Root,
        PrincipalKind::FederatedUser,
        PrincipalKind::SamlUser,
        PrincipalKind::WebIdentityUser,
        PrincipalKind::IdentityCenterUser,
        PrincipalKind::AwsService,
        PrincipalKind::AwsAccount,
        PrincipalKind::Anonymous,
        PrincipalKind::Unknown,
    ] {
        let denied = Principal { kind, ..bob.clone() };
        assert_eq!(alice.own_denial(&denied), OwnDenial::Unknown, "{kind:?}");
    }
    // One identity that is denied outweighs others that are not, in whatever order.
    let both = with(&[
        &format!("arn:aws:sts::111122223333:assumed-role/{OPS}/alice@example.com"),
        "arn:aws:iam::111122223333:user/alice",
    ]);
    assert_eq!(both.own_denial(&user("arn:aws:iam::111122223333:user/alice")), OwnDenial::Yes);
    assert_eq!(both.own_denial(&sso("111122223333", OPS, None)), OwnDenial::Unknown);
}

#[test]
fn a_caller_is_an_approver_only_if_everything_is_equal() {
    let approvers = Approvers::from_json(&file(&[
        person("alice", &["arn:aws:iam::111122223333:user/staff/alice"]),
        person("bob", &["arn:aws:iam::111122223333:role/team/Admin"]),
        person("carol", &[&format!("arn:aws:sts::111122223333:assumed-role/{OPS}/carol@example.com")]),
    ]))
    .unwrap();
    let by = |arn: &str| approvers.by_aws(arn).map(|approver| approver.name.as_str());
    for (arn, name) in [
        ("arn:aws:iam::111122223333:user/staff/alice", Some("alice")),
        ("arn:aws:iam::111122223333:user/staff/Alice", Some("alice")),
        ("arn:aws:iam::111122223333:user/alice", None),
        ("arn:aws:iam::444455556666:user/staff/alice", None),
        ("arn:aws-cn:iam::111122223333:user/staff/alice", None),
        ("arn:aws:sts::111122223333:assumed-role/alice/alice", None),
        ("arn:aws:sts::111122223333:federated-user/alice", None),
        ("arn:aws:sts::111122223333:assumed-role/Admin/anything", Some("bob")),
        ("arn:aws:sts::444455556666:assumed-role/Admin/anything", None),
        ("arn:aws:sts::111122223333:assumed-role/Admin/", None),
        ("arn:aws:sts::111122223333:assumed-role/Admin", None),
        ("arn:aws:sts::111122223333:assumed-role/Admin/a/b", None),
        // GetCallerIdentity never answers with a role's own ARN.
        ("arn:aws:iam::111122223333:role/team/Admin", None),
        ("arn:aws:iam::111122223333:user/staff/Admin", None),
        ("arn:aws:iam::111122223333:root", None),
        ("", None),
    ] {
        assert_eq!(by(arn), name, "{arn}");
    }
    for (account, role, session, name) in [
        ("111122223333", OPS, "carol@example.com", Some("carol")),
        ("111122223333", OPS, "dave@example.com", None),
        // Equal but for the case is enough to suspect somebody, not to believe them.
        ("111122223333", OPS, "Carol@example.com", None),
        ("111122223333", READ, "carol@example.com", None),
        ("444455556666", OPS, "carol@example.com", None),
    ] {
        assert_eq!(
            by(&format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")),
            name,
            "{account} {role} {session}"
        );
    }
}

#[test]
fn slack_s_users_are_known_with_their_team() {
    let mut alice = person("alice", &["arn:aws:iam::111122223333:user/alice"]);
    alice["slack"] = json!([{ "team_id": "T0001", "user_id": "U0001" }]);
    let approvers = Approvers::from_json(&file(&[alice])).unwrap();
    assert_eq!(approvers.by_slack("T0001", "U0001").map(|a| a.name.as_str()), Some("alice"));
    for (team, user) in [("T0002", "U0001"), ("T0001", "U0002"), ("T0001", "u0001"), ("", ""), ("U0001", "T0001")] {
        assert!(approvers.by_slack(team, user).is_none(), "{team} {user}");
    }
}

#[test]
fn a_file_that_is_wrong_says_where() {
    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    let role = format!("arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/{OPS}");
    let session = format!("arn:aws:sts::111122223333:assumed-role/{OPS}/alice");
    let with_member = |member: &str, value: Value| {
        let mut alice = person("alice", &[ALICE]);
        alice[member] = value;
        file(&[alice])
    };
    let with_aws = |arn: &str| file(&[person("alice", &[arn])]);
    for (json, says) in [
        ("".to_owned(), "EOF"),
        ("[]".to_owned(), "invalid length 0"),
        ("{}".to_owned(), "missing field `schema`"),
        (r#"{"schema":"trailpass.approvers/2","approvers":[]}"#.to_owned(), "schema: \"trailpass.approvers/2\""),
        (r#"{"schema":"trailpass.approvers/1"}"#.to_owned(), "missing field `approvers`"),
        (r#"{"schema":"trailpass.approvers/1","approvers":[],"x":1}"#.to_owned(), "unknown field `x`"),
        (with_member("slak", json!([])), "unknown field `slak`"),
        (with_member("slack", json!([{ "team_id": "T1" }])), "missing field `user_id`"),
        (with_member("slack", json!([{ "team_id": "T1", "user_id": "bob" }])), "approvers[0].slack[0].user_id"),
        (with_member("slack", json!([{ "team_id": "x", "user_id": "U1" }])), "approvers[0].slack[0].team_id"),
        (with_member("groups", json!([""])), "approvers[0].groups[0]"),
        (with_member("name", json!("")), "approvers[0].name"),
        (with_member("name", json!("al\u{202e}ice")), "approvers[0].name"),
        (with_member("aws", json!([])), "approvers[0].aws: at least one"),
        (with_member("aws", json!(vec![ALICE; 40])), "approvers[0].aws: 40 are more than"),
        (r#"{"schema":"trailpass.approvers/1","approvers":[{"name":"alice"}]}"#.to_owned(), "missing field `aws`"),
        (with_aws("alice"), "approvers[0].aws[0]: \"alice\" is no ARN"),
        (with_aws("arn:aws:iam::111122223333:root"), "is no IAM user"),
        (with_aws("arn:aws:iam::111122223333:group/admins"), "is no IAM user"),
        (with_aws("arn:aws:iam::111122223333:user/*"), "names no single identity"),
        (with_aws("arn:aws:iam::*:user/alice"), "names no single identity"),
        (with_aws("arn:aws:iam::aws:user/alice"), "names no single identity"),
        (with_aws("arn:aws:iam::111122223333:user//alice"), "is no IAM user"),
        (with_aws("arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/R"), "an AWS service's own role"),
        (with_aws("arn:aws:sts::111122223333:assumed-role/Admin/alice"), "chooses its name: list the role"),
        (with_aws("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_x/alice"), "chooses its name: list the role"),
        (with_aws(&format!("arn:aws:sts::111122223333:assumed-role/{OPS}")), "is no session"),
        (with_aws(&format!("arn:aws:sts::111122223333:assumed-role/{OPS}/a")), "is no session"),
        (with_aws("arn:aws:sts::111122223333:federated-user/alice"), "is no session"),
        (file(&[person("alice", &[ALICE, "arn:aws:iam::111122223333:user/x/Alice"])]), "stands twice"),
        (file(&[person("alice", &[ALICE]), person("bob", &[ALICE])]), "stands twice: \"alice\" and \"bob\""),
        (file(&[person("alice", &[&session]), person("bob", &[&role])]), "stands twice"),
        (file(&[person("bob", &[&role]), person("alice", &[&session])]), "stands twice"),
        (
            file(&[person("alice", &[ALICE]), person("Alice", &["arn:aws:iam::111122223333:user/bob"])]),
            "the name \"alice\" stands twice",
        ),
    ] {
        let error = Approvers::from_json(&json).expect_err(&json);
        assert!(error.starts_with("approvers: ") && error.contains(says), "{json}\n{error}");
    }
    let slack = |name: &str| {
        let mut person = person(name, &[&format!("arn:aws:iam::111122223333:user/{name}")]);
        person["slack"] = json!([{ "team_id": "T1", "user_id": "U1" }]);
        person
    };
    let error = Approvers::from_json(&file(&[slack("alice"), slack("bob")])).unwrap_err();
    assert!(error.contains("Slack's user U1 of T1 stands twice"), "{error}");
    let many: Vec<Value> =
        (0..300).map(|n| person(&format!("p{n}"), &[&format!("arn:aws:iam::111122223333:user/p{n}")])).collect();
    assert!(Approvers::from_json(&file(&many)).unwrap_err().contains("300 are more than"));
    assert!(Approvers::from_json(&" ".repeat(300 * 1024)).unwrap_err().contains("bytes are more than"));
    // A user, a role and one session that differ are one person's.
    assert!(
        Approvers::from_json(&file(&[person("alice", &[ALICE, "arn:aws:iam::111122223333:role/alice", &session])]))
            .is_ok()
    );
}

#[test]
fn what_several_people_use_makes_nobody_an_approver_and_its_denials_are_everybodys_own() {
    let shared = "arn:aws:iam::111122223333:role/people/AuditTeam";
    let person = |name: &str| json!({ "name": name, "aws": [format!("arn:aws:iam::111122223333:user/{name}")], "uses": [shared] });
    let approvers = Approvers::from_json(&file(&[
        person("alice"),
        person("bob"),
        self::person("carol", &["arn:aws:iam::111122223333:user/carol"]),
    ]))
    .unwrap();
    assert_eq!(approvers.by_aws("arn:aws:sts::111122223333:assumed-role/AuditTeam/alice"), None);
    let own: Vec<OwnDenial> = approvers
        .iter()
        .map(|approver| approver.own_denial(&denied(PrincipalKind::RoleSession, shared, Some("bob"))))
        .collect();
    assert_eq!(own, [OwnDenial::Yes, OwnDenial::Yes, OwnDenial::No]);
    // One person's own role may be among what another one uses, too.
    let own = file(&[self::person("dan", &[shared]), person("alice")]);
    let approvers = Approvers::from_json(&own).unwrap();
    let by =
        approvers.by_aws("arn:aws:sts::111122223333:assumed-role/AuditTeam/x").map(|approver| approver.name.clone());
    assert_eq!(by.as_deref(), Some("dan"));

    for (uses, why) in [
        ("arn:aws:sts::111122223333:assumed-role/AuditTeam/alice", "whoever assumes the role chooses its name"),
        ("arn:aws:iam::111122223333:role/*", "names no single identity"),
        (&format!("arn:aws:sts::111122223333:assumed-role/{OPS}/alice"), "belongs into aws"),
    ] {
        let text = file(&[json!({ "name": "alice", "aws": ["arn:aws:iam::111122223333:user/alice"], "uses": [uses] })]);
        let refused = Approvers::from_json(&text).unwrap_err();
        assert!(refused.contains("uses[0]") && refused.contains(why), "{refused}");
    }
}
