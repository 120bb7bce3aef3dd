//! The formats, the options, and how the command behaves among others: terminals, pipes, statuses.

use std::io::{BufRead, BufReader, Read};

use serde_json::json;

use super::*;

fn lines(records: impl IntoIterator<Item = Value>) -> String {
    records.into_iter().map(|record| format!("{record}\n")).collect()
}

#[test]
fn text_shows_denials_and_counts_the_rest() {
    let other = with(with(denied(9), "errorCode", "TrailNotFoundException"), "errorMessage", "Unknown trail");
    let records = (10..1510).map(succeeded).chain([denied(1), denied_on("B", 2), other, denied(3), denied(4)]);
    let ran = explain(&[], lines(records));
    assert_eq!(ran.status, Some(0));
    for trail in ["trail/My-Trail", "trail/B"] {
        assert_eq!(
            ran.out
                .matches(&format!(
                    "was refused cloudtrail:GetTrailStatus on\n    arn:aws:cloudtrail:eu-west-1:111122223333:{trail}"
                ))
                .count(),
            1,
            "{}",
            ran.out
        );
    }
    assert_eq!(
        ran.said,
        "trailpass: 2 denials like one that is shown (same principal, action, resource and cause) left out; --format json has each.\n\
         trailpass: 1,501 records ignored:\n\
         trailpass:     1,500  the call succeeded (CT001)\n\
         trailpass:         1  an error, but nobody was refused (CT002)\n"
    );
}

#[test]
fn texts_from_several_files_say_from_which() {
    let folder = Folder::new("several");
    let (one, two) =
        (folder.file("1.json", denied(1).to_string()), folder.file("2.json", format!("\n {}", denied_on("B", 2))));
    let ran = explain(&[&one, &two], "");
    assert_eq!((ran.status, ran.said.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with(&format!("From {one}, line 1, column 1\n\n")), "{ran:?}");
    assert!(ran.out.contains(&format!("\n\n\nFrom {two}, line 2, column 2\n\n")), "{ran:?}");
    assert!(!explain(&[&one], "").out.contains("From "));
}

#[test]
fn a_lone_ignored_record_is_named() {
    let ran = explain(&[], succeeded(1).to_string());
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), ""));
    assert_eq!(
        ran.said,
        "trailpass: 1 record ignored:\ntrailpass:     mateojackson called cloudtrail:GetTrailStatus, and the call succeeded.\n"
    );
}

#[test]
fn json_has_every_record() {
    let ran = explain_json(lines([succeeded(1), denied(2), denied(2)]));
    assert_eq!((ran.status, ran.said.as_str()), (Some(0), ""));
    assert_eq!(ran.event_ids(), ["e-1", "e-2", "e-2"]);
    assert_eq!(ran.members("response"), ["ignore", "request-approval", "request-approval"]);
    assert_eq!(ran.members("schema"), vec!["trailpass.diagnosis/1"; 3]);
}

#[test]
fn slack_and_sns_are_one_object_a_line_for_what_is_posted() {
    let input = lines([succeeded(1), denied(2), denied_on("B", 3)]);
    let slack = explain(&["--format", "slack"], &input);
    assert_eq!(slack.status, Some(0));
    let all_blocks = |blocks: &Value| blocks.as_array().is_some_and(|blocks| !blocks.is_empty());
    assert!(
        slack.members("blocks").iter().all(all_blocks) || slack.members("attachments").iter().all(all_blocks),
        "{}",
        slack.out
    );
    assert_eq!(slack.out.lines().count(), 2);
    slack.assert_says("1 record ignored:\ntrailpass:     1  the call succeeded (CT001)");
    let sns = explain(&["--format", "sns"], &input);
    assert_eq!(sns.status, Some(0));
    assert_eq!(sns.members("MessageStructure"), ["json", "json"]);
    let attributes = sns.members("MessageAttributes");
    assert_eq!(attributes[0]["action"], json!({ "DataType": "String", "StringValue": "cloudtrail:GetTrailStatus" }));
    for (message, subject) in sns.members("Message").iter().zip(sns.members("Subject")) {
        let protocols: Value = serde_json::from_str(message.as_str().unwrap()).unwrap();
        let document: Value = serde_json::from_str(protocols["default"].as_str().unwrap()).unwrap();
        assert_eq!(document["schema"], "trailpass.diagnosis/1");
        assert!(subject.as_str().unwrap().len() < 100);
    }
}

