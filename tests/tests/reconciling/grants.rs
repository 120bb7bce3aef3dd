//! Grants over their whole life, and what is left alone.

use std::sync::atomic::Ordering;

use access::{
    decision::{self, Answer},
    grant::GrantMode,
    guardrails::Guardrails,
    reconcile::{self as plan, End, Holder, Reason, SETTLES, State},
};
use adapters::telemetry::Metric;

use crate::desk::{ALICE, Desk, HOUR, MINUTE, READER, alice, entity, own_policy, reader};

const READ: &str = "cloudtrail:GetTrailStatus";

#[tokio::test]
async fn an_attached_policy_comes_and_goes() {
    for holder in [alice(), reader()] {
        let mut desk = Desk::new(GrantMode::Managed);
        desk.change(&holder, |entity| {
            entity.attached.insert("arn:aws:iam::aws:policy/ReadOnlyAccess".into());
        });
        let (case, key) = desk.approved(&holder, READ, HOUR).await;
        let report = desk.wakes(&key).await;
        assert_eq!((report.count(Metric::Given), report.failed_records.len()), (1, 0), "{report:?}");
        assert_eq!(desk.held(), [(holder.clone(), own_policy())]);
        assert_eq!(desk.grant(&holder, &case).await.state, State::Given);
        assert_eq!(desk.active().await.unfinished.len(), 1);
        assert_eq!(desk.history(&case).await.told.terminal.as_deref(), Some("given"));

        // The stream delivers again, and the sweep comes by: nothing is left to do.
        let commits = desk.table().commits.load(Ordering::Relaxed);
        desk.wakes(&key).await;
        desk.sweeps().await;
        assert_eq!(desk.table().commits.load(Ordering::Relaxed), commits);

        desk.later(HOUR);
        let report = desk.sweeps().await;
        assert_eq!((report.count(Metric::Ended), report.count(Metric::Failed)), (1, 0), "{report:?}");
        assert_eq!(desk.held(), []);
        assert_eq!(desk.grant(&holder, &case).await.state, State::Ended(End::Expired));
        assert_eq!(desk.active().await.unfinished.len(), 0);
        let history = desk.history(&case).await;
        assert!(history.is_finished && history.told.terminal.unwrap().starts_with("ended"));
        let changes: Vec<_> = history.entries.iter().filter_map(|entry| entry.change.as_deref()).collect();
        let (attach, detach) = match holder {
            Holder::User(_) => ("AttachUserPolicy", "DetachUserPolicy"),
            Holder::Role(_) => ("AttachRolePolicy", "DetachRolePolicy"),
        };
        assert_eq!(changes, [attach, detach]);
        assert!(history.entries.iter().all(|entry| entry.approver.as_deref() == Some("saanvi")));
        let own: Vec<_> = desk.entity(&holder).attached.into_iter().collect();
        assert_eq!(own, ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "an administrator's own is left alone");
    }
}

#[tokio::test]
async fn an_inline_policy_ends_by_itself_and_is_swept() {
    let mut desk = Desk::new(GrantMode::Exact);
    let (case, key) = desk.approved(&reader(), READ, HOUR).await;
    desk.wakes(&key).await;
    let name = plan::inline_name(&case.id, 1);
    let document = &desk.entity(&reader()).inline[&name];
    assert!(document.contains("DateLessThan") && document.contains(&format!("{READER}:alice")), "{document}");
    desk.later(HOUR);
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
    assert_eq!(desk.grant(&reader(), &case).await.state, State::Ended(End::Expired));
}

#[tokio::test]
async fn a_revocation_ends_it_at_once() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    let key = desk.revoke(&case).await;
    assert_eq!(desk.wakes(&key).await.count(Metric::Ended), 1);
    assert_eq!(desk.held(), []);
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Ended(End::Revoked));
}

#[tokio::test]
async fn the_last_of_two_takes_it_away() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (first, one) = desk.approved(&alice(), READ, HOUR).await;
    let (second, two) = desk.approved(&alice(), "cloudtrail:GetTrail", 4 * HOUR).await;
    desk.wakes(&one).await;
    desk.wakes(&two).await;
    assert_eq!(desk.held().len(), 1, "both share one attachment");
    desk.later(2 * HOUR);
    desk.sweeps().await;
    assert_eq!(desk.grant(&alice(), &first).await.state, State::Ended(End::Expired));
    assert_eq!(desk.held().len(), 1);
    desk.later(2 * HOUR);
    desk.sweeps().await;
    assert_eq!(desk.grant(&alice(), &second).await.state, State::Ended(End::Expired));
    assert_eq!(desk.held(), []);
}

#[tokio::test]
async fn a_rejection_is_told_and_gives_nothing() {
    let desk = Desk::new(GrantMode::Managed);
    let case = desk.denied(&alice(), READ).await;
    let key = desk.store(&desk.decision(&case, Answer::Reject, HOUR)).await;
    desk.wakes(&key).await;
    assert_eq!((desk.held(), desk.file(&alice()).await.grants.len()), (vec![], 0));
    let history = desk.history(&case).await;
    assert_eq!((history.told.terminal.as_deref(), history.is_finished), (Some("rejected"), true));
}

/// The stream lost it: the sweep finds it in the hour's list.
#[tokio::test]
async fn a_decision_that_nobody_woke_us_for() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, _) = desk.approved(&alice(), READ, HOUR).await;
    desk.sweeps().await;
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Given);
    assert_eq!(desk.held().len(), 1);
}

