//! One stack at one desk: a table, a door, a secret that Slack signs with, and people.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use access::{
    answer::aws::Wish,
    case::{Arrival, Arrivals, Case, SlackMessage},
    decision::{self, Decision, HourFile, Vouched},
    diagnose::{Setting, diagnose},
    diagnosis::Apply,
    event,
    grant::GrantMode,
    guardrails::Guardrails,
    triage::{self, Opened, PrincipalFile, RecentCase},
};
use adapters::{
    config::SlackApp,
    secrets::Secrets,
    store::{Committed, Store, Write},
    sts::Sts,
    telemetry::Metric,
    vouch::{LocalVoucher, Voucher},
};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_iam::config::Credentials;
use decide::{
    answer::{Asked, Proof, Reply},
    authority::{Authority, Source},
    door::{AwsDoor, Door, Response, SlackDoor},
    handle::{Decide, Report, Trouble},
    history::History,
};
use serde_json::{Value, json};
use tests::{
    local::{
        REGION,
        aws::{hex, hmac},
        http::{Reply as Served, Response as Answered, Server},
        table::Table,
        vouching,
    },
    sample::{HERE, TRAIL, lacking, user, with},
};

use crate::signing;

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b";
pub const READ: &str = "cloudtrail:GetTrailStatus";
const CHANNEL: &str = "C0NOTICES";
const TS: &str = "1548261231.000200";

/// Who may answer, by name, Slack's id and AWS identities.
pub fn approvers() -> String {
    let identity = |rest: &str| format!("arn:aws:iam::{HERE}:{rest}");
    let person = |name: &str, slack: &str, aws: &[String]| json!({ "name": name, "slack": [{ "team_id": "T0TEAM", "user_id": slack }], "aws": aws });
    let list = [
        person("saanvi", "U0SAANVI", &[identity("user/saanvi")]),
        person("nikki", "U0NIKKI", &[identity("user/nikki")]),
        // Who is denied in these tests is an approver, too.
        person("alice", "U0ALICE", &[identity("user/alice")]),
        person("riley", "U0RILEY", &[identity("role/reader"), identity("user/riley")]),
    ];
    json!({ "schema": "trailpass.approvers/1", "approvers": list }).to_string()
}

