//! The handler: a batch of messages to cases, whatever they came through and wherever the cases are kept.
//!
//! It may run twice with the same batch and may die between any two effects: a case is written before anybody is told, as
//! `pending`, and whoever finds it so tells. A message is done when all its denials are accounted for and told of.

use std::{
    collections::{BTreeSet, HashMap},
    ops::{Deref, DerefMut},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use access::{
    case::Case,
    decision::{self, Decision, Vouched},
    denial::Denial,
    diagnose::{Diagnosed, Setting, diagnose},
    diagnosis::Response,
    event::{self, Record},
    grant::GrantMode,
    triage::{self, Change, Documents, Found, Group, Now, Outcome, Planned, RecentCase, Tell},
};
use adapters::{
    channel::{Channels, Telling},
    iam::Iam,
    store::{Committed, Store, StoreError, Write},
    telemetry::{Counts, Metric, milliseconds},
};
use tracing::{error, warn};

use crate::{canary, evidence::LookedUp, simulated::Simulated, tell::Teller};

/// Everything that triage works with.
#[derive(Debug)]
pub struct Triage<S> {
    /// Where cases are kept.
    pub store: S,
    /// Who is told, and how.
    pub channels: Channels,
    /// Grant mode and guardrails.
    pub setting: Setting,
    /// Who is asked where a grant hangs on the policy simulator alone; nobody where nothing is given.
    pub simulator: Option<Iam>,
    /// Whether CloudTrail is asked for what a notice's reader would look up next.
    pub looks_up: bool,
    /// ARNs of the responder's own roles.
    pub own_roles: Vec<String>,
    /// How far this clock is ahead of the machine's, milliseconds. Zero when deployed.
    pub ahead_ms: i64,
}

/// How a batch was accounted for, its counts first of all: `received = posted + joined + duplicate + held + ignored + failed`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The messages, by their place in the batch, that have to come again.
    pub failed_messages: BTreeSet<usize>,
    counts: Counts,
}

/// What is counted, in the order of the identity, and beside it the responder's own denials and its canary.
pub const COUNTED: [Metric; 9] = [
    Metric::Received,
    Metric::Posted,
    Metric::Joined,
    Metric::Duplicate,
    Metric::Held,
    Metric::Ignored,
    Metric::Failed,
    Metric::OwnDenials,
    Metric::CanarySeen,
];

impl Deref for Report {
    type Target = Counts;
    fn deref(&self) -> &Counts {
        &self.counts
    }
}

impl DerefMut for Report {
    fn deref_mut(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

impl Report {
    fn fail(&mut self, message: usize) {
        self.add(Metric::Failed, 1);
        self.failed_messages.insert(message);
    }
}

/// How often a plan is made anew because somebody else wrote first.
const TRIES: u32 = 8;
/// What one call to a channel may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// With less than this left no new work is begun: what is not begun comes again whole.
const RESERVE: Duration = Duration::from_millis(1500);

/// One invocation.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) telling: Telling,
    pub(crate) simulated: Simulated,
    pub(crate) looked_up: LookedUp,
}

impl Run {
    /// Whether what takes so long still leaves time to tell.
    pub(crate) fn has_time_for(&self, length: Duration) -> bool {
        remaining(self.telling.deadline) > length + 2 * RESERVE
    }
}

impl<S: Store> Triage<S> {
    /// Handles the messages of one batch, each the JSON text of an event in any of its wrappings.
    pub async fn handle(&self, messages: &[&str], deadline: SystemTime) -> Report {
        let mut poison = Vec::new();
        let mut records: Vec<(usize, Record)> = Vec::with_capacity(messages.len());
        let has_canary = messages.contains(&canary::MESSAGE);
        for (message, body) in messages.iter().enumerate().filter(|(_, body)| **body != canary::MESSAGE) {
            // A message without any record (a log file of none) is done: nothing was refused, and nothing is lost.
            for one in event::read(body) {
                match one {
                    Ok(record) => records.push((message, record)),
                    Err(why) => {
                        warn!(message, %why, "not a record: left for the dead-letter queue");
                        poison.push(message);
                    }
                }
            }
        }
        let mut report = self.handle_records(records, deadline).await;
        // Behind everybody's denials: nothing waits for it.
        if has_canary {
            canary::send().await;
        }
        for message in poison {
            report.add(Metric::Received, 1);
            report.fail(message);
        }
        report
    }

