//! The world of one history: a table, an IAM that fails, approvers, an attacker, and a reconcile that crashes.

use std::collections::{BTreeMap, BTreeSet};

use access::{
    case::{Arrival, Arrivals, Case},
    decide::{self, Known, Outcome, Request},
    decision::{Answer, Approved, Channel, Decision, Revocation},
    diagnose::{Setting, diagnose},
    diagnosis::Apply,
    event,
    grant::GrantMode,
    guardrails::Guardrails,
    reconcile::{
        self, End, Entity, Facts, Failure, Holder, HolderFile, Limits, Permission, Reason, State, Step, answered,
        given_again, step,
    },
};
use tests::sample::{STORE, TRAIL, lacking, role, user, with};

use super::iam::{BOUNDARY, Held};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
const START: i64 = 1_790_000_000;
/// How far reconcile's clock may be behind.
const BEHIND: i64 = 2 * MINUTE;
/// As many managed policies as IAM takes by default.
pub const ATTACHABLE: usize = 10;

pub type Key = (String, u64);

/// What happened, so that a history in which nothing happens is noticed.
#[derive(Debug, Default, Clone)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| *self.0.entry(what).or_default() += count);
    }

    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        const EXPECTED: [&str; 33] = [
            "approved",
            "rejected",
            "rules said no",
            "stale",
            "decided before",
            "revoked",
            "given",
            "attached",
            "written inline",
            "expired",
            "ended early",
            "removed by hand",
            "changed by hand",
            "lapsed",
            "holder gone",
            "shared an attachment",
            "crashed",
            "conflict",
            "failed before",
            "failed after",
            "refused by IAM",
            "forged",
            "orphaned",
            "looked too early",
            "refused after",
            "renamed",
            "decision deleted",
            "case forged",
            "grant forged",
            "overtaken",
            "setting changed",
            "no longer allowed",
            "altered",
        ];
        EXPECTED.into_iter().map(|what| (what, self.0.get(what).copied().unwrap_or(0)))
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

pub struct World {
    pub(super) chance: u64,
    pub(super) now: i64,
    pub(super) setting: Setting,
    pub(super) limits: Limits,
    pub(super) cases: BTreeMap<String, Case>,
    pub(super) decisions: BTreeMap<Key, Decision>,
    pub(super) revocations: BTreeMap<Key, Revocation>,
    /// What decide vouched for: no other bytes verify.
    pub(super) vouched: BTreeSet<Vec<u8>>,
    /// What approvers really decided. Where somebody deletes a decision, another may be made.
    pub(super) approved: Vec<Approval>,
    pub(super) files: BTreeMap<String, (u64, String)>,
    pub(super) iam: BTreeMap<Holder, Entity>,
    /// What IAM showed under a name, until when.
    pub(super) past: Vec<(i64, Holder, Option<Entity>)>,
    /// What was given to somebody else than was looked at: by a name that came to be another's in that moment.
    pub(super) mistaken: BTreeSet<Held>,
    /// Of what somebody has deleted the decision, or altered what is remembered.
    pub(super) lost: BTreeSet<Key>,
    pub(super) next_id: u64,
    has_outsiders: bool,
    pub(super) is_calm: bool,
    /// Somebody but us has changed IAM or the table.
    pub(super) is_touched: bool,
    pub counts: Counts,
}

/// An approval as it was shown.
pub struct Approval {
    pub key: Key,
    pub decision: Decision,
    pub holder: Holder,
    pub permission: Permission,
}

