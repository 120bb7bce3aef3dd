//! What is told, and of which records.

use super::*;

/// Three denials of one call (one of them logged twice), a tampering one, and calls that succeeded, in two accounts and two Regions.
fn logs() -> Folder {
    let folder = Folder::new();
    let read = |n| denied(n, "cloudtrail:GetTrailStatus");
    let of = |day: &str, name: &str| format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/{day}/{name}.json.gz");
    folder.file(&of("01", "a"), gzip(log(&[read(1), succeeded(2), read(4)])));
    folder.file(&of("02", "b"), gzip(log(&[read(1), read(7), denied(31, "cloudtrail:StopLogging")])));
    folder.file("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/d.json.gz", gzip("{\"digestS3Bucket\":\"b\"}"));
    folder.file("AWSLogs/111122223333/Config/eu-west-1/c.json.gz", gzip("{\"configurationItems\":[]}"));
    folder.file("AWSLogs/notes.txt", "what we keep here");
    folder.file(".git/x.json", log(&[read(99)]));
    folder
}

#[test]
fn a_folder_is_read_as_it_lies_in_a_bucket() {
    let folder = logs();
    let ran = scan_json(&[folder.path()]);
    let summary = ran.summary();
    for (name, value) in [
        ("records", 6),
        ("denials", 5),
        ("repeated", 1),
        ("cases", 2),
        ("inputs", 2),
        ("passed_over", 3),
        ("failures", 0),
        ("left_out", 0),
    ] {
        assert_eq!(summary[name], json!(value), "{name} of {summary}");
    }
    assert_eq!((ran.status, &summary["is_whole"]), (Some(0), &json!(true)));
    let cases = ran.cases();
    // Alarms come first, however few they are.
    assert_eq!((&cases[0]["response"], &cases[0]["count"]), (&json!("raise-alarm"), &json!(1)));
    assert_eq!((&cases[1]["count"], &cases[1]["principal"]["name"]), (&json!(3), &json!("night-shift")));
    assert_eq!(
        (&cases[1]["first"], &cases[1]["last"]),
        (&json!("2026-10-01T01:00:01Z"), &json!("2026-10-01T07:00:01Z"))
    );
    assert_eq!(summary["trend"]["step"], json!("hour"));
    let bars = summary["trend"]["bars"].as_array().unwrap();
    assert_eq!((bars.len(), &bars[0]["from"]), (31, &json!("2026-10-01 01:00")));
    let sum: u64 =
        bars.iter().flat_map(|bar| bar["denials"].as_object().unwrap().values()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(sum, 4);
}

#[test]
fn the_result_is_the_same_however_often_it_is_made() {
    let folder = logs();
    for number in 0..80 {
        folder.file(
            &format!("x/{number}.json"),
            log(&[denied(number, "cloudtrail:GetTrail"), denied(number + 40, "cloudtrail:ListTrails")]),
        );
    }
    let first = scan_json(&[folder.path()]).out;
    for _ in 0..5 {
        assert_eq!(scan_json(&[folder.path()]).out, first);
    }
}

#[test]
fn only_what_is_asked_for_is_counted() {
    let folder = Folder::new();
    let records: Vec<Value> = (0..60).flat_map(|n| [denied(n, "cloudtrail:GetTrailStatus"), succeeded(n)]).collect();
    folder.file("a.json.gz", gzip(log(&records)));
    // The same in a form that the quick way doesn't take.
    let odd = Folder::new();
    odd.file("a.json", format!("[{}]", records.iter().map(Value::to_string).collect::<Vec<_>>().join(" ,\n")));
    for (arguments, counted) in [
        (&["--since", "2026-10-02"][..], 36),
        (&["--until", "2026-10-02"], 24),
        (&["--since", "2026-10-01T05:00:01Z", "--until", "2026-10-01T07:00:01Z"], 2),
        (&["--account", "444455556666"], 12),
        (&["--account", "444455556666", "--account", "111122223333"], 60),
        (&["--region", "us-east-1"], 20),
        (&["--region", "us-east-1", "--account", "444455556666"], 4),
        (&["--since", "7d", "--until", "2026-10-02"], 0),
    ] {
        for folder in [&folder, &odd] {
            let summary = scan_json(&[arguments, &[folder.path()]].concat()).summary();
            assert_eq!(
                (&summary["denials"], &summary["records"]),
                (&json!(counted), &json!(2 * counted)),
                "{arguments:?}"
            );
            assert_eq!(summary["left_out"], json!(120 - 2 * counted), "{arguments:?}");
        }
    }
}

#[test]
fn every_form_says_the_same() {
    let folder = logs();
    let text = scan(&[folder.path()]).out;
    for words in [
        "6 records in 2 inputs, 5 of them denials about CloudTrail",
        "from 2026-10-01T01:00:01Z to 2026-10-02T07:00:01Z",
        "1 would raise an alarm",
        "night-shift",
        "cloudtrail:StopLogging",
        "Add this inline policy to role night-shift",
        "1 second copies of an event",
        "3 files passed over",
        "the call succeeded (CT001)",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    let csv = scan(&["--format", "csv", folder.path()]).out;
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("count,first,last,response,"));
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("1,2026-10-02T07:00:01Z,2026-10-02T07:00:01Z,raise-alarm,tampering,not-authorized,CT901,")
    );
    assert!(lines.next().unwrap().starts_with("3,2026-10-01T01:00:01Z,"));
    let html = scan(&["--format", "html", folder.path()]).out;
    for words in [
        "5 refused calls about CloudTrail",
        "Content-Security-Policy",
        "night-shift",
        "cloudtrail:StopLogging",
        "1 alarm,",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("<script") && !html.contains("src="));
}

