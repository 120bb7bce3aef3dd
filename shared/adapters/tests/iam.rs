//! IAM against an emulated one, and its refusals and the policy simulator against a stub.
//!
//! Decides that what is attached is what a look shows, page by page and name by name, and that each of IAM's codes ends where the
//! plan expects it. The emulator has no simulator and refuses nothing that AWS refuses, so those answers are played, in the shape
//! that AWS's model gives them. One server for all, since starting it costs more than using it.
#![cfg(feature = "iam")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod moto;
#[allow(dead_code, reason = "not every test wants every answer")]
mod stub;

use access::{
    reconcile::{Change, Holder},
    simulation::{Question, Value, Verdict},
};
use adapters::iam::{AwsIam, Holders, Iam, Look, Refusal};
use aws_sdk_iam::Client;
use stub::{Answer, Stub};

const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
const DOCUMENT: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "cloudtrail:GetTrail", "Resource": "*", "Condition": {"StringEquals": {"aws:userid": "AROA:a+b@c=d,e.f"}}}]}"#;

#[tokio::test]
async fn on_an_emulated_iam() {
    let moto = moto::Moto::start();
    let config = moto.config().await;
    let (iam, client) = (Iam::Aws(AwsIam::with_config(&config)), Client::new(&config));
    who_is_not_there_is_nobody(&iam).await;
    a_policy_is_attached_and_detached(&iam, &client).await;
    an_inline_policy_comes_back_as_it_was(&iam, &client).await;
    a_policy_has_holders(&iam, &client).await;
    every_page_is_read(&iam, &client).await;
}

fn user(name: &str) -> Holder {
    Holder::User(name.to_owned())
}

fn role(name: &str) -> Holder {
    Holder::Role(name.to_owned())
}

async fn policy(client: &Client, name: &str) -> String {
    let made = client.create_policy().path("/trailpass/").policy_name(name).policy_document(DOCUMENT).send().await;
    made.unwrap().policy.unwrap().arn.unwrap()
}

async fn make_user(client: &Client, name: &str) -> String {
    client.create_user().user_name(name).send().await.unwrap().user.unwrap().user_id
}

async fn make_role(client: &Client, name: &str) -> String {
    let role = client.create_role().role_name(name).path("/team/").assume_role_policy_document(TRUST);
    role.send().await.unwrap().role.unwrap().role_id
}

async fn who_is_not_there_is_nobody(iam: &Iam) {
    for look in [Look::Attached, Look::AllInline, Look::Inline("p")] {
        assert_eq!(iam.look(&user("nobody"), "", look).await, Ok(None));
        assert_eq!(iam.look(&role("nobody"), "", look).await, Ok(None));
    }
    let changed = iam.change(&Change::Attach(user("nobody"), "arn:aws:iam::123456789012:policy/x".to_owned())).await;
    assert!(matches!(changed.result, Err(Refusal::Gone(_))), "{changed:?}");
    assert_eq!(iam.holders_of("arn:aws:iam::123456789012:policy/trailpass/none").await, Ok(Holders::default()));
}

async fn a_policy_is_attached_and_detached(iam: &Iam, client: &Client) {
    let arn = policy(client, "trail-read").await;
    let ids = [
        (user("alice"), make_user(client, "alice").await, "/"),
        (role("reader"), make_role(client, "reader").await, "/team/"),
    ];
    for (holder, id, path) in ids {
        let entity = iam.look(&holder, "", Look::Attached).await.unwrap().unwrap();
        assert_eq!((&entity.id, entity.path.as_str(), entity.attached.len(), entity.attachable), (&id, path, 0, 10));
        // Twice is as good as once.
        for _ in 0..2 {
            let changed = iam.change(&Change::Attach(holder.clone(), arn.clone())).await;
            assert_eq!(changed.result, Ok(()));
            assert!(changed.request_id.is_some_and(|id| !id.is_empty()));
        }
        let entity = iam.look(&holder, "", Look::Attached).await.unwrap().unwrap();
        assert!(entity.attached.len() == 1 && entity.attached.contains(&arn), "{entity:?}");
        assert_eq!(iam.change(&Change::Detach(holder.clone(), arn.clone())).await.result, Ok(()));
        let again = iam.change(&Change::Detach(holder.clone(), arn.clone())).await;
        assert!(matches!(again.result, Err(Refusal::Gone(_))), "{again:?}");
    }
}

