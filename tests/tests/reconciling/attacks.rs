//! Whoever can write to the table can give nobody anything, and keep nothing alive.

use access::{
    decision::{self, Answer},
    grant::GrantMode,
    reconcile::{self as plan, End, Permission, State},
    triage,
};
use adapters::telemetry::Metric;
use serde_json::{Value, json};

use crate::desk::{ALICE, Desk, HOUR, READER, alice, own_policy, reader, soon};

const READ: &str = "cloudtrail:GetTrailStatus";

/// Changes a document in the table.
async fn altered(desk: &Desk, key: &str, change: impl FnOnce(&mut Value)) {
    let mut body: Value = serde_json::from_str(&desk.document(key).await.unwrap()).unwrap();
    change(&mut body);
    desk.write(key, &body.to_string()).await;
}

#[tokio::test]
async fn a_decision_without_a_code_is_none() {
    let desk = Desk::new(GrantMode::Managed);
    let case = desk.denied(&alice(), READ).await;
    let decision = desk.decision(&case, Answer::Approve, HOUR);
    let key = decision::key(&case.id, 1);
    let by_hand = [
        serde_json::to_string(&decision).unwrap(),
        json!({ "record": decision, "mac": "AAAA" }).to_string(),
        json!({ "record": decision }).to_string(),
        "nonsense".to_owned(),
    ];
    for row in by_hand {
        desk.write(&key, &row).await;
        let report = desk.wakes(&key).await;
        assert_eq!((report.count(Metric::Unvouched), report.failed_records.len()), (1, 0), "{row}");
        assert_eq!(desk.held(), []);
        assert!(desk.table().all("GRANT#").is_empty(), "nothing is written on its account");
    }
}

#[tokio::test]
async fn a_decision_of_another_case_is_none() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, _) = desk.approved(&alice(), READ, HOUR).await;
    let other = desk.denied(&reader(), READ).await;
    let row = desk.document(&decision::key(&case.id, 1)).await.unwrap();
    for key in [decision::key(&other.id, 1), decision::key(&case.id, 2)] {
        desk.write(&key, &row).await;
        assert_eq!(desk.wakes(&key).await.count(Metric::Unvouched), 1);
    }
    assert_eq!(desk.held(), []);
}

/// Longer, for somebody else, or of something else: the code no longer fits.
#[tokio::test]
async fn an_altered_decision_ends_what_it_gave() {
    let changes: [fn(&mut Value); 4] = [
        |row| row["record"]["not_after"] = json!(row["record"]["not_after"].as_i64().unwrap() + HOUR),
        |row| row["record"]["target_id"] = json!("AIDAJ45Q7YFFOTHEREXAMPLE"),
        |row| row["record"]["remedy"] = json!("0".repeat(64)),
        |row| row["mac"] = json!(""),
    ];
    for change in changes {
        let desk = Desk::new(GrantMode::Managed);
        let (_, key) = desk.approved(&alice(), READ, HOUR).await;
        desk.wakes(&key).await;
        assert_eq!(desk.held().len(), 1);
        altered(&desk, &key, change).await;
        desk.sweeps().await;
        assert_eq!(desk.held(), []);
    }
}

/// Real, and long over.
#[tokio::test]
async fn a_restored_decision_gives_nothing_again() {
    let mut desk = Desk::new(GrantMode::Managed);
    let (_, key) = desk.approved(&alice(), READ, HOUR).await;
    let row = desk.document(&key).await.unwrap();
    desk.wakes(&key).await;
    desk.later(2 * HOUR);
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
    desk.write(&plan::key(ALICE), r#"{"grants":[]}"#).await;
    desk.write(&key, &row).await;
    desk.wakes(&key).await;
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
}

/// What is remembered says longer, or something else: what was decided counts.
#[tokio::test]
async fn an_altered_note_gives_nothing_and_keeps_nothing() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    desk.wakes(&key).await;
    altered(&desk, &plan::key(ALICE), |file| file["grants"][0]["not_after"] = json!(i64::MAX)).await;
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
    let grant = desk.grant(&alice(), &case).await;
    assert!(grant.is_over(), "{grant:?}");

    let desk = Desk::new(GrantMode::Managed);
    let (_, key) = desk.approved(&alice(), READ, HOUR).await;
    let other = "arn:aws:iam::111122223333:policy/administrators-own";
    desk.change(&alice(), |entity| {
        entity.attached.insert(other.into());
    });
    desk.wakes(&key).await;
    let permission = serde_json::to_value(Permission::Attached { policy_arn: other.into() }).unwrap();
    altered(&desk, &plan::key(ALICE), |file| file["grants"][0]["permission"] = permission).await;
    desk.sweeps().await;
    let attached: Vec<String> = desk.entity(&alice()).attached.into_iter().collect();
    assert_eq!(attached, [other], "an administrator's own is not taken away, and ours is");
}

/// Approved was one thing, and the case now says another.
#[tokio::test]
async fn a_swapped_case_gives_nothing() {
    let desk = Desk::new(GrantMode::Exact);
    let (case, key) = desk.approved(&alice(), READ, HOUR).await;
    let other = desk.denied(&alice(), "cloudtrail:LookupEvents").await;
    let of_other = desk.document(&triage::case_key(&other.id)).await.unwrap();
    desk.write(&triage::case_key(&case.id), &of_other).await;
    desk.wakes(&key).await;
    assert_eq!(desk.held(), []);
    // The record alone, under the right id.
    let record: Value = serde_json::from_str(&of_other).unwrap();
    altered(&desk, &triage::case_key(&case.id), |body| {
        body["id"] = json!(case.id);
        body["record"] = record["record"].clone();
    })
    .await;
    desk.wakes(&key).await;
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
}

