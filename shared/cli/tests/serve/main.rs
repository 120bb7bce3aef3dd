//! `trailpass serve` as its users meet it: the real process, real requests on loopback, a real kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

mod desk;
mod looked;
mod world;

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use world::{Folder, Serve, case_links, denial, gzip, write};

#[test]
fn a_denial_is_told_shown_and_there_after_a_kill() {
    let folder = Folder::new();
    write(&folder.events(), "first.json", &denial("e1", "first"));
    write(&folder.events(), "first.expected.txt", "not an input");
    let serve = Serve::start(&folder, &[]);
    assert!(serve.said.contains("Played 1 files") && serve.said.contains("1 new cases"), "{}", serve.said);
    let told = std::fs::read_to_string(folder.0.join("notices.txt")).unwrap();
    assert!(told.contains("alice was refused cloudtrail:GetTrail") && !told.contains('\u{1b}'), "{told}");
    assert_eq!(serve.post(&denial("e2", "first"))["joined"], 1);
    assert_eq!(serve.post(&format!("{}\n{}\n", denial("e3", "second"), denial("e3", "second")))["received"], 2);
    let links = case_links(&serve.page("/"));
    assert_eq!(links.len(), 2, "two cases");
    let pages: Vec<String> = links.iter().map(|link| serve.page(link)).collect();
    assert!(pages.iter().any(|page| page.contains("trail/first")) && pages.iter().all(|page| page.contains("alice")));
    drop(serve);
    let serve = Serve::start(&folder, &[]);
    assert!(serve.said.contains("1 known already") && serve.said.contains("earlier run"), "{}", serve.said);
    let again = case_links(&serve.page("/"));
    assert_eq!(again.len(), 2, "the cases are there after a kill");
    assert_eq!(serve.post(&denial("e2", "first"))["duplicate"], 1, "and so is what was counted");
}

#[test]
fn a_day_later_a_quiet_case_is_opened_anew() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &["--now", "2026-10-05T08:00:00Z"]);
    assert_eq!(serve.post(&denial("e1", "first"))["posted"], 1);
    drop(serve);
    let serve = Serve::start(&folder, &["--now", "2026-10-06T07:59:00Z"]);
    assert_eq!(serve.post(&denial("e2", "first"))["joined"], 1);
    drop(serve);
    let serve = Serve::start(&folder, &["--now", "2026-10-07T08:00:00Z"]);
    assert_eq!(serve.post(&denial("e3", "first"))["posted"], 1);
}

#[test]
fn a_file_that_is_put_into_the_folder_is_read() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    assert!(case_links(&serve.page("/")).is_empty());
    write(&folder.events(), "later.jsonl", &format!("{}\nbroken\n{}\n", denial("e1", "first"), denial("e2", "second")));
    let begun = Instant::now();
    while case_links(&serve.page("/")).len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the file was not read");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_no_denial_is_said() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    for (body, expected) in [("hello", "no record"), ("{\"a\":1}", "neither a CloudTrail record"), ("{", "line 1")] {
        let (status, _, answer) = serve.ask("POST", "/", "", body);
        assert_eq!(status, 422, "{body}");
        assert!(answer.contains(expected), "{body}: {answer}");
    }
    let (status, _, answer) = serve.ask("POST", "/", "", format!("{}\nbroken\n", denial("e1", "first")));
    assert_eq!(status, 422);
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["posted"], 1, "the rest is done");
    assert_eq!(serve.ask("GET", "/case/none", "", "").0, 404);
    assert_eq!(serve.ask("GET", "/case/..%2f..", "", "").0, 404);
    assert_eq!(serve.ask("DELETE", "/", "", "").0, 405);
}

/// A small body that unpacks to very many records is read a batch at a time, and the pages are answered meanwhile.
#[test]
fn very_many_records_cost_no_memory_and_stop_nobody() {
    const RECORDS: usize = 200_000;
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    let packed = gzip(&format!("{}{}", "{\"eventName\":\"x\"}\n".repeat(RECORDS), denial("e1", "first")));
    assert!(packed.len() < 100_000, "{}", packed.len());
    let mut pages = 0;
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| serve.ask("POST", "/", "", &packed));
        while !posting.is_finished() {
            serve.page("/");
            pages += 1;
        }
        let (status, _, answer) = posting.join().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            (status, &answer["received"], &answer["posted"]),
            (200, &(RECORDS + 1).into(), &1.into()),
            "{answer}"
        );
    });
    assert!(pages > 10, "only {pages} pages were answered meanwhile");
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", serve.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
        let kilobytes: u64 = peak.strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(kilobytes < 100_000, "at its peak it took {peak}");
    }
}

