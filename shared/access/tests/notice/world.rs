//! What the notice tests write notices from: Mateo Jackson of AWS's page, and the same with a caller's strings everywhere.

use access::{
    classify::Rule,
    diagnosis::{
        AccessLevel, Apply, Cause, Diagnosis, Effect, Place, PolicyType, Reach, Remedy, RemedyKind, Response, Risk,
        Scenario, Target, TargetKind,
    },
    grant::GrantMode,
    notice::{Call, CaseFacts, Notice, Together},
    policy_document::{PolicyDocument, Statement, Trustee},
    principal::{Principal, PrincipalKind},
};
use proptest::prelude::*;
use serde_json::Value;

pub const TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/My-Trail";
pub const RESPONSES: [Response; 4] =
    [Response::Ignore, Response::SuggestFix, Response::RequestApproval, Response::RaiseAlarm];

/// Everything that a notice borrows.
pub struct World {
    pub diagnosis: Diagnosis,
    pub call: Call,
    pub case_id: String,
    pub times: [String; 2],
    pub lists: [Vec<String>; 2],
    pub linked: Option<String>,
    pub together: Vec<Together>,
    pub page_url: Option<String>,
    pub count: u64,
}

impl World {
    pub fn alone(&self) -> Notice<'_> {
        Notice { diagnosis: &self.diagnosis, call: &self.call, case: None, grant_mode: GrantMode::None }
    }

    pub fn in_case(&self) -> Notice<'_> {
        let case = CaseFacts {
            id: &self.case_id,
            count: self.count,
            first_seen: &self.times[0],
            last_seen: &self.times[1],
            sessions: &self.lists[0],
            source_ips: &self.lists[1],
            linked: self.linked.as_deref(),
            together: &self.together,
            evidence: self.lists[0].clone(),
            page_url: self.page_url.as_deref(),
        };
        Notice { case: Some(case), ..self.alone() }
    }
}

/// Mateo Jackson of the page, as the troubleshooting page has him, with an answer of each kind.
pub fn mateo(response: Response) -> World {
    let some = |text: &str| Some(text.to_owned());
    let rule = match response {
        Response::Ignore => "CT004",
        Response::SuggestFix | Response::RequestApproval => "CT101",
        Response::RaiseAlarm => "CT901",
    };
    let remedies = match response {
        Response::Ignore | Response::RaiseAlarm => Vec::new(),
        Response::SuggestFix => vec![remedy(RemedyKind::PutInlinePolicy, Apply::ByHand)],
        Response::RequestApproval => {
            vec![
                remedy(RemedyKind::PutInlinePolicy, Apply::OnApproval),
                remedy(RemedyKind::AttachManagedPolicy, Apply::ByHand),
            ]
        }
    };
    let diagnosis = Diagnosis {
        event_id: some("0d9a1f2e-0000-4000-8000-EXAMPLE22222"),
        event_time: some("2026-10-05T08:00:01Z"),
        partition: some("aws"),
        region: some("eu-west-1"),
        account_id: some("123456789012"),
        response,
        rule: Rule::ALL.iter().copied().find(|known| known.id() == rule).expect("a known rule"),
        scenario: (response != Response::Ignore).then_some(Scenario::NotAuthorized),
        risk: (response != Response::Ignore).then_some(Risk::Routine),
        principal: Principal {
            kind: PrincipalKind::IamUser,
            arn: some("arn:aws:iam::123456789012:user/mateojackson"),
            account_id: some("123456789012"),
            name: some("mateojackson"),
            unique_id: some("AIDAEXAMPLE"),
            session_name: None,
        },
        action: some("cloudtrail:GetTrailStatus"),
        access_level: Some(AccessLevel::Read),
        resource: some(TRAIL),
        cause: Cause {
            effect: Effect::ImplicitDeny,
            policy_type: Some(PolicyType::IdentityBasedPolicy),
            policy_arn: None,
        },
        summary: "mateojackson was refused cloudtrail:GetTrailStatus: no identity-based policy allows it.".to_owned(),
        remedies,
        documentation: "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_troubleshoot.html",
    };
    let call = Call {
        event_source: some("cloudtrail.amazonaws.com"),
        event_name: some("GetTrailStatus"),
        source_ip: some("203.0.113.7"),
        user_agent: some("aws-cli/2.15.30"),
        error_code: some("AccessDenied"),
        error_message: some("User: arn:aws:iam::123456789012:user/mateojackson is not authorized"),
        vpc_endpoint_id: None,
        request_id: some("5f2b6f0e-0000-4000-8000-EXAMPLE11111"),
        settings: Vec::new(),
    };
    World {
        diagnosis,
        call,
        case_id: "2gd4tjkox2q74mauvvu6".to_owned(),
        times: ["2026-10-05T08:00:01Z".to_owned(), "2026-10-05T09:12:44Z".to_owned()],
        lists: [vec!["alice".to_owned(), "alice-laptop".to_owned()], vec!["203.0.113.7".to_owned()]],
        linked: some("b2w8nearlier"),
        together: vec![Together {
            id: "k7q2other".to_owned(),
            action: some("cloudtrail:ListTrails"),
            resource: some("*"),
        }],
        page_url: some("https://trailpass.example.com/case/2gd4?a=1&b=2"),
        count: 5,
    }
}