/// How a run of reconcile ended.
#[derive(PartialEq)]
pub enum Ran {
    Through,
    Crashed,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d,
            now: START,
            setting: Setting { mode: GrantMode::Exact, guardrails: Guardrails::default() },
            limits: Limits::default(),
            cases: BTreeMap::new(),
            decisions: BTreeMap::new(),
            revocations: BTreeMap::new(),
            vouched: BTreeSet::new(),
            approved: Vec::new(),
            files: BTreeMap::new(),
            iam: BTreeMap::new(),
            past: Vec::new(),
            mistaken: BTreeSet::new(),
            lost: BTreeSet::new(),
            next_id: 0,
            has_outsiders: seed.is_multiple_of(2),
            is_calm: false,
            is_touched: false,
            counts: Counts::default(),
        };
        world.setting.mode = [GrantMode::Exact, GrantMode::Exact, GrantMode::Managed][world.below(3)];
        for holder in world.holders() {
            world.make(holder);
        }
        world
    }

    /// SplitMix64: the same seed, the same history, on every machine.
    fn random(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % bound as u64).unwrap()
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        !self.is_calm && self.below(times) == 0
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }

    pub(super) fn holders(&self) -> Vec<Holder> {
        vec![Holder::User("alice".into()), Holder::User("bob".into()), Holder::Role("reader".into())]
    }

    pub fn something_happens(&mut self) {
        let now = self.now;
        self.past.retain(|(until, ..)| now - until <= HOUR);
        match self.below(22) {
            0..=3 => self.somebody_is_denied(),
            4..=8 => self.somebody_answers(),
            9 => self.somebody_revokes(),
            // Half of all histories are left alone by outsiders: there everything has to come out as it was decided.
            10 | 20 if self.has_outsiders => self.somebody_touches_iam(),
            11 if self.has_outsiders => self.somebody_forges(),
            10..=13 => self.now += [20, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR][self.below(5)],
            14..=17 => {
                let keys: Vec<Key> = self.decisions.keys().cloned().collect();
                if let Some(key) = self.one(&keys) {
                    self.reconcile(&key, None, 0);
                }
            }
            18 => self.sweep(),
            19 if self.below(2) == 0 => self.the_operator_changes_the_setting(),
            _ => self.a_calm_sweep(),
        }
    }

    /// What the stack may grant, to whom, and what it asks of them.
    fn the_operator_changes_the_setting(&mut self) {
        self.counts.saw("setting changed");
        match self.below(3) {
            0 => {
                let modes = [GrantMode::None, GrantMode::Managed, GrantMode::Exact, GrantMode::Exact];
                self.setting.mode = self.one(&modes).unwrap();
            }
            1 => {
                let guardrails = ["{}", r#"{"protected":{"names":["ali*"]}}"#, r#"{"protected":{"names":["reader"]}}"#];
                self.setting.guardrails = Guardrails::from_json(guardrails[self.below(3)]).unwrap();
            }
            _ => self.limits.boundary = [None, Some(BOUNDARY.to_owned())][self.below(2)].clone(),
        }
    }

    fn somebody_is_denied(&mut self) {
        let holders: Vec<Holder> = self.iam.keys().cloned().collect();
        let Some(holder) = self.one(&holders) else { return };
        let Some(id) = self.iam.get(&holder).map(|entity| entity.id.clone()) else { return };
        let action = [
            "cloudtrail:GetTrail",
            "cloudtrail:GetTrailStatus",
            "cloudtrail:LookupEvents",
            "cloudtrail:StartQuery",
            "cloudtrail:StopLogging",
        ][self.below(5)];
        let resource = match action {
            "cloudtrail:LookupEvents" => "",
            "cloudtrail:StartQuery" => STORE,
            _ => TRAIL,
        };
        let record = match &holder {
            Holder::User(name) => with(lacking(user(name), action, resource), "/userIdentity/principalId", id),
            Holder::Role(name) => {
                let record = lacking(role(name), action, resource);
                let record = with(record, "/userIdentity/principalId", format!("{id}:alice"));
                with(record, "/userIdentity/sessionContext/sessionIssuer/principalId", id)
            }
        };
        let record = event::read(&record.to_string()).remove(0).unwrap();
        let first = diagnose(record, &Setting::default(), false);
        let event = self.random().to_string();
        let each =
            vec![Arrival { message: 0, event, event_id: None, time: String::new(), session: None, source_ip: None }];
        let arrivals = Arrivals { first, each };
        let id = arrivals.first.case_id.clone();
        let now = self.now;
        let case = match self.cases.get(&id) {
            Some(case) if case.is_open(now) => {
                let mut case = case.clone();
                case.join(&arrivals, now);
                case
            }
            Some(closed) => closed.reopen(&arrivals, now),
            None => Case::open(&arrivals, now),
        };
        self.cases.insert(id, case);
    }

    fn somebody_answers(&mut self) {
        let ids: Vec<String> = self.cases.keys().cloned().collect();
        let Some(case) = self.one(&ids).map(|id| self.cases[&id].clone()) else { return };
        let offers: Vec<String> = case
            .diagnosed(&self.setting)
            .diagnosis
            .remedies
            .iter()
            .filter(|remedy| remedy.apply == Apply::OnApproval)
            .filter_map(|remedy| remedy.hash.clone())
            .collect();
        let remedy = if self.once_in(10) { Some("0".repeat(64)) } else { self.one(&offers) };
        let answer = if self.below(6) == 0 { Answer::Reject } else { Answer::Approve };
        let duration = [5 * MINUTE, HOUR, 8 * HOUR][self.below(3)];
        let request = Request { answer, remedy, duration, by: saanvi() };
        let key = (case.id.clone(), case.opening);
        let says_no = self.once_in(8);
        let rules = |_: &decide::Question<'_>| if says_no { Err(vec!["no".to_owned()]) } else { Ok(()) };
        // A second click reads the table before the first one's decision stands there: the first write counts.
        let before = if self.once_in(2) { None } else { self.decisions.get(&key) };
        let known = Known { case: &case, is_latest: true, before };
        match decide::decide(&known, &request, &self.setting, "rules", rules, self.now) {
            Outcome::Decided(decision) => {
                if self.decisions.contains_key(&key) {
                    return self.counts.saw("decided before");
                }
                self.counts.saw(if answer == Answer::Approve { "approved" } else { "rejected" });
                self.vouched.insert(decision.message());
                if answer == Answer::Approve {
                    let facts = Facts {
                        decision: Some(&decision),
                        revocation: None,
                        case: Some(&case),
                        setting: &self.setting,
                    };
                    let shown = reconcile::permission(&facts).expect("what was approved can be given");
                    self.approved.push(Approval {
                        key: key.clone(),
                        decision: (*decision).clone(),
                        holder: shown.holder,
                        permission: shown.permission,
                    });
                }
                self.decisions.insert(key, *decision);
            }
            Outcome::Already(_) => self.counts.saw("decided before"),
            Outcome::Refused(decide::Refusal::Stale) => self.counts.saw("stale"),
            Outcome::Refused(decide::Refusal::Rules(_)) => self.counts.saw("rules said no"),
            Outcome::Refused(_) => {}
        }
    }

    fn somebody_revokes(&mut self) {
        let keys: Vec<Key> = self.approved.iter().map(|approval| approval.key.clone()).collect();
        let Some((case_id, opening)) = self.one(&keys) else { return };
        let revocation = Revocation { case_id: case_id.clone(), opening, by: saanvi(), revoked_at: self.now };
        self.vouched.insert(revocation.message());
        self.revocations.insert((case_id, opening), revocation);
        self.counts.saw("revoked");
    }

    pub(super) fn file(&self, key: &str) -> (Option<u64>, HolderFile) {
        match self.files.get(key) {
            Some((version, body)) => (Some(*version), HolderFile::read(key, body)),
            None => (None, HolderFile::default()),
        }
    }

    /// One run for one decision, as the function does it; it may die between any two effects.
    pub(super) fn reconcile(&mut self, key: &Key, remembered: Option<&str>, depth: u32) -> Ran {
        let mut left = if self.once_in(4) { self.below(5) } else { usize::MAX };
        let now = self.now - if self.is_calm { 0 } else { self.below(usize::try_from(BEHIND).unwrap()) as i64 };
        for _ in 0..20 {
            let stands = self.decisions.get(key).cloned();
            let Some(file_key) =
                remembered.map(str::to_owned).or_else(|| Some(reconcile::key(stands.as_ref()?.target_id.as_ref()?)))
            else {
                return Ran::Through;
            };
            // A decision counts under its own key, and with its code.
            let decision = stands.filter(|decision| {
                self.vouched.contains(&decision.message()) && (&decision.case_id, decision.opening) == (&key.0, key.1)
            });
            let revocation = self.revocations.get(key).filter(|r| self.vouched.contains(&r.message())).cloned();
            let case = self.cases.get(&key.0).cloned();
            let setting = self.setting.clone();
            let facts = Facts {
                decision: decision.as_ref(),
                revocation: revocation.as_ref(),
                case: case.as_ref(),
                setting: &setting,
            };
            // IAM first and the table after that: the look is at whom an earlier reading names.
            let named = reconcile::holder(&facts, self.file(&file_key).1.grant(&key.0, key.1));
            let (entity, is_true) = named.as_ref().map_or((None, true), |holder| self.look(holder));
            let (version, mut file) = self.file(&file_key);
            let grant = file.grant(&key.0, key.1).cloned();
            let limits = self.limits.clone();
            let step = step(&facts, &limits, grant.as_ref(), entity.as_ref(), file.others(&key.0, key.1), now);
            if left == 0 {
                self.counts.saw("crashed");
                return Ran::Crashed;
            }
            left -= 1;
            match step {
                Step::Done | Step::Wait(_) => return Ran::Through,
                Step::Record(next) => {
                    self.count_change(grant.as_ref().map(|g| &g.state), &next.state);
                    if next.state == State::Giving && file.grants.iter().any(|g| g.is_live(now) && g.shares_with(&next))
                    {
                        self.counts.saw("shared an attachment");
                    }
                    file.remember(next);
                    // Another run may come between, and write first.
                    if depth == 0 && self.once_in(6) {
                        let keys: Vec<Key> = self.decisions.keys().cloned().collect();
                        if let Some(other) = self.one(&keys) {
                            self.reconcile(&other, None, 1);
                        }
                    }
                    if self.files.get(&file_key).map(|(version, _)| *version) != version {
                        self.counts.saw("conflict");
                        continue;
                    }
                    self.files.insert(file_key, (version.unwrap_or(0) + 1, serde_json::to_string(&file).unwrap()));
                }
                step @ (Step::Apply(_) | Step::GiveAgain(_)) => {
                    let is_again = matches!(step, Step::GiveAgain(_));
                    let (Step::Apply(change) | Step::GiveAgain(change)) = step else { continue };
                    let holder = named.unwrap();
                    let mut is_mistake = !is_true;
                    // The name may come to be another's between the look and the change.
                    if self.has_outsiders && self.once_in(40) {
                        self.is_touched = true;
                        is_mistake = true;
                        self.make(holder.clone());
                    }
                    // Another run may come in between, and find the grant revoked.
                    if self.has_outsiders && depth == 0 && self.once_in(20) {
                        self.counts.saw("overtaken");
                        self.is_touched = true;
                        let revocation =
                            Revocation { case_id: key.0.clone(), opening: key.1, by: saanvi(), revoked_at: self.now };
                        self.vouched.insert(revocation.message());
                        self.revocations.insert(key.clone(), revocation);
                        self.reconcile(key, remembered, 1);
                    }
                    let before: BTreeSet<Held> = self.held().into_iter().collect();
                    let answer = self.change(&change);
                    if is_mistake {
                        let held = self.held().into_iter().filter(|held| !before.contains(held));
                        self.mistaken.extend(held.collect::<Vec<_>>());
                    }
                    if left == 0 {
                        self.counts.saw("crashed");
                        return Ran::Crashed;
                    }
                    left -= 1;
                    let (version, mut file) = self.file(&file_key);
                    let Some(grant) = file.grant(&key.0, key.1).cloned() else { continue };
                    let next = match is_again {
                        true => given_again(&grant, &answer, now),
                        false => answered(&grant, &change, &answer, now),
                    };
                    self.count_change(Some(&grant.state), &next.state);
                    file.remember(next);
                    self.files.insert(file_key, (version.unwrap_or(0) + 1, serde_json::to_string(&file).unwrap()));
                    if !matches!(answer, Ok(()) | Err(Failure::Gone)) {
                        return Ran::Through;
                    }
                }
            }
        }
        panic!("reconcile does not come to an end");
    }

    fn count_change(&mut self, before: Option<&State>, next: &State) {
        match next {
            State::Given => self.counts.saw("given"),
            State::Ended(End::Expired) => self.counts.saw("expired"),
            State::Ended(End::Revoked) if before.is_some() => self.counts.saw("ended early"),
            State::Ended(End::RemovedByHand) => {
                // Ours never take away what another grant still needs.
                assert!(self.is_touched, "removed by hand, and no hand was there");
                self.counts.saw("removed by hand");
            }
            State::Ended(End::ChangedByHand) => self.counts.saw("changed by hand"),
            State::Ended(End::Lapsed) => self.counts.saw("lapsed"),
            State::Ended(End::HolderGone) => self.counts.saw("holder gone"),
            State::Ended(End::Refused(_)) => self.counts.saw("refused by IAM"),
            State::Ended(End::NotEntitled(Reason::Altered)) => self.counts.saw("altered"),
            State::Taking(End::NotEntitled(Reason::Mode | Reason::Protected | Reason::Boundary)) => {
                self.counts.saw("no longer allowed");
            }
            _ => {}
        }
    }
}

pub fn names(permission: &Permission) -> &String {
    match permission {
        Permission::Attached { policy_arn } => policy_arn,
        Permission::Inline { name, .. } => name,
    }
}

pub fn saanvi() -> Approved {
    Approved {
        approver: "saanvi".into(),
        channel: Channel::Aws,
        identity: "arn:aws:iam::111122223333:user/saanvi".into(),
    }
}