/// Too late to be given at all, but not to be said.
#[tokio::test]
async fn a_decision_that_lay_too_long_lapses() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.later(20 * MINUTE);
    desk.wakes(&key).await;
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Ended(End::Lapsed));
    assert_eq!(desk.held(), []);
    assert!(desk.history(&case).await.is_finished);
}

#[tokio::test]
async fn a_full_quota_is_seen_before_it_is_tried() {
    let desk = Desk::new(GrantMode::Managed);
    desk.change(&alice(), |entity| {
        entity.attached = (0..10).map(|n| format!("arn:aws:iam::aws:policy/p{n}")).collect()
    });
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    let grant = desk.grant(&alice(), &case).await;
    assert!(matches!(grant.end(), Some(End::Refused(_))), "{grant:?}");
    assert_eq!((desk.held(), desk.entity(&alice()).attached.len()), (vec![], 10));
}

#[tokio::test]
async fn who_is_protected_is_given_nothing() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    // The record does not tell where the user has been moved to since; IAM does.
    desk.reconcile.setting.guardrails = Guardrails::from_json(r#"{"protected":{"paths":["/break-glass/"]}}"#).unwrap();
    desk.change(&alice(), |entity| entity.path = "/break-glass/".into());
    desk.wakes(&key).await;
    let state = desk.grant(&alice(), &case).await.state;
    assert_eq!((state, desk.held()), (State::Ended(End::NotEntitled(Reason::Protected)), vec![]));
}

#[tokio::test]
async fn an_inline_policy_wants_the_operators_boundary() {
    for (boundary, is_given) in [(None, false), (Some("arn:aws:iam::111122223333:policy/ceiling".to_owned()), true)] {
        let mut desk = Desk::new(GrantMode::Exact);
        desk.reconcile.limits.boundary = Some("arn:aws:iam::111122223333:policy/ceiling".into());
        desk.change(&alice(), |entity| entity.boundary.clone_from(&boundary));
        let (_, key) = desk.approved(&alice(), READ, HOUR).await;
        desk.wakes(&key).await;
        assert_eq!(desk.held().len(), usize::from(is_given), "{boundary:?}");
    }
}

/// Another user bears the name: it is given nothing, and nothing of it is touched.
#[tokio::test]
async fn a_name_that_was_made_anew() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.iam().set(alice(), Some(entity("AIDAJ45Q7YFFOTHEREXAMPLE")));
    desk.wakes(&key).await;
    assert_eq!(desk.held(), []);
    desk.later(20 * MINUTE);
    desk.sweeps().await;
    desk.later(SETTLES);
    desk.sweeps().await;
    let grant = desk.grant(&alice(), &case).await;
    assert_eq!((grant.state, desk.held()), (State::Ended(End::HolderGone), vec![]));
}

#[tokio::test]
async fn what_is_removed_by_hand_is_said_and_not_undone() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    desk.change(&alice(), |entity| entity.attached.clear());
    desk.sweeps().await;
    desk.later(SETTLES);
    desk.sweeps().await;
    desk.later(SETTLES);
    desk.sweeps().await;
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Ended(End::RemovedByHand));
    assert_eq!(desk.held(), []);
}

/// Nothing but the lists is read, however many cases there are.
#[tokio::test]
async fn an_idle_sweep_costs_the_same_whatever_there_was() {
    let mut desk = Desk::new(GrantMode::Managed);
    let mut reads = Vec::new();
    for count in [0, 20] {
        for n in 0..count {
            let (_, key) = desk.approved(&alice(), ["cloudtrail:GetTrail", READ][n % 2], 15 * MINUTE).await;
            desk.wakes(&key).await;
        }
        desk.later(4 * HOUR);
        desk.sweeps().await;
        let before = desk.table().reads.load(Ordering::Relaxed);
        let commits = desk.table().commits.load(Ordering::Relaxed);
        desk.sweeps().await;
        assert_eq!(desk.table().commits.load(Ordering::Relaxed), commits);
        reads.push(desk.table().reads.load(Ordering::Relaxed) - before);
    }
    println!("an idle sweep: {} reads of the table", reads[1]);
    assert_eq!(reads[0], reads[1]);
    assert!(reads[1] <= 2, "{reads:?}");
}

#[tokio::test]
async fn a_mode_that_is_switched_off_takes_back_what_was_given() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    desk.reconcile.setting.mode = GrantMode::None;
    desk.sweeps().await;
    let state = desk.grant(&alice(), &case).await.state;
    assert_eq!((state, desk.held()), (State::Ended(End::NotEntitled(Reason::Mode)), vec![]));
    assert_eq!(desk.file(&alice()).await.grants[0].holder_id, ALICE);
    assert!(decision::key(&case.id, 1).starts_with("DECISION#"));
}

#[tokio::test]
async fn a_stack_that_only_ends_finds_what_the_table_has_forgotten() {
    for mode in [GrantMode::Managed, GrantMode::Exact] {
        let mut desk = Desk::new(mode);
        let (_, key) = desk.approved(&alice(), READ, HOUR).await;
        desk.wakes(&key).await;
        assert_eq!(desk.held().len(), 1, "{mode:?}");
        desk.write(&access::reconcile::key(ALICE), "{}").await;
        desk.reconcile.setting.mode = GrantMode::None;
        desk.sweeps().await;
        assert_eq!(desk.held(), vec![], "{mode:?}");
    }
}