    /// Handles records that have been read, each with the message that it came in.
    pub async fn handle_records(&self, records: Vec<(usize, Record)>, deadline: SystemTime) -> Report {
        let mut report = Report::default();
        records.iter().for_each(|_| report.add(Metric::Received, 1));
        let records = records.into_iter().map(|(message, record)| (message, record.kept())).collect();
        let mut run = Run {
            telling: Telling::new(deadline, PATIENCE),
            simulated: Simulated::default(),
            looked_up: LookedUp::default(),
        };
        self.handle_kept(records, &mut run, &mut report).await;
        report.add(Metric::OwnDenials, run.telling.own_denials());
        report
    }

    async fn handle_kept(&self, records: Vec<(usize, Record)>, run: &mut Run, report: &mut Report) {
        let diagnosed = match self.diagnose_all(records, &run.telling).await {
            Ok(diagnosed) => diagnosed,
            Err((messages, why)) => {
                error!(%why, "the store can't be read");
                messages.into_iter().for_each(|message| report.fail(message));
                return;
            }
        };
        let mut to_post = Vec::with_capacity(diagnosed.len());
        for (message, one) in diagnosed {
            if triage::is_own(&one.denial, &self.own_roles) {
                // Never a case: it would be one for every try. An alarm for the operators hangs on the metric.
                if self.own_roles.first() == one.denial.caller.principal.arn.as_ref() && canary::is_canary(&one.denial)
                {
                    let now = self.now(run.telling.deadline).seconds();
                    report.add(Metric::CanarySeen, u64::from(canary::is_fresh(&one.denial, now)));
                } else if one.denial.refusal != access::denial::Refusal::NoError {
                    run.telling.count_own_denial();
                    error!(
                        action = one.diagnosis.action.as_deref(),
                        rule = one.diagnosis.rule.id(),
                        "this responder was refused"
                    );
                }
                report.add(Metric::Ignored, 1);
            } else if one.diagnosis.response == Response::Ignore {
                report.add(Metric::Ignored, 1);
            } else {
                to_post.push((message, one));
            }
        }
        for group in triage::group(to_post) {
            self.handle_group(group, run, report).await;
        }
    }

    /// Diagnoses every record. A denied IAM call without parameters is CloudTrail's only if the entity it names has an open case.
    async fn diagnose_all(
        &self,
        records: Vec<(usize, Record)>,
        telling: &Telling,
    ) -> Result<Vec<(usize, Diagnosed)>, (Vec<usize>, StoreError)> {
        let entity = |record: &Record| {
            // Only IAM's own events can need the look-up; making the facts twice for all others would cost more than it tells.
            let is_iam = record.event_source.as_deref() == Some("iam.amazonaws.com");
            if !is_iam {
                return None;
            }
            triage::named_entity_key(&Denial::of(record.clone()))
        };
        let entities: Vec<Option<String>> = records.iter().map(|(_, record)| entity(record)).collect();
        let wanted: Vec<String> = entities.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let messages = || records.iter().map(|(message, _)| *message).collect::<Vec<_>>();
        let open = self.entities_with_open_case(wanted, telling).await.map_err(|why| (messages(), why))?;
        let has_open_case = |entity: &Option<String>| entity.as_ref().is_some_and(|key| open.contains(key));
        Ok(records
            .into_iter()
            .zip(entities)
            .map(|((message, record), entity)| (message, diagnose(record, &self.setting, has_open_case(&entity))))
            .collect())
    }

    async fn entities_with_open_case(
        &self,
        wanted: Vec<String>,
        telling: &Telling,
    ) -> Result<BTreeSet<String>, StoreError> {
        let mut open = BTreeSet::new();
        if wanted.is_empty() {
            return Ok(open);
        }
        let files = self.read(&wanted, telling).await?;
        let mut cases_of: HashMap<String, Vec<String>> = HashMap::new();
        for (entity, file) in &files {
            cases_of.insert(entity.clone(), triage::recent_cases(file));
        }
        let keys: Vec<String> = cases_of.values().flatten().cloned().collect();
        let cases = self.read(&keys, telling).await?;
        let now = self.now(telling.deadline);
        for (entity, keys) in cases_of {
            if keys.iter().filter_map(|key| cases.get(key)).any(|case| triage::is_open_case(case, now.seconds())) {
                open.insert(entity);
            }
        }
        Ok(open)
    }