#[test]
fn html_is_one_page() {
    let ran = explain(&["--format", "html"], lines([succeeded(1), denied(2), denied(3)]));
    assert_eq!(ran.status, Some(0));
    assert!(
        ran.out.starts_with("<!DOCTYPE html>")
            && ran.out.contains("mateojackson")
            && ran.out.contains("Content-Security-Policy")
    );
    assert_eq!(ran.out.matches("<html").count(), 1);
    ran.assert_says("1 denial like one that is shown");
    ran.assert_says("1 record ignored");
    let ran = explain(&["--format", "html"], succeeded(1).to_string());
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), ""));
    ran.assert_says("the call succeeded");
}

#[test]
fn html_of_several_denials_is_refused_and_they_are_named() {
    let ran = explain(&["--format", "html"], lines([denied(1), denied_on("B", 2)]));
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
    ran.assert_says("--format html is the page of one denial, and here are 2");
    ran.assert_says("event e-2: mateojackson was refused cloudtrail:GetTrailStatus");
    ran.assert_says("a sentence by itself, a record by its event:");
}

/// The command that is said there, run as it is said: with a real `sh`, `gzip` and `jq`.
#[test]
fn one_of_several_denials_is_picked_out_of_any_form() {
    let folder = Folder::new("pick");
    let several = forms::forms().into_iter().filter(|(name, _, ids)| {
        // Values with commas between them are no JSON, and `jq` does not read them.
        ids.contains(&"e-2") && *name != "values with commas between them"
    });
    let several: Vec<_> = several.collect();
    assert!(several.len() > 8);
    for (name, input, _) in several {
        // Each denial is another one, or the second would be a repeat of the first.
        let second = String::from_utf8(input).unwrap().replacen("My-Trail", "First", 1);
        for (file, bytes) in [("plain", second.clone().into_bytes()), ("packed", gzip(&second))] {
            let path = folder.file(file, bytes);
            let ran = explain(&["--format", "html", &path], "");
            assert_eq!(ran.status, Some(2), "{name}: {ran:?}");
            let command = ran.said.lines().find_map(|line| line.strip_prefix("trailpass:     gzip")).unwrap();
            let command = format!("gzip{command}").replace("FILE", &path).replace("EVENT", "e-2");
            let command = command.replace("trailpass explain", &format!("{} explain", env!("CARGO_BIN_EXE_trailpass")));
            let output = Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{name}, {file}: {}", String::from_utf8_lossy(&output.stderr));
            let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
            assert!(page.contains("trail/My-Trail") && !page.contains("trail/First"), "{name}, {file}");
        }
    }
}

#[test]
fn the_grant_mode_decides_what_is_offered() {
    let of = |arguments: &[&str]| {
        let ran = explain(&[&["--format", "json"], arguments].concat(), denied(1).to_string());
        let kinds = ran.members("remedies")[0]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["apply"] == "on-approval")
            .map(|r| r["kind"].clone())
            .collect::<Vec<_>>();
        (ran.members("response").remove(0), kinds)
    };
    assert_eq!(of(&["--grant-mode", "none"]), ("suggest-fix".into(), vec![]));
    assert_eq!(of(&["--grant-mode", "managed"]), ("request-approval".into(), vec!["attach-managed-policy".into()]));
    assert!(of(&["--grant-mode", "exact"]).1.contains(&"put-inline-policy".into()));
    assert_eq!(of(&[]), of(&["--grant-mode", "exact"]));
}

