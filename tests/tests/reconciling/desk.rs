//! One account at one desk: a table that may die under whoever writes, users and roles, an approver, and a clock to turn.

use std::time::{Duration, SystemTime};

use access::{
    case::{Arrival, Arrivals, Case},
    decide::{self, Outcome, Request},
    decision::{self, Answer, Approved, Channel as By, Decision, Revocation},
    diagnose::{Setting, diagnose},
    diagnosis::Apply,
    event,
    grant::GrantMode,
    guardrails::Guardrails,
    notice::text::Style,
    reconcile::{self as plan, Entity, Grant, Holder, HolderFile, Limits},
    triage,
};
use adapters::{
    channel::{Channel, Channels},
    iam::{Iam, LocalIam},
    store::{Committed, Store, Write},
};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_iam::config::Credentials;
use reconcile::{
    handle::{Account, Reconcile, Report},
    remembered::{ACTIVE, Active, History},
};
use serde_json::Value;
use tests::{
    local::{REGION, table::Table, vouching},
    sample::{HERE, TRAIL, lacking, role, user, with},
};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const ALICE: &str = "AIDAJ45Q7YFFALICEXAMPLE";
pub const READER: &str = "AROAIDPPEZS35READEXAMPLE";

pub struct Desk {
    pub reconcile: Reconcile<Table>,
}

pub fn alice() -> Holder {
    Holder::User("alice".into())
}

pub fn reader() -> Holder {
    Holder::Role("reader".into())
}

pub fn own_policy() -> String {
    format!("arn:aws:iam::{HERE}:policy/trailpass/trailpass-trail-read")
}

fn account() -> Account {
    Account { partition: "aws".into(), id: HERE.into(), is_shared: false }
}

fn id_of(holder: &Holder) -> &'static str {
    if matches!(holder, Holder::User(_)) { ALICE } else { READER }
}

pub fn entity(id: &str) -> Entity {
    Entity { id: id.into(), path: "/team/".into(), attachable: 10, ..Entity::default() }
}

impl Desk {
    pub fn new(mode: GrantMode) -> Self {
        let iam = LocalIam::in_memory();
        iam.set(alice(), Some(entity(ALICE)));
        iam.set(reader(), Some(entity(READER)));
        let reconcile = Reconcile {
            store: Table::new("reconciling"),
            iam: Iam::Local(iam),
            voucher: vouching::voucher(),
            channels: Channels {
                notices: vec![Channel::Terminal(Style::Plain)],
                alarms: vec![Channel::Terminal(Style::Plain)],
                pages: None,
            },
            setting: Setting { mode, guardrails: Guardrails::default() },
            limits: Limits::default(),
            asks_history: false,
            ahead_ms: 0,
        };
        Self { reconcile }
    }

    pub fn table(&self) -> &Table {
        &self.reconcile.store
    }

    pub fn iam(&self) -> &LocalIam {
        let Iam::Local(local) = &self.reconcile.iam else { panic!("it is local") };
        local
    }

    pub fn entity(&self, holder: &Holder) -> Entity {
        self.iam().all()[holder].clone()
    }

    /// An administrator changes somebody by hand.
    pub fn change(&self, holder: &Holder, change: impl FnOnce(&mut Entity)) {
        let mut entity = self.entity(holder);
        change(&mut entity);
        self.iam().set(holder.clone(), Some(entity));
    }

