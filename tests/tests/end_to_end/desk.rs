//! The approver's desk on the whole road: what somebody types, what the deployed programs make of it, and what is shown of that.
//!
//! The command is the real one, and so are the functions. Between them stands API Gateway's stand-in, which hands each request on as an
//! event and keeps it. Where signatures count, the emulated STS checks them: it computes them with botocore.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use access::decision;
use serde_json::{Value, json};
use tests::local::{
    ACCOUNT,
    aws::{Aws, Keys, element},
    function::Ended,
    http::{self, Reply, Response, Server},
    moto::{self, Moto},
};

use crate::{
    USUAL, browser,
    decisions::{ARN, Whole},
    grants::Who,
    role::enforce,
    typed,
};

/// What an approver's own policy has to allow, and all of it.
const READS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:GetParameter","dynamodb:BatchGetItem"],"Resource":"*"}]}"#;
pub const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// A stack with its door, and people with keys.
struct Desk {
    whole: Whole,
    moto: Moto,
    door: Server,
    /// What came to the door.
    sent: Arc<Mutex<Vec<String>>>,
    keys: BTreeMap<&'static str, Keys>,
    url: String,
}

/// What the command said.
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Desk {
    async fn new() -> Self {
        let moto = Moto::start();
        let mut whole = Whole::at(&moto, "desk").await;
        let aws = whole.stack.place.aws.clone();
        let mut keys = BTreeMap::new();
        for (name, policy) in [("saanvi", READS), ("mallory", READS), ("functions", ALL)] {
            keys.insert(name, person(&aws, name, policy).await);
        }
        whole.stack.place.set_keys(&keys["functions"]);
        let sent = Arc::<Mutex<Vec<String>>>::default();
        let decide = Arc::new(tokio::sync::Mutex::new(Whole::started(&whole.stack).await));
        let kept = Arc::clone(&sent);
        let door = Server::start(move |request| {
            let (decide, kept) = (Arc::clone(&decide), Arc::clone(&kept));
            async move {
                let body = request.text();
                kept.lock().unwrap().push(body.clone());
                let route = format!("{} {}", request.method, request.path);
                let event = json!({ "version": "2.0", "routeKey": route, "headers": {}, "body": body, "isBase64Encoded": false });
                let Ended::Answer(answer) = decide.lock().await.invoke(&event, USUAL).await else { return Reply::Close };
                let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
                Reply::Answer(Response::text(status, answer["body"].as_str().unwrap()))
            }
        })
        .await;
        let settings = json!({
            "schema": "trailpass.stack/1", "stack": ARN, "table": whole.stack.place.table, "answers": format!("{}/answers", door.url()),
            "grant_mode": "managed", "approvers": "/desk/approvers", "approval_rules": "",
        });
        let request = json!({ "Name": "/trailpass/stacks/desk", "Value": settings.to_string(), "Type": "String" });
        aws.call("ssm", "AmazonSSM.PutParameter", request).await;
        let url = format!("http://{}", moto.address);
        Self { whole, moto, door, sent, keys, url }
    }

    /// From now on the emulator looks at every signature, and at what its owner may do.
    async fn is_enforced(&mut self) {
        enforce(&self.moto, "0").await;
        self.whole.stack.place.aws.keys = self.keys["functions"].clone();
    }

    /// A line that somebody types.
    fn command(&self, who: &str, words: &[&str]) -> Command {
        let mut command = typed(&self.url, &self.keys[who]);
        command.args(words);
        command
    }

    /// Types a line.
    async fn types(&self, who: &str, words: &[&str]) -> Said {
        let mut command = self.command(who, words);
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let said = Said { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    /// Sends a body to the door, whoever made it.
    async fn posts(&self, body: &str) -> Value {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let request = http::Request {
            method: "POST".to_owned(),
            path: "/answers".to_owned(),
            headers,
            body: body.as_bytes().to_vec(),
        };
        serde_json::from_slice(&http::send(self.door.address, &request).await.unwrap().body).expect("JSON")
    }
}

pub async fn person(aws: &Aws, name: &str, policy: &str) -> Keys {
    aws.query("iam", "CreateUser", &[("UserName", name)]).await;
    let fields = [("UserName", name), ("PolicyName", "own"), ("PolicyDocument", policy)];
    aws.query("iam", "PutUserPolicy", &fields).await;
    let made = aws.query("iam", "CreateAccessKey", &[("UserName", name)]).await;
    let part = |name| element(&made, name).expect("a key");
    Keys { id: part("AccessKeyId"), secret: part("SecretAccessKey"), token: None }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn from_the_list_to_the_permission_and_back() {
    let mut desk = Desk::new().await;
    let nothing = desk.types("saanvi", &["cases", "--stack", "desk"]).await;
    assert_eq!((nothing.status, nothing.out.as_str()), (0, "No case in the last 24 h.\n"), "{}", nothing.err);
    let case = desk.whole.stack.denied(Who::User).await;
    let subject = format!("{}#1", case.id);

    let listed = desk.types("saanvi", &["cases", "--stack", "desk"]).await;
    let row = listed.out.lines().nth(1).expect("a row");
    for part in [&subject, "request-approval", "routine", "open", "desk-alice", "cloudtrail:GetTrailStatus on arn:aws:"]
    {
        assert!(row.contains(part), "{part}: {row}");
    }

    // What would be given, who could give it, and that nothing is.
    let dry = desk.types("saanvi", &["approve", &case.id, "--for", "4h", "--dry-run", "--stack", "desk"]).await;
    assert_eq!(dry.status, 0, "{}", dry.err);
    for part in [
        "Attach the managed policy trailpass-trail-read to IAM user desk-alice",
        "cloudtrail:GetTrailStatus",
        "4 h from the answer",
        "Risk routine",
        "saanvi  yes",
        "alice   no",
        &format!("You are arn:aws:iam::{ACCOUNT}:user/saanvi: saanvi, who could."),
        "Nothing was sent.",
    ] {
        assert!(dry.out.contains(part), "{part}: {}", dry.out);
    }
    let stranger = desk.types("mallory", &["reject", &case.id, "--dry-run", "--stack", "desk"]).await;
    assert_eq!(stranger.status, 1);
    assert!(stranger.out.contains("user/mallory: no approver."), "{}", stranger.out);
    let unasked = desk.types("saanvi", &["approve", &case.id, "--stack", "desk"]).await;
    assert_eq!((unasked.status, unasked.err.contains("--yes")), (2, true), "{}", unasked.err);
    assert_eq!(*desk.sent.lock().unwrap(), Vec::<String>::new());
    assert_eq!(desk.whole.decision().await, None);

    let approved = desk.types("saanvi", &["approve", &case.id, "--for", "15m", "--yes", "--stack", "desk"]).await;
    assert_eq!(approved.status, 0, "{}", approved.err);
    assert!(approved.out.contains(&format!("{subject}: approved by saanvi, until 20")), "{}", approved.out);
    let written = desk.whole.decision().await.expect("a decision");
    let record = &written["record"];
    assert_eq!((&record["by"]["channel"], &record["by"]["approver"]), (&json!("aws"), &json!("saanvi")));
    assert_eq!(record["not_after"].as_i64().unwrap() - record["decided_at"].as_i64().unwrap(), 900);

    let given = desk.types("saanvi", &["grants", "--stack", "desk"]).await;
    assert_eq!(given.out, "Nothing is given.\n", "reconcile has not seen it");
    assert_eq!(desk.whole.stack.streams(&[&decision::key(&case.id, 1)]).await, Some(vec![]));
    let given = desk.types("saanvi", &["grants", "--stack", "desk"]).await;
    let row = given.out.lines().nth(1).expect("a row");
    for part in [&subject, "user/desk-alice", "trailpass-trail-read", "given", "saanvi"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    // Fifteen as long as the decision's own second lasts.
    assert!(row.contains("14 min") || row.contains("15 min"), "{row}");

    // Whoever takes the decision away hides nothing of what hangs on it.
    let aws = &desk.whole.stack.place.aws;
    let key = json!({"pk": {"S": decision::key(&case.id, 1)}});
    let table = &desk.whole.stack.place.table;
    let found = aws.call("dynamodb", "DynamoDB_20120810.GetItem", json!({"TableName": table, "Key": key})).await;
    aws.call("dynamodb", "DynamoDB_20120810.DeleteItem", json!({"TableName": table, "Key": key})).await;
    let left = desk.types("saanvi", &["grants", "--stack", "desk"]).await;
    assert!(left.out.contains("user/desk-alice") && left.out.contains("given"), "{}{}", left.out, left.err);
    aws.call("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": found["Item"]})).await;

    // The second answer is told whose the first was.
    let late = desk.types("saanvi", &["reject", &case.id, "--yes", "--stack", "desk"]).await;
    assert_eq!((late.status, late.err.contains("saanvi had already approved it")), (1, true), "{}", late.err);

    let back = desk.types("saanvi", &["revoke", "--all", "--yes", "--stack", "desk"]).await;
    assert_eq!((back.status, back.out.contains("taken back by saanvi")), (0, true), "{}{}", back.out, back.err);
    assert_eq!(desk.whole.stack.streams(&[&decision::revocation_key(&case.id, 1)]).await, Some(vec![]));
    assert_eq!(desk.whole.stack.held(Who::User).await.0, Vec::<String>::new());

    let whole = lines(&desk.types("saanvi", &["cases", "--format", "json", "--stack", "desk"]).await.out);
    let [whole] = whole.as_slice() else { panic!("{whole:?}") };
    assert_eq!((&whole["state"], &whole["by"], &whole["case"]), (&json!("revoked"), &json!("saanvi"), &json!(case.id)));
    assert_eq!(whole["decision"], *record);
    let history = whole["history"].as_array().unwrap();
    let change = history.iter().find(|entry| entry["change"] == "AttachUserPolicy").expect("what IAM did");
    assert!(change["request_id"].is_string(), "{change}");
    let over = lines(&desk.types("saanvi", &["grants", "--all", "--format", "json", "--stack", "desk"]).await.out);
    assert_eq!((over.len(), &over[0]["decision"]), (1, record));
}

/// A console that somebody has started, ended with its test.
struct Console {
    child: Child,
    address: SocketAddr,
    /// The path of its pages.
    path: String,
}

impl Console {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (address, path) = line.trim().strip_prefix("http://").expect("an address").split_once('/').unwrap();
        Self { child, address: address.parse().unwrap(), path: format!("/{path}") }
    }

    async fn asks(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut all = vec![("host".to_owned(), self.address.to_string())];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (method, path) = (method.to_owned(), path.to_owned());
        let request = http::Request { method, path, headers: all, body: body.as_bytes().to_vec() };
        let answer = http::send(self.address, &request).await.unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The console is a page before the same answer: signed by whoever runs it, decided by the stack.
#[tokio::test]
async fn the_console_answers_as_the_command_does() {
    let desk = Desk::new().await;
    let case = desk.whole.stack.denied(Who::User).await;
    let mallory = Console::start(desk.command("mallory", &["console", "--stack", "desk"]));
    let console = Console::start(desk.command("saanvi", &["console", "--stack", "desk"]));
    let (status, list) = console.asks("GET", &console.path, &[], "").await;
    assert!(status == 200 && list.contains(&case.id) && list.contains("Given now"), "{list}");
    let page = |console: &Console| format!("{}case/{}", console.path, case.id);
    let (status, shown) = console.asks("GET", &page(&console), &[], "").await;
    assert!(
        status == 200 && shown.contains("Who may approve: 2 of 3") && shown.contains("Approve</button>"),
        "{shown}"
    );
    assert!(!shown.contains("rehearsal"), "{shown}");

    let hash = shown.split("name=\"remedy\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("answer=approve&opening=1&remedy={hash}&minutes=60");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let origin = |console: &Console| format!("http://{}", console.address);
    let own = origin(&console);
    for (path, headers, expected) in [
        (page(&console), vec![kind], 403),
        (page(&console), vec![kind, ("origin", "null")], 403),
        (page(&console), vec![kind, ("origin", "https://evil.example")], 403),
        (page(&mallory), vec![kind, ("origin", own.as_str())], 404),
        (format!("/case/{}", case.id), vec![kind, ("origin", own.as_str())], 404),
    ] {
        let (status, said) = console.asks("POST", &path, &headers, &form).await;
        assert_eq!(status, expected, "{path}: {said}");
    }
    assert_eq!(*desk.sent.lock().unwrap(), Vec::<String>::new());

    // Whose credentials are no approver's is told by the stack, which decides.
    let theirs = origin(&mallory);
    let (_, said) = mallory.asks("POST", &page(&mallory), &[kind, ("origin", theirs.as_str())], &form).await;
    assert!(said.contains("It did not count") && said.contains("only an approver"), "{said}");
    assert_eq!(desk.whole.decision().await, None);

    let (status, said) = console.asks("POST", &page(&console), &[kind, ("origin", own.as_str())], &form).await;
    assert!(status == 200 && said.contains("Approved."), "{said}");
    let written = desk.whole.decision().await.expect("a decision");
    let by = &written["record"]["by"];
    assert_eq!((&by["channel"], &by["approver"]), (&json!("aws"), &json!("saanvi")));
    let (_, late) = console.asks("POST", &page(&console), &[kind, ("origin", own.as_str())], &form).await;
    assert!(late.contains("saanvi had already approved it"), "{late}");
}

/// The same in a real browser: looked at, approved with the keyboard alone, and answered once more too late.
#[tokio::test]
async fn the_console_in_a_browser() {
    let desk = Desk::new().await;
    let case = desk.whole.stack.denied(Who::User).await;
    let console = Console::start(desk.command("saanvi", &["console", "--stack", "desk"]));
    let address = format!("http://{}{}", console.address, console.path);
    browser::walk(&["console", &address, &case.id]).await;
    let written = desk.whole.decision().await.expect("a decision");
    assert_eq!(written["record"]["by"]["channel"], "aws");
}

/// Who signed is what a checked signature says; what was signed is what is answered.
#[tokio::test]
async fn what_was_signed_is_one_answer_and_no_other() {
    let mut desk = Desk::new().await;
    let case = desk.whole.stack.denied(Who::User).await;
    desk.is_enforced().await;
    let refused = desk.types("mallory", &["approve", &case.id, "--yes", "--stack", "desk"]).await;
    assert_eq!((refused.status, refused.err.contains("only an approver")), (1, true), "{}{}", refused.out, refused.err);
    // What saanvi signs, and what somebody who reads it on the way could make of it.
    let rejected = desk.types("saanvi", &["reject", &case.id, "--yes", "--stack", "desk"]).await;
    assert_eq!(rejected.status, 0, "{}", rejected.err);
    let decided = desk.whole.decision().await.expect("a decision");
    assert_eq!(decided["record"]["by"]["identity"], format!("arn:aws:iam::{ACCOUNT}:user/saanvi"));
    let body = desk.sent.lock().unwrap().last().expect("it was sent").clone();
    let signed: Value = serde_json::from_str(&body).unwrap();
    let answer = signed["answer"].as_str().unwrap();
    let with = |name: &str, text: &str| {
        let mut other = signed.clone();
        other[name] = json!(text);
        other.to_string()
    };
    let other_case = with("answer", &answer.replace(&case.id, "aaaaaaaaaaaaaaaaaaaa"));
    let other_opening = with("answer", &answer.replace("#1", "#2"));
    let other_wish = with("answer", &answer.replace("reject", "revoke"));
    let other_stack = with("answer", &answer.replace("1a2b", "3c4d"));
    let date = signed["date"].as_str().unwrap();
    let other_second = if date.ends_with("00Z") { "01Z" } else { "00Z" };
    let other_date = with("date", &format!("{}{other_second}", &date[..date.len() - 3]));
    let authorization = signed["authorization"].as_str().unwrap();
    let unsigned = with("authorization", &authorization.replace(";x-trailpass-answer", ""));
    let other_key = with("authorization", &authorization.replace(&desk.keys["saanvi"].id, &desk.keys["mallory"].id));
    for (name, body) in [
        ("case", other_case),
        ("opening", other_opening),
        ("wish", other_wish),
        ("stack", other_stack),
        ("date", other_date),
        ("headers", unsigned),
        ("key", other_key),
    ] {
        let reply = desk.posts(&body).await;
        assert_eq!(reply["outcome"], "refused", "{name}: {reply}");
        assert!(reply["by"].is_null(), "{name}: {reply}");
    }
    // The very same is the same answer, and no second decision.
    assert_eq!(desk.posts(&body).await["outcome"], "already");
    assert_eq!(desk.whole.decision().await, Some(decided));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line() {
    let desk = Desk::new().await;
    let desk_address = desk.moto.address;
    let id = "2gd4tjkox2q74mauvvu6";
    for (words, status, part) in [
        (vec!["cases", "--data", "/nonexistent"], 1, "--stack"),
        (vec!["cases", "--stack", "nowhere"], 1, "there is no stack nowhere"),
        (vec!["cases", "--stack", "../x"], 2, "letters, digits and dashes"),
        (vec!["approve", id, "--yes", "--stack", "desk"], 1, "there is no such case"),
        (vec!["revoke", id, "--yes", "--stack", "desk"], 1, "nothing was given"),
    ] {
        let said = desk.types("saanvi", &words).await;
        assert_eq!((said.status, said.err.lines().count()), (status, 1), "{words:?}: {}", said.err);
        assert!(said.err.contains(part) && said.out.is_empty(), "{words:?}: {}", said.err);
    }
    for words in [vec!["approve", "x"], vec!["approve", id, "--for", "2h"], vec!["revoke"], vec!["revoke", id, "--all"]]
    {
        assert_eq!(desk.types("saanvi", &words).await.status, 2, "{words:?}");
    }
    // As AWS answers whoever lacks a permission; the emulator's own words for it no client understands.
    let (mut desk, moto) = (desk, desk_address);
    for (refused, action) in [
        ("GetParameter", "ssm:GetParameter on the parameter /trailpass/stacks/desk"),
        ("BatchGetItem", "dynamodb:BatchGetItem on the table desk-Table"),
    ] {
        let aws = Server::start(move |request| async move {
            if request.header("x-amz-target").is_some_and(|target| target.ends_with(refused)) {
                let why = json!({ "__type": "AccessDeniedException", "message": "User: x is not\u{1b}[2J authorized" });
                return Reply::Answer(Response::json(400, &why));
            }
            Reply::Answer(moto::send(moto, &request).await.unwrap())
        })
        .await;
        desk.url = aws.url();
        let said = desk.types("saanvi", &["cases", "--stack", "desk"]).await;
        assert_eq!((said.status, said.err.lines().count()), (1, 1), "{}", said.err);
        assert!(said.err.contains(&format!("you need {action}")) && !said.err.contains('\u{1b}'), "{}", said.err);
    }
    assert_eq!(*desk.sent.lock().unwrap(), Vec::<String>::new());
}

/// Whoever can write to the table writes nothing onto a terminal, leads no reader to other keys, and keeps no grant alive.
#[tokio::test]
async fn whatever_stands_in_the_table() {
    let desk = Desk::new().await;
    let case = desk.whole.stack.denied(Who::User).await;
    let put = async |key: String, body: Value| desk.whole.stack.put(&key, &body.to_string()).await;
    let by = json!({ "approver": "root\u{1b}[2J\nmallory", "channel": "slack", "identity": "T/U" });
    for opening in [2, 3] {
        let decision = json!({
            "case_id": case.id, "opening": opening, "answer": "approve", "remedy": "x", "target_id": "AIDAX", "by": by,
            "decided_at": 1, "not_after": i64::MAX, "rules": "r",
        });
        put(decision::key(&case.id, opening), json!({ "record": decision, "mac": "none" })).await;
    }
    let hour = case.opened_at / 3600;
    let listed = json!({ "more": 7, "cases": [
        { "id": case.id, "opening": 1 }, { "id": case.id, "opening": 3 }, { "id": "../../secret", "opening": 1 }, { "id": "\u{1b}[2J", "opening": 0 },
    ] });
    // The list that triage wrote has a version; a test's row takes its place.
    desk.whole.stack.put(&access::triage::hour_key(hour), &listed.to_string()).await;
    let unfinished = json!([
        { "case_id": case.id, "opening": 2 }, { "case_id": case.id, "opening": 3 }, 7, { "case_id": "x#y", "opening": 1 },
    ]);
    put("GRANT#active".to_owned(), json!({ "unfinished": unfinished })).await;

    for words in [vec!["cases"], vec!["grants"], vec!["cases", "--format", "json"], vec!["grants", "--format", "json"]]
    {
        let said = desk.types("saanvi", &[words.as_slice(), &["--stack", "desk"]].concat()).await;
        assert_eq!(said.status, 0, "{words:?}: {}", said.err);
        let rows = said.out.lines().count() - usize::from(words.len() == 1);
        assert_eq!(rows, 2, "{words:?}: {}", said.out);
        assert!(!said.out.contains('\u{1b}') && !said.out.contains("secret"), "{words:?}: {}", said.out);
        assert_eq!(said.err.contains("7 more cases are not listed"), words[0] == "cases", "{}", said.err);
    }
    // Which of two is meant, nobody guesses; what somebody wrote into a decision's place does not keep an answer from being sent.
    let unclear = desk.types("saanvi", &["revoke", &case.id, "--yes", "--stack", "desk"]).await;
    let openings = format!("say {0}#2 or {0}#3", case.id);
    assert_eq!((unclear.status, unclear.err.contains(&openings)), (2, true), "{}", unclear.err);
    let over = desk.types("saanvi", &["approve", &format!("{}#2", case.id), "--yes", "--stack", "desk"]).await;
    assert_eq!((over.status, over.err.contains("opening 1 by now")), (1, true), "{}", over.err);
    let named = desk.types("saanvi", &["revoke", &format!("{}#3", case.id), "--yes", "--stack", "desk"]).await;
    assert_eq!((named.status, named.out.contains("taken back by saanvi")), (0, true), "{}{}", named.out, named.err);
    assert_eq!(desk.sent.lock().unwrap().len(), 1);
}