pub fn remedy(kind: RemedyKind, apply: Apply) -> Remedy {
    let policy = PolicyDocument::of(Statement {
        actions: vec!["cloudtrail:GetTrailStatus".to_owned()],
        resources: vec![TRAIL.to_owned()],
        ..Statement::default()
    });
    Remedy {
        kind,
        apply,
        risk: Risk::Routine,
        reach: Reach::OneUser,
        target: Target { kind: TargetKind::User, name: "mateojackson".to_owned(), arn: None },
        policy_arn: (kind == RemedyKind::AttachManagedPolicy)
            .then(|| "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess".to_owned()),
        policy: (kind != RemedyKind::AttachManagedPolicy).then_some(policy),
        hash: None,
        why: "allows this user exactly the refused action".to_owned(),
        place: Place {
            partition: Some("aws".to_owned()),
            region: Some("eu-west-1".to_owned()),
            account_id: Some("123456789012".to_owned()),
        },
        grantable: true,
    }
}

/// The same world with strings of a caller's choice in every field that anybody but Trailpass can influence.
pub fn taken_over(response: Response, strings: &[String]) -> World {
    let mut strings = strings.iter().cycle().cloned();
    let mut next = move || strings.next().expect("at least one string");
    let mut world = mateo(response);
    let diagnosis = &mut world.diagnosis;
    for field in [
        &mut diagnosis.event_id,
        &mut diagnosis.event_time,
        &mut diagnosis.partition,
        &mut diagnosis.region,
        &mut diagnosis.account_id,
        &mut diagnosis.action,
        &mut diagnosis.resource,
        &mut diagnosis.principal.arn,
        &mut diagnosis.principal.account_id,
        &mut diagnosis.principal.name,
        &mut diagnosis.principal.unique_id,
        &mut diagnosis.principal.session_name,
        &mut diagnosis.cause.policy_arn,
        &mut world.call.event_source,
        &mut world.call.event_name,
        &mut world.call.source_ip,
        &mut world.call.user_agent,
        &mut world.call.error_code,
        &mut world.call.error_message,
        &mut world.call.vpc_endpoint_id,
        &mut world.call.request_id,
        &mut world.linked,
        &mut world.page_url,
    ] {
        *field = Some(next());
    }
    diagnosis.summary = next();
    diagnosis.cause.effect = Effect::Unknown;
    diagnosis.remedies = [RemedyKind::PutInlinePolicy, RemedyKind::AttachManagedPolicy, RemedyKind::UpdateBucketPolicy]
        .map(|kind| {
            let mut remedy = remedy(kind, Apply::ByHand);
            remedy.target.name = next();
            remedy.target.arn = Some(next());
            remedy.why = next();
            remedy.policy_arn = Some(next());
            remedy.policy = Some(PolicyDocument::of(
                Statement {
                    sid: Some(next()),
                    trustee: Some(Trustee::Aws(next())),
                    actions: vec![next(), next()],
                    resources: vec![next()],
                    ..Statement::default()
                }
                .when("StringEquals", &next(), &next()),
            ));
            remedy
        })
        .into();
    world.case_id = next();
    world.times = [next(), next()];
    world.lists = [vec![next(), next(), next()], vec![next(), next()]];
    world.together = (0..8).map(|_| Together { id: next(), action: Some(next()), resource: Some(next()) }).collect();
    world
}

pub fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("\x1b[31mred\x1b[0m".to_owned()),
        Just("\nWho      root\r\n\tx".to_owned()),
        Just("\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}\u{2028}\u{e0041}\u{9b}31m".to_owned()),
        Just("<!channel> <@U012AB> <https://evil.example|AWS> &lt; & *b* _i_ ~s~ :tada: > q".to_owned()),
        Just("` ``` ```\n*x*".to_owned()),
        Just("</pre></code><script>alert(1)</script><img src=x onerror=y>\" ' style=\"".to_owned()),
        Just("https://evil.example/login javascript:alert(1) ../../x".to_owned()),
        Just("\"\\\u{0}'$(x)`x`%0a".to_owned()),
        Just("é漢字🚨".to_owned()),
        "\\PC{0,12}",
        any::<String>(),
        Just("\"\\<>&".repeat(300)),
        Just("漢".repeat(3000)),
    ];
    prop::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
}

pub fn strings() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(hostile(), 1..30)
}

/// Written apart from the product's own list: what moves a cursor, turns text round or can't be seen.
pub fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xfffe | 0xffff | 0xe0000..=0xe0fff)
}

pub fn without_our_colours(text: &str) -> String {
    ["\x1b[1;97;41m", "\x1b[1;30;46m", "\x1b[1;30;43m", "\x1b[2m", "\x1b[1m", "\x1b[0m"]
        .iter()
        .fold(text.to_owned(), |text, colour| text.replace(colour, ""))
}

/// Every string of a JSON value, with the name of the member that holds it.
pub fn walk(value: &Value, name: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(name, text),
        Value::Array(list) => list.iter().for_each(|value| walk(value, name, visit)),
        Value::Object(map) => map.iter().for_each(|(name, value)| walk(value, name, visit)),
        _ => {}
    }
}
