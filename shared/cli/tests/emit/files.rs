//! Which files there are: one for each distinct fix, none where there is nothing to give, and an index of all of it.

use super::*;

#[test]
fn many_denials_of_one_call_are_one_file() {
    let scratch = Scratch::new("many");
    for language in LANGUAGES {
        let files =
            emitted(language, &scratch.at(language), lines((0..5_000).map(|_| denied("mateojackson", "My-Trail"))));
        let fixes = fixes(&files);
        assert_eq!(fixes.len(), 1, "{fixes:?}");
        let (name, text) = fixes.first_key_value().unwrap();
        assert!(name.starts_with("111122223333/ct101-mateojackson-cloudtrail-gettrailstatus-"), "{name}");
        assert!(text.contains("# Answers  1 case, 5,000 records:\n"), "{text}");
        let index = index(&files);
        assert_eq!(index["schema"], "trailpass.emit/1");
        assert_eq!(index["language"], language);
        let file = index["files"].as_array().unwrap().iter().find(|file| file["file"] == **name).unwrap();
        assert_eq!((&file["records"], &file["risk"]), (&json!(5000), &json!("routine")));
        let case = &file["cases"][0];
        let expected = ("CT101", "mateojackson", "cloudtrail:GetTrailStatus", 5000);
        let found = (&case["rule"], &case["principal"], &case["action"], &case["records"]);
        assert_eq!(found, (&json!(expected.0), &json!(expected.1), &json!(expected.2), &json!(expected.3)));
    }
}

/// The same fix for two causes: AWS said why once, and once it didn't.
#[test]
fn cases_with_the_same_fix_share_a_file() {
    let scratch = Scratch::new("same");
    let mut other = denied("mateojackson", "My-Trail");
    other["errorMessage"] = json!(other["errorMessage"].as_str().unwrap().split(" because ").next());
    let files = emitted("cli", &scratch.at("out"), lines([denied("mateojackson", "My-Trail"), other]));
    let fixes = fixes(&files);
    assert_eq!(fixes.len(), 1, "{fixes:?}");
    let text = fixes.values().next().unwrap();
    assert!(text.contains("# Answers  2 cases, 2 records:\n"), "{text}");
    assert!(text.contains(", CT101 (") && text.contains(", CT120 ("), "{text}");
}

/// What is shared says of each case why, and of all the worst.
#[test]
fn a_shared_file_tells_every_reason_and_the_highest_risk() {
    let ceiling = |action: &str, tail: &str| {
        let mut record = denied("mateojackson", "My-Trail");
        record["eventName"] = json!(action);
        record["errorMessage"] = json!(format!(
            "User: arn:aws:iam::111122223333:user/mateojackson is not authorized to perform: cloudtrail:{action} {tail}"
        ));
        record
    };
    let routine =
        ceiling("DescribeTrails", "because no service control policy allows the cloudtrail:DescribeTrails action");
    let sensitive = ceiling("LookupEvents", "with an explicit deny in a service control policy");
    let scratch = Scratch::new("reasons");
    for (name, records) in [("one", [&routine, &sensitive]), ("other", [&sensitive, &routine])] {
        let files = emitted("cli", &scratch.at(name), lines(records.map(Value::clone)));
        let fixes = fixes(&files);
        assert_eq!(fixes.len(), 1, "{fixes:?}");
        let text = fixes.values().next().unwrap();
        assert_eq!(text.matches("\n# Why      ").count(), 2, "{text}");
        assert!(text.contains("# Risk     sensitive: ") && text.contains("# Answers  2 cases, 2 records:\n"), "{text}");
        assert!(text.contains("# Does not change anything: ") && index(&files)["files"][0]["is_change"] == false);
    }
}

/// A permanent file for one session of a role would help nobody: the next session has another name.
#[test]
fn every_session_of_a_role_is_answered_by_one_file() {
    let session = |number: u32| {
        let mut record = denied("x", "My-Trail");
        let arn = format!("arn:aws:sts::111122223333:assumed-role/auditor/session-{number}");
        record["userIdentity"] = json!({
            "type": "AssumedRole", "principalId": format!("AROAEXAMPLE0000000001:session-{number}"), "arn": arn,
            "accountId": "111122223333", "sessionContext": {"sessionIssuer": {
                "type": "Role", "principalId": "AROAEXAMPLE0000000001", "arn": "arn:aws:iam::111122223333:role/auditor",
                "accountId": "111122223333", "userName": "auditor"}},
        });
        record["errorMessage"] =
            json!(record["errorMessage"].as_str().unwrap().replace("arn:aws:iam::111122223333:user/x", &arn));
        record
    };
    let scratch = Scratch::new("sessions");
    let files = emitted("terraform", &scratch.at("out"), lines((0..300).map(session)));
    let fixes = fixes(&files);
    assert_eq!(fixes.len(), 1, "{fixes:?}");
    let text = fixes.values().next().unwrap();
    assert!(text.contains("300 records") && !text.contains("userid") && !text.contains("session-1"), "{text}");
    assert!(text.contains("everybody who assumes the role") && text.contains("# Does not end: it lasts"), "{text}");
}

