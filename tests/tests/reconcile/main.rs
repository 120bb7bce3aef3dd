//! One step at a time: what is refused, what ends, and what is remembered of it. What comes of many steps is the simulation's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

mod stage;

use access::{
    case::Case,
    decide::LONGEST,
    decision::{Answer, Revocation},
    diagnosis::RemedyKind,
    grant::{self, GrantMode},
    reconcile::{
        CLOCK_SKEW, Change, DECISION_LAPSES, End, Entity, Failure, Grant, Holder, HolderFile, Limits, Permission,
        Reason, SETTLES, State, Step, answered, given_again, key, orphaned_attachment,
    },
};
use serde_json::Value;
use stage::{NOW, Stage};
use tests::sample::{TRAIL, lacking, role, setting};

const OWN: &str = "arn:aws:iam::111122223333:policy/trailpass/trailpass-trail-read";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

#[test]
fn a_decision_from_the_future_is_none() {
    let mut stage = Stage::attached();
    let given = stage.given();
    for (ahead, is_given) in [(CLOCK_SKEW, true), (CLOCK_SKEW + 1, false), (100 * 365 * 24 * 3600, false)] {
        let mut later = stage.clone();
        later.entity().attached.clear();
        later.decision().decided_at += ahead;
        later.decision().not_after += ahead;
        let state = later.recorded(None, NOW).state;
        let refused = State::Ended(End::NotEntitled(Reason::InFuture));
        assert_eq!(state, if is_given { State::Giving } else { refused }, "{ahead}");
        // Nor is one kept whose decision, and what is remembered of it, have been put off together.
        later.entity = stage.entity.clone();
        let kept = Grant { decided_at: NOW + ahead, not_after: NOW + ahead + 3600, ..given.clone() };
        let is_ended = later.end(&kept, NOW) == Some(End::NotEntitled(Reason::InFuture));
        assert_eq!(is_ended, !is_given, "{ahead}");
    }
    // Arithmetic on what somebody else wrote.
    for (decided_at, not_after) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN + 1)] {
        let mut odd = stage.clone();
        (odd.decision().decided_at, odd.decision().not_after) = (decided_at, not_after);
        assert!(!matches!(odd.step(None, &[], NOW), Step::Record(Grant { state: State::Giving, .. })));
    }
    stage.decision().not_after = NOW + LONGEST + 1;
    let too_long = Grant { not_after: NOW + LONGEST + 1, ..given };
    stage.case = None;
    assert_eq!(stage.end(&too_long, NOW), Some(End::NotEntitled(Reason::Duration)), "whatever has become of the case");
    stage.entity().attached.clear();
    assert_eq!(stage.recorded(None, NOW).state, State::Ended(End::NotEntitled(Reason::Duration)));
}

#[test]
fn what_is_remembered_is_not_believed() {
    type Change = fn(&mut Grant);
    let changes: [Change; 5] = [
        |grant| grant.not_after += 3600,
        |grant| grant.not_after -= 1,
        |grant| grant.decided_at -= 1,
        |grant| grant.holder = Holder::User("bob".into()),
        |grant| grant.permission = Permission::Attached { policy_arn: OWN.into() },
    ];
    for mut stage in [Stage::inline(), Stage::attached()] {
        let given = stage.given();
        let whole = stage.case.clone();
        let reopened = whole.clone().map(|case| Case { opening: 2, ..case });
        for case in [whole, reopened, None] {
            stage.case = case;
            assert_eq!(stage.end(&given, NOW + 60), None, "a case that is gone ends nothing");
            for change in changes {
                let mut altered = given.clone();
                change(&mut altered);
                if altered == given {
                    continue;
                }
                // What is taken back is what was given, from whom it was given to.
                let taken = stage.recorded(Some(&altered), NOW + 60);
                let expected = Grant { state: State::Taking(End::NotEntitled(Reason::Altered)), ..given.clone() };
                assert_eq!(
                    (taken.holder, taken.state, taken.not_after),
                    (expected.holder, expected.state, expected.not_after)
                );
            }
            assert_eq!(stage.end(&given, given.not_after), Some(End::Expired));
            let deleted = Stage { decision: None, ..stage.clone() };
            assert_eq!(deleted.end(&given, NOW + 60), Some(End::NotEntitled(Reason::NotDecided)));
            let copied = Grant { holder_id: "AIDAOTHER".into(), ..given.clone() };
            let end = stage.recorded(Some(&copied), NOW + 60).end().cloned();
            assert_eq!(end, Some(End::NotEntitled(Reason::OtherHolder)));
        }
    }
}

