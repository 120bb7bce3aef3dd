//! A scan that is stopped and gone on with: what it finds in two goes is what it finds in one.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{Folder, Ran, denied, gzip, log, scan, scan_json, succeeded, trailpass};

/// Six log files, in one of which nothing can be read; the fourth is a pipe, if that is wanted.
fn logs(folder: &Folder, with_pipe: bool) {
    // Writing into a pipe would wait for somebody who reads it.
    let _ = fs::remove_dir_all(folder.0.join("logs"));
    for number in 0..6 {
        let name = format!("logs/{number}/x.json.gz");
        let records = [
            succeeded(number * 10),
            denied(number * 10 + 1, "cloudtrail:GetTrailStatus"),
            denied(7, "cloudtrail:LookupEvents"),
        ];
        match number {
            2 => folder.file(&name, &gzip(log(&records))[..40]),
            3 if with_pipe => {
                let path = folder.file(&name, "");
                fs::remove_file(&path).unwrap();
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                path
            }
            _ => folder.file(&name, gzip(log(&records))),
        };
    }
    folder.file("logs/AWSLogs/111122223333/Config/x/y.json", "{}");
}

/// Scans a folder in which a pipe is, says something into the pipe, and stops it while it waits for more.
fn stopped(folder: &Folder, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailpass"));
    command.args(["scan", "--format", "json"]).args(arguments).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens when somebody reads it: everything before it is counted by then.
    let mut pipe = File::options().write(true).open(folder.0.join("logs/3/x.json.gz")).unwrap();
    let record = denied(31, "cloudtrail:GetTrailStatus").to_string() + "\n";
    pipe.write_all(record.as_bytes()).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    // Its flag is set by a handler: until then another record is only one more that is not counted.
    thread::sleep(Duration::from_millis(200));
    drop(pipe);
    Ran::of(child.wait_with_output().unwrap())
}

fn without_times(mut ran: Ran) -> (Option<i32>, Vec<serde_json::Value>) {
    let mut lines = ran.lines();
    ran.out.clear();
    lines[0]["since"].take();
    (ran.status, lines)
}

#[test]
fn two_goes_find_what_one_finds() {
    let folder = Folder::new();
    logs(&folder, true);
    let (state, path) = (format!("{}/state", folder.path()), format!("{}/logs", folder.path()));
    let options = ["--resume", &state, "--since", "2020-01-01", &path];
    let first = stopped(&folder, &options);
    assert_eq!(first.status, Some(1), "{}", first.said);
    assert_eq!(first.summary()["is_whole"], false);
    assert!(first.said.contains("The same command goes on from here."), "{}", first.said);
    assert!(Path::new(&state).exists());
    assert_eq!(
        fs::metadata(&state).map(|of| std::os::unix::fs::PermissionsExt::mode(&of.permissions()) & 0o777).unwrap(),
        0o600
    );

    logs(&folder, false);
    let second = scan_json(&options);
    let whole = Folder::new();
    logs(&whole, false);
    let once = scan_json(&["--since", "2020-01-01", &format!("{}/logs", whole.path())]);
    assert!(
        once.summary()["failures"].as_u64().unwrap() > 0 && once.summary()["passed_over"] == 1,
        "{}",
        once.summary()
    );
    // What could not be read was said in the first go, and is not said again.
    assert!(first.said.contains("2/x.json.gz") && !second.said.contains("x.json.gz"), "{}", second.said);
    assert_eq!(without_times(second), without_times(once));
    assert!(!Path::new(&state).exists(), "there is nothing left to go on with");
}

#[test]
fn a_time_before_now_stays_what_it_was() {
    let folder = Folder::new();
    logs(&folder, true);
    let (state, path) = (format!("{}/state", folder.path()), format!("{}/logs", folder.path()));
    let first = stopped(&folder, &["--resume", &state, "--since", "30d", &path]);
    logs(&folder, false);
    let second = scan_json(&["--resume", &state, "--since", "30d", &path]);
    assert_eq!(first.summary()["since"], second.summary()["since"]);
}

#[test]
fn another_question_takes_another_file() {
    let folder = Folder::new();
    logs(&folder, true);
    let (state, path) = (format!("{}/state", folder.path()), format!("{}/logs", folder.path()));
    stopped(&folder, &["--resume", &state, &path]);
    logs(&folder, false);
    let kept = fs::read(&state).unwrap();
    for other in [&["--since", "7d"][..], &["--account", "111122223333"], &["--grant-mode", "none"], &[path.as_str()]] {
        let ran = scan(&[&["--resume", &state, &path], other].concat());
        assert_eq!(ran.status, Some(2), "{other:?}: {}", ran.said);
        assert!(ran.said.contains("is another scan's"), "{}", ran.said);
        assert!(ran.said.contains("trailpass scan") && !ran.said.contains("trailpass explain"), "{}", ran.said);
    }
    for (content, words) in [
        (b"something of the user's".to_vec(), "is not a file that scan has written"),
        (kept[..kept.len() / 2].to_vec(), "is not a file that scan has written"),
        (
            String::from_utf8(kept).unwrap().replace("trailpass.scan-state/1", "trailpass.scan-state/9").into_bytes(),
            "another version",
        ),
    ] {
        fs::write(&state, &content).unwrap();
        let ran = scan(&["--resume", &state, &path]);
        assert!(ran.status == Some(2) && ran.said.contains(words), "{words}: {}", ran.said);
        assert_eq!(fs::read(&state).unwrap(), content, "what isn't ours is left as it is");
    }
    let ran = trailpass("scan", &["--resume", &state, "-"], "");
    assert!(ran.status == Some(2) && ran.said.contains("standard input"), "{}", ran.said);
}

#[test]
fn days_before_since_are_not_opened() {
    let folder = Folder::new();
    for (day, number) in [("2026/10/04", 72), ("2026/10/05", 96), ("2026/10/06", 120)] {
        folder.file(
            &format!("AWSLogs/111122223333/CloudTrail/eu-west-1/{day}/x.json"),
            log(&[denied(number, "cloudtrail:GetTrailStatus")]),
        );
    }
    folder.file("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/03/broken.json.gz", "{\"Records\":[");
    let ran = scan_json(&["--since", "2026-10-05T00:00:00Z", folder.path()]);
    let summary = ran.summary();
    assert_eq!((&summary["records"], &summary["inputs"], ran.status), (&2.into(), &2.into(), Some(0)), "{summary}");
    let ran = scan_json(&[folder.path()]);
    assert_eq!((&ran.summary()["records"], ran.status), (&3.into(), Some(1)));
}
