//! What the approval rules allow, seen from outside: the default set's limits, and an operator's set that tries everything. That
//! each single rule and forbid is needed is shown beside the code, in `approval_rules/mutations.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails says where; clippy only spares functions marked #[test]"
)]

use access::{
    approval_rules::{AnswerKind, ApprovalRules, Matter, RemedyFacts, Request, RulesError, Verdict, Who},
    approver::{Approver, Approvers, OwnDenial},
    classify::Rule,
    decision::Channel,
    diagnose::{Setting, diagnose},
    diagnosis::{Apply, Reach, RemedyKind, Response, Risk, Scenario},
    event,
    grant::GrantMode,
};
use proptest::{prelude::*, sample::select};

const APPROVERS: &str = r#"{ "schema": "trailpass.approvers/1", "approvers": [
    { "name": "alice", "groups": ["security"], "aws": ["arn:aws:iam::111122223333:user/alice"] },
    { "name": "mateo", "aws": ["arn:aws:iam::123456789012:user/mateojackson"] },
    { "name": "O\"; permit (principal, action, resource); //", "groups": ["\\\"::*"], "aws": ["arn:aws:iam::111122223333:user/o"] }
] }"#;
const ANYTHING: &str = "permit (principal, action, resource);";

const ANSWERS: [AnswerKind; 3] = [AnswerKind::Approve, AnswerKind::Reject, AnswerKind::Revoke];
const CHANNELS: [Channel; 3] = [Channel::Slack, Channel::Aws, Channel::Local];
const OWN: [OwnDenial; 3] = [OwnDenial::No, OwnDenial::Unknown, OwnDenial::Yes];
const RISKS: [Risk; 3] = [Risk::Routine, Risk::Sensitive, Risk::Tampering];
const APPLY: [Apply; 2] = [Apply::OnApproval, Apply::ByHand];
const RESPONSES: [Response; 4] =
    [Response::Ignore, Response::SuggestFix, Response::RequestApproval, Response::RaiseAlarm];
const SCENARIOS: [Scenario; 5] = [
    Scenario::NotAuthorized,
    Scenario::Integration,
    Scenario::AllowOthers,
    Scenario::OutsideAccount,
    Scenario::Delivery,
];
const REACHES: [Reach; 9] = [
    Reach::OneSession,
    Reach::AllSessions,
    Reach::OneUser,
    Reach::AllMembers,
    Reach::AllAssignees,
    Reach::OtherAccount,
    Reach::CloudtrailService,
    Reach::EveryoneUnderPolicy,
    Reach::Nobody,
];
const KINDS: [RemedyKind; 18] = [
    RemedyKind::AttachManagedPolicy,
    RemedyKind::PutInlinePolicy,
    RemedyKind::ChangePermissionSet,
    RemedyKind::CreateCrossAccountRole,
    RemedyKind::PutResourcePolicy,
    RemedyKind::UpdateBucketPolicy,
    RemedyKind::UpdateTopicPolicy,
    RemedyKind::UpdateKeyPolicy,
    RemedyKind::UpdateLogRole,
    RemedyKind::CreateServiceLinkedRole,
    RemedyKind::ChangePermissionsBoundary,
    RemedyKind::ChangeServiceControlPolicy,
    RemedyKind::ChangeResourceControlPolicy,
    RemedyKind::ChangeVpcEndpointPolicy,
    RemedyKind::ChangeSessionPolicy,
    RemedyKind::ChangeTrustPolicy,
    RemedyKind::RemoveExplicitDeny,
    RemedyKind::UseHomeRegionOrOwner,
];

fn approvers() -> Approvers {
    Approvers::from_json(APPROVERS).unwrap()
}

fn called<'a>(approvers: &'a Approvers, name: &str) -> &'a Approver {
    approvers.iter().find(|approver| approver.name == name).unwrap()
}

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

fn operator(set: &str) -> ApprovalRules {
    ApprovalRules::parse(Some(set)).unwrap_or_else(|e| panic!("{set}\n{e}"))
}

