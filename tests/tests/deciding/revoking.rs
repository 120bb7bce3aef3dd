//! Ending a grant early: by any approver, once, and not to be kept from it by whoever can write to the table.

use access::{
    answer::aws::Wish,
    case::Case,
    decision::{self, Revocation, Vouched},
};
use adapters::telemetry::Metric;
use decide::answer::{Outcome, Proof, Reply};
use serde_json::json;

use crate::desk::{Desk, HOUR, rejects};

const SAANVI: Proof<'static> = Proof::Aws { arn: "arn:aws:iam::111122223333:user/saanvi" };
const NIKKI: Proof<'static> = Proof::Aws { arn: "arn:aws:iam::111122223333:user/nikki" };

async fn revokes(desk: &Desk, case: &Case, proof: Proof<'_>) -> Reply {
    desk.asked(case, Wish::Revoke, proof).await.0.unwrap()
}

/// The revocation, with the right code and in its hour's list.
async fn revocation(desk: &Desk, case: &Case) -> Revocation {
    let key = decision::revocation_key(&case.id, case.opening);
    let row: Vouched<Revocation> = serde_json::from_str(&desk.document(&key).await.unwrap()).unwrap();
    assert_eq!(desk.door.decide.voucher.verify(&row.record.message(), &row.mac).await, Ok(true));
    desk.assert_listed(&key, row.record.revoked_at).await;
    row.record
}

async fn approved() -> (Desk, Case) {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0SAANVI")).await;
    (desk, case)
}

#[tokio::test]
async fn any_approver_ends_a_grant_once() {
    let (desk, case) = approved().await;
    let alice = Proof::Aws { arn: "arn:aws:iam::111122223333:user/alice" };
    assert_eq!(revokes(&desk, &case, alice).await.outcome, Outcome::Revoked);
    let first = revocation(&desk, &case).await;
    let reply = revokes(&desk, &case, NIKKI).await;
    assert_eq!((reply.outcome, reply.by.as_deref()), (Outcome::Already, Some("alice")));
    assert_eq!(revocation(&desk, &case).await, first);
}

#[tokio::test]
async fn two_at_once_end_it_once() {
    let (desk, case) = approved().await;
    let (one, two) = tokio::join!(revokes(&desk, &case, SAANVI), revokes(&desk, &case, NIKKI));
    let mut outcomes = [one.outcome, two.outcome].map(|outcome| format!("{outcome:?}"));
    outcomes.sort();
    assert_eq!(outcomes, ["Already", "Revoked"]);
    revocation(&desk, &case).await;
}

#[tokio::test]
async fn there_has_to_be_something_to_end() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    assert_eq!(revokes(&desk, &case, SAANVI).await.outcome, Outcome::Refused);
    desk.click(&rejects(&case, "U0SAANVI")).await;
    assert_eq!(revokes(&desk, &case, SAANVI).await.outcome, Outcome::Refused);
    let (reply, report) =
        desk.asked(&case, Wish::Revoke, Proof::Aws { arn: "arn:aws:iam::111122223333:user/mallory" }).await;
    assert_eq!((reply.unwrap().outcome, report.count(Metric::EscalationTries)), (Outcome::Refused, 1));
    assert_eq!(desk.document(&decision::revocation_key(&case.id, 1)).await, None);
}

/// The case was opened anew since, or is gone: the grant of the old one still ends.
#[tokio::test]
async fn whatever_has_become_of_the_case() {
    let (mut desk, case) = approved().await;
    desk.later(25 * HOUR);
    let newer = Case { opening: 2, ..case.clone() };
    desk.write(&access::triage::case_key(&case.id), &serde_json::to_string(&newer).unwrap()).await;
    assert_eq!(revokes(&desk, &case, SAANVI).await.outcome, Outcome::Revoked);
    let (desk, case) = approved().await;
    desk.write(&access::triage::case_key(&case.id), "{").await;
    assert_eq!(revokes(&desk, &case, SAANVI).await.outcome, Outcome::Revoked);
}

/// Somebody writes into the revocation's place, so that no real one could be written.
#[tokio::test]
async fn a_forged_revocation_does_not_keep_a_grant_alive() {
    let forged = |case: &Case| {
        let by = json!({ "approver": "nikki", "channel": "aws", "identity": "x" });
        let record = json!({ "case_id": case.id, "opening": case.opening, "by": by, "revoked_at": 0 });
        json!({ "record": record, "mac": "0".repeat(64) }).to_string()
    };
    for text in [None, Some("{"), Some("null")] {
        let (desk, case) = approved().await;
        let row = text.map_or_else(|| forged(&case), str::to_owned);
        desk.write(&decision::revocation_key(&case.id, case.opening), &row).await;
        assert_eq!(revokes(&desk, &case, SAANVI).await.outcome, Outcome::Revoked, "{row}");
        assert_eq!(revocation(&desk, &case).await.by.approver, "saanvi");
    }
}