    /// Who holds what under our names.
    pub fn held(&self) -> Vec<(Holder, String)> {
        let of = |(holder, entity): (Holder, Entity)| {
            let attached = entity.attached.into_iter().filter(|arn| arn.contains("/trailpass/"));
            let inline = entity.inline.into_keys().filter(|name| name.starts_with("trailpass-"));
            attached.chain(inline).map(move |name| (holder.clone(), name)).collect::<Vec<_>>()
        };
        self.iam().all().into_iter().flat_map(of).collect()
    }

    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap() + self.reconcile.ahead_ms / 1000
    }

    pub fn later(&mut self, seconds: i64) {
        self.reconcile.ahead_ms += seconds * 1000;
    }

    /// Somebody is denied an action, and triage writes the case.
    pub async fn denied(&self, holder: &Holder, action: &str) -> Case {
        let (id, record) = (
            id_of(holder),
            match holder {
                Holder::User(name) => lacking(user(name), action, TRAIL),
                Holder::Role(name) => lacking(role(name), action, TRAIL),
            },
        );
        let record = match holder {
            Holder::User(_) => with(record, "/userIdentity/principalId", id),
            Holder::Role(_) => {
                let record = with(record, "/userIdentity/principalId", format!("{id}:alice"));
                with(record, "/userIdentity/sessionContext/sessionIssuer/principalId", id)
            }
        };
        self.opened(&record).await
    }

    pub async fn opened(&self, record: &Value) -> Case {
        let record = event::read(&record.to_string()).remove(0).unwrap();
        let first = diagnose(record, &Setting::default(), false);
        let each = vec![Arrival::of(0, &first.denial)];
        let case = Case::open(&Arrivals { first, each }, self.now());
        self.write(&triage::case_key(&case.id), &serde_json::to_string(&case).unwrap()).await;
        case
    }

    /// Writes a document over whatever stands there, as whoever can write to the table.
    pub async fn write(&self, key: &str, body: &str) {
        let keys = [key.to_owned()];
        let expected = self.table().store.read(&keys).await.unwrap().first().map(|found| found.version);
        let write = Write { key: key.into(), expected, body: body.into(), expires: None };
        assert_eq!(self.table().store.commit(&[write]).await, Ok(Committed::Yes));
    }

    pub async fn document(&self, key: &str) -> Option<String> {
        self.table().store.read(&[key.to_owned()]).await.unwrap().into_iter().next().map(|found| found.body)
    }

    /// The hashes of what can be approved.
    pub fn offers(&self, case: &Case) -> Vec<String> {
        let remedies = case.diagnosed(&self.reconcile.setting).diagnosis.remedies;
        let offered = remedies.into_iter().filter(|remedy| remedy.apply == Apply::OnApproval);
        offered.filter_map(|remedy| remedy.hash).collect()
    }

    /// What decide makes of an answer.
    pub fn decision(&self, case: &Case, answer: Answer, duration: i64) -> Decision {
        let remedy = self.offers(case).into_iter().next();
        let request = Request { answer, remedy, duration, by: saanvi() };
        let known = decide::Known { case, is_latest: true, before: None };
        match decide::decide(&known, &request, &self.reconcile.setting, "rules", |_| Ok(()), self.now()) {
            Outcome::Decided(decision) => *decision,
            other => panic!("{other:?}"),
        }
    }

    /// Stores a decision with its code, and lists it.
    pub async fn store(&self, decision: &Decision) -> String {
        let key = decision::key(&decision.case_id, decision.opening);
        let row = vouching::decision_row(&self.reconcile.voucher, decision).await;
        self.write(&key, &row).await;
        self.list(&key, decision.decided_at / 3600).await;
        key
    }

    pub async fn list(&self, key: &str, hour: i64) {
        let (list, body) = vouching::hour_list(key, hour);
        self.write(&list, &body).await;
    }

    /// Denied and approved; nothing has been done about it yet.
    pub async fn approved(&self, holder: &Holder, action: &str, duration: i64) -> (Case, String) {
        let case = self.denied(holder, action).await;
        let key = self.store(&self.decision(&case, Answer::Approve, duration)).await;
        (case, key)
    }

    pub async fn revoke(&self, case: &Case) -> String {
        let revocation =
            Revocation { case_id: case.id.clone(), opening: case.opening, by: saanvi(), revoked_at: self.now() };
        let key = decision::revocation_key(&case.id, case.opening);
        self.write(&key, &vouching::revocation_row(&self.reconcile.voucher, &revocation).await).await;
        key
    }

    /// The stream wakes the function.
    pub async fn wakes(&self, key: &str) -> Report {
        self.reconcile.decided(&[Some(key)], soon()).await
    }

    /// The schedule does.
    pub async fn sweeps(&self) -> Report {
        self.reconcile.sweep(&account(), soon()).await
    }

    /// The same where others give what we give, too.
    pub async fn sweeps_beside_others(&self) -> Report {
        self.reconcile.sweep(&account().shared(), soon()).await
    }

    pub async fn file(&self, holder: &Holder) -> HolderFile {
        let key = plan::key(id_of(holder));
        self.document(&key).await.map(|body| HolderFile::read(&key, &body)).unwrap_or_default()
    }

    pub async fn grant(&self, holder: &Holder, case: &Case) -> Grant {
        self.file(holder).await.grant(&case.id, case.opening).cloned().expect("it is remembered")
    }

    pub async fn history(&self, case: &Case) -> History {
        let body = self.document(&access::reconcile::history_key(&case.id, case.opening)).await;
        body.map(|body| serde_json::from_str(&body).unwrap()).unwrap_or_default()
    }

    pub async fn active(&self) -> Active {
        self.document(ACTIVE).await.map(|body| Active::read(&body)).unwrap_or_default()
    }
}

/// AWS at an address that stands in for it.
pub async fn sdk_config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(adapters::http::client())
        .endpoint_url(url)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

pub fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

pub fn saanvi() -> Approved {
    Approved { approver: "saanvi".into(), channel: By::Aws, identity: format!("arn:aws:iam::{HERE}:user/saanvi") }
}