fn refusal(set: &str) -> RulesError {
    ApprovalRules::parse(Some(set)).expect_err(set)
}

fn assert_loudly_denied(verdict: &Verdict, says: &str) {
    assert!(!verdict.allowed && verdict.faulty, "{verdict:?}");
    assert!(verdict.because[0].contains(says), "{says}: {verdict:?}");
}

#[test]
fn eight_hours_of_routine_and_one_of_sensitive() {
    let (rules, approvers) = (ApprovalRules::parse(None).unwrap(), approvers());
    let alice = Who::Listed(called(&approvers, "alice"));
    let allowed = |risk, minutes| {
        let request = routine(alice);
        rules.decide(&Request { remedy: RemedyFacts { risk, ..request.remedy }, minutes, ..request }).allowed
    };
    for (risk, minutes, is_allowed) in [
        (Risk::Routine, 1, true),
        (Risk::Routine, 480, true),
        (Risk::Routine, 481, false),
        (Risk::Sensitive, 60, true),
        (Risk::Sensitive, 61, false),
        (Risk::Tampering, 1, false),
        (Risk::Routine, 0, false),
        (Risk::Routine, -1, false),
        (Risk::Routine, i64::MIN, false),
        (Risk::Routine, i64::MAX, false),
    ] {
        assert_eq!(allowed(risk, minutes), is_allowed, "{risk:?} {minutes}");
    }
}

#[test]
fn no_set_outweighs_a_forbid() {
    let approvers = approvers();
    let alice = Who::Listed(called(&approvers, "alice"));
    let base = routine(alice);
    let rules = operator(ANYTHING);
    assert!(rules.decide(&base).allowed);
    assert!(rules.decide(&Request { minutes: 720, ..base }).allowed);
    let facts = base.remedy;
    for request in [
        Request { own_denial: OwnDenial::Yes, ..base },
        Request { own_denial: OwnDenial::Unknown, ..base },
        Request { remedy: RemedyFacts { risk: Risk::Tampering, ..facts }, ..base },
        Request { minutes: 13 * 60, ..base },
        Request { who: Who::Unlisted("alice"), ..base },
        Request { remedy: RemedyFacts { apply: Apply::ByHand, ..facts }, ..base },
        Request { remedy: RemedyFacts { response: Response::RaiseAlarm, ..facts }, ..base },
    ] {
        let verdict = rules.decide(&request);
        assert!(!verdict.allowed && !verdict.faulty, "{verdict:?}");
        assert!(verdict.because.iter().all(|because| because.contains("(built-in/")), "{verdict:?}");
    }
    for rule in Rule::ALL {
        let verdict = rules.decide(&Request { remedy: RemedyFacts { rule: *rule, ..facts }, ..base });
        assert_eq!(verdict.allowed, [Rule::NoIdentityAllow, Rule::NoReason].contains(rule), "{rule:?}");
    }
}

#[test]
fn a_forbid_can_t_be_redefined() {
    let approvers = approvers();
    let own = Request { own_denial: OwnDenial::Yes, ..routine(Who::Listed(called(&approvers, "alice"))) };
    // The same id is another policy's name in the operator's set; its words are said as the operator's.
    for set in [
        "@id(\"own-denial\") @because(\"it is fine\") permit (principal, action, resource);",
        "@id(\"own-denial\") permit (principal, action, resource);\n@id(\"tampering\") permit (principal, action, resource);",
        "@id(\"policy0\") permit (principal, action, resource);",
    ] {
        let verdict = operator(set).decide(&own);
        assert_eq!(verdict.because, ["nobody approves what was refused to themselves (built-in/own-denial)"], "{set}");
        assert!(!verdict.allowed);
    }
    // A name that would look like a forbid's, or like nothing, is refused.
    for id in ["built-in/own-denial", "", "a b", "a\\nb", "x/../built-in", &"a".repeat(65)] {
        let error = refusal(&format!("@id(\"{id}\") permit (principal, action, resource);"));
        assert!(error.to_string().contains("an id has 1 to 64"), "{id}: {error}");
    }
    let twice =
        refusal("@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);");
    assert!(twice.to_string().contains("operator/a: two rules have this id"), "{twice}");
    let unnamed =
        refusal("@id(\"policy1\") permit (principal, action, resource);\nforbid (principal, action, resource);");
    assert!(unnamed.to_string().contains("operator/policy1: two rules"), "{unnamed}");
}