/// Neither list is needed to find who holds what.
#[tokio::test]
async fn an_emptied_list_hides_nothing() {
    for wipes_file in [false, true] {
        let mut desk = Desk::new(GrantMode::Managed);
        let (_, key) = desk.approved(&alice(), READ, HOUR).await;
        desk.wakes(&key).await;
        desk.write("GRANT#active", r#"{"unfinished":[]}"#).await;
        if wipes_file {
            desk.write(&plan::key(ALICE), "not even JSON").await;
        }
        desk.later(3 * HOUR);
        let report = desk.sweeps().await;
        assert_eq!(desk.held(), [], "{report:?}");
        assert_eq!(report.count(Metric::Orphans), u64::from(wipes_file));
    }
}

/// Somebody attached our policy by hand, for ever.
#[tokio::test]
async fn what_nobody_decided_is_taken_away() {
    let desk = Desk::new(GrantMode::Managed);
    desk.change(&reader(), |entity| {
        entity.attached.insert(own_policy());
        entity.attached.insert("arn:aws:iam::aws:policy/ReadOnlyAccess".into());
    });
    // A stack of the same account may have given it, and knows why: one machine leaves it there, and says so.
    let report = desk.sweeps_beside_others().await;
    assert_eq!((report.count(Metric::Orphans), desk.entity(&reader()).attached.len()), (1, 2));
    let report = desk.sweeps().await;
    assert_eq!((report.count(Metric::Orphans), desk.held()), (1, vec![]));
    assert_eq!(desk.entity(&reader()).attached.len(), 1);
}

/// One that can't be read fails no other.
#[tokio::test]
async fn poison_in_the_stream() {
    let desk = Desk::new(GrantMode::Managed);
    let (_, key) = desk.approved(&alice(), READ, HOUR).await;
    let poison = decision::key("2gd4tjkox2q74mauvvu6", 1);
    desk.write(&poison, "{").await;
    let keys = [None, Some("DECISION#"), Some(poison.as_str()), Some("CASE#x"), Some("DECISION#hour#1"), Some(&key)];
    let report = desk.reconcile.decided(&keys, soon()).await;
    assert_eq!((report.failed_records.len(), report.count(Metric::Given)), (0, 1), "{report:?}");
    desk.write("GRANT#active", "[").await;
    desk.write(&format!("DECISION#hour#{}", desk.now() / 3600), "7").await;
    assert_eq!(desk.sweeps().await.count(Metric::Failed), 0);
    assert_eq!(desk.held().len(), 1);
}

/// A real decision, listed or remembered under somebody else: it gives where it says, and takes what was put elsewhere.
#[tokio::test]
async fn a_note_under_another_holder() {
    let desk = Desk::new(GrantMode::Managed);
    let (case, _) = desk.approved(&alice(), READ, HOUR).await;
    let entry = json!({ "case_id": case.id, "opening": 1, "holder_id": READER });
    desk.write("GRANT#active", &json!({ "unfinished": [entry] }).to_string()).await;
    desk.sweeps().await;
    assert_eq!(desk.held(), [(alice(), own_policy())]);
    assert_eq!(desk.grant(&alice(), &case).await.state, State::Given);
    let copied = desk.document(&plan::key(ALICE)).await.unwrap();
    let copied = copied.replace(ALICE, READER).replace(r#"{"user":"alice"}"#, r#"{"role":"reader"}"#);
    desk.write(&plan::key(READER), &copied).await;
    desk.change(&reader(), |entity| {
        entity.attached.insert(own_policy());
    });
    desk.sweeps().await;
    assert_eq!(desk.held(), [(alice(), own_policy())], "the other one's is taken away");
    let (history, active) = (desk.history(&case).await, desk.active().await.unfinished);
    assert_eq!(history.told.terminal.as_deref(), Some("given"), "and nobody hears that it has ended");
    assert_eq!(active.into_iter().filter_map(|entry| entry.holder_id).collect::<Vec<_>>(), [ALICE]);
}

/// Whoever fills the list of what is unfinished costs us reads, and no change.
#[tokio::test]
async fn invented_work_changes_nothing() {
    let desk = Desk::new(GrantMode::Managed);
    let entries: Vec<Value> =
        (0..50).map(|n| json!({ "case_id": format!("invented{n}"), "opening": 1, "holder_id": ALICE })).collect();
    desk.write("GRANT#active", &json!({ "unfinished": entries }).to_string()).await;
    let report = desk.sweeps().await;
    assert_eq!((report.count(Metric::Failed), desk.held()), (0, vec![]));
    assert_eq!(desk.active().await.unfinished.len(), 0, "and once only");
    let grant = json!({
        "case_id": "invented", "opening": 1, "holder": { "user": "alice" }, "holder_id": ALICE, "not_after": i64::MAX,
        "permission": { "attached": { "policy_arn": own_policy() } }, "decided_at": 0, "state": "giving", "failures": 0, "retry_at": 0,
    });
    desk.write(&plan::key(ALICE), &json!({ "grants": [grant] }).to_string()).await;
    let entries = json!({ "unfinished": [{ "case_id": "invented", "opening": 1, "holder_id": ALICE }] });
    desk.write("GRANT#active", &entries.to_string()).await;
    desk.sweeps().await;
    assert_eq!(desk.held(), []);
    let ends: Vec<State> = desk.file(&alice()).await.grants.into_iter().map(|grant| grant.state).collect();
    assert!(
        ends.iter().all(|state| matches!(
            state,
            State::Taking(End::NotEntitled(_)) | State::Taken(End::NotEntitled(_)) | State::Ended(End::NotEntitled(_))
        )),
        "{ends:?}"
    );
}
