//! The handler: which decisions are looked at, and how an invocation is accounted for.
//!
//! It is woken by the table's stream, record by record, and every five minutes by a schedule. It may run twice with the same
//! records and may die between any two effects: what a run leaves unfinished stands in the list of what is unfinished, and the
//! next sweep goes on with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::{Deref, DerefMut},
    time::{Duration, SystemTime},
};

use access::{
    diagnose::Setting,
    reconcile::{Failure, Limits},
};
use adapters::{
    channel::{Channels, Telling},
    iam::{Iam, Refusal},
    store::{Store, StoreError},
    telemetry::{Counts, Metric, milliseconds},
    vouch::{VouchError, Voucher},
};
use tracing::{error, warn};

use crate::{
    facts::{Subject, Verified},
    tell::PATIENCE,
};

/// Everything that reconcile works with.
#[derive(Debug)]
pub struct Reconcile<S> {
    /// Where everything is kept.
    pub store: S,
    /// What is changed.
    pub iam: Iam,
    /// Who says whether a decision is `decide`'s.
    pub voucher: Voucher,
    /// Who is told, and how.
    pub channels: Channels,
    /// Grant mode and guardrails.
    pub setting: Setting,
    /// What the operator allows of users and roles themselves.
    pub limits: Limits,
    /// Whether CloudTrail's event history is asked for the first use of what was given.
    pub asks_history: bool,
    /// How far this clock is ahead of the machine's, milliseconds. Zero when deployed.
    pub ahead_ms: i64,
}

/// The account that everything happens in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Its twelve digits.
    pub id: String,
    /// Others give what we give, and know why: what is not known here is reported, and left where it is.
    pub is_shared: bool,
}

impl Account {
    /// The account of an ARN: the function's own, say.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let arn = access::arn::Arn::parse(arn)?;
        Some(Self { partition: arn.partition.to_owned(), id: arn.account_id()?.to_owned(), is_shared: false })
    }

    /// The same where others give what we give.
    pub fn shared(self) -> Self {
        Self { is_shared: true, ..self }
    }
}

/// What an invocation did: its counts, and what has to come again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The records, by their place in the batch, that have to come again.
    pub failed_records: BTreeSet<usize>,
    counts: Counts,
}

/// What is counted.
pub const COUNTED: [Metric; 8] = [
    Metric::Received,
    Metric::Given,
    Metric::Ended,
    Metric::Overdue,
    Metric::Unvouched,
    Metric::Orphans,
    Metric::Failed,
    Metric::OwnDenials,
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

/// Why a decision could not be brought to its rest; another invocation goes on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The table.
    Store(StoreError),
    /// Whoever vouches.
    Voucher(VouchError),
    /// IAM, when it was looked at.
    Iam(Refusal),
    /// No time is left in this invocation.
    TooLate,
    /// Others kept coming between.
    Contended,
}

impl Trouble {
    fn is_own_denial(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Denied(_)) | Self::Iam(Refusal::Denied(_)) | Self::Voucher(VouchError::Denied(_))
        )
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => why.fmt(f),
            Self::Voucher(why) => write!(f, "nobody could say whether it is vouched for: {why}"),
            Self::Iam(why) => why.fmt(f),
            Self::TooLate => f.write_str("no time is left in this invocation"),
            Self::Contended => f.write_str("others kept writing in between"),
        }
    }
}

/// With less than this left nothing new is begun.
const RESERVE: Duration = Duration::from_secs(3);

/// One invocation.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) deadline: SystemTime,
    pub(crate) telling: Telling,
    pub(crate) verified: Verified,
    pub(crate) report: Report,
    /// What has been brought to its rest, and under whose id it is remembered.
    pub(crate) done: BTreeSet<(Subject, Option<String>)>,
    /// The end of what was decided, as its code vouches for it; `None`: nothing was. What is not here could not be read or verified.
    pub(crate) ends: BTreeMap<Subject, Option<i64>>,
    /// How often the event history may still be asked.
    pub(crate) lookups: u32,
}

impl Run {
    pub(crate) fn new(deadline: SystemTime) -> Self {
        Self {
            deadline,
            telling: Telling::new(deadline, PATIENCE),
            verified: Verified::default(),
            report: Report::default(),
            done: BTreeSet::new(),
            ends: BTreeMap::new(),
            lookups: 0,
        }
    }

    /// Whether a decision has been brought to its rest, wherever it is remembered.
    pub(crate) fn is_done(&self, subject: &Subject) -> bool {
        self.done.iter().any(|(done, _)| done == subject)
    }

    pub(crate) fn has_time(&self) -> bool {
        self.deadline.duration_since(SystemTime::now()).unwrap_or_default() > RESERVE
    }

    /// Accounts for what could not be done.
    pub(crate) fn failed(&mut self, what: &str, why: &Trouble) {
        error!(what, %why, "not done: another invocation goes on with it");
        self.report.add(Metric::Failed, 1);
        self.report.add(Metric::OwnDenials, u64::from(why.is_own_denial()));
    }

    /// The report, with what telling has counted.
    pub(crate) fn report(mut self) -> Report {
        let own = self.telling.own_denials();
        self.report.add(Metric::OwnDenials, own);
        self.report
    }
}

impl<S: Store> Reconcile<S> {
    /// Looks at the decisions that a stream's records name by their keys. The records say nothing else that counts.
    pub async fn decided(&self, keys: &[Option<&str>], deadline: SystemTime) -> Report {
        let mut run = Run::new(deadline);
        let mut seen: BTreeMap<Subject, bool> = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            run.report.add(Metric::Received, 1);
            let Some(subject) = key.and_then(Subject::of_key) else {
                // The list of an hour and answers that did not count come by, too; and a key that names no decision never
                // will, however often it comes.
                if !key.is_some_and(|key| key.starts_with("DECISION#hour#") || key.ends_with("#history")) {
                    warn!(key, "no key of a decision: left out");
                }
                continue;
            };
            let is_done = match seen.get(&subject) {
                Some(is_done) => *is_done,
                None => {
                    let driven = self.drive(&subject, None, &mut run).await;
                    if let Err(why) = &driven {
                        run.failed(&subject.case_id, why);
                    }
                    driven.is_ok()
                }
            };
            if !is_done {
                run.report.failed_records.insert(place);
            }
            seen.insert(subject, is_done);
        }
        run.report()
    }

    /// The clock, which one machine may set ahead to see what time does to grants. Seconds.
    pub(crate) fn now(&self) -> i64 {
        (milliseconds(SystemTime::now()) + self.ahead_ms) / 1000
    }
}

/// What the plan has to tell apart of IAM's refusals.
pub(crate) fn failure(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Passing(_) => Failure::Passing,
        Refusal::Gone(_) => Failure::Gone,
        // A limit that the operator has set on our own role is one that another try doesn't change, either.
        Refusal::Lasting(why) | Refusal::Denied(why) => Failure::Lasting(why.clone()),
    }
}