#[test]
fn an_invalid_set_says_where() {
    for (set, says) in [
        ("", "no rule in it"),
        ("// nothing", "no rule in it"),
        ("permit (principal, action, resource)", "operator: "),
        ("\n\npermit (principal, action resource);", "operator: line 3: "),
        ("permit (principal == ?principal, action, resource);", "a template decides nothing"),
        ("\npermit (principal, action, resource) when { principal.lsited };", "operator/policy0: line 2: "),
        ("@id(\"a\") permit (principal, action, resource) when { principal.lsited };", "operator/a: line 1: "),
        ("permit (principal, action == Action::\"aprove\", resource);", "aprove"),
        ("permit (principal, action, resource) when { resource.risk == Risk::\"routin\" };", "routin"),
        ("permit (principal, action, resource) when { resource.risk == \"routine\" };", "operator/policy0"),
        ("permit (principal, action, resource) when { context.durationMinutes < \"60\" };", "operator/policy0"),
        ("permit (principal in User::\"x\", action, resource);", "User"),
        // A rule that can never apply is not what somebody meant.
        ("permit (principal, action, resource) when { false };", "operator/policy0"),
        (
            "permit (principal, action, resource) when { resource.action == \"cloudtrаil:GetTrail\" };",
            "operator/policy0",
        ),
    ] {
        let error = refusal(set);
        assert!(
            error.to_string().starts_with("approval rules: ") && error.to_string().contains(says),
            "{set}\n{error}"
        );
    }
    let long = refusal(&" ".repeat(70_000));
    assert!(long.to_string().contains("70000 bytes are more than"), "{long}");
    let many = refusal(&"permit (principal, action, resource) when { principal.x };\n".repeat(100));
    assert_eq!(many.faults.len(), 20);
}

#[test]
fn a_set_that_would_overflow_the_stack_is_refused_before() {
    let when = |condition: &str| format!("permit (principal, action, resource) when {{ {condition} }};");
    for (before, inside, after) in
        [("(", "true", ")"), ("[", "1", "]"), ("{a:", "1", "}"), ("if true then ", "true", " else true")]
    {
        // A bracket in a string or a comment closes nothing, and a quote in a comment opens nothing.
        for start in ["", "\")]}\" == \"\\\")\" || ", "// \" )\n", "// )\r"] {
            let deep = when(&format!("{start}{}{inside}{}", before.repeat(1_000), after.repeat(1_000)));
            assert!(refusal(&deep).to_string().contains("more than 16 deep"), "{before} {start}");
        }
    }
    for link in ["1 + ", "true && ", "if true then true else ", "principal.listed || ", "principal."] {
        assert!(refusal(&when(&link.repeat(3_000))).to_string().contains("more than"), "{link}");
    }
    // A long set is not a long rule, and what only looks deep is not.
    assert!(ApprovalRules::parse(Some(&when(&format!("{}true", "(true) && ".repeat(300))))).is_ok());
    assert!(ApprovalRules::parse(Some(&when(&format!("resource.action != \"{}\"", "(".repeat(3_000))))).is_ok());
    assert!(ApprovalRules::parse(Some(&format!("// {}\n{ANYTHING}", "if (".repeat(3_000)))).is_ok());
    assert!(ApprovalRules::parse(Some(&format!("{ANYTHING}\n").repeat(1_000))).is_ok());
    // The longest chain that fits is evaluated, or fails where Cedar runs short of stack; then it denies.
    let approvers = approvers();
    let chain = operator(&when(&format!("{}1 > 0", "1+".repeat(950))));
    let verdict = chain.decide(&routine(Who::Listed(called(&approvers, "alice"))));
    assert!(verdict.allowed != verdict.faulty, "{verdict:?}");
}