pub struct Desk {
    pub door: Door<Table>,
    /// What Secrets Manager gives.
    pub secret: Arc<Mutex<Value>>,
    /// What STS was asked: the answers, and whether it works.
    pub sts: Arc<Mutex<(Vec<String>, bool)>>,
    _servers: [Server; 2],
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(Authority::read(Ok(&approvers()), Ok(None))).await
    }

    pub async fn with(authority: Authority) -> Self {
        let secret = Arc::new(Mutex::new(json!({ "signing_secret": SECRET, "kept for": "Slack" })));
        let given = secret.clone();
        let secrets = Server::start(move |_| {
            let text = given.lock().unwrap().to_string();
            async move { Served::Answer(Answered::json(200, &json!({ "Name": "slack", "SecretString": text }))) }
        })
        .await;
        let sts = Arc::new(Mutex::new((Vec::new(), true)));
        let asked = sts.clone();
        let sts_server = Server::start(move |request| {
            let answered = signing::sts(&request, &mut asked.lock().unwrap());
            async move { Served::Answer(answered) }
        })
        .await;
        let app = SlackApp { signing_secret: "slack".into(), app_id: "A0APP".into(), team_id: "T0TEAM".into() };
        let secrets_of = Secrets::with_config(&sdk_config(&secrets.url()).await).for_signing();
        let door = Door {
            decide: Decide {
                store: Table::new("deciding"),
                voucher: vouching::voucher(),
                authority: Source::Read(Arc::new(authority)),
                setting: Setting { mode: GrantMode::Managed, guardrails: Guardrails::default() },
                ahead_ms: 0,
            },
            slack: Some(SlackDoor { secrets: secrets_of, app }),
            aws: Some(AwsDoor { sts: Sts::with_config(&sdk_config(&sts_server.url()).await), region: REGION.into() }),
            links: Some(Voucher::Local(LocalVoucher::new([9; 32]))),
            stack: Some(STACK.into()),
        };
        Self { door, secret, sts, _servers: [secrets, sts_server] }
    }

    pub fn table(&self) -> &Table {
        &self.door.decide.store
    }

    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap() + self.door.decide.ahead_ms / 1000
    }

    pub fn later(&mut self, seconds: i64) {
        self.door.decide.ahead_ms += seconds * 1000;
    }

    /// Somebody is denied, triage opens a case, and tells it in Slack.
    pub async fn opened(&self, record: &Value) -> Case {
        let record = event::read(&record.to_string()).remove(0).unwrap();
        let first = diagnose(record, &Setting::default(), false);
        let each = vec![Arrival::of(0, &first.denial)];
        let mut case = Case::open(&Arrivals { first, each }, self.now());
        case.told.slack = Some(SlackMessage { channel: CHANNEL.into(), ts: TS.into() });
        self.write(&triage::case_key(&case.id), &serde_json::to_string(&case).unwrap()).await;
        self.list(&case).await;
        case
    }

    /// Alice is denied a read.
    pub async fn denied(&self) -> Case {
        self.opened(&lacking(user("alice"), READ, TRAIL)).await
    }

    /// Bob is denied the same.
    pub async fn bob_denied(&self) -> Case {
        let record = lacking(user("bob"), READ, TRAIL);
        self.opened(&with(record, "/userIdentity/principalId", "AIDAJ45Q7YFFTHEBOBEXAMPLE")).await
    }

    /// Puts a case into its principal's file.
    pub async fn list(&self, case: &Case) {
        let key = triage::principal_key_of(case);
        let before = self.document(&key).await.map(|body| serde_json::from_str::<PrincipalFile>(&body).unwrap());
        let mut file = before.unwrap_or(PrincipalFile { opened: Opened::default(), alarmed: vec![], recent: vec![] });
        file.recent.push(RecentCase {
            id: case.id.clone(),
            call_id: case.call_id.clone(),
            opened_at: case.opened_at,
            audience: case.audience,
            principal: case.principal.clone(),
            action: Some(READ.into()),
            resource: Some(TRAIL.into()),
        });
        self.write(&key, &serde_json::to_string(&file).unwrap()).await;
    }

    /// Writes a document over whatever stands there, as whoever can write to the table.
    pub async fn write(&self, key: &str, body: &str) {
        let store = &self.table().store;
        let expected = store.read(&[key.to_owned()]).await.unwrap().first().map(|found| found.version);
        let write = Write { key: key.into(), expected, body: body.into(), expires: None };
        assert_eq!(store.commit(&[write]).await, Ok(Committed::Yes));
    }

    pub async fn document(&self, key: &str) -> Option<String> {
        self.table().store.read(&[key.to_owned()]).await.unwrap().into_iter().next().map(|found| found.body)
    }

    /// The hash of what is offered first.
    pub fn offer(&self, case: &Case) -> String {
        let remedies = case.diagnosed(&self.door.decide.setting).diagnosis.remedies;
        let offered = remedies.into_iter().find(|remedy| remedy.apply == Apply::OnApproval);
        offered.and_then(|remedy| remedy.hash).expect("it can be approved")
    }

    /// The decision, with the right code and in its hour's list.
    pub async fn decision(&self, case: &Case) -> Option<Decision> {
        let key = decision::key(&case.id, case.opening);
        let row: Vouched<Decision> = serde_json::from_str(&self.document(&key).await?).unwrap();
        assert_eq!(self.door.decide.voucher.verify(&row.record.message(), &row.mac).await, Ok(true));
        self.assert_listed(&key, row.record.decided_at).await;
        Some(row.record)
    }

    pub async fn assert_listed(&self, key: &str, at: i64) {
        let list = self.document(&decision::hour_key(at / 3600)).await.expect("an hour's list");
        let list: HourFile = serde_json::from_str(&list).unwrap();
        assert_eq!(list.keys.iter().filter(|listed| *listed == key).count(), 1, "{list:?}");
    }

    pub async fn history(&self, case: &Case) -> History {
        let body = self.document(&decision::history_key(&case.id, case.opening)).await;
        body.map(|body| serde_json::from_str(&body).unwrap()).unwrap_or_default()
    }

    /// Every key that decide has written.
    pub fn written(&self) -> Vec<String> {
        self.table().all("DECISION#").into_iter().map(|found| found.key).collect()
    }

    /// One event through the door. Its counts add up.
    pub async fn take(&self, event: &Value) -> (Response, Report) {
        let (response, report) = self.door.take(event).await;
        let parts = [
            Metric::Decided,
            Metric::Already,
            Metric::Refused,
            Metric::Unproved,
            Metric::Shown,
            Metric::Ignored,
            Metric::Failed,
        ];
        assert_eq!(report.count(Metric::Received), 1);
        assert_eq!(parts.map(|part| report.count(part)).iter().sum::<u64>(), 1, "{report:?}");
        (response, report)
    }

    /// A click that Slack signs now.
    pub async fn click(&self, payload: &Value) -> (Response, Report) {
        self.take(&self.signed(payload)).await
    }

    pub fn signed(&self, payload: &Value) -> Value {
        signed_at(&form(payload), self.now(), SECRET)
    }

    /// What Slack sends of somebody's click on Approve.
    pub fn approves(&self, case: &Case, user_id: &str) -> Value {
        approves(case, user_id, &self.offer(case))
    }

    /// An answer past the door, by whatever proves it.
    pub async fn asked(&self, case: &Case, wish: Wish, proof: Proof<'_>) -> (Result<Reply, Trouble>, Report) {
        let mut report = Report::default();
        let asked = Asked { case_id: case.id.clone(), opening: case.opening, wish };
        (self.door.decide.answer(&asked, &proof, &mut report).await, report)
    }

    pub fn approval(&self, case: &Case) -> Wish {
        Wish::Approve { remedy: self.offer(case), duration_seconds: HOUR }
    }
}

