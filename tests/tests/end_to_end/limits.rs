//! Where a grant meets what is there already: another grant, a full quota, a protected role, its own end.
//!
//! The emulator keeps IAM's quotas and attachments; what is decided and given is as deployed.

use std::{collections::BTreeSet, time::Duration};

use access::{
    case::Case,
    decision::Answer,
    grant::{GrantMode, OWN_POLICIES},
};
use serde_json::{Value, json};
use tests::local::{aws::element, denials::NO_POLICY, moto::Moto, place::NOTICES};

use crate::{
    USUAL,
    grants::{Stack, Who, now},
};

impl Stack {
    /// A second call of the same user or role is refused: another case.
    async fn denied_again(&self, first: &Case, operation: &str) -> Case {
        let mut event = tests::local::denials::denial("x", operation).because(NO_POLICY).event();
        event["detail"]["userIdentity"] = serde_json::to_value(&first.record).unwrap()["userIdentity"].clone();
        let arn = event["detail"]["userIdentity"]["arn"].as_str().unwrap().to_owned();
        let sentence = event["detail"]["errorMessage"].as_str().unwrap().to_owned();
        let (_, rest) = sentence.split_once(" is not authorized").unwrap();
        event["detail"]["errorMessage"] = format!("User: {arn} is not authorized{rest}").into();
        self.place.deliver(&[event.to_string()], USUAL).await;
        let cases = self.place.cases().await;
        let other = cases.into_iter().find(|case| case["id"] != json!(first.id)).expect("a second case");
        serde_json::from_value(other).unwrap()
    }

    async fn approved(&mut self, case: &Case) {
        let key = self.decided(&self.decision(case, Answer::Approve, 3000)).await;
        assert_eq!(self.streams(&[&key]).await, Some(vec![]));
    }

    async fn ends(&self) -> BTreeSet<String> {
        self.grants().await.iter().map(|grant| grant["state"].to_string()).collect()
    }
}

#[tokio::test]
async fn two_grants_share_one_attachment_and_the_last_end_detaches() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "overlap", GrantMode::Managed).await;
    let first = stack.denied(Who::Role).await;
    let second = stack.denied_again(&first, "GetEventSelectors").await;
    stack.approved(&first).await;
    stack.approved(&second).await;
    assert_eq!(stack.held(Who::Role).await.0.len(), 1, "one policy allows both");
    let changes = |stack: &Stack| -> Vec<String> {
        stack.audit().iter().filter_map(|line| Some(line.get("change")?.as_str()?.to_owned())).collect()
    };
    // To attach what is attached changes nothing, and makes sure of it whatever ends beside it.
    assert_eq!(changes(&stack), ["AttachRolePolicy"; 2]);

    stack.revoked(&first).await;
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::Role).await.0.len(), 1, "the other one still needs it");
    stack.revoked(&second).await;
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::Role).await.0.len(), 0);
    assert_eq!(changes(&stack)[2..], ["DetachRolePolicy"]);
}

#[tokio::test]
async fn a_full_quota_is_said_and_nothing_is_given() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "full", GrantMode::Managed).await;
    let case = stack.denied(Who::User).await;
    let user = stack.holder(Who::User);
    let document = OWN_POLICIES[0].document().to_json();
    for n in 0..10 {
        let name = format!("own-{n}");
        let made =
            stack.place.aws.query("iam", "CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", &document)]).await;
        let arn = element(&made, "Arn").unwrap();
        stack.place.aws.query("iam", "AttachUserPolicy", &[("UserName", &user), ("PolicyArn", &arn)]).await;
    }
    stack.approved(&case).await;
    let (ours, others) = stack.held(Who::User).await;
    assert_eq!((ours.len(), others.len()), (0, 10));
    let text = stack.place.slack.channel(NOTICES)[0].text();
    assert!(text.contains("IAM will not have it") && text.contains("10"), "{text}");
    assert!(
        stack.grants().await.iter().all(|grant| grant["state"]["ended"]["refused"].is_string()),
        "{:?}",
        stack.grants().await
    );
}

#[tokio::test]
async fn a_role_that_came_to_be_protected_is_given_nothing_and_loses_what_it_has() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "guarded", GrantMode::Exact).await;
    let first = stack.denied(Who::Role).await;
    stack.approved(&first).await;
    assert_eq!(stack.held(Who::Role).await.0.len(), 1);
    let protected = json!({ "protected": { "names": ["*-READER"] } }).to_string();
    let second = stack.denied_again(&first, "GetEventSelectors").await;
    stack.place.set("TRAILPASS_GUARDRAILS", &protected);
    stack.function = Stack::started(&stack.place).await;
    stack.approved(&second).await;
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::Role).await.0, Vec::<String>::new());
    let ends = stack.ends().await;
    assert!(ends.iter().all(|end| end.contains("protected") || end.contains("not-offered")), "{ends:?}");
    let changes: Vec<Value> = stack.audit().iter().filter_map(|line| line.get("change").cloned()).collect();
    // All that the function did since the guardrails are others.
    assert_eq!(changes, ["DeleteRolePolicy"]);
}

#[tokio::test]
async fn an_inline_policy_is_swept_after_its_end() {
    let moto = Moto::start();
    let mut stack = Stack::at(&moto, "inline-over", GrantMode::Exact).await;
    let case = stack.denied(Who::Role).await;
    let decision = stack.decision(&case, Answer::Approve, 15);
    let key = stack.decided(&decision).await;
    stack.streams(&[&key]).await.unwrap();
    let (held, _) = stack.held(Who::Role).await;
    let name = &held[0];
    let fields = [("RoleName", stack.holder(Who::Role)), ("PolicyName", name.clone())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
    let written = stack.place.aws.query("iam", "GetRolePolicy", &fields).await;
    let end = jiff::Timestamp::from_second(decision.not_after).unwrap().to_string().replace(':', "%3A");
    assert!(written.contains("DateLessThan") && written.contains(&end), "IAM itself ends it: {written}");
    while now() < decision.not_after {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(stack.sweeps().await);
    assert_eq!(stack.held(Who::Role).await.0, Vec::<String>::new());
    assert_eq!(stack.ends().await, BTreeSet::from([r#"{"ended":"expired"}"#.to_owned()]));
}