    /// Plans, commits and tells, until all denials of one principal are accounted for.
    async fn handle_group(&self, mut group: Group, run: &mut Run, report: &mut Report) {
        let deadline = run.telling.deadline;
        for attempt in 0..TRIES {
            if group.cases.is_empty() {
                return;
            }
            let now = self.now(deadline);
            if remaining(deadline) < RESERVE {
                warn!(cases = group.cases.len(), "no time left: these come again");
                break;
            }
            let documents = match self.documents(&group, now, &run.telling).await {
                Ok(documents) => documents,
                Err(why) => {
                    error!(%why, "the store can't be read");
                    break;
                }
            };
            self.simulate(&mut group, &documents, now, run).await;
            self.look_up(&mut group, &documents, now, run).await;
            let telling = &run.telling;
            let mut left = BTreeSet::new();
            for planned in triage::plan(&group, &documents, now) {
                let cases: BTreeSet<String> =
                    planned.outcomes.iter().map(|(arrival, _)| arrival.event.clone()).collect();
                match self.commit(&planned.changes, telling).await {
                    Ok(Committed::Yes) => self.settle(planned, telling, report).await,
                    Ok(Committed::Conflict) => left.extend(cases),
                    Err(why) => {
                        error!(%why, "a case can't be written");
                        planned.outcomes.iter().for_each(|(arrival, _)| report.fail(arrival.message));
                    }
                }
            }
            // What somebody else wrote in the meantime is read and planned again; the rest is done.
            group.cases.retain_mut(|case| {
                case.each.retain(|arrival| left.contains(&arrival.event));
                !case.each.is_empty()
            });
            if !group.cases.is_empty() {
                tokio::time::sleep(back_off(attempt)).await;
            }
        }
        let unfinished = group.cases.iter().flat_map(|case| &case.each);
        unfinished.for_each(|arrival| report.fail(arrival.message));
    }

    /// What a plan looks at: whether a request is over is asked of open cases only.
    async fn documents(&self, group: &Group, now: Now, telling: &Telling) -> Result<Documents, StoreError> {
        let mut documents = self.read(&triage::keys(group, now), telling).await?;
        if self.setting.mode == GrantMode::None {
            return Ok(documents);
        }
        let decisions = triage::decision_keys(group, &documents, now);
        if !decisions.is_empty() {
            documents.extend(self.read(&decisions, telling).await?);
        }
        Ok(documents)
    }

    /// Tells whoever is to be told of what was written, then accounts for the denials.
    async fn settle(&self, planned: Planned, telling: &Telling, report: &mut Report) {
        let mut failed = false;
        for tell in &planned.tell {
            if remaining(telling.deadline) < RESERVE {
                // What isn't told now stays pending: its message comes again. A counter's update is a courtesy.
                let is_update = matches!(tell, Tell::UpdateCase(..) | Tell::UpdateStorm(_));
                failed |= !is_update;
                continue;
            }
            failed |= !self.tell(tell, &planned.changes, telling).await;
        }
        for (arrival, outcome) in planned.outcomes {
            // A message whose notice did not go out comes again; its denials are in the case by then, and count as duplicates.
            if failed {
                report.fail(arrival.message);
                continue;
            }
            match outcome {
                Outcome::Posted => report.add(Metric::Posted, 1),
                Outcome::Joined => report.add(Metric::Joined, 1),
                Outcome::Duplicate => report.add(Metric::Duplicate, 1),
                Outcome::Held => report.add(Metric::Held, 1),
                Outcome::Waiting => report.fail(arrival.message),
            }
        }
    }