#[test]
fn alarms_and_ignored_records_give_no_file() {
    let mut alarm = denied("mallory", "My-Trail");
    for (name, value) in [("eventName", "StopLogging"), ("eventID", "e-2")] {
        alarm[name] = json!(value);
    }
    alarm["errorMessage"] = json!(alarm["errorMessage"].as_str().unwrap().replace("GetTrailStatus", "StopLogging"));
    let mut success = denied("alice", "My-Trail");
    success.as_object_mut().unwrap().retain(|name, _| !name.starts_with("error"));
    let scratch = Scratch::new("alarms");
    for language in LANGUAGES {
        let folder = scratch.at(language);
        let ran = emit(language, &folder, lines([alarm.clone(), success.clone(), alarm.clone()]));
        assert_eq!(ran.status, Some(0));
        assert_eq!(
            ran.said,
            format!(
                "trailpass: 0 files in {} for 0 cases; index.json says which answers what.\n\
                 trailpass: 1 case without a file: nobody is given what raised an alarm.\n\
                 trailpass: 1 record ignored.\n",
                folder.display()
            )
        );
        let files = tree(&folder);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["index.json"]);
        let index = index(&files);
        assert_eq!(index["records_ignored"], 1);
        let case = &index["without_file"][0];
        assert_eq!((&case["rule"], &case["records"]), (&json!("CT901"), &json!(2)));
    }
}

/// What can't be read is said, and what can is written.
#[test]
fn what_could_be_read_is_written() {
    let scratch = Scratch::new("damage");
    let folder = scratch.at("out");
    let ran = emit("cli", &folder, format!("{}\n{{\"broken\": \n{}", denied("alice", "A"), "nonsense"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(fixes(&tree(&folder)).len(), 1);
    // A bare sentence is enough for a fix by hand.
    let files = emitted("cli", &scratch.at("sentence"), denied("alice", "A")["errorMessage"].as_str().unwrap());
    assert_eq!(fixes(&files).len(), 1);
}

/// How many cases there are, callers choose.
#[test]
fn a_flood_of_cases_ends_somewhere() {
    let scratch = Scratch::new("flood");
    let folder = scratch.at("out");
    let ran = emit("cli", &folder, lines((0..10_050).map(|number| denied("mallory", &format!("trail-{number}")))));
    assert_eq!(ran.status, Some(1));
    assert!(ran.said.contains("trailpass: 50 records of further cases left out: more than 10,000 cases"), "{ran:?}");
    let files = tree(&folder);
    assert_eq!(index(&files)["records_left_out"], 50);
    assert_eq!(fixes(&files).len(), 10_000);
}

#[test]
fn two_files_that_make_the_same_role_name_each_other() {
    // Two trails are read by the same other account: one role's name, two different permissions.
    let theirs = |trail: &str| {
        let mut record = denied("alice", trail);
        record["userIdentity"]["accountId"] = json!("444455556666");
        record["userIdentity"]["arn"] = json!("arn:aws:iam::444455556666:user/alice");
        record["errorMessage"] = json!(
            record["errorMessage"]
                .as_str()
                .unwrap()
                .replace("iam::111122223333", "iam::444455556666")
                .replace("because no identity-based", "because no resource-based")
        );
        record
    };
    let scratch = Scratch::new("rivals");
    for language in LANGUAGES {
        let files = emitted(language, &scratch.at(language), lines([theirs("A-Trail"), theirs("B-Trail")]));
        let fixes = fixes(&files);
        let names: Vec<&&str> = fixes.keys().collect();
        assert_eq!(names.len(), 2, "{fixes:#?}");
        for (own, other) in [(0, 1), (1, 0)] {
            let text = fixes[*names[own]];
            assert!(text.contains(&format!("# Beware   {} makes the same thing", names[other])), "{text}");
        }
    }
}

#[test]
fn wrong_usage_is_said_and_nothing_is_written() {
    let scratch = Scratch::new("usage");
    let folder = scratch.at("out");
    let out = folder.to_str().unwrap();
    for wrong in [
        &["--emit", "yaml", out][..],
        &["--emit", "CLI", out],
        &["--emit", "", out],
        &["--emit", "cli"],
        &["--emit", "cli", out, "--format", "json"],
        &["--emit", "cli", out, "--grant-mode", "exact"],
        &["--emit", "cli", out, "--emit", "terraform", out],
        &["--emit", "cli", "."],
        &["--emit", "cli", "/"],
        &["--emit", "cli", ".."],
    ] {
        let arguments: Vec<&str> = ["explain"].into_iter().chain(wrong.iter().copied()).collect();
        let ran = trailpass(&arguments, denied("alice", "A").to_string());
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{wrong:?} {ran:?}");
        assert!(!ran.said.is_empty());
        assert_eq!(scratch.names(), [""; 0], "{wrong:?}");
    }
}
