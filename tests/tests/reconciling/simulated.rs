//! The old sentence form of a sensitive action: only the policy simulator's word makes it one that can be given, and only IAM's own,
//! asked again before it is given.
//!
//! The emulator has no simulator. So IAM is played here, call by call, in the shape that AWS's model gives its answers.

use std::sync::{Arc, Mutex};

use access::{
    case::Case,
    diagnose::{Setting, diagnose},
    event,
    grant::GrantMode,
    reconcile::Effect,
    simulation::Verdict,
    triage,
};
use adapters::iam::{AwsIam, Iam};
use serde_json::json;
use tests::{
    local::{
        aws::form,
        http::{Reply, Request, Response, Server},
    },
    sample::{lacking, refused, said, user, with},
};

use crate::desk::{ALICE, Desk, HOUR, alice, sdk_config};

const SENSITIVE: &str = "cloudtrail:LookupEvents";

/// IAM with one user, and what its simulator says.
async fn iam(simulator: Option<&'static str>) -> (Server, Arc<Mutex<Vec<Vec<(String, String)>>>>, Arc<Mutex<bool>>) {
    let asked = Arc::<Mutex<Vec<Vec<(String, String)>>>>::default();
    let attached = Arc::<Mutex<bool>>::default();
    let (heard, holds) = (asked.clone(), attached.clone());
    let server = Server::start(move |request: Request| {
        let fields = form(&request.text());
        let action = fields.iter().find(|(name, _)| name == "Action").map(|(_, action)| action.clone()).unwrap();
        let policies = |holds: bool| {
            let member = "<member><PolicyName>trailpass-event-lookup</PolicyName><PolicyArn>arn:aws:iam::111122223333:policy/trailpass/trailpass-event-lookup</PolicyArn></member>";
            format!(
                "<AttachedPolicies>{}</AttachedPolicies><IsTruncated>false</IsTruncated>",
                if holds { member } else { "" }
            )
        };
        let result = match (action.as_str(), simulator) {
            ("GetUser", _) => Some(format!(
                "<User><Path>/</Path><UserName>alice</UserName><UserId>{ALICE}</UserId><Arn>arn:aws:iam::111122223333:user/alice</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>"
            )),
            ("ListAttachedUserPolicies", _) => Some(policies(*holds.lock().unwrap())),
            ("AttachUserPolicy", _) => {
                *holds.lock().unwrap() = true;
                Some(String::new())
            }
            // What was given counts from then on.
            ("SimulatePrincipalPolicy", Some(word)) => Some(format!(
                "<IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>{SENSITIVE}</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>{}</EvalDecision></member></EvaluationResults>",
                if *holds.lock().unwrap() { "allowed" } else { word }
            )),
            _ => None,
        };
        heard.lock().unwrap().push(fields);
        let response = match result {
            Some(result) => Response::text(
                200,
                &format!(
                    "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></{action}Response>"
                ),
            ),
            None => Response::text(
                403,
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
            ),
        };
        async move { Reply::Answer(response) }
    });
    (server.await, asked, attached)
}

/// As triage may write it: with the simulator's word, or with one that somebody else put there.
async fn opened(desk: &Desk, simulated: Option<Verdict>) -> Case {
    let alice = with(user("alice"), "/principalId", ALICE);
    let record = refused(alice.clone(), SENSITIVE, &said(&alice, SENSITIVE, "*"));
    let case = desk.opened(&record).await;
    let case = Case { simulated, ..case };
    desk.write(&triage::case_key(&case.id), &serde_json::to_string(&case).unwrap()).await;
    case
}

#[test]
fn only_the_simulators_word_makes_it_one_that_can_be_given() {
    let setting = Setting { mode: GrantMode::Managed, ..Setting::default() };
    let alice = with(user("alice"), "/principalId", ALICE);
    let old = |action| refused(alice.clone(), action, &said(&alice, action, "*"));
    let read = |record: &serde_json::Value| event::read(&record.to_string()).remove(0).unwrap();
    let wants = |record| diagnose(read(&record), &setting, false).wants_simulation(&setting);
    assert!(wants(old(SENSITIVE)));
    // It is neither needed nor enough where anything else speaks for or against it.
    assert!(!wants(old("cloudtrail:DescribeTrails")), "routine: it can be given anyway");
    assert!(!wants(old("cloudtrail:StopLogging")), "tampering: it never can");
    assert!(!wants(lacking(alice.clone(), SENSITIVE, "*")), "a reason is given");
    let broken = with(old(SENSITIVE), "/userIdentity/principalId", json!(null));
    assert!(!wants(broken), "nobody knows whose it would be");
    for verdict in [
        None,
        Some(Verdict::Allowed),
        Some(Verdict::ImplicitDeny),
        Some(Verdict::ExplicitDeny),
        Some(Verdict::DeniedByOrganization),
        Some(Verdict::DeniedByBoundary),
        Some(Verdict::Unknown),
    ] {
        let diagnosed = access::diagnose::diagnose_simulated(read(&old(SENSITIVE)), &setting, false, verdict);
        let offers = diagnosed.diagnosis.remedies.iter().filter(|remedy| remedy.hash.is_some()).count();
        assert_eq!(offers, usize::from(verdict == Some(Verdict::ImplicitDeny)), "{verdict:?}");
    }
}

#[tokio::test]
async fn reconcile_asks_again_before_it_gives() {
    for (word, is_given) in [
        (Some("implicitDeny"), true),
        (Some("explicitDeny"), false),
        (Some("allowed"), false),
        (Some("perhaps"), false),
        (None, false),
    ] {
        let mut desk = Desk::new(GrantMode::Managed);
        let (server, asked, attached) = iam(word).await;
        let config = sdk_config(&server.url()).await;
        desk.reconcile.iam = Iam::Aws(AwsIam::with_config(&config));
        // Somebody wrote the word into the table, and an approver believed it.
        let case = opened(&desk, Some(Verdict::ImplicitDeny)).await;
        let key = desk.store(&desk.decision(&case, access::decision::Answer::Approve, HOUR)).await;
        let report = desk.wakes(&key).await;
        assert_eq!(report.failed_records.len(), 0, "{word:?}");
        assert_eq!(*attached.lock().unwrap(), is_given, "{word:?}");
        let asked = asked.lock().unwrap().clone();
        let simulations: Vec<_> = asked.iter().filter(|fields| fields[0].1 == "SimulatePrincipalPolicy").collect();
        // Once before anything is given, and once on what was given.
        assert_eq!(simulations.len(), 1 + usize::from(is_given), "{word:?}");
        let effect = desk.history(&case).await.effect;
        assert_eq!(effect, is_given.then_some(Effect::Simulated(Verdict::Allowed)), "{word:?}");
        desk.sweeps().await;
        let has = |name: &str, value: &str| simulations[0].contains(&(name.to_owned(), value.to_owned()));
        assert!(
            has("PolicySourceArn", "arn:aws:iam::111122223333:user/alice") && has("ActionNames.member.1", SENSITIVE)
        );
        assert!(has("ContextEntries.member.1.ContextKeyValues.member.1", ALICE));
        let grant = desk.grant(&alice(), &case).await;
        assert_eq!(grant.end().is_none(), is_given, "{word:?}: {grant:?}");
    }
}
