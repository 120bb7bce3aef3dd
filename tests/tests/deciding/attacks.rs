//! Whoever would give themselves, or an accomplice, what they must not have: refused, counted, and written down.

use access::{answer::aws::Wish, case::Case};
use adapters::telemetry::Metric;
use decide::{
    answer::{Outcome, Proof, Reply},
    authority::Authority,
    handle::Report,
};
use serde_json::{Value, json};
use tests::sample::{HERE, THERE, TRAIL, lacking, role, session, sso, user, user_of};

use crate::desk::{Desk, HOUR, READ, approvers, approves, rejects};

/// An approval that the desk refuses: what the person is told.
async fn refused(desk: &Desk, case: &Case, proof: Proof<'_>) -> (String, Report) {
    let (reply, report) = desk.asked(case, desk.approval(case), proof).await;
    let Reply { outcome, because, .. } = reply.unwrap();
    assert_eq!(outcome, Outcome::Refused, "{because:?}");
    assert_eq!(desk.decision(case).await, None);
    (because.unwrap(), report)
}

fn arn(rest: &str) -> String {
    format!("arn:aws:iam::{HERE}:{rest}")
}

#[tokio::test]
async fn nobody_approves_what_was_refused_to_themselves() {
    let desk = Desk::new().await;
    // The user, by either way.
    let case = desk.denied().await;
    let (response, report) = desk.click(&desk.approves(&case, "U0ALICE")).await;
    assert_eq!((response.status, report.count(Metric::EscalationTries)), (403, 1));
    assert!(response.body.contains("nobody approves what was refused to themselves"), "{}", response.body);
    let (why, report) = refused(&desk, &case, Proof::Aws { arn: &arn("user/alice") }).await;
    assert!(why.contains("own-denial") && report.count(Metric::EscalationTries) == 1, "{why}");
    let entries = desk.history(&case).await.entries;
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|entry| entry.approver.as_deref() == Some("alice") && entry.answer.as_deref() == Some("approve"))
    );

    // The role, whoever had assumed it, and answered as whom.
    let case = desk.opened(&lacking(role("reader"), READ, TRAIL)).await;
    let same = format!("arn:aws:sts::{HERE}:assumed-role/reader/alice");
    let other = format!("arn:aws:sts::{HERE}:assumed-role/reader/somebody-else");
    for arn in [same.as_str(), other.as_str(), &arn("user/riley")] {
        let (_, report) = refused(&desk, &case, Proof::Aws { arn }).await;
        assert_eq!(report.count(Metric::EscalationTries), 1, "{arn}");
    }
    // A user who is no approver's identity doesn't stand in the way of another approver.
    let (reply, _) = desk.asked(&case, desk.approval(&case), Proof::Aws { arn: &arn("user/saanvi") }).await;
    assert_eq!(reply.unwrap().outcome, Outcome::Approved);
}

#[tokio::test]
async fn who_is_not_listed_answers_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    for payload in [desk.approves(&case, "U0MALLORY"), rejects(&case, "U0MALLORY")] {
        let (response, report) = desk.click(&payload).await;
        assert_eq!(
            (response.status, report.count(Metric::Refused), report.count(Metric::EscalationTries)),
            (403, 1, 1)
        );
    }
    for arn in [
        arn("user/mallory"),
        arn("root"),
        // By a name that an approver has elsewhere: in another account, under another path, as a role.
        format!("arn:aws:iam::{THERE}:user/saanvi"),
        format!("arn:aws-cn:iam::{HERE}:user/saanvi"),
        arn("user/temporary/saanvi"),
        arn("role/saanvi"),
        format!("arn:aws:sts::{HERE}:assumed-role/saanvi/saanvi"),
        format!("arn:aws:sts::{HERE}:federated-user/saanvi"),
    ] {
        for wish in [desk.approval(&case), Wish::Reject, Wish::Revoke] {
            let (reply, report) = desk.asked(&case, wish, Proof::Aws { arn: &arn }).await;
            assert_eq!((reply.unwrap().outcome, report.count(Metric::EscalationTries)), (Outcome::Refused, 1), "{arn}");
        }
    }
    assert_eq!(desk.decision(&case).await, None);
}

/// However often they click, they neither fill the table nor push out what an approver's answer left there.
#[tokio::test]
async fn strangers_do_not_fill_the_table() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    desk.click(&desk.approves(&case, "U0ALICE")).await;
    for n in 0..100 {
        let arn = format!("arn:aws:sts::{HERE}:assumed-role/anybody/{n}");
        desk.asked(&case, desk.approval(&case), Proof::Aws { arn: &arn }).await.0.unwrap();
        desk.click(&rejects(&case, &format!("U0{n}"))).await;
    }
    let entries = desk.history(&case).await.entries;
    assert_eq!(entries.len(), 9);
    assert_eq!(entries[0].approver.as_deref(), Some("alice"));
    // An approver's own are bounded, too.
    for _ in 0..100 {
        desk.click(&desk.approves(&case, "U0ALICE")).await;
    }
    assert_eq!(desk.history(&case).await.entries.len(), 64);
    assert_eq!(desk.written().len(), 1, "one document");
}