#[test]
fn what_is_not_ours_is_never_taken() {
    let stage = Stage { decision: None, ..Stage::inline() };
    let begun = Stage::inline().begun();
    for permission in [
        Permission::Attached { policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into() },
        Permission::Attached { policy_arn: "arn:aws:iam::111122223333:policy/trailpass-trail-read".into() },
        Permission::Inline { name: "trailpass-prod-1".into(), document: "{}".into() },
        Permission::Inline { name: begun.case_id.clone(), document: "{}".into() },
    ] {
        let forged = Grant { permission, state: State::Taking(End::Expired), ..begun.clone() };
        assert!(stage.recorded(Some(&forged), NOW).is_over(), "{forged:?}");
    }
    // By a decision neither, whoever had it vouched for.
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let lookup = "arn:aws:iam::111122223333:policy/trailpass/trailpass-event-lookup";
    for (policy, is_hashed, is_its_case) in [(administrator, true, true), (lookup, false, true), (lookup, true, false)]
    {
        let mut stage = Stage { case: None, ..Stage::attached() };
        let decision = stage.decision();
        let shown = decision.shown.clone().unwrap().replace(OWN, policy);
        if is_hashed {
            decision.remedy = Some(grant::hash_of(&shown));
        }
        if !is_its_case {
            decision.case_id = "other".into();
        }
        decision.shown = Some(shown);
        stage.entity().attached.insert(policy.into());
        assert_eq!(stage.step(None, &[], NOW), Step::Done, "{policy} {is_hashed} {is_its_case}");
    }
}

#[test]
fn what_was_changed_by_hand_ends() {
    let mut stage = Stage::inline();
    let given = stage.given();
    let Permission::Inline { name, document } = &given.permission else { panic!("{given:?}") };
    // White space is IAM's own business, and so is the order of members.
    let spaced = document.replace("\":", "\" : ");
    stage.entity().inline.insert(name.clone(), spaced);
    assert_eq!(stage.end(&given, NOW + 60), None);
    for wider in [document.replace("cloudtrail:GetTrailStatus", "cloudtrail:*"), "no JSON".to_owned()] {
        stage.entity().inline.insert(name.clone(), wider);
        assert_eq!(stage.end(&given, NOW + 60), Some(End::ChangedByHand));
    }
}

#[test]
fn another_who_bears_the_name_is_nobody() {
    let mut stage = Stage::attached();
    let entity = stage.entity();
    entity.id = "AROAOTHER".into();
    entity.path = "/aws-reserved/".into();
    entity.attached.insert(OWN.into());
    // Neither their path nor what hangs on them says anything about the grant.
    assert_eq!(stage.recorded(None, NOW).state, State::Giving);
    assert_eq!(stage.recorded(None, NOW + DECISION_LAPSES).state, State::Ended(End::HolderGone));
}

