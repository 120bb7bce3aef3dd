//! Death between any two effects: from its n-th word to the table on, the function is as good as dead. Then another one gets
//! what the stream delivers again, or the sweep comes by, and everything is as if nothing had happened.

use access::{
    grant::GrantMode,
    reconcile::{End, State},
};
use adapters::{
    telemetry::Metric,
    vouch::{KmsVoucher, Voucher},
};

use crate::desk::{Desk, HOUR, MINUTE, alice, own_policy, reader, sdk_config};

const READ: &str = "cloudtrail:GetTrailStatus";

#[tokio::test]
async fn while_it_is_given() {
    for mode in [GrantMode::Managed, GrantMode::Exact] {
        let mut deaths = 0;
        loop {
            let desk = Desk::new(mode);
            let (case, key) = desk.approved(&alice(), READ, HOUR).await;
            desk.table().dies_after(deaths);
            let report = desk.wakes(&key).await;
            desk.table().revives();
            if report.failed_records.is_empty() {
                break;
            }
            deaths += 1;
            // Whatever it has come to, what IAM holds is remembered.
            assert!(desk.held().is_empty() || desk.active().await.unfinished.len() == 1);
            let report = if deaths % 2 == 0 { desk.wakes(&key).await } else { desk.sweeps().await };
            assert_eq!(report.count(Metric::Failed), 0);
            assert_eq!(desk.held().len(), 1, "{mode:?} {deaths}");
            assert_eq!(desk.grant(&alice(), &case).await.state, State::Given);
            assert_eq!(desk.active().await.unfinished.len(), 1);
        }
        println!("{mode:?}: {deaths} deaths");
        assert!(deaths >= 8, "{deaths}");
    }
}

#[tokio::test]
async fn while_it_is_taken_back() {
    for mode in [GrantMode::Managed, GrantMode::Exact] {
        let mut deaths = 0;
        loop {
            let mut desk = Desk::new(mode);
            let (case, key) = desk.approved(&alice(), READ, HOUR).await;
            desk.wakes(&key).await;
            desk.later(HOUR);
            desk.table().dies_after(deaths);
            let report = desk.sweeps().await;
            desk.table().revives();
            if report.count(Metric::Failed) == 0 {
                break;
            }
            deaths += 1;
            // Half a minute is the first pause after a removal.
            desk.later(5 * MINUTE);
            desk.sweeps().await;
            assert_eq!(desk.held(), [], "{mode:?} {deaths}");
            assert_eq!(desk.grant(&alice(), &case).await.state, State::Ended(End::Expired));
            assert_eq!(desk.active().await.unfinished.len(), 0);
            assert!(desk.history(&case).await.is_finished);
        }
        println!("{mode:?}: {deaths} deaths");
        assert!(deaths >= 8, "{deaths}");
    }
}

/// Nobody can say whether a decision is vouched for: nothing begins, what runs goes on, and what has to end ends.
#[tokio::test]
async fn a_key_that_is_out_of_order() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (_, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    let (_, other) = desk.approved(&reader(), READ, HOUR).await;
    let nowhere = sdk_config("http://127.0.0.1:1").await;
    desk.reconcile.voucher = Voucher::Kms(KmsVoucher::with_config("key", &nowhere));
    assert_eq!(desk.wakes(&other).await.failed_records.len(), 1, "it comes again");
    assert!(desk.sweeps().await.count(Metric::Failed) > 0);
    assert_eq!(desk.held(), [(alice(), own_policy())]);
    desk.later(HOUR);
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
}

/// Two at once: one gives, the other sees a conflict, and both come to the same end.
#[tokio::test]
async fn two_at_once() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    let (one, two) = tokio::join!(desk.wakes(&key), desk.sweeps());
    assert_eq!((one.count(Metric::Failed), two.count(Metric::Failed)), (0, 0));
    assert_eq!(desk.held().len(), 1);
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Given);
}
