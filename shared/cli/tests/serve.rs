//! `trailpass serve` as its users meet it: the real process, real requests on loopback, a real kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("trailpass-serve-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(folder.0.join("events")).unwrap();
        folder
    }
    fn events(&self) -> PathBuf {
        self.0.join("events")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `serve`, killed with its test.
struct Serve {
    child: Child,
    address: String,
    /// What it said before it listened.
    said: String,
}

impl Serve {
    fn start(folder: &Folder, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_trailpass"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.0.join("data"))
            .arg("--events")
            .arg(folder.events())
            .args(more)
            .stdout(std::fs::File::create(folder.0.join("notices.txt")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().expect("it ended before it listened").unwrap();
            said.push_str(&line);
            said.push('\n');
            if let Some(rest) = line.strip_prefix("Listening on http://") {
                break rest.split('/').next().unwrap().to_owned();
            }
        };
        // Whatever it says later must have somewhere to go.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, said }
    }

    /// Status, head and body of an answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> (u16, String, String) {
        let body = body.as_ref();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn post(&self, body: &str) -> Value {
        serde_json::from_str(&self.ask("POST", "/", "", body).2).unwrap()
    }

    fn page(&self, path: &str) -> String {
        let (status, _, body) = self.ask("GET", path, "", "");
        assert_eq!(status, 200, "{path}");
        body
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn denial(event: &str, trail: &str) -> String {
    let arn = "arn:aws:iam::111122223333:user/alice";
    let on = format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{trail}");
    json!({
        "eventVersion": "1.11", "eventID": event, "eventTime": "2026-10-05T08:00:01Z", "awsRegion": "eu-west-1",
        "eventSource": "cloudtrail.amazonaws.com", "eventName": "GetTrail", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE1", "arn": arn, "accountId": "111122223333", "userName": "alice"},
        "errorCode": "AccessDenied",
        "errorMessage": format!("User: {arn} is not authorized to perform: cloudtrail:GetTrail on resource: {on} because no \
            identity-based policy allows the cloudtrail:GetTrail action"),
    })
    .to_string()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn case_links(page: &str) -> Vec<String> {
    page.split("href=\"case/").skip(1).filter_map(|rest| Some(format!("/case/{}", rest.split('"').next()?))).collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

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