/// Nobody has something written for cases and openings that they make up.
#[tokio::test]
async fn what_is_made_up_leaves_nothing() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    for n in 2..20 {
        let invented = Case { opening: n, ..case.clone() };
        for user in ["U0ALICE", "U0MALLORY"] {
            desk.click(&approves(&invented, user, &desk.offer(&case))).await;
        }
        for arn in [arn("user/saanvi"), arn("user/mallory")] {
            for wish in [desk.approval(&case), Wish::Reject, Wish::Revoke] {
                desk.asked(&invented, wish, Proof::Aws { arn: &arn }).await.0.unwrap();
            }
        }
        let invented =
            Case { id: format!("2gd4tjkox2q74mauvv{}", ["aa", "bb"][usize::try_from(n % 2).unwrap()]), ..case.clone() };
        desk.click(&approves(&invented, "U0SAANVI", &desk.offer(&case))).await;
        desk.asked(&invented, Wish::Revoke, Proof::Aws { arn: &arn("user/mallory") }).await.0.unwrap();
    }
    assert_eq!(desk.written(), Vec::<String>::new());
}

/// Somebody of another workspace, in a channel that is shared with it: even under an approver's own id.
#[tokio::test]
async fn a_stranger_by_slack_connect() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let mut payload = desk.approves(&case, "U0SAANVI");
    payload["user"]["team_id"] = json!("T0OTHERS");
    let (response, report) = desk.click(&payload).await;
    assert_eq!((response.status, report.count(Metric::EscalationTries)), (403, 1));
    for (pointer, value) in [
        ("/team/id", "T0OTHERS"),
        ("/api_app_id", "A0OTHER"),
        ("/container/channel_id", "C0ELSE"),
        ("/container/message_ts", "1548261231.000201"),
    ] {
        let mut payload = desk.approves(&case, "U0SAANVI");
        *payload.pointer_mut(pointer).unwrap() = json!(value);
        // Slack names channel and message twice.
        payload["channel"]["id"] = payload["container"]["channel_id"].clone();
        payload["message"]["ts"] = payload["container"]["message_ts"].clone();
        let (response, report) = desk.click(&payload).await;
        assert_eq!((response.status, report.count(Metric::Refused)), (403, 1), "{pointer}");
    }
    assert_eq!(desk.written(), Vec::<String>::new(), "and nothing is kept of them");
}

#[tokio::test]
async fn what_was_not_shown_is_not_given() {
    let desk = Desk::new().await;
    let case = desk.denied().await;
    let right = desk.offer(&case);
    let other = desk.opened(&lacking(user("bob"), "cloudtrail:LookupEvents", "")).await;
    let altered = format!("{}{}", if right.starts_with('0') { '1' } else { '0' }, &right[1..]);
    for hash in [altered, desk.offer(&other), "0".repeat(64)] {
        let (response, report) = desk.click(&approves(&case, "U0SAANVI", &hash)).await;
        assert_eq!((response.status, report.count(Metric::Refused)), (403, 1), "{hash}");
    }
    // The call has been refused for another reason since.
    let mut newer = case.clone();
    newer.id = other.id.clone();
    desk.list(&newer).await;
    assert_eq!(desk.click(&desk.approves(&case, "U0SAANVI")).await.0.status, 403);
    assert_eq!(desk.decision(&case).await, None);
    // No longer than the rules say, whoever asks past the menus.
    let (reply, _) = desk
        .asked(
            &other,
            Wish::Approve { remedy: desk.offer(&other), duration_seconds: 13 * HOUR },
            Proof::Aws { arn: &arn("user/saanvi") },
        )
        .await;
    assert_eq!(reply.unwrap().outcome, Outcome::Refused);
}

/// An alarm offers nothing; whoever approves it all the same is no approver to be trusted with it.
#[tokio::test]
async fn an_alarm_is_never_approved() {
    let desk = Desk::new().await;
    let case = desk.opened(&lacking(user("bob"), "cloudtrail:StopLogging", TRAIL)).await;
    let (response, report) = desk.click(&approves(&case, "U0SAANVI", &"0".repeat(64))).await;
    assert_eq!((response.status, report.count(Metric::EscalationTries)), (403, 1));
    let (_, report) = desk.click(&rejects(&case, "U0SAANVI")).await;
    assert_eq!((report.count(Metric::Refused), report.count(Metric::EscalationTries)), (1, 0));
    assert_eq!(desk.decision(&case).await, None);
}

/// Another account's alice is not ours, nor is her denial ours to mend.
#[tokio::test]
async fn the_same_name_in_another_account() {
    let desk = Desk::new().await;
    let case = desk.opened(&lacking(user_of(THERE, "saanvi"), READ, TRAIL)).await;
    let (response, report) = desk.click(&approves(&case, "U0SAANVI", &"0".repeat(64))).await;
    assert_eq!((response.status, report.count(Metric::Refused)), (403, 1));
    let (response, _) = desk.click(&approves(&case, "U0NIKKI", &"0".repeat(64))).await;
    assert_eq!(response.status, 403, "nothing of it is given by a click");
}

/// Identity Center's sessions are named after people, in every permission set.
#[tokio::test]
async fn an_identity_center_user_in_another_role() {
    let set = "AWSReservedSSO_Admin_0123456789abcdef";
    let mut list: Value = serde_json::from_str(&approvers()).unwrap();
    list["approvers"][1]["aws"] = json!([format!("arn:aws:sts::{HERE}:assumed-role/{set}/alice@example.com")]);
    let desk = Desk::with(Authority::read(Ok(&list.to_string()), Ok(None))).await;
    let case = desk.opened(&lacking(sso("ReadOnly"), READ, TRAIL)).await;
    // A permission set's role can't be edited, so nothing is offered; a role's session of that name is somebody's own choice.
    assert_eq!(desk.click(&approves(&case, "U0NIKKI", &"0".repeat(64))).await.0.status, 403);
    let case = desk.opened(&lacking(session(HERE, "/team/", "plain", "alice@example.com"), READ, TRAIL)).await;
    assert_eq!(desk.click(&desk.approves(&case, "U0NIKKI")).await.0.status, 200);
}