pub fn approves(case: &Case, user_id: &str, remedy: &str) -> Value {
    let option = |value: &str| json!({ "type": "static_select", "selected_option": { "text": { "type": "plain_text", "text": "x" }, "value": value } });
    json!({
        "type": "block_actions",
        "user": { "id": user_id, "team_id": "T0TEAM" },
        "api_app_id": "A0APP",
        "container": { "type": "message", "message_ts": TS, "channel_id": CHANNEL },
        "team": { "id": "T0TEAM", "domain": "example" },
        "channel": { "id": CHANNEL },
        "message": { "type": "message", "ts": TS },
        "state": { "values": { "trailpass.choice": { "trailpass.remedy": option(remedy), "trailpass.duration": option("60") } } },
        "response_url": "https://hooks.slack.com/actions/A/1/x",
        "actions": [{ "action_id": "trailpass.approve", "type": "button", "value": format!("{}#{}", case.id, case.opening) }],
    })
}

pub fn rejects(case: &Case, user_id: &str) -> Value {
    let mut payload = approves(case, user_id, "");
    payload["actions"][0]["action_id"] = json!("trailpass.reject");
    payload
}

pub fn form(payload: &Value) -> String {
    let escaped: String = payload.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("payload={escaped}")
}

pub fn signature(body: &str, at: i64, secret: &str) -> String {
    format!("v0={}", hex(&hmac(secret.as_bytes(), format!("v0:{at}:{body}").as_bytes())))
}

/// As API Gateway hands it over.
pub fn signed_at(body: &str, at: i64, secret: &str) -> Value {
    let mut event = event("POST /slack");
    event["headers"]["x-slack-request-timestamp"] = json!(at.to_string());
    event["headers"]["x-slack-signature"] = json!(signature(body, at, secret));
    event["headers"]["content-type"] = json!("application/x-www-form-urlencoded");
    event["body"] = json!(body);
    event
}

pub fn event(route: &str) -> Value {
    let (method, path) = route.split_once(' ').unwrap();
    json!({
        "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": "",
        "headers": { "host": "a1.execute-api.eu-west-1.amazonaws.com", "x-forwarded-for": "192.0.2.7" },
        "requestContext": { "accountId": HERE, "apiId": "a1", "stage": "$default", "http": { "method": method, "path": path, "sourceIp": "192.0.2.7" } },
        "isBase64Encoded": false,
    })
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