#[test]
fn a_report_replaces_the_one_before_when_it_is_whole() {
    let folder = logs();
    let reports = Folder::new();
    let path = reports.file("report.html", "the one before");
    let ran = scan(&["--format", "html", "--output", &path, folder.path()]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), ""));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(std::fs::read_dir(reports.path()).unwrap().count(), 1);
    let nowhere = format!("{}/missing/report.html", reports.path());
    let ran = scan(&["--format", "html", "--output", &nowhere, folder.path()]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.said.contains("the report could not be written"), "{}", ran.said);
}

#[test]
fn standard_input_is_read_too() {
    let ran =
        trailpass("scan", &["--format", "json", "-"], gzip(log(&[denied(1, "cloudtrail:GetTrail"), succeeded(2)])));
    assert_eq!((&ran.summary()["records"], &ran.summary()["denials"]), (&json!(2), &json!(1)));
    let ran = trailpass("scan", &["-"], "nothing of the kind");
    assert_eq!(ran.status, Some(1));
    assert!(ran.said.contains("standard input, line 1, column 1: text, and no record"), "{}", ran.said);
}

#[test]
fn wrong_usage_ends_with_2_and_a_hint() {
    for (arguments, hint) in [
        (&[][..], "<PATH>"),
        (&["--since", "yesterday", "x"], "2026-10-05"),
        (&["--account", "12", "x"], "twelve digits"),
        (&["--format", "xml", "x"], "possible values"),
        (&["--guardrails", "/nowhere/g.json", "x"], "there is no such file"),
    ] {
        let ran = scan(arguments);
        assert_eq!(ran.status, Some(2), "{arguments:?}");
        assert!(ran.said.contains(hint), "{}", ran.said);
    }
}

#[test]
fn ctrl_c_ends_it_with_what_was_found() {
    let folder = Folder::new();
    let first = folder.file("a.json", log(&[denied(1, "cloudtrail:GetTrail")]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command
        .args(["scan", "--format", "json", &first, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // As much as fills the pipe's buffers several times over: when all of it is written, some of it has been read.
    for number in 0..3_000 {
        writeln!(stdin, "{}", denied(number, "cloudtrail:GetTrailStatus")).unwrap();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    // It has heard of it when a record more is read.
    while writeln!(stdin, "{}", denied(1, "cloudtrail:GetTrailStatus")).is_ok() {}
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    assert_eq!(ran.summary()["is_whole"], json!(false));
    assert!(ran.summary()["denials"].as_u64().unwrap() > 1);
}