#[test]
fn a_rule_that_fails_denies_loudly() {
    let approvers = approvers();
    let request = routine(Who::Listed(called(&approvers, "alice")));
    for (failing, says) in [
        (
            "permit (principal, action, resource) when { context.durationMinutes * 9223372036854775807 > 0 };",
            "overflow",
        ),
        (
            "forbid (principal, action, resource) when { context.durationMinutes * 9223372036854775807 > 0 };",
            "overflow",
        ),
        // Somebody who is not in the request: an entity that is missing.
        ("permit (principal, action, resource) when { Approver::\"bob\".listed };", "bob"),
        ("forbid (principal, action, resource) when { Approver::\"bob\".listed };", "bob"),
    ] {
        for set in [format!("{ANYTHING}\n{failing}"), format!("{failing}\n{ANYTHING}")] {
            let verdict = operator(&set).decide(&request);
            assert_loudly_denied(&verdict, says);
            assert!(verdict.because[0].contains("operator/policy"), "{verdict:?}");
        }
    }
    let facts = request.remedy;
    for (remedy, says) in [
        (RemedyFacts { scenario: None, ..facts }, "no scenario"),
        (RemedyFacts { action: None, ..facts }, "the action"),
        (RemedyFacts { account_id: None, ..facts }, "in whose account"),
    ] {
        assert_loudly_denied(&operator(ANYTHING).decide(&Request { remedy, ..request }), says);
    }
}

#[test]
fn without_a_set_nothing_is_allowed() {
    let approvers = approvers();
    let rules = ApprovalRules::broken(refusal("permit"));
    for answer in [AnswerKind::Approve, AnswerKind::Reject] {
        let verdict = rules.decide(&Request { answer, ..routine(Who::Listed(called(&approvers, "alice"))) });
        assert_loudly_denied(&verdict, "nothing is allowed until this is mended: approval rules: operator: ");
    }
    let unread = ApprovalRules::broken(RulesError::of("the parameter could not be read"));
    assert_eq!(rules.hash().len(), 64);
    assert_ne!(rules.hash(), unread.hash());
}

#[test]
fn every_listed_approver_may_revoke_whatever_the_rules_are() {
    let approvers = approvers();
    let sets = [
        ApprovalRules::parse(None).unwrap(),
        ApprovalRules::broken(refusal("permit")),
        operator("permit (principal == Approver::\"bob\", action == Action::\"approve\", resource);"),
        operator("permit (principal, action, resource);\nforbid (principal, action, resource);"),
    ];
    let request = routine(Who::Listed(called(&approvers, "alice")));
    // Nor does it matter whose denial it was, or what has become of the case.
    let remedy = RemedyFacts { scenario: None, action: None, account_id: None, hash: None, ..request.remedy };
    for rules in sets {
        for own_denial in OWN {
            let revoking = Request { answer: AnswerKind::Revoke, own_denial, remedy, minutes: 0, ..request };
            let verdict = rules.decide(&revoking);
            assert!(verdict.allowed && !verdict.faulty, "{rules:?}: {verdict:?}");
            let verdict = rules.decide(&Request { who: Who::Unlisted("alice"), ..revoking });
            assert!(!verdict.allowed && !verdict.faulty, "{rules:?}: {verdict:?}");
        }
    }
    let fault = refusal("forbid (principal, action == Action::\"revoke\", resource);").to_string();
    assert!(fault.contains("revoke"), "a rule that would never be asked: {fault}");
}

#[test]
fn the_hash_names_the_rules() {
    let (default, anything) = (ApprovalRules::parse(None).unwrap(), operator(ANYTHING));
    assert_eq!(default.hash(), ApprovalRules::parse(None).unwrap().hash());
    assert_ne!(default.hash(), anything.hash());
    assert_ne!(anything.hash(), operator(&format!("{ANYTHING} ")).hash());
    assert!(default.hash().len() == 64 && default.hash().bytes().all(|b| b.is_ascii_hexdigit()));
}

