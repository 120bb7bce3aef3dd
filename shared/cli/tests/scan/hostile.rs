//! Logs that were made, or damaged, to mislead or to exhaust: each costs only itself, and each is named.

use super::*;

/// The most memory that a scan of these may have taken. KiB.
const MOST_MEMORY: u64 = 100_000;

/// Runs a scan and says how much memory it took at most. KiB.
fn scan_measured(arguments: &[&str]) -> (Ran, u64) {
    let script = r#"
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
print(f"\npeak {usage.ru_maxrss}", file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"#;
    let mut command = Command::new("python3");
    command.args(["-c", script, env!("CARGO_BIN_EXE_trailpass"), "scan", "--format", "json"]).args(arguments);
    let ran = Ran::of(command.output().unwrap());
    let peak = ran.said.lines().rev().find_map(|line| line.strip_prefix("peak ")?.parse().ok()).unwrap();
    (ran, peak)
}

#[test]
fn a_log_that_is_cut_off_is_counted_to_the_cut_and_named() {
    let folder = Folder::new();
    let records: Vec<Value> = (0..200).map(|n| denied(n, "cloudtrail:GetTrailStatus")).collect();
    let mut packed = gzip(log(&records));
    packed.truncate(packed.len() - 20);
    let cut = folder.file("a.json.gz", packed);
    folder.file("b.json.gz", gzip(log(&[denied(900, "cloudtrail:GetTrailStatus")])));
    let ran = scan_json(&[folder.path()]);
    let denials = ran.summary()["denials"].as_u64().unwrap();
    assert!((150..=201).contains(&denials), "{denials}");
    assert_eq!(ran.status, Some(1));
    assert!(ran.said.contains(&format!("{cut}: byte ")) && ran.said.contains("cut off"), "{}", ran.said);
}

#[test]
fn a_line_of_300_mb_takes_no_memory() {
    let folder = Folder::new();
    let record = denied(1, "cloudtrail:GetTrailStatus").to_string();
    let long = format!("{record}\n{{\"eventVersion\":\"{}\"}}\n{record}\n", "x".repeat(300 << 20));
    folder.file("long.json", long);
    let (ran, peak) = scan_measured(&[folder.path()]);
    assert_eq!(ran.summary()["denials"], json!(2), "{}", ran.said);
    assert_eq!(ran.summary()["failures"], json!(1), "{}", ran.said);
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}

#[test]
fn a_bomb_takes_no_memory() {
    let folder = Folder::new();
    let record = denied(1, "cloudtrail:GetTrailStatus").to_string();
    // 120 MB of blanks, and more trails than are told apart.
    folder.file("blanks.json.gz", gzip(format!("{{\"Records\":[{record}{}]}}", " ".repeat(120 << 20))));
    let mut many = String::new();
    for number in 0..12_000 {
        many.push_str(
            &record.replace("My-Trail", &format!("Trail-{number}")).replace("\"e-1\"", &format!("\"e-{number}\"")),
        );
        many.push('\n');
    }
    folder.file("names.json.gz", gzip(&many));
    let (ran, peak) = scan_measured(&[folder.path()]);
    let summary = ran.summary();
    assert_eq!(summary["denials"], json!(1 + many.lines().count()));
    assert_eq!(summary["cases"], json!(10_000));
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}

#[test]
fn blanks_line_ends_and_a_byte_order_mark_change_nothing() {
    let folder = Folder::new();
    let records = [denied(1, "cloudtrail:GetTrailStatus"), succeeded(2)];
    folder.file("a.json", format!("\u{feff}{}", log(&records)));
    folder.file("b.json", serde_json::to_string_pretty(&json!({ "Records": records })).unwrap().replace('\n', "\r\n"));
    folder.file("c.json", format!("{}\r\n{}\n\r\n", records[0], records[1]));
    let ran = scan_json(&[folder.path()]);
    assert_eq!((&ran.summary()["records"], &ran.summary()["failures"]), (&json!(6), &json!(0)), "{}", ran.said);
    assert_eq!(ran.status, Some(0));
}

#[test]
fn what_callers_wrote_reaches_no_terminal_and_no_formula() {
    let folder = Folder::new();
    let mut record = denied(1, "cloudtrail:GetTrailStatus");
    record["userIdentity"] = json!({
        "type": "FederatedUser", "accountId": "111122223333", "principalId": "111122223333:=cmd|' /C calc'!A1\u{1b}[31m",
        "arn": "arn:aws:sts::111122223333:federated-user/=cmd|' /C calc'!A1\u{1b}[31m,\"x\"\r\ny",
    });
    let path = folder.file("\u{1b}[2Jlog.json", log(&[record]));
    let text = scan(&[&path]);
    let csv = scan(&["--format", "csv", &path]);
    let html = scan(&["--format", "html", &path]);
    let json = scan_json(&[&path]);
    let missing = scan(&["\u{1b}[2Jnothing"]);
    for ran in [&text, &csv, &html, &json, &missing] {
        let is_raw = |text: &str| text.contains(|c: char| c.is_control() && c != '\n' && c != '\r');
        assert!(!is_raw(&ran.out) && !is_raw(&ran.said), "{ran:?}");
    }
    assert_eq!(csv.out.lines().count(), 2, "{}", csv.out);
    let cells = csv.out.lines().nth(1).unwrap();
    assert!(cells.contains("cmd") && !cells.contains(",=") && !cells.contains(",\"="), "{cells}");
    assert_eq!(missing.status, Some(1));
}