/// Whoever stops in the middle is answered, and its connection ends.
#[test]
fn a_request_that_never_ends_is_ended() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    let head = format!("POST / HTTP/1.1\r\nHost: {}\r\n", serve.address);
    let begun = [head.clone(), format!("{head}Content-Length: 50000000\r\n\r\n{{\"e")].map(|text| {
        let mut stream = TcpStream::connect(&serve.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    });
    for mut stream in begun {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it is answered, and ended");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[test]
fn what_is_read_of_one_input_is_bounded_and_so_is_the_answer() {
    let folder = Folder::new();
    let too_large = gzip(&format!("{}\n{{\"eventName\":\"{}\"}}", denial("e1", "first"), "x".repeat(65 << 20)));
    std::fs::write(folder.events().join("large.gz"), &too_large).unwrap();
    let serve = Serve::start(&folder, &[]);
    let limit = "this holds more than 64 MiB, unpacked; reading stops here";
    assert!(serve.said.contains(&format!("large.gz: {limit}")), "{}", serve.said);
    assert!(serve.said.contains("1 new cases, 1 unreadable"), "{}", serve.said);
    let (status, _, answer) = serve.ask("POST", "/", "", &too_large);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["duplicate"]), (422, &1.into()), "what came before is taken: {answer}");
    assert!(answer["unreadable"][0].as_str().unwrap().starts_with(limit), "{answer}");
    let nested = format!("[{{\"Records\":[{}{{}}]}}]", "{},".repeat(200_000));
    let (status, _, answer) = serve.ask("POST", "/", "", gzip(&nested));
    assert!(status == 422 && answer.contains("more than 131072 values"), "{answer}");
    let answer = serve.post(&"{}\n".repeat(1000));
    let unreadable = answer["unreadable"].as_array().unwrap();
    assert_eq!((unreadable.len(), &unreadable[100]), (101, &"and 900 more that could not be read".into()));
}

#[test]
fn other_sites_and_other_names_are_refused() {
    let folder = Folder::new();
    let serve = Serve::start(&folder, &[]);
    let body = denial("e1", "first");
    assert_eq!(serve.ask("GET", "/", "Host: evil.example\r\n", "").0, 421);
    let twice = format!("Host: {}\r\nHost: evil.example\r\n", serve.address);
    assert_eq!(serve.ask("POST", "/", &twice, &body).0, 400);
    assert_eq!(serve.ask("POST", "/", "Origin: https://evil.example\r\n", &body).0, 403);
    assert_eq!(serve.ask("POST", "/", "Sec-Fetch-Site: cross-site\r\n", &body).0, 403);
    assert!(case_links(&serve.page("/")).is_empty(), "nothing came in");
    let (_, head, _) = serve.ask("GET", "/", "", "");
    for header in [
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
}

#[test]
fn only_this_machine_and_only_one_process() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let data = folder.0.join("data");
        let output = Command::new(env!("CARGO_BIN_EXE_trailpass"))
            .args(["serve", "--data"])
            .arg(data)
            .args(args)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (wrong, hint) in [
        (["--listen", "0.0.0.0:0"], "only loopback"),
        (["--listen", "here"], "such as 127.0.0.1:8080"),
        (["--listen", "localhost:8090"], "write 127.0.0.1:8090"),
        (["--guardrails", "nowhere.json"], "--guardrails nowhere.json: there is no such file"),
    ] {
        let (status, said) = run(&wrong);
        assert!(status == Some(2) && said.contains(hint), "{wrong:?}: {said}");
    }
    assert!(!folder.0.join("data").exists(), "wrong usage is found before anything is made");
    let _serve = Serve::start(&folder, &[]);
    let (status, said) = run(&["--listen", "127.0.0.1:0"]);
    assert!(status == Some(1) && said.contains("in use by another process"), "{said}");
}