async fn an_inline_policy_comes_back_as_it_was(iam: &Iam, client: &Client) {
    make_user(client, "bob").await;
    make_role(client, "auditor").await;
    for holder in [user("bob"), role("auditor")] {
        let put = Change::Put(holder.clone(), "trailpass-case-1".to_owned(), DOCUMENT.to_owned());
        assert_eq!(iam.change(&put).await.result, Ok(()));
        for look in [Look::AllInline, Look::Inline("trailpass-case-1")] {
            let entity = iam.look(&holder, "", look).await.unwrap().unwrap();
            let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parsed(&entity.inline["trailpass-case-1"]), parsed(DOCUMENT));
        }
        let entity = iam.look(&holder, "", Look::Inline("another")).await.unwrap().unwrap();
        assert_eq!(entity.inline.len(), 0, "the user is there, that policy is not");
        let delete = Change::Delete(holder.clone(), "trailpass-case-1".to_owned());
        assert_eq!(iam.change(&delete).await.result, Ok(()));
        assert!(matches!(iam.change(&delete).await.result, Err(Refusal::Gone(_))));
    }
}

async fn a_policy_has_holders(iam: &Iam, client: &Client) {
    let arn = policy(client, "event-lookup").await;
    let ids = [make_user(client, "carol").await, make_role(client, "looker").await];
    client.create_group().group_name("all").send().await.unwrap();
    client.attach_group_policy().group_name("all").policy_arn(&arn).send().await.unwrap();
    for holder in [user("carol"), role("looker")] {
        assert_eq!(iam.change(&Change::Attach(holder, arn.clone())).await.result, Ok(()));
    }
    let [carol, looker] = ids;
    let holders = iam.holders_of(&arn).await.unwrap();
    assert_eq!(holders.entities, [(user("carol"), carol), (role("looker"), looker)]);
    assert_eq!(holders.groups, ["all"]);
}

/// The emulator gives pages of a hundred where AWS gives as many as it likes.
async fn every_page_is_read(iam: &Iam, client: &Client) {
    make_user(client, "dave").await;
    for n in 0..120 {
        let name = format!("p{n}");
        client.put_user_policy().user_name("dave").policy_name(name).policy_document(DOCUMENT).send().await.unwrap();
    }
    let entity = iam.look(&user("dave"), "", Look::AllInline).await.unwrap().unwrap();
    assert_eq!(entity.inline.len(), 120);
    for n in 0..12 {
        let arn = policy(client, &format!("many-{n}")).await;
        client.attach_user_policy().user_name("dave").policy_arn(arn).send().await.unwrap();
    }
    let entity = iam.look(&user("dave"), "", Look::Attached).await.unwrap().unwrap();
    assert_eq!((entity.attached.len(), entity.attachable), (12, 10), "the account's own quota has been asked for");
}

async fn played(answers: Vec<Answer>) -> (Iam, Stub) {
    let stub = Stub::start(answers).await;
    (Iam::Aws(AwsIam::with_config(&moto::config(&stub.url).await)), stub)
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!(
        r#"<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId></ErrorResponse>"#
    );
    Answer::Http(
        status,
        vec![("content-type", "text/xml"), ("x-amzn-requestid", "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE")],
        body,
    )
}

/// The codes as IAM's model has them: not `NoSuchEntityException` but `NoSuchEntity`, with these statuses.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html#API_AttachRolePolicy_Errors>
#[tokio::test]
async fn every_refusal_ends_where_it_belongs() {
    type Kind = fn(String) -> Refusal;
    let kinds: [(u16, &str, Kind); 11] = [
        (404, "NoSuchEntity", Refusal::Gone),
        (409, "ConcurrentModification", Refusal::Passing),
        (409, "EntityTemporarilyUnmodifiable", Refusal::Passing),
        (400, "Throttling", Refusal::Passing),
        (500, "ServiceFailure", Refusal::Passing),
        (409, "LimitExceeded", Refusal::Lasting),
        (400, "UnmodifiableEntity", Refusal::Lasting),
        (400, "MalformedPolicyDocument", Refusal::Lasting),
        (400, "PolicyNotAttachable", Refusal::Lasting),
        (400, "InvalidInput", Refusal::Lasting),
        (403, "AccessDenied", Refusal::Denied),
    ];
    for (status, code, kind) in kinds {
        let (iam, _stub) = played(vec![error(status, code); 3]).await;
        let changed =
            iam.change(&Change::Attach(role("reader"), "arn:aws:iam::123456789012:policy/p".to_owned())).await;
        assert_eq!(changed.result, Err(kind(format!("{code}: no"))), "{code}");
        assert_eq!(changed.request_id.as_deref(), Some("7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"), "{code}");
    }
    let (iam, _stub) = played(vec![Answer::Close; 3]).await;
    let changed = iam.change(&Change::Detach(user("bob"), "arn:aws:iam::123456789012:policy/p".to_owned())).await;
    assert!(matches!(changed.result, Err(Refusal::Passing(_))), "{changed:?}");
    assert_eq!(changed.request_id, None);
}

