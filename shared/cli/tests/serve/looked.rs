//! What whoever looks is told: that it is a rehearsal, what has lapsed, what is protected, what was held back, and that nobody is there.

use serde_json::Value;

use crate::{
    desk::{GIVING, case, done, failed, id, printed, refused, run, serving},
    world::{Folder, Serve},
};

#[test]
fn a_rehearsal_is_called_one_wherever_it_is_told_of() {
    let (folder, serve) = serving("GetTrail", &[]);
    let id = id(&folder);
    done(&folder, &["approve", &id, "--for", "15m", "--yes"]);
    printed(&folder, GIVING);
    let told = printed(&folder, "REHEARSED, GIVEN");
    assert!(told.contains("A rehearsal: nothing in AWS is changed."), "{told}");
    let page = serve.page(&format!("/case/{id}"));
    assert!(page.contains("A rehearsal") && page.contains("Rehearsed: PutUserPolicy"), "{page}");
    assert!(!page.contains("IAM was asked"), "{page}");
    let case = case(&folder);
    let results: Vec<&Value> = case["history"].as_array().unwrap().iter().map(|entry| &entry["result"]).collect();
    assert!(
        results.iter().any(|result| *result == "rehearsed") && results.iter().all(|result| *result != "made"),
        "{results:?}"
    );
}

#[test]
fn what_nobody_answered_in_time_waits_no_more() {
    let folder = Folder::new();
    let first = Serve::start(&folder, &["--now", "2027-01-01T00:00:00Z"]);
    assert_eq!(first.post(&refused("GetTrail"))["posted"], 1);
    assert!(first.page("/").contains("1 waits for an approval"));
    drop(first);
    let second = Serve::start(&folder, &["--now", "2027-01-03T00:00:00Z"]);
    let page = second.page("/");
    assert!(
        page.contains("1 is closed") && page.contains(">Closed<") && !page.contains("waits for an approval"),
        "{page}"
    );
}

/// The same call, and another policy says no.
#[test]
fn a_case_that_a_newer_one_has_overtaken_says_so_everywhere() {
    let (folder, serve) = serving("GetTrail", &[]);
    let id = id(&folder);
    let stopped = refused("GetTrail").replace("e-GetTrail", "e-2").replace("r-GetTrail", "r-2").replace(
        "because no identity-based policy allows the cloudtrail:GetTrail action",
        "because no permissions boundary allows the cloudtrail:GetTrail action",
    );
    assert_eq!(serve.post(&stopped)["posted"], 1);
    let lines: Vec<Value> =
        done(&folder, &["cases", "--format", "json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let state = |case: &str| lines.iter().find(|line| line["case"] == case).unwrap()["state"].clone();
    let newer = lines.iter().find(|line| line["case"] != id).unwrap()["case"].as_str().unwrap().to_owned();
    assert_eq!((state(&id), state(&newer)), ("overtaken".into(), "by-hand".into()));
    for arguments in [&["approve", &id, "--dry-run"][..], &["approve", &id, "--yes"]] {
        let (status, why) = failed(&folder, arguments);
        assert!(status == 1 && why.contains("for another reason since") && why.contains(&newer), "{why}");
    }
    let page = serve.page(&format!("/case/{id}"));
    assert!(page.contains(&format!("answer the newer case, {newer}")), "{page}");
    assert!(!serve.page("/").contains("waits for an approval"));
    assert!(done(&folder, &["reject", &id, "--yes"]).contains("rejected"));
}

#[test]
fn what_is_protected_is_offered_to_nobody_by_no_verb() {
    let folder = Folder::new();
    let guardrails = folder.0.join("guardrails.json");
    std::fs::write(&guardrails, r#"{"protected":{"names":["ali*"]}}"#).unwrap();
    let serve = Serve::start(&folder, &["--guardrails", guardrails.to_str().unwrap()]);
    assert_eq!(serve.post(&refused("GetTrail"))["posted"], 1);
    let case = case(&folder);
    assert_eq!((&case["state"], &case["diagnosis"]["response"]), (&"by-hand".into(), &"suggest-fix".into()));
    let listed = done(&folder, &["cases"]);
    assert!(listed.contains("suggest-fix") && !listed.contains("request-approval"), "{listed}");
    let (status, why) = failed(&folder, &["approve", case["case"].as_str().unwrap(), "--dry-run"]);
    assert!(status == 1 && why.contains("can be approved"), "{why}");
}

#[test]
fn what_was_held_back_is_said_in_every_list() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    for number in 0..30 {
        let record = refused("GetTrail")
            .replace("My-Trail", &format!("Trail-{number}"))
            .replace("e-GetTrail", &format!("e-{number}"));
        serve.post(&record.replace("r-GetTrail", &format!("r-{number}")));
    }
    let lines: Vec<Value> =
        done(&folder, &["cases", "--format", "json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (storms, cases): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["schema"] == "trailpass.storm/1");
    assert_eq!((cases.len(), storms.len()), (10, 1));
    assert_eq!((&storms[0]["held"], &storms[0]["account_id"]), (&20.into(), &"111122223333".into()));
    let said = String::from_utf8(run(&folder, &["cases"]).stderr).unwrap();
    assert!(said.contains("20 more denials than the hourly limit, in account 111122223333"), "{said}");
}

#[test]
fn a_console_whose_serve_was_killed_leads_nowhere_and_says_so() {
    let (folder, serve) = serving("GetTrail", &[]);
    assert!(done(&folder, &["console"]).starts_with("http://127.0.0.1:"));
    // A kill leaves the file that says where it listens.
    drop(serve);
    let (status, why) = failed(&folder, &["console"]);
    assert!(status == 1 && why.contains("nobody listens"), "{why}");
}

#[test]
fn a_folder_is_kept_to_what_it_was_used_for() {
    let (folder, serve) = serving("GetTrail", &[]);
    drop(serve);
    let purpose = folder.0.join("data/grants");
    assert_eq!(std::fs::read_to_string(&purpose).unwrap(), "rehearsed");
    std::fs::write(&purpose, "made in account 111122223333").unwrap();
    let (status, why) = failed(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(status == 1 && why.contains("grants are made in account 111122223333") && why.contains("--data"), "{why}");
}
