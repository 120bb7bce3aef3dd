//! The desk of one machine: what can be answered and by whom, what is rehearsed, how it ends, and what is refused to everybody else.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Folder, Serve};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
/// What is rehearsed; the notice's own commands give their policy another name.
pub const GIVING: &str = "aws iam put-user-policy --user-name 'alice' --policy-name 'trailpass-";
const TAKING: &str = "aws iam delete-user-policy --user-name 'alice' --policy-name 'trailpass-";

/// A refusal that can be approved, or, of another call, one that never can.
pub fn refused(call: &str) -> String {
    let trail = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail";
    json!({
        "eventVersion": "1.11", "eventID": format!("e-{call}"), "requestID": format!("r-{call}"), "eventTime": "2026-10-05T08:00:01Z",
        "awsRegion": "eu-west-1", "eventSource": "cloudtrail.amazonaws.com", "eventName": call, "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": ALICE, "accountId": "111122223333", "userName": "alice",
        },
        "errorCode": "AccessDenied",
        "errorMessage": format!("User: {ALICE} is not authorized to perform: cloudtrail:{call} on resource: {trail} because no \
            identity-based policy allows the cloudtrail:{call} action"),
    })
    .to_string()
}

/// Runs a verb on the folder of a serve.
pub fn run(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command.args(arguments).arg("--data").arg(folder.0.join("data")).output().unwrap()
}

