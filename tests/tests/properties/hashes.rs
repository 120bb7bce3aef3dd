//! What an approval names: exactly one remedy of one case.

use access::{
    diagnose::{Diagnosed, diagnose},
    diagnosis::{Apply, Remedy, RemedyKind, TargetKind},
    event,
    grant::{self, GrantMode},
    policy_document::Statement,
};
use proptest::prelude::*;
use serde_json::Value;
use tests::sample::{setting, with};

use super::{
    cases,
    grantable::{Grantable, grantable},
};

fn asked(record: &Value, mode: GrantMode) -> Diagnosed {
    let record = event::read(&record.to_string()).remove(0).unwrap();
    diagnose(record, &setting(mode, "{}"), false)
}

/// The remedies that may be approved.
fn offered(diagnosed: &Diagnosed) -> Vec<&Remedy> {
    diagnosed.diagnosis.remedies.iter().filter(|remedy| remedy.apply == Apply::OnApproval).collect()
}

/// Every change of what is approved, each on its own.
fn changed(remedy: &Remedy) -> Vec<(&'static str, Remedy)> {
    let mut all = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut Remedy)| {
        let mut other = remedy.clone();
        change(&mut other);
        all.push((what, other));
    };
    add("kind", &|r| r.kind = RemedyKind::ChangePermissionSet);
    add("target kind", &|r| r.target.kind = TargetKind::Group);
    add("target name", &|r| r.target.name.push('x'));
    add("target ARN", &|r| r.target.arn = None);
    add("managed policy", &|r| r.policy_arn = Some("arn:aws:iam::aws:policy/AdministratorAccess".to_owned()));
    add("no policy", &|r| r.policy = None);
    let statement =
        |change: fn(&mut Statement)| move |r: &mut Remedy| change(&mut r.policy.as_mut().unwrap().statements[0]);
    add("action", &statement(|s| s.actions.push("cloudtrail:StopLogging".to_owned())));
    add(
        "resource",
        &statement(|s| s.resources = vec!["arn:aws:cloudtrail:eu-west-1:111122223333:trail/other".to_owned()]),
    );
    add("condition", &statement(|s| *s = s.clone().when("StringEquals", "aws:SourceAccount", "111122223333")));
    add("another statement", &|r| {
        let policy = r.policy.as_mut().unwrap();
        policy.statements.push(policy.statements[0].clone());
    });
    all
}

/// Records that belong to other cases than this one's.
fn other_cases(from: &Grantable) -> Vec<(&'static str, Grantable)> {
    let other = |change: &dyn Fn(&mut Grantable)| {
        let mut other = from.clone();
        change(&mut other);
        other
    };
    vec![
        ("another namesake", other(&|g| g.unique_id = format!("{}X", g.unique_id))),
        (
            "another Region",
            other(&|g| g.place = if g.place.1 == "eu-west-1" { ("aws", "us-east-1") } else { ("aws", "eu-west-1") }),
        ),
        ("another account", other(&|g| g.account = "000000000000".to_owned())),
        (
            "another cause",
            other(&|g| {
                g.action = "cloudtrail:ListTrails";
                g.resource_type = "";
                g.is_old_form = !from.is_old_form;
            }),
        ),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn it_follows_from_case_kind_target_and_policy(from in grantable()) {
        let diagnosed = asked(&from.record(), GrantMode::Exact);
        let mut hashes = Vec::new();
        for remedy in offered(&diagnosed) {
            let hash = remedy.hash.clone().unwrap();
            prop_assert_eq!(&hash, &grant::hash(&diagnosed.case_id, remedy), "computed again");
            prop_assert_ne!(&hash, &grant::hash(&format!("{}x", diagnosed.case_id), remedy), "another case");
            for (what, other) in changed(remedy) {
                prop_assert_ne!(&hash, &grant::hash(&diagnosed.case_id, &other), "{}", what);
            }
            hashes.push(hash);
        }
        let count = hashes.len();
        hashes.sort();
        hashes.dedup();
        prop_assert_eq!(hashes.len(), count, "two remedies, two hashes");
    }

    #[test]
    fn it_is_the_same_for_the_same_denial(from in grantable()) {
        let record = from.record();
        let hashes = |record: &Value, mode| offered(&asked(record, mode)).iter().map(|r| (r.kind, r.hash.clone())).collect::<Vec<_>>();
        let exact = hashes(&record, GrantMode::Exact);
        let later = with(with(record.clone(), "/eventID", "another"), "/eventTime", "2026-10-05T09:00:00Z");
        let later = with(with(later, "/sourceIPAddress", "192.0.2.99"), "/userAgent", "another");
        prop_assert_eq!(&exact, &hashes(&later, GrantMode::Exact), "later, from elsewhere");
        // What a stack may give beside it changes nothing of a remedy.
        for remedy in hashes(&record, GrantMode::Managed) {
            prop_assert!(exact.contains(&remedy), "{:?}", remedy);
        }
    }

    #[test]
    fn another_case_has_other_hashes(from in grantable()) {
        prop_assume!(from.account != "000000000000");
        let here = asked(&from.record(), GrantMode::Exact);
        for (what, other) in other_cases(&from) {
            let there = asked(&other.record(), GrantMode::Exact);
            prop_assert_ne!(&here.case_id, &there.case_id, "{}", what);
            for remedy in offered(&there) {
                prop_assert!(offered(&here).iter().all(|mine| mine.hash != remedy.hash), "{}", what);
            }
        }
    }
}
