//! One approval on its way, and everything that its grant depends on, to be changed one thing at a time.

use access::{
    case::{Arrival, Arrivals, Case},
    decide::{Known, Outcome, Request, decide},
    decision::{Answer, Approved, Channel, Decision, Revocation},
    diagnose::{Setting, diagnose},
    diagnosis::{Apply, RemedyKind},
    event,
    grant::GrantMode,
    reconcile::{Change, End, Entity, Facts, Grant, Limits, State, Step, answered, step},
};
use serde_json::Value;
use tests::sample::{TRAIL, lacking, role, setting, user};

/// When it was decided.
pub const NOW: i64 = 1_790_000_000;

/// One approval, and everything that its grant depends on.
#[derive(Clone)]
pub struct Stage {
    pub setting: Setting,
    pub limits: Limits,
    pub case: Option<Case>,
    pub decision: Option<Decision>,
    pub revocation: Option<Revocation>,
    pub entity: Option<Entity>,
}

impl Stage {
    pub fn of(record: &Value, kind: RemedyKind) -> Self {
        let setting = setting(GrantMode::Exact, "{}");
        let first = diagnose(event::read(&record.to_string()).remove(0).unwrap(), &setting, false);
        let remedies = first.diagnosis.remedies.clone();
        let remedy = remedies.into_iter().find(|r| r.apply == Apply::OnApproval && r.kind == kind).unwrap();
        let id = first.diagnosis.principal.unique_id.clone().unwrap();
        let each = vec![Arrival {
            message: 0,
            event: "e".into(),
            event_id: None,
            time: String::new(),
            session: None,
            source_ip: None,
        }];
        let case = Case::open(&Arrivals { first, each }, NOW);
        let by = Approved { approver: "saanvi".into(), channel: Channel::Slack, identity: "T1/U1".into() };
        let request = Request { answer: Answer::Approve, remedy: remedy.hash, duration: 3600, by };
        let known = Known { case: &case, is_latest: true, before: None };
        let Outcome::Decided(decision) = decide(&known, &request, &setting, "rules", |_| Ok(()), NOW) else {
            panic!("it counts")
        };
        let entity = Entity { id, path: "/".into(), attachable: 10, ..Entity::default() };
        Self {
            setting,
            limits: Limits::default(),
            case: Some(case),
            decision: Some(*decision),
            revocation: None,
            entity: Some(entity),
        }
    }

    pub fn inline() -> Self {
        Self::of(&lacking(user("alice"), "cloudtrail:GetTrailStatus", TRAIL), RemedyKind::PutInlinePolicy)
    }

    pub fn attached() -> Self {
        Self::of(&lacking(role("reader"), "cloudtrail:GetTrailStatus", TRAIL), RemedyKind::AttachManagedPolicy)
    }

    pub fn step(&self, grant: Option<&Grant>, others: &[Grant], now: i64) -> Step {
        let facts = Facts {
            decision: self.decision.as_ref(),
            revocation: self.revocation.as_ref(),
            case: self.case.as_ref(),
            setting: &self.setting,
        };
        step(&facts, &self.limits, grant, self.entity.as_ref(), others.iter(), now)
    }

    pub fn recorded(&self, grant: Option<&Grant>, now: i64) -> Grant {
        match self.step(grant, &[], now) {
            Step::Record(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    pub fn decision(&mut self) -> &mut Decision {
        self.decision.as_mut().unwrap()
    }

    pub fn entity(&mut self) -> &mut Entity {
        self.entity.as_mut().unwrap()
    }

    /// Remembered, and to be given next.
    pub fn begun(&self) -> Grant {
        let begun = self.recorded(None, NOW);
        assert_eq!(begun.state, State::Giving);
        assert!(matches!(self.step(Some(&begun), &[], NOW), Step::Apply(Change::Put(..) | Change::Attach(..))));
        begun
    }

    /// Given, and shown by IAM.
    pub fn given(&mut self) -> Grant {
        let begun = self.begun();
        let Step::Apply(change) = self.step(Some(&begun), &[], NOW) else { panic!("given now") };
        match &change {
            Change::Attach(_, arn) => drop(self.entity().attached.insert(arn.clone())),
            Change::Put(_, name, document) => drop(self.entity().inline.insert(name.clone(), document.clone())),
            other => panic!("{other:?}"),
        }
        let given = answered(&begun, &change, &Ok(()), NOW);
        assert_eq!(given.state, State::Given);
        assert_eq!(self.step(Some(&given), &[], NOW), Step::Wait(given.not_after));
        given
    }

    /// How what runs ends, asked at this time.
    pub fn end(&self, grant: &Grant, now: i64) -> Option<End> {
        match self.step(Some(grant), &[], now) {
            Step::Record(Grant { state: State::Taking(end), .. }) => Some(end),
            Step::Wait(_) => None,
            other => panic!("{other:?}"),
        }
    }
}
