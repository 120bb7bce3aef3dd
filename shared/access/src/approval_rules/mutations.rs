//! Each default rule and each forbid, shown to be needed: one request on which the verdict turns when it is taken away. Inside the
//! crate, because nothing outside it can have rules without the forbids.

use super::*;
use crate::{
    approver::OwnDenial,
    classify::Rule,
    decision::Channel,
    diagnosis::{Apply, Reach, RemedyKind, Response, Risk, Scenario},
};

/// An operator's set that permits whatever the forbids leave.
const ANYTHING: &str = "permit (principal, action, resource);";

fn approvers() -> Approvers {
    let json = r#"{"schema": "trailpass.approvers/1",
        "approvers": [{"name": "alice", "aws": ["arn:aws:iam::111122223333:user/alice"]}]}"#;
    Approvers::from_json(json).unwrap()
}

/// A request that every set here permits.
fn routine(who: Who<'_>) -> Request<'_> {
    let remedy = RemedyFacts {
        hash: Some("0123"),
        risk: Risk::Routine,
        reach: Reach::OneUser,
        kind: RemedyKind::PutInlinePolicy,
        apply: Apply::OnApproval,
        response: Response::RequestApproval,
        scenario: Some(Scenario::NotAuthorized),
        rule: Rule::NoIdentityAllow,
        action: Some("cloudtrail:GetTrailStatus"),
        account_id: Some("111122223333"),
    };
    Request {
        who,
        answer: AnswerKind::Approve,
        remedy,
        minutes: 60,
        channel: Channel::Slack,
        own_denial: OwnDenial::No,
    }
}

fn is_called(policy: &str, id: &str) -> bool {
    policy.contains(&format!("@id(\"{id}\")"))
}

/// The text without one policy, which an empty line ends.
fn without(text: &str, id: &str) -> String {
    let left: Vec<&str> = text.split("\n\n").filter(|policy| !is_called(policy, id)).collect();
    assert_eq!(left.len() + 1, text.split("\n\n").count(), "{id} is one policy");
    left.join("\n\n")
}

/// Every id in the text is one of these, and each of these is in it.
fn assert_all(text: &str, ids: &[&str]) {
    assert_eq!(text.matches("@id(").count(), ids.len(), "each policy has its request");
    assert_eq!(
        text.matches(';').count(),
        ids.len() + text.lines().filter(|l| l.starts_with("//") && l.contains(';')).count()
    );
    assert!(ids.iter().all(|id| is_called(text, id)), "{ids:?}");
}

#[test]
fn each_default_rule_is_needed() {
    type Change = fn(&mut Request);
    let cases: [(&str, Change); 3] = [
        ("approve-routine", |request| request.minutes = 480),
        ("approve-sensitive", |request| request.remedy.risk = Risk::Sensitive),
        ("reject", |request| request.answer = AnswerKind::Reject),
    ];
    assert_all(DEFAULT, &cases.map(|(id, _)| id));
    let approvers = approvers();
    for (id, change) in cases {
        let mut request = routine(Who::Listed(approvers.iter().next().unwrap()));
        change(&mut request);
        let whole = ApprovalRules::parse(None).unwrap().decide(&request);
        assert!(whole.allowed && !whole.faulty, "{id}: {whole:?}");
        assert!(whole.because.len() == 1 && whole.because[0].ends_with(&format!("(default/{id})")), "{id}: {whole:?}");
        let less = ApprovalRules::assemble("default", &without(DEFAULT, id), FORBIDS).unwrap().decide(&request);
        assert_eq!(
            less,
            Verdict { allowed: false, because: vec!["no rule allows it".to_owned()], faulty: false },
            "{id}"
        );
    }
}

#[test]
fn each_forbid_is_needed() {
    type Change = fn(&mut Request);
    let cases: [(&str, Change); 9] = [
        ("unlisted", |request| request.who = Who::Unlisted("mallory")),
        ("own-denial", |request| request.own_denial = OwnDenial::Yes),
        ("own-denial-unknown", |request| request.own_denial = OwnDenial::Unknown),
        ("tampering", |request| request.remedy.risk = Risk::Tampering),
        ("unrecognised", |request| request.remedy.rule = Rule::UnreadReason),
        ("not-requested", |request| request.remedy.response = Response::SuggestFix),
        ("by-hand", |request| request.remedy.apply = Apply::ByHand),
        ("too-long", |request| request.minutes = 721),
        ("no-duration", |request| request.minutes = 0),
    ];
    assert_all(FORBIDS, &cases.map(|(id, _)| id));
    let approvers = approvers();
    let all = ApprovalRules::parse(Some(ANYTHING)).unwrap();
    for (id, change) in cases {
        let mut request = routine(Who::Listed(approvers.iter().next().unwrap()));
        assert!(all.decide(&request).allowed);
        change(&mut request);
        let whole = all.decide(&request);
        assert!(!whole.allowed && !whole.faulty, "{id}: {whole:?}");
        assert!(whole.because.len() == 1 && whole.because[0].ends_with(&format!("(built-in/{id})")), "{id}: {whole:?}");
        let less = ApprovalRules::assemble("operator", ANYTHING, &without(FORBIDS, id)).unwrap();
        assert!(less.decide(&request).allowed, "{id}");
        assert_ne!(less.hash(), all.hash(), "{id}");
    }
}

#[test]
fn a_forbid_that_fails_denies() {
    // Cedar alone would skip the forbid, and the permit would stand.
    let failing = format!(
        "{FORBIDS}\n@id(\"failing\")\nforbid (principal, action, resource) \
         when {{ context.durationMinutes * 9223372036854775807 > 1 }};"
    );
    let rules = ApprovalRules::assemble("operator", ANYTHING, &failing).unwrap();
    let approvers = approvers();
    let verdict = rules.decide(&routine(Who::Listed(approvers.iter().next().unwrap())));
    assert!(!verdict.allowed && verdict.faulty, "{verdict:?}");
    assert!(verdict.because[0].contains("built-in/failing") && verdict.because[0].contains("overflow"), "{verdict:?}");
}

#[test]
fn an_unlisted_person_may_not_even_reject() {
    let rules = ApprovalRules::parse(Some(ANYTHING)).unwrap();
    for answer in [AnswerKind::Approve, AnswerKind::Reject, AnswerKind::Revoke] {
        let verdict = rules.decide(&Request { answer, ..routine(Who::Unlisted("alice")) });
        assert!(!verdict.allowed, "{answer:?}");
    }
}

#[test]
fn the_schema_is_the_whole_schema() {
    // What is built in is checked as strictly as what an operator writes, and without a warning.
    let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    assert_eq!(schema.actions().count(), 2);
    // An attribute that is missing, were one ever to be, fails before any rule is asked.
    let approvers = approvers();
    let request = routine(Who::Listed(approvers.iter().next().unwrap()));
    let rules = ApprovalRules::parse(Some(ANYTHING)).unwrap();
    for remedy in [
        RemedyFacts { scenario: None, ..request.remedy },
        RemedyFacts { action: None, ..request.remedy },
        RemedyFacts { account_id: None, ..request.remedy },
    ] {
        let verdict = rules.decide(&Request { remedy, ..request });
        assert!(!verdict.allowed && verdict.faulty, "{verdict:?}");
    }
}
