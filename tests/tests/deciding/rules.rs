//! Approvers and rules that are the operator's own, broken, or not there.

use access::answer::aws::Wish;
use adapters::telemetry::Metric;
use decide::{
    answer::{Outcome, Proof},
    authority::{Authority, Source},
};
use std::sync::Arc;

use crate::desk::{Desk, approvers, rejects};

const SAANVI: Proof<'static> = Proof::Aws { arn: "arn:aws:iam::111122223333:user/saanvi" };

async fn with_rules(rules: &str) -> Desk {
    Desk::with(Authority::read(Ok(&approvers()), Ok(Some(rules)))).await
}

#[tokio::test]
async fn the_operators_own_rules_decide() {
    let desk = with_rules(r#"@id("nikki") permit (principal == Approver::"nikki", action, resource);"#).await;
    let case = desk.denied().await;
    let (response, report) = desk.click(&desk.approves(&case, "U0SAANVI")).await;
    assert_eq!(
        (response.status, report.count(Metric::InvalidRules), report.count(Metric::EscalationTries)),
        (403, 0, 0)
    );
    assert_eq!(desk.click(&desk.approves(&case, "U0NIKKI")).await.0.status, 200);
    let hash = Authority::read(Ok(&approvers()), Ok(None)).rules.hash().to_owned();
    assert_ne!(desk.decision(&case).await.unwrap().rules, hash, "the decision names the rules that allowed it");
}

/// What is compiled in holds with any set.
#[tokio::test]
async fn no_rules_allow_everything() {
    let desk = with_rules("permit (principal, action, resource);").await;
    let case = desk.denied().await;
    for user in ["U0ALICE", "U0MALLORY"] {
        let (response, report) = desk.click(&desk.approves(&case, user)).await;
        assert_eq!((response.status, report.count(Metric::EscalationTries)), (403, 1), "{user}");
    }
    assert_eq!(desk.decision(&case).await, None);
}

/// A rule that fails while it is asked: Cedar alone would leave it out, and with it the forbid.
#[tokio::test]
async fn a_rule_that_errors_allows_nothing() {
    let rules = r#"permit (principal, action, resource);
        @id("overflows") forbid (principal, action == Action::"approve", resource) when { context.durationMinutes + 9223372036854775807 > 0 };"#;
    let desk = with_rules(rules).await;
    let case = desk.denied().await;
    let (response, report) = desk.click(&desk.approves(&case, "U0SAANVI")).await;
    assert_eq!((response.status, report.count(Metric::InvalidRules)), (403, 1), "{}", response.body);
    assert_eq!(desk.decision(&case).await, None);
}

/// Broken rules let nobody approve or reject, and keep nothing alive.
#[tokio::test]
async fn broken_rules_still_let_grants_end() {
    for broken in [Ok(Some("permit (principal, action")), Ok(Some("")), Err("AccessDenied".to_owned())] {
        let mut desk = Desk::new().await;
        let case = desk.denied().await;
        desk.click(&desk.approves(&case, "U0SAANVI")).await;
        let other = desk.bob_denied().await;
        desk.door.decide.authority = Source::Read(Arc::new(Authority::read(Ok(&approvers()), broken)));
        for payload in [desk.approves(&other, "U0SAANVI"), rejects(&other, "U0SAANVI")] {
            let (response, report) = desk.click(&payload).await;
            assert_eq!((response.status, report.count(Metric::InvalidRules)), (403, 1));
        }
        assert_eq!(desk.decision(&other).await, None);
        let (reply, report) = desk.asked(&case, Wish::Revoke, SAANVI).await;
        assert_eq!((reply.unwrap().outcome, report.count(Metric::InvalidRules)), (Outcome::Revoked, 1), "loudly");
    }
}

/// Nobody knows who may answer, so nobody may; and nobody is called an attacker for it.
#[tokio::test]
async fn without_approvers_nobody_answers() {
    let dup = approvers().replace("nikki", "saanvi");
    for broken in [Err("ParameterNotFound".to_owned()), Ok(""), Ok("{}"), Ok(dup.as_str())] {
        let mut desk = Desk::new().await;
        let case = desk.denied().await;
        desk.click(&desk.approves(&case, "U0SAANVI")).await;
        let other = desk.bob_denied().await;
        desk.door.decide.authority = Source::Read(Arc::new(Authority::read(broken, Ok(None))));
        let (response, report) = desk.click(&desk.approves(&other, "U0SAANVI")).await;
        assert_eq!(
            (response.status, report.count(Metric::InvalidRules), report.count(Metric::EscalationTries)),
            (403, 1, 0)
        );
        let (reply, _) = desk.asked(&case, Wish::Revoke, SAANVI).await;
        assert_eq!(reply.unwrap().outcome, Outcome::Refused);
        assert_eq!(desk.decision(&other).await, None);
    }
}
