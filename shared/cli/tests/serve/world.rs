//! A running serve, a folder of its own, and denials for it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// A folder that goes with its test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("trailpass-serve-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(folder.0.join("events")).unwrap();
        folder
    }
    pub fn events(&self) -> PathBuf {
        self.0.join("events")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `serve`, killed with its test.
pub struct Serve {
    pub child: Child,
    pub address: String,
    /// What it said before it listened.
    pub said: String,
}

impl Serve {
    pub fn start(folder: &Folder, more: &[&str]) -> Self {
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
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> (u16, String, String) {
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

    pub fn post(&self, body: &str) -> Value {
        serde_json::from_str(&self.ask("POST", "/", "", body).2).unwrap()
    }

    pub fn page(&self, path: &str) -> String {
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

pub fn denial(event: &str, trail: &str) -> String {
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

pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub fn case_links(page: &str) -> Vec<String> {
    page.split("href=\"case/").skip(1).filter_map(|rest| Some(format!("/case/{}", rest.split('"').next()?))).collect()
}

pub fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}