#[test]
fn mode_guardrails_path_and_boundary_count_for_what_runs_and_without_a_case() {
    type Change = fn(&mut Stage);
    let changes: [(Change, Reason); 7] = [
        (|stage| stage.setting.mode = GrantMode::None, Reason::Mode),
        (|stage| stage.setting.mode = GrantMode::Managed, Reason::Mode),
        (|s| s.setting = setting(GrantMode::Exact, r#"{"protected":{"names":["ali*", "read*"]}}"#), Reason::Protected),
        (
            |stage| {
                stage.setting = setting(GrantMode::Exact, r#"{"protected":{"paths":["/break-glass/"]}}"#);
                stage.entity().path = "/break-glass/x/".into();
            },
            Reason::Protected,
        ),
        (|stage| stage.entity().path = "/aws-service-role/x/".into(), Reason::Protected),
        (|stage| stage.entity().path = "/aws-reserved/sso.amazonaws.com/".into(), Reason::Protected),
        (|stage| stage.limits.boundary = Some(BOUNDARY.into()), Reason::Boundary),
    ];
    for (mut stage, is_inline) in [(Stage::inline(), true), (Stage::attached(), false)] {
        let begun = stage.begun();
        let empty = stage.entity.clone();
        let given = stage.given();
        for (change, why) in changes {
            let mut changed = stage.clone();
            change(&mut changed);
            // The boundary and `managed` are about inline policies.
            let is_allowed = !is_inline && (why == Reason::Boundary || changed.setting.mode == GrantMode::Managed);
            let why = (!is_allowed).then_some(End::NotEntitled(why));
            assert_eq!(changed.end(&given, NOW + 60), why);
            let without_case = Stage { case: None, ..changed.clone() };
            assert_eq!(without_case.end(&given, NOW + 60), why);
            // What is to be given is not given, and what was never begun is not begun.
            let path = changed.entity().path.clone();
            let not_yet = Stage { entity: empty.clone().map(|entity| Entity { path, ..entity }), ..changed.clone() };
            if let Some(why) = why {
                assert_eq!(not_yet.end(&begun, NOW + 60), Some(why.clone()));
                assert_eq!(not_yet.recorded(None, NOW + 60).state, State::Ended(why));
            } else {
                assert!(matches!(not_yet.step(Some(&begun), &[], NOW), Step::Apply(_)));
            }
        }
    }
    // With the boundary, all is well.
    let mut stage = Stage { limits: Limits { boundary: Some(BOUNDARY.into()) }, ..Stage::inline() };
    stage.entity().boundary = Some(BOUNDARY.into());
    stage.given();
}

#[test]
fn quotas_are_looked_at_first() {
    let mut full = Stage::attached();
    full.entity().attached = (0..10).map(|n| format!("other-{n}")).collect();
    let begun = full.recorded(None, NOW);
    assert!(matches!(full.end(&begun, NOW), Some(End::Refused(_))));
    // One that hangs there already takes no more room.
    full.entity().attached.remove("other-0");
    full.entity().attached.insert(OWN.into());
    assert!(matches!(full.step(Some(&begun), &[], NOW), Step::Apply(Change::Attach(..))));

    for (stage, limit) in [
        (Stage::inline(), 2_048),
        (Stage::of(&lacking(role("reader"), "cloudtrail:GetTrailStatus", TRAIL), RemedyKind::PutInlinePolicy), 10_240),
    ] {
        let begun = stage.begun();
        let Permission::Inline { name, document } = &begun.permission else { panic!("{begun:?}") };
        let room = limit - document.len();
        for (used, fits) in [(room, true), (room + 1, false)] {
            let mut stage = stage.clone();
            // White space doesn't count, nor does what is replaced.
            stage.entity().inline.insert("other".into(), format!("{} \n", "x".repeat(used)));
            stage.entity().inline.insert(name.clone(), "y".repeat(limit));
            let next = stage.step(Some(&begun), &[], NOW);
            let is_refused = matches!(&next, Step::Record(Grant { state: State::Taking(End::Refused(_)), .. }));
            assert!(if fits { matches!(next, Step::Apply(_)) } else { is_refused }, "{used} {next:?}");
        }
    }
}

#[test]
fn one_look_ends_nothing() {
    let mut stage = Stage::attached();
    let given = stage.given();
    let shown = stage.entity.clone();
    let other = shown.clone().map(|entity| Entity { id: "AROAOTHER".into(), ..entity });
    let bare = shown.clone().map(|entity| Entity { attached: Default::default(), ..entity });
    for (entity, why) in [(bare, End::RemovedByHand), (None, End::HolderGone), (other.clone(), End::HolderGone)] {
        stage.entity = entity;
        let absent = stage.recorded(Some(&given), NOW + 60);
        assert_eq!((&absent.state, absent.absent_since), (&State::Given, Some(NOW + 60)));
        assert_eq!(stage.end(&absent, NOW + 60 + SETTLES - 1), None);
        let seen = Stage { entity: shown.clone(), ..stage.clone() }.recorded(Some(&absent), NOW + 120);
        assert_eq!((&seen.state, seen.absent_since), (&State::Given, None));
        assert_eq!(stage.end(&absent, NOW + 60 + SETTLES), Some(why));
    }
    // What is to be taken back is taken back though IAM does not show it: one removal has to succeed.
    let taking = Grant { state: State::Taking(End::Expired), ..given.clone() };
    stage.entity = None;
    let absent = stage.recorded(Some(&taking), NOW);
    let Step::Apply(change) = stage.step(Some(&absent), &[], NOW) else { panic!("a removal") };
    for answer in [Ok(()), Err(Failure::Gone)] {
        let taken = answered(&absent, &change, &answer, NOW);
        assert_eq!(taken.state, State::Taken(End::Expired));
        assert_eq!(stage.recorded(Some(&taken), NOW).state, State::Ended(End::Expired));
        // Somebody put it back, or IAM shows it late.
        let held = Stage { entity: shown.clone(), ..stage.clone() };
        assert!(matches!(held.step(Some(&taken), &[], taken.retry_at), Step::Apply(Change::Detach(..))));
    }
    for failure in [Failure::Passing, Failure::Lasting("no".into())] {
        let later = answered(&absent, &change, &Err(failure), NOW);
        assert_eq!((&later.state, later.failures), (&absent.state, 1));
        assert_eq!(stage.step(Some(&later), &[], NOW), Step::Wait(later.retry_at));
    }
    // By a name that is another's now nothing is done; after a while it counts as gone.
    stage.entity = other;
    assert_eq!(stage.step(Some(&absent), &[], NOW), Step::Wait(NOW + SETTLES));
    assert!(stage.recorded(Some(&absent), NOW + SETTLES).is_over());
}

#[test]
fn an_answer_that_comes_too_late_is_taken_back() {
    let mut stage = Stage::attached();
    let begun = stage.begun();
    let Step::Apply(giving) = stage.step(Some(&begun), &[], NOW) else { panic!("to be given") };
    let refused = answered(&begun, &giving, &Err(Failure::Lasting("no".into())), NOW);
    assert_eq!(refused.state, State::Taking(End::Refused("no".into())), "it may have been made all the same");
    let revoked = Grant { state: State::Taking(End::Revoked), ..begun.clone() };
    assert_eq!(answered(&revoked, &giving, &Ok(()), NOW), revoked);
    let ended = Grant { state: State::Ended(End::Revoked), ..stage.given() };
    for answer in [Ok(()), Err(Failure::Passing), Err(Failure::Lasting("no".into()))] {
        assert_eq!(answered(&ended, &giving, &answer, NOW).state, State::Taking(End::Revoked));
    }
    assert_eq!(answered(&ended, &giving, &Err(Failure::Gone), NOW), ended);
}

#[test]
fn nothing_begins_after_a_quarter_of_an_hour_and_nothing_late_is_given() {
    let mut stage = Stage::inline();
    let begun = stage.begun();
    let late = NOW + DECISION_LAPSES;
    assert_eq!(stage.end(&begun, late), Some(End::Lapsed));
    assert_eq!(stage.recorded(None, late).state, State::Ended(End::Lapsed));
    // Nor if IAM shows it: whoever wrote what is remembered might have it given anew.
    stage.given();
    assert_eq!(stage.end(&begun, late), Some(End::Lapsed));
    assert_eq!(stage.recorded(None, late).state, State::Taking(End::Lapsed), "what was remembered is lost");
    let revoked = Revocation {
        case_id: begun.case_id.clone(),
        opening: begun.opening,
        by: stage.decision().by.clone(),
        revoked_at: NOW,
    };
    stage.revocation = Some(revoked.clone());
    assert_eq!(stage.end(&begun, NOW), Some(End::Revoked));
    stage.revocation = Some(Revocation { opening: 2, ..revoked });
    assert!(matches!(stage.step(Some(&begun), &[], NOW), Step::Apply(_)), "another opening's");
}

#[test]
fn what_came_to_nothing_is_told_once() {
    let stage = Stage { case: None, ..Stage::inline() };
    let trace = stage.recorded(None, NOW);
    assert_eq!(trace.state, State::Ended(End::NotEntitled(Reason::NoSuchCase)));
    assert_eq!((trace.holder.clone(), trace.holder_id.clone()), {
        let begun = Stage::inline().begun();
        (begun.holder, begun.holder_id)
    });
    assert_eq!(stage.step(Some(&trace), &[], NOW), Step::Done);
    let mut rejected = stage.clone();
    rejected.decision().answer = Answer::Reject;
    assert_eq!(rejected.step(None, &[], NOW), Step::Done, "nothing was to be given");
    // What was dropped does not come back: neither from a full document nor long after its end.
    let mut file = HolderFile::default();
    for opening in 0..101 {
        file.remember(Grant { opening: 1000 + opening, ..trace.clone() });
    }
    assert_eq!(file.grants.len(), 100);
    assert_eq!(stage.step(None, &file.grants, NOW), Step::Done);
    assert!(matches!(stage.step(None, &file.grants[1..], NOW), Step::Record(_)));
    assert_eq!(stage.step(None, &[], NOW + 3600 + 24 * 3600), Step::Done);
    // What has yet to be given does begin, however full the document is.
    assert!(matches!(Stage::inline().step(None, &file.grants, NOW), Step::Record(Grant { state: State::Giving, .. })));
}

#[test]
fn a_removal_is_put_off_by_nobody() {
    let mut stage = Stage::attached();
    let given = stage.given();
    let put_off = Grant { state: State::Taking(End::Expired), retry_at: i64::MAX, ..given.clone() };
    assert!(matches!(stage.step(Some(&put_off), &[], NOW), Step::Apply(Change::Detach(..))));
    let other_id = stage.entity.clone().map(|entity| Entity { id: "AROAOTHER".into(), ..entity });
    stage.entity = other_id;
    let absent = Grant { absent_since: Some(i64::MAX), ..put_off };
    assert_eq!(stage.recorded(Some(&absent), NOW).absent_since, Some(NOW));
}

#[test]
fn another_live_grant_keeps_what_they_share() {
    let mut stage = Stage::attached();
    let given = stage.given();
    let other = Grant { opening: 7, ..given.clone() };
    let (others, late) = (std::slice::from_ref(&other), given.not_after);
    let live = Grant { not_after: late + 60, ..other.clone() };
    // Nothing is taken back that another one needs, and nothing is touched.
    let ended =
        |others: &[Grant]| matches!(stage.step(Some(&given), others, late), Step::Record(grant) if grant.is_over());
    assert!(ended(std::slice::from_ref(&live)));
    assert!(!ended(others), "it ends in the same moment");
    assert!(!ended(&[Grant { holder_id: "AROAOTHER".into(), ..live.clone() }]));
    assert!(!ended(&[Grant { state: State::Taking(End::Expired), ..live }]));
    // Given while this one was being taken back: the removal may have come after it, whatever IAM shows.
    let taking = Grant { state: State::Taking(End::Expired), ..given.clone() };
    let taken = Grant { state: State::Taken(End::Expired), retry_at: NOW + 30, ..given.clone() };
    for (before, is_shown) in [(&taking, true), (&taking, false), (&taken, true), (&taken, false)] {
        let mut stage = stage.clone();
        if !is_shown {
            stage.entity().attached.clear();
        }
        let Step::GiveAgain(change) = stage.step(Some(before), others, NOW) else { panic!("{before:?}") };
        assert_eq!(change, Change::Attach(given.holder.clone(), OWN.into()));
        for answer in [Ok(()), Err(Failure::Gone), Err(Failure::Lasting("no".into()))] {
            assert_eq!(given_again(before, &answer, NOW).state, State::Ended(End::Expired));
        }
        let later = given_again(before, &Err(Failure::Passing), NOW);
        assert_eq!((&later.state, later.failures), (&before.state, 1));
        assert_eq!(stage.step(Some(&later), others, NOW), Step::Wait(later.retry_at));
    }
    // Never to whoever bears the name now.
    let mut stage = stage.clone();
    stage.entity().id = "AROAOTHER".into();
    assert!(!matches!(stage.step(Some(&taking), others, NOW), Step::GiveAgain(_) | Step::Apply(_)));
}

#[test]
fn what_is_noted_as_over_and_is_held_is_taken_back() {
    for mut stage in [Stage::inline(), Stage::attached()] {
        let given = stage.given();
        let forged = Grant { state: State::Ended(End::Lapsed), ..given.clone() };
        assert_eq!(stage.recorded(Some(&forged), NOW).state, State::Taking(End::Lapsed));
        // After its time, without a decision, or under another one's name it is nobody's to touch by that note.
        assert_eq!(stage.step(Some(&forged), &[], given.not_after), Step::Done);
        let undecided = Stage { decision: None, ..stage.clone() };
        assert_eq!(undecided.step(Some(&forged), &[], NOW), Step::Done);
        let mut other = stage.clone();
        other.entity().id = "AIDAOTHER".into();
        assert_eq!(other.step(Some(&forged), &[], NOW), Step::Done);
        // Whatever else the note says.
        let elsewhere = Grant { holder: Holder::User("bob".into()), not_after: 1, ..forged.clone() };
        let taking = stage.recorded(Some(&elsewhere), NOW);
        assert_eq!(taking, Grant { state: State::Taking(End::Lapsed), ..stage.begun() });
        stage.entity().inline.clear();
        stage.entity().attached.clear();
        assert_eq!(stage.step(Some(&forged), &[], NOW), Step::Done);
    }
}

#[test]
fn only_what_is_believed_accounts_for_what_hangs_there() {
    let given = Stage::inline().given();
    let holder = given.holder.clone();
    let id = given.holder_id.clone();
    let detach = Change::Detach(holder.clone(), OWN.into());
    let attached = Grant { permission: Permission::Attached { policy_arn: OWN.into() }, ..given };
    let orphan = |arn: &str, grant: &Grant, is_believed: bool| {
        orphaned_attachment(arn, &holder, &id, &HolderFile { grants: vec![grant.clone()] }, |_| is_believed)
    };
    // To that name, to that id, and for as long as it is not over.
    for state in [State::Giving, State::Given, State::Taking(End::Expired), State::Taken(End::Expired)] {
        let grant = Grant { state, ..attached.clone() };
        assert_eq!(orphan(OWN, &grant, true), None);
        assert_eq!(orphan(OWN, &grant, false), Some(detach.clone()));
    }
    for other in [
        Grant { holder: Holder::User("former".into()), ..attached.clone() },
        Grant { holder_id: "AIDAOTHER".into(), ..attached.clone() },
        Grant { state: State::Ended(End::Expired), ..attached.clone() },
        Grant { permission: Permission::Attached { policy_arn: OWN.replace("read", "other") }, ..attached.clone() },
    ] {
        assert_eq!(orphan(OWN, &other, true), Some(detach.clone()), "{other:?}");
    }
    for not_ours in ["arn:aws:iam::111122223333:policy/trailpass-trail-read", "arn:aws:iam::aws:policy/ReadOnlyAccess"]
    {
        assert_eq!(orphan(not_ours, &attached, false), None);
    }
    // What a note says of itself, where nobody can say what was decided.
    assert!(attached.may_be_live(NOW));
    for wrong in [
        Grant { not_after: NOW, ..attached.clone() },
        Grant { not_after: NOW + 2 * LONGEST, ..attached.clone() },
        Grant { decided_at: NOW + CLOCK_SKEW + 1, not_after: NOW + LONGEST, ..attached.clone() },
        Grant { state: State::Taking(End::Expired), ..attached.clone() },
    ] {
        assert!(!wrong.may_be_live(NOW), "{wrong:?}");
    }
}

#[test]
fn a_file_is_read_whatever_stands_in_it() {
    let grant = Stage::inline().begun();
    let key = key(&grant.holder_id);
    let file = HolderFile { grants: vec![grant.clone()] };
    let body = |grants: &[Value]| serde_json::json!({ "grants": grants }).to_string();
    let row = serde_json::to_value(&grant).unwrap();
    let twice = serde_json::to_value(Grant { state: State::Given, ..grant.clone() }).unwrap();
    let others = serde_json::to_value(Grant { holder_id: "AIDAOTHER".into(), opening: 2, ..grant.clone() }).unwrap();
    let invented = |case_id: &str, opening| {
        serde_json::to_value(Grant { case_id: case_id.to_owned(), opening, ..grant.clone() }).unwrap()
    };
    let (long, short, none) = (invented(&"x".repeat(2_100), 1), invented("x", 1), invented(&grant.case_id, 0));
    assert_eq!(HolderFile::read(&key, &body(&[others, long, short, none, row.clone(), twice, 1.into()])), file);
    // What would leave no room to note an end.
    let filler: Vec<Value> = (2..2_000).map(|opening| invented(&grant.case_id, opening)).collect();
    let read = HolderFile::read(&key, &body(&[vec![row], filler].concat()));
    assert!(read.grant(&grant.case_id, 1).is_some() && serde_json::to_string(&read).unwrap().len() < 310_000);
    for junk in ["", "[]", r#"{"grants": 1}"#, "{}"] {
        assert_eq!(HolderFile::read(&key, junk), HolderFile::default(), "{junk}");
    }
}