#[test]
fn groups_channels_and_facts_can_be_asked_about() {
    let approvers = approvers();
    let (alice, mateo) = (Who::Listed(called(&approvers, "alice")), Who::Listed(called(&approvers, "mateo")));
    let rules = operator(
        "permit (principal in Group::\"security\", action == Action::\"approve\", resource) when {
            resource.account == \"111122223333\" && resource.action like \"cloudtrail:Get*\" &&
            resource.scenario == Scenario::\"not-authorized\" && context.channel == Channel::\"aws\"
        };",
    );
    let aws = Request { channel: Channel::Aws, ..routine(alice) };
    assert!(rules.decide(&aws).allowed);
    assert!(!rules.decide(&Request { channel: Channel::Slack, ..aws }).allowed);
    assert!(!rules.decide(&Request { who: mateo, ..aws }).allowed);
    assert!(!rules.decide(&Request { answer: AnswerKind::Reject, ..aws }).allowed);
    let other = RemedyFacts { account_id: Some("444455556666"), ..aws.remedy };
    assert!(!rules.decide(&Request { remedy: other, ..aws }).allowed);
}

#[test]
fn every_word_of_the_diagnosis_is_one_of_the_schema() {
    let approvers = approvers();
    let base = routine(Who::Listed(called(&approvers, "alice")));
    let rules = operator(ANYTHING);
    let facts = base.remedy;
    let risks = RISKS.map(|risk| RemedyFacts { risk, ..facts }).to_vec();
    let reaches = REACHES.map(|reach| RemedyFacts { reach, ..facts }).to_vec();
    let kinds = KINDS.map(|kind| RemedyFacts { kind, ..facts }).to_vec();
    let scenarios = SCENARIOS.map(|scenario| RemedyFacts { scenario: Some(scenario), ..facts }).to_vec();
    let responses = RESPONSES.map(|response| RemedyFacts { response, ..facts }).to_vec();
    for remedy in [risks, reaches, kinds, scenarios, responses].concat() {
        assert!(!rules.decide(&Request { remedy, ..base }).faulty, "{remedy:?}");
    }
    // And the schema has no others: each of its lists is as long as ours.
    let schema = include_str!("../data/approval/schema.cedarschema");
    for (name, count) in [
        ("Risk", RISKS.len()),
        ("Reach", REACHES.len()),
        ("Kind", KINDS.len()),
        ("Scenario", SCENARIOS.len()),
        ("Response", RESPONSES.len()),
        ("Apply", APPLY.len()),
        ("Channel", CHANNELS.len()),
        ("OwnDenial", OWN.len()),
    ] {
        let list =
            schema.split_once(&format!("entity {name} enum [")).and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
        assert_eq!(list.matches('"').count(), 2 * count, "{name}");
    }
}

#[test]
fn who_could_says_it_of_each() {
    // Mateo was refused: alice may approve, he may not, and the third has a strange name only.
    let record = event::read(include_str!("../../../events/triage/mateojackson-with-reason.json")).remove(0).unwrap();
    let setting = Setting { mode: GrantMode::Exact, ..Setting::default() };
    let diagnosis = diagnose(record, &setting, false).diagnosis;
    let remedy = diagnosis.remedies.iter().find(|remedy| remedy.apply == Apply::OnApproval).unwrap();
    let matter =
        Matter { answer: AnswerKind::Approve, diagnosis: &diagnosis, remedy, minutes: 60, channel: Channel::Aws };
    let (rules, approvers) = (ApprovalRules::parse(None).unwrap(), approvers());
    let said = rules.who_could(&approvers, &matter);
    assert_eq!(
        said.iter().map(|(approver, verdict)| (approver.name.as_str(), verdict.allowed)).collect::<Vec<_>>(),
        [("alice", true), ("mateo", false), ("O\"; permit (principal, action, resource); //", true),]
    );
    assert_eq!(
        said[0].1.because,
        ["a listed approver may approve a routine remedy for up to eight hours (default/approve-routine)"]
    );
    assert_eq!(said[1].1.because, ["nobody approves what was refused to themselves (built-in/own-denial)"]);
    let stranger = rules.decide(&matter.asked_by(Who::Unlisted("T0001/U0001")));
    assert_eq!(
        stranger.because,
        [
            "it can't be told whether this was refused to the approver themselves (built-in/own-denial-unknown)",
            "only an approver whom the approvers' file lists can answer (built-in/unlisted)",
        ]
    );
}