    /// Tells, and records that it was told. `false`: the notice is still pending.
    ///
    /// What was `written` a moment ago is most likely still so: the document is only read again if somebody came between.
    async fn tell(&self, tell: &Tell, written: &[Change], telling: &Telling) -> bool {
        let now = self.now(telling.deadline).seconds();
        let teller = Teller { channels: &self.channels, setting: &self.setting, telling, now };
        let (key, outcome) = match tell {
            Tell::Case(case, beside) => {
                let thread = self.thread(case.shown_under.as_deref(), telling).await;
                (triage::case_key(&case.id), teller.tell_case(case, beside, thread.as_deref()).await)
            }
            Tell::Storm(storm) => (triage::storm_key(storm), teller.tell_storm(storm).await),
            Tell::UpdateCase(case, beside) => {
                self.update_case(case, beside, &teller).await;
                return true;
            }
            Tell::UpdateStorm(storm) => {
                teller.update_storm(storm).await;
                return true;
            }
        };
        let is_sent = outcome.notice == access::case::NoticeState::Sent;
        let mut known = written.iter().find(|change| change.key == key).map(Change::written);
        for attempt in 0..TRIES {
            let found = match known.take() {
                Some(found) => Some(found),
                None => match self.read(std::slice::from_ref(&key), telling).await {
                    Ok(mut documents) => documents.remove(&key),
                    Err(_) => break,
                },
            };
            let Some(change) = found.and_then(|found| triage::told(&found, &key, &outcome)) else { break };
            match self.commit(&[change], telling).await {
                Ok(Committed::Yes) => return is_sent,
                Ok(Committed::Conflict) => tokio::time::sleep(back_off(attempt)).await,
                Err(why) => {
                    error!(%why, "that a notice was sent can't be written");
                    break;
                }
            }
        }
        // Told but not written so: it will be told again, which is better than not at all.
        false
    }

    /// Brings a case's message up to date, unless somebody has answered it: what it says from then on is reconcile's to write. A
    /// decision's code can't be checked here, and need not be, since nothing hangs on it but a counter.
    async fn update_case(&self, case: &Case, beside: &[RecentCase], teller: &Teller<'_>) {
        if self.setting.mode == GrantMode::None {
            return teller.update_case(case, beside).await;
        }
        let decided = async || -> Result<Option<Decision>, StoreError> {
            let key = decision::key(&case.id, case.opening);
            let found = self.read(std::slice::from_ref(&key), teller.telling).await?;
            let row = found.get(&key).map(|found| serde_json::from_str::<Vouched<Decision>>(&found.body));
            Ok(row.and_then(Result::ok).map(|row| row.record))
        };
        if !matches!(decided().await, Ok(None)) {
            return;
        }
        teller.update_case(case, beside).await;
        // Whoever answered in the same moment must not find the buttons back.
        if let Ok(Some(decision)) = decided().await {
            teller.update_decided(case, beside, &decision).await;
        }
    }

    /// The Slack message of the case that another is shown under, once there is one.
    async fn thread(&self, case: Option<&str>, telling: &Telling) -> Option<String> {
        let key = triage::case_key(case?);
        let documents = self.read(std::slice::from_ref(&key), telling).await.ok()?;
        let case: Case = serde_json::from_str(&documents.get(&key)?.body).ok()?;
        case.told.slack.map(|message| message.ts).filter(|ts| !ts.is_empty())
    }

    /// The clock, which one machine may set ahead to see what time does to cases.
    fn now(&self, deadline: SystemTime) -> Now {
        let ahead = self.ahead_ms;
        Now { ms: milliseconds(SystemTime::now()) + ahead, deadline_ms: milliseconds(deadline) + ahead }
    }

    async fn read(&self, keys: &[String], telling: &Telling) -> Result<Documents, StoreError> {
        let documents = counted(self.store.read(keys).await, telling)?;
        Ok(documents.into_iter().map(|d| (d.key, Found { version: d.version, body: d.body })).collect())
    }

    async fn commit(&self, changes: &[Change], telling: &Telling) -> Result<Committed, StoreError> {
        if changes.is_empty() {
            return Ok(Committed::Yes);
        }
        let writes: Vec<Write> = changes
            .iter()
            .map(|c| Write { key: c.key.clone(), expected: c.expected, body: c.body.clone(), expires: c.expires })
            .collect();
        counted(self.store.commit(&writes).await, telling)
    }
}

/// Counts a call to the store for which we lack the permission.
fn counted<T>(result: Result<T, StoreError>, telling: &Telling) -> Result<T, StoreError> {
    if matches!(result, Err(StoreError::Denied(_))) {
        telling.count_own_denial();
    }
    result
}

fn remaining(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO)
}

/// Longer each time, and different for two who met: the clock's last digits serve as chance.
fn back_off(attempt: u32) -> Duration {
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_micros() % 20);
    Duration::from_millis(u64::from((10 << attempt.min(5)) + chance))
}