/// What it printed, if it succeeded.
#[track_caller]
pub fn done(folder: &Folder, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Status and error of what did not.
pub fn failed(folder: &Folder, arguments: &[&str]) -> (i32, String) {
    let output = run(folder, arguments);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The only case, as programs see it.
pub fn case(folder: &Folder) -> Value {
    let text = done(folder, &["cases", "--format", "json"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [case] = &lines[..] else { panic!("{} cases", lines.len()) };
    case.clone()
}

pub fn id(folder: &Folder) -> String {
    case(folder)["case"].as_str().unwrap().to_owned()
}

/// Waits until serve has printed it.
#[track_caller]
pub fn printed(folder: &Folder, words: &str) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.0.join("notices.txt")).unwrap();
        if text.contains(words) {
            return text;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "never printed {words:?}:\n{text}");
        std::thread::yield_now();
    }
}

pub fn serving(call: &str, more: &[&str]) -> (Folder, Serve) {
    let folder = Folder::new();
    let serve = Serve::start(&folder, more);
    assert_eq!(serve.post(&refused(call))["posted"], 1);
    (folder, serve)
}

fn token(folder: &Folder) -> String {
    let text = std::fs::read_to_string(folder.0.join("data/serve.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["token"].as_str().unwrap().to_owned()
}

#[test]
fn from_the_denial_to_the_end_and_nothing_in_aws_is_changed() {
    let (folder, _serve) = serving("GetTrail", &[]);
    let id = id(&folder);
    assert_eq!(case(&folder)["state"], "open");
    let would = done(&folder, &["approve", &id, "--dry-run"]);
    assert!(would.contains("who could") && would.contains("Nothing was sent"), "{would}");
    assert_eq!(case(&folder)["state"], "open");
    let (status, why) = failed(&folder, &["approve", &id]);
    assert!(status == 2 && why.contains("--yes"), "nobody is asked where nobody is: {why}");

    let given = done(&folder, &["approve", &id, "--for", "15m", "--yes"]);
    assert!(given.contains("approved by"), "{given}");
    let plan = printed(&folder, GIVING);
    assert!(plan.contains("REHEARSED, nothing in AWS is changed") && plan.contains("DateLessThan"), "{plan}");
    let grants = done(&folder, &["grants"]);
    assert!(grants.contains("user/alice") && grants.contains(" min"), "{grants}");
    let (status, why) = failed(&folder, &["approve", &id, "--yes"]);
    assert!(status == 1 && why.contains("had already approved it"), "{why}");
    let (status, why) = failed(&folder, &["reject", &id, "--yes"]);
    assert!(status == 1 && why.contains("had already approved it"), "{why}");

    assert!(done(&folder, &["revoke", &id, "--yes"]).contains("taken back by"));
    printed(&folder, TAKING);
    printed(&folder, "ENDED");
    assert_eq!(done(&folder, &["grants"]), "Nothing is given.\n");
    assert_eq!(done(&folder, &["revoke", "--all", "--yes"]), "Nothing is given.\n");
    let history = case(&folder);
    assert_eq!(history["state"], "revoked");
    let changes: Vec<&str> =
        history["history"].as_array().unwrap().iter().filter_map(|entry| entry["change"].as_str()).collect();
    assert_eq!(changes, ["PutUserPolicy", "DeleteUserPolicy"], "{history:#}");
}

#[test]
fn a_no_is_a_no() {
    let (folder, _serve) = serving("GetTrail", &[]);
    let id = id(&folder);
    assert!(done(&folder, &["reject", &id, "--yes"]).contains("rejected by"));
    let (status, why) = failed(&folder, &["approve", &id, "--yes"]);
    assert!(status == 1 && why.contains("had already rejected it"), "{why}");
    assert_eq!(done(&folder, &["grants", "--all"]), "Nothing is given.\n");
    assert!(!std::fs::read_to_string(folder.0.join("notices.txt")).unwrap().contains("REHEARSED"));
}

/// Killed in the middle, and started later than the end: what was given is taken back, by the same key and the same picture.
#[test]
fn what_began_before_a_kill_ends_after_it() {
    let (folder, mut serve) = serving("GetTrail", &["--now", "2026-10-05T08:00:00Z"]);
    let id = id(&folder);
    done(&folder, &["approve", &id, "--for", "1h", "--yes"]);
    printed(&folder, GIVING);
    serve.child.kill().unwrap();
    serve.child.wait().unwrap();
    let (status, why) = failed(&folder, &["grants"]);
    assert!(status == 1 && why.contains("nobody listens"), "a file that a kill left leads to nobody: {why}");

    let soon = Serve::start(&folder, &["--now", "2026-10-05T08:50:00Z"]);
    assert!(done(&folder, &["grants"]).contains("user/alice"));
    drop(soon);
    let _later = Serve::start(&folder, &["--now", "2026-10-05T09:30:00Z"]);
    printed(&folder, TAKING);
    printed(&folder, "ENDED");
    assert_eq!(done(&folder, &["grants"]), "Nothing is given.\n");
    assert_eq!(case(&folder)["state"], "over");
}

#[test]
fn nobody_answers_without_the_token_of_this_run() {
    let (folder, serve) = serving("GetTrail", &[]);
    let (id, token) = (id(&folder), token(&folder));
    let hash = case(&folder)["diagnosis"]["remedies"][0]["hash"].as_str().unwrap().to_owned();
    let answer = json!({ "case": id, "opening": 1, "answer": "approve", "remedy": hash, "minutes": 15 }).to_string();
    let form = format!("answer=approve&opening=1&remedy={hash}&minutes=15");
    let own = format!("Origin: http://{}\r\n", serve.address);
    let with = |token: &str| format!("X-Trailpass-Token: {token}\r\n");
    let wrong = token.chars().rev().collect::<String>();
    let page = format!("/with/{token}/case/{id}");
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (what, method, path, headers, body, expected) in [
        ("no token", "POST", "/desk/answer", String::new(), &answer, 401),
        ("another token", "POST", "/desk/answer", with(&wrong), &answer, 401),
        ("half a token", "POST", "/desk/answer", with(&token[..32]), &answer, 401),
        ("two tokens", "POST", "/desk/answer", with(&token) + &with(&wrong), &answer, 401),
        ("another site", "POST", "/desk/answer", with(&token) + "Origin: https://evil.example\r\n", &answer, 403),
        ("another name", "POST", "/desk/answer", with(&token) + "Host: evil.example\r\n", &answer, 421),
        ("by looking", "GET", "/desk/answer", with(&token), &answer, 405),
        ("what is kept", "POST", "/desk/read", String::new(), &r#"{"keys":["CASE#"]}"#.to_owned(), 401),
        ("who may", "POST", "/desk/authority", String::new(), &"null".to_owned(), 401),
        ("a button without its page", "POST", &page, form_type.to_owned(), &form, 403),
        ("a sandboxed page's", "POST", &page, format!("{form_type}Origin: null\r\n"), &form, 403),
        ("another page's", "POST", &page, format!("{form_type}Origin: http://127.0.0.1:1\r\n"), &form, 403),
        (
            "a form of another site",
            "POST",
            &page,
            format!("{form_type}{own}Sec-Fetch-Site: cross-site\r\n"),
            &form,
            403,
        ),
        ("a guessed address", "POST", &page.replace(&token, &wrong), format!("{form_type}{own}"), &form, 404),
        ("a guessed list", "GET", &format!("/with/{wrong}/"), String::new(), &String::new(), 404),
        ("a guessed page", "GET", &page.replace(&token, &wrong), String::new(), &String::new(), 404),
        ("a page without buttons", "POST", &format!("/case/{id}"), format!("{form_type}{own}"), &form, 405),
        ("by a link", "GET", &format!("{page}?{form}"), own.clone(), &String::new(), 200),
        ("what can't be meant", "POST", &page, format!("{form_type}{own}"), &"answer=reject&opening=0".to_owned(), 400),
        ("twice", "POST", &page, format!("{form_type}{own}"), &format!("{form}&answer=reject"), 422),
        ("more than is meant", "POST", &page, format!("{form_type}{own}"), &format!("{form}&mode=all"), 422),
    ] {
        let (status, _, said) = serve.ask(method, path, &headers, body);
        assert_eq!(status, expected, "{what}: {said}");
        assert_eq!(case(&folder)["state"], "open", "{what}");
    }
    let (status, _, said) = serve.ask("POST", &page, &format!("{form_type}{own}"), &form);
    assert!(status == 200 && said.contains("Approved."), "and with all of it, it counts: {said}");
}

#[test]
fn the_token_is_its_owners_alone_and_goes_with_the_run() {
    let (folder, mut serve) = serving("GetTrail", &[]);
    let mode = |name: &str| std::fs::metadata(folder.0.join("data").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("serve.json"), mode("decisions.key"), mode("")), (0o600, 0o600, 0o700));
    let first = token(&folder);
    let ended = Command::new("kill").arg(serve.child.id().to_string()).status().unwrap();
    assert!(ended.success() && serve.child.wait().unwrap().success(), "it ends as it was asked to");
    assert!(!folder.0.join("data/serve.json").exists());
    let (status, why) = failed(&folder, &["cases"]);
    assert!(status == 1 && why.contains("no `trailpass serve` runs") && why.contains("--stack"), "{why}");
    let _again = Serve::start(&folder, &[]);
    assert_ne!(token(&folder), first);
}

#[test]
fn a_page_has_buttons_for_whoever_holds_the_token_and_for_nobody_else() {
    let (folder, serve) = serving("GetTrail", &[]);
    let (id, token) = (id(&folder), token(&folder));
    let (_, head, plain) = serve.ask("GET", &format!("/case/{id}"), "", "");
    assert!(!plain.contains("<form") && plain.contains("Nobody has answered yet"), "{plain}");
    assert!(head.contains("form-action 'none'") && head.contains("referrer-policy: no-referrer"), "{head}");
    let desk = format!("/with/{token}/case/{id}");
    let (_, head, page) = serve.ask("GET", &desk, "", "");
    assert!(head.contains("form-action 'self'") && head.contains("default-src 'none'"), "{head}");
    assert!(head.contains("referrer-policy: same-origin") && head.contains("no-store"), "{head}");
    for words in ["Approve</button>", "Reject</button>", "A rehearsal", "Who may approve: 1 of 1"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("Take it back"));
    done(&folder, &["approve", &id, "--yes"]);
    printed(&folder, GIVING);
    let (_, _, page) = serve.ask("GET", &desk, "", "");
    assert!(!page.contains("Approve</button>") && page.contains("Take it back now"), "{page}");
    assert!(page.contains("What happened since") && page.contains("PutUserPolicy"), "{page}");
    let (_, _, list) = serve.ask("GET", &format!("/with/{token}/"), "", "");
    assert!(list.contains("Given now") && list.contains("alice") && list.contains("Answered lately"), "{list}");
    assert!(!serve.page("/").contains(&token) && !plain.contains(&token), "nothing leads from the one to the other");
}

#[test]
fn an_alarm_has_no_button_and_takes_no_answer() {
    let (folder, serve) = serving("StopLogging", &[]);
    let (id, token) = (id(&folder), token(&folder));
    assert_eq!(case(&folder)["state"], "by-hand");
    let page = serve.page(&format!("/with/{token}/case/{id}"));
    assert!(!page.contains("<form") && page.contains("nothing of it can be approved"), "{page}");
    let body = json!({ "case": id, "opening": 1, "answer": "approve", "remedy": "0".repeat(64), "minutes": 15 });
    let headers = format!("X-Trailpass-Token: {token}\r\n");
    let (status, _, said) = serve.ask("POST", "/desk/answer", &headers, body.to_string());
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["outcome"], "refused", "{said}");
    let (status, why) = failed(&folder, &["approve", &id, "--yes"]);
    assert!(status == 1 && !why.is_empty(), "{why}");
    assert_eq!(done(&folder, &["grants", "--all"]), "Nothing is given.\n");
}

#[test]
fn who_may_answer_is_the_operators_to_say() {
    let folder = Folder::new();
    let file = folder.0.join("approvers.json");
    let approvers = json!({ "schema": "trailpass.approvers/1", "approvers": [
        { "name": "Alice", "aws": [ALICE] }, { "name": "Bob", "aws": ["arn:aws:iam::111122223333:user/bob"] },
    ] });
    std::fs::write(&file, approvers.to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    for (name, because) in
        [("Alice", "nobody approves what was refused to themselves"), ("Mallory", "only an approver")]
    {
        let serve = Serve::start(&folder, &["--approvers", &file, "--approver", name]);
        serve.post(&refused("GetTrail"));
        let (status, why) = failed(&folder, &["approve", &id(&folder), "--yes"]);
        assert!(status == 1 && why.contains(because), "{name}: {why}");
        assert_eq!(run(&folder, &["approve", &id(&folder), "--dry-run"]).status.code(), Some(1), "{name}");
        assert_eq!(case(&folder)["state"], "open");
    }
    let _serve = Serve::start(&folder, &["--approvers", &file, "--approver", "Bob"]);
    assert!(done(&folder, &["approve", &id(&folder), "--yes"]).contains("approved by Bob"));
    std::fs::write(folder.0.join("broken.json"), "{").unwrap();
    let broken = folder.0.join("broken.json");
    let other = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    let output = command
        .args(["serve", "--listen", "127.0.0.1:0", "--approvers"])
        .arg(broken)
        .arg("--data")
        .arg(other.0.join("data"));
    let output = output.output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("approvers"));
}

#[test]
fn grants_are_made_only_where_somebody_says_who_may_answer() {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    let output = command.args(["serve", "--listen", "127.0.0.1:0", "--grant-mode", "exact", "--data"]);
    let output = output.arg(folder.0.join("data")).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--approvers"), "{output:?}");
}