/// Names that would be more than names, were they ever read as Cedar.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "alice",
            "alice\"",
            "alice\\",
            "x\" }; permit (principal, action, resource); //",
            "Approver::\"alice\"",
            "a\nb\r\0\u{202e}",
            "?principal",
            "__entity",
            "${principal}",
            "*",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

const SETS: [&str; 6] = [
    ANYTHING,
    "@id(\"own-denial\") permit (principal, action, resource);",
    "permit (principal, action, resource) when { context.ownDenial == OwnDenial::\"yes\" || true };",
    "permit (principal == Approver::\"alice\", action, resource);\npermit (principal, action, resource);",
    "permit (principal, action, resource);\nforbid (principal, action, resource) unless { context.durationMinutes < 1000000 };",
    "permit (principal, action, resource) when { context.durationMinutes + 1 > context.durationMinutes };",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_forbid_names_is_ever_allowed(
        set in select(&SETS[..]),
        (stranger, hash, action, account) in (proptest::option::of(names()), names(), names(), names()),
        (which, answer, channel, own_denial) in (0..3_usize, select(&ANSWERS[..]), select(&CHANNELS[..]), select(&OWN[..])),
        minutes in prop_oneof![select(vec![i64::MIN, -1, 0, 1, 60, 720, 721, 999_999, i64::MAX]), 1..800_i64, any::<i64>()],
        (risk, reach, kind) in (select(&RISKS[..]), select(&REACHES[..]), select(&KINDS[..])),
        (apply, response) in (
            prop_oneof![3 => Just(Apply::OnApproval), 1 => select(&APPLY[..])],
            prop_oneof![3 => Just(Response::RequestApproval), 1 => select(&RESPONSES[..])],
        ),
        (scenario, rule) in (
            select(&SCENARIOS[..]),
            prop_oneof![3 => Just(Rule::NoIdentityAllow), 1 => select(Rule::ALL)],
        ),
    ) {
        thread_local! {
            static RULES: Vec<ApprovalRules> = SETS.iter().map(|set| operator(set)).collect();
        }
        let approvers = approvers();
        let who = match &stranger {
            Some(name) => Who::Unlisted(name),
            None => Who::Listed(approvers.iter().nth(which).unwrap()),
        };
        let remedy = RemedyFacts {
            hash: Some(&hash), risk, reach, kind, apply, response, scenario: Some(scenario), rule,
            action: Some(&action), account_id: Some(&account),
        };
        let request = Request { who, answer, remedy, minutes, channel, own_denial };
        let at = SETS.iter().position(|one| *one == set).unwrap();
        let verdict = RULES.with(|rules| rules[at].decide(&request));
        let is_forbidden = stranger.is_some() || answer == AnswerKind::Approve && (
            own_denial != OwnDenial::No
            || risk == Risk::Tampering
            || apply != Apply::OnApproval
            || response != Response::RequestApproval
            || ![Rule::NoIdentityAllow, Rule::NoReason].contains(&rule)
            || !(1..=720).contains(&minutes)
        );
        prop_assert!(!(is_forbidden && verdict.allowed), "{request:?}\n{verdict:?}");
        // The plainest set permits all the rest, so that the above is not true of rules that allow nothing.
        prop_assert!(at != 0 || is_forbidden || verdict.allowed, "{request:?}\n{verdict:?}");
        prop_assert!(at != 0 || !verdict.faulty, "{request:?}\n{verdict:?}");
        prop_assert!(!verdict.because.is_empty());
    }
}