#[test]
fn guardrails_protect_and_broken_ones_stop_everything() {
    let folder = Folder::new("guardrails");
    let good = folder.file("good.json", r#"{"protected":{"names":["mateo*"]}}"#);
    let ran = explain(&["--format", "json", "--guardrails", &good], denied(1).to_string());
    assert_eq!((ran.members("response"), ran.status), (vec!["suggest-fix".into()], Some(0)));
    let misspelt = folder.file("misspelt.json", r#"{"protectd":{}}"#);
    for (path, why) in [(misspelt.as_str(), "unknown field `protectd`"), ("nowhere.json", "there is no such file")] {
        let ran = explain(&["--guardrails", path], denied(1).to_string());
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
        ran.assert_says(path);
        ran.assert_says(why);
    }
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for arguments in [&["--format", "xml"][..], &["--grant-mode", "all"], &["--nothing"], &["--guardrails"]] {
        let ran = explain(arguments, "");
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        ran.assert_says("error: ");
    }
    let help = explain(&["--help"], "");
    assert_eq!(help.status, Some(0));
    for word in [
        "aws cloudtrail lookup-events | trailpass explain",
        "--grant-mode",
        "--guardrails",
        "gzip",
        "sns",
        "NO_COLOR",
        "html is the page of one denial",
    ] {
        assert!(help.out.contains(word), "{word}");
    }
    let run =
        |arguments: &[&str]| Ran::of(Command::new(env!("CARGO_BIN_EXE_trailpass")).args(arguments).output().unwrap());
    assert_eq!(run(&["--version"]).out, format!("trailpass {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&[]).status, Some(2));
    assert_eq!(run(&["fly"]).status, Some(2));
}

#[test]
fn records_are_explained_as_they_come() {
    let mut child = command().args(["--format", "json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    // Not even the line's end has come, and of the log file only the first record.
    for begun in [denied(1).to_string(), format!("{{\"Records\":[{}", denied(2))] {
        stdin.write_all(begun.as_bytes()).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.contains("\"event_id\":\"e-"), "{line}");
    }
    stdin.write_all(b"]}").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let folder = Folder::new("pipe");
    let path = folder.file("many.jsonl", lines((0..2000).map(denied)));
    for format in ["text", "json", "slack"] {
        let many = if format == "text" {
            folder.file("trails.jsonl", lines((0..500).map(|n| denied_on(&format!("T-{n}"), n))))
        } else {
            path.clone()
        };
        let mut child =
            command().args(["--format", format, &many]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = Folder::new("full");
    let path = folder.file("one.json", denied(1).to_string());
    let output = command().arg(&path).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the output could not be written"));
}

/// Runs a shell's line with a terminal of its own, which `script` makes.
#[cfg(target_os = "linux")]
fn on_a_terminal(line: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut script = Command::new("script");
    // Whatever waits for somebody to type is ended.
    let line = format!("timeout --foreground 20 {line}");
    script
        .args(["-qec", &line, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    let output = script.stdin(Stdio::null()).output().expect("`script` of util-linux is there");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn colours_are_for_a_terminal_that_wants_them() {
    let folder = Folder::new("colours");
    let path = folder.file("one.json", denied(1).to_string());
    let line = format!("'{}' explain '{path}'", env!("CARGO_BIN_EXE_trailpass"));
    assert!(on_a_terminal(&line, &[]).1.contains("\u{1b}["));
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (status, out) = on_a_terminal(&line, &[variable]);
        assert!(!out.contains('\u{1b}') && out.contains("mateojackson"), "{out}");
        assert_eq!(status, Some(0));
    }
    assert!(!explain(&[&path], "").out.contains('\u{1b}'));
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_no_input_unless_it_is_asked_for() {
    let (status, out) = on_a_terminal(&format!("'{}' explain", env!("CARGO_BIN_EXE_trailpass")), &[]);
    assert_eq!(status, Some(2));
    assert!(out.contains("nothing to explain: name a FILE, or pipe something in"), "{out}");
}