fn question() -> Question {
    Question {
        principal_arn: "arn:aws:iam::123456789012:role/team/reader".to_owned(),
        action: "cloudtrail:LookupEvents".to_owned(),
        resource: "*".to_owned(),
        context: vec![
            ("aws:userid", Value::Text("AROAEXAMPLE:alice".to_owned())),
            ("aws:SourceIp", Value::Address("192.0.2.7".to_owned())),
            ("aws:CurrentTime", Value::Time("2026-10-05T08:00:00Z".to_owned())),
        ],
    }
}

fn simulated(decision: &str, more: &str) -> Answer {
    let body = format!(
        r#"<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member><MatchedStatements/><EvalResourceName>*</EvalResourceName><EvalDecision>{decision}</EvalDecision><EvalActionName>cloudtrail:LookupEvents</EvalActionName>{more}</member></EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"#
    );
    Answer::Http(200, vec![("content-type", "text/xml")], body)
}

#[tokio::test]
async fn the_simulators_words() {
    let boundary = |allows: bool| {
        format!(
            "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{allows}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
        )
    };
    let organization = |allows: bool| {
        format!(
            "<OrganizationsDecisionDetail><AllowedByOrganizations>{allows}</AllowedByOrganizations></OrganizationsDecisionDetail>"
        )
    };
    let missing = "<MissingContextValues><member>aws:MultiFactorAuthPresent</member></MissingContextValues>".to_owned();
    let other = "<ResourceSpecificResults><member><EvalResourceName>*</EvalResourceName><EvalResourceDecision>explicitDeny</EvalResourceDecision></member></ResourceSpecificResults>".to_owned();
    for (decision, more, verdict) in [
        ("implicitDeny", String::new(), Verdict::ImplicitDeny),
        ("implicitDeny", organization(true) + &boundary(true), Verdict::ImplicitDeny),
        ("implicitDeny", organization(false), Verdict::DeniedByOrganization),
        ("implicitDeny", boundary(false), Verdict::DeniedByBoundary),
        ("implicitDeny", missing, Verdict::Unknown),
        ("implicitDeny", other, Verdict::ExplicitDeny),
        ("allowed", String::new(), Verdict::Allowed),
        ("explicitDeny", String::new(), Verdict::ExplicitDeny),
        ("perhaps", String::new(), Verdict::Unknown),
    ] {
        let (iam, stub) = played(vec![simulated(decision, &more)]).await;
        assert_eq!(iam.simulate(&question()).await, Ok(verdict), "{decision} {more}");
        let [asked] = &stub.requests()[..] else { panic!("asked once") };
        let asked = String::from_utf8(asked.body.clone()).unwrap();
        for part in [
            "PolicySourceArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fteam%2Freader",
            "ActionNames.member.1=cloudtrail%3ALookupEvents",
            "ResourceArns.member.1=%2A",
            "ContextEntries.member.1.ContextKeyName=aws%3Auserid",
            "ContextEntries.member.1.ContextKeyValues.member.1=AROAEXAMPLE%3Aalice",
            "ContextEntries.member.2.ContextKeyType=ip&",
            "ContextEntries.member.3.ContextKeyType=date",
        ] {
            assert!(asked.contains(part), "{part} in {asked}");
        }
    }
    let (iam, _stub) = played(vec![error(404, "NoSuchEntity")]).await;
    assert!(matches!(iam.simulate(&question()).await, Err(Refusal::Gone(_))));
}
