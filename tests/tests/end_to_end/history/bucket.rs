//! A bucket: what is in it is found whole, whatever becomes of the connection.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tests::local::{
    http::{Headers, Reply, Request, Response, Server},
    moto::{self, Moto},
};

use super::{Folder, record, scan, signed_for};

/// Where a day of log files lies.
const BEFORE: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10";

/// A bucket in another Region than whoever asks, the same in a folder, and somebody in between.
struct Bucket {
    name: String,
    folder: Folder,
    door: Server,
    asked: Arc<Mutex<Vec<Request>>>,
    rule: Arc<Mutex<Rule>>,
}

/// What becomes of a request, by how many there were before it.
type Rule = Box<dyn FnMut(&Request) -> Fate + Send>;

enum Fate {
    Answered,
    Cut(usize),
    Answers(u16, &'static str),
}

impl Bucket {
    /// Eight log files of two days, in all their forms, among what isn't one.
    async fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let moto = Moto::shared();
        let name = format!("history-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Fate::Answered)));
        let (kept, ruling) = (Arc::clone(&asked), Arc::clone(&rule));
        let door = Server::start(move |mut request| {
            kept.lock().unwrap().push(request.clone());
            let fate = (ruling.lock().unwrap())(&request);
            // Pages of three, so that there are some.
            if request.path.contains("list-type=2") {
                request.path.push_str("&max-keys=3");
            }
            async move {
                match fate {
                    Fate::Answers(status, code) => Reply::Answer(refusal(status, code)),
                    Fate::Answered => moto::send(moto.address, &request).await.map_or(Reply::Close, Reply::Answer),
                    Fate::Cut(at) => {
                        moto::send(moto.address, &request).await.map_or(Reply::Close, |whole| Reply::Part(whole, at))
                    }
                }
            }
        })
        .await;
        let bucket = Self { name, folder: Folder::new(), door, asked, rule };
        let place = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                     <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
        bucket.put("", place.as_bytes()).await;
        for (day, hour) in (1..=2).flat_map(|day| (0..4).map(move |hour| (day, hour))) {
            // Noon of the first of October 2026, and of the second.
            let time = 1_790_812_800 + day * 86_400 + hour * 3_600;
            let records: Vec<Value> =
                (0..50).map(|n| record(&format!("e-{day}-{hour}-{n}"), time + n, n % 7 == 0)).collect();
            let log = json!({ "Records": records }).to_string();
            let log = if hour == 3 { log.into_bytes() } else { gzip(log.as_bytes()) };
            bucket.lies(&format!("{BEFORE}/{:02}/{hour}.json.gz", day + 1), &log).await;
        }
        bucket.lies(&format!("{BEFORE}/03/cut.json.gz"), &gzip(b"{\"Records\":[{\"eventID\":")[..20]).await;
        bucket.lies("AWSLogs/111122223333/Config/eu-west-1/2026/10/2/x.json", b"{}").await;
        bucket.lies("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/10/02/x.json.gz", &gzip(b"{}")).await;
        // What stands for a folder, in a bucket only; and what lies beside the prefix.
        bucket.put("AWSLogs/111122223333/CloudTrail/", b"").await;
        bucket.put("other/x.json", record("e-other", 1_790_812_800, true).to_string().as_bytes()).await;
        bucket.asked.lock().unwrap().clear();
        bucket
    }

    async fn lies(&self, key: &str, bytes: &[u8]) {
        self.folder.write(key, bytes);
        self.put(key, bytes).await;
    }

    async fn put(&self, key: &str, bytes: &[u8]) {
        let path = if key.is_empty() { format!("/{}", self.name) } else { format!("/{}/{key}", self.name) };
        let headers: Headers = vec![("host".to_owned(), self.door.address.to_string())];
        let request = Request { method: "PUT".to_owned(), path, headers, body: bytes.to_vec() };
        let answer = moto::send(Moto::shared().address, &request).await.unwrap();
        assert_eq!(answer.status, 200, "{key}: {}", String::from_utf8_lossy(&answer.body));
    }

    fn address(&self) -> String {
        format!("s3://{}/AWSLogs/", self.name)
    }

    fn rules(&self, rule: impl FnMut(&Request) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// The requests so far that are not about the bucket itself, each as its key or the query of a list.
    fn asked(&self) -> Vec<String> {
        let of = |request: &Request| {
            let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
            let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
            (request.method == "GET").then(|| if key.is_empty() { query.to_owned() } else { key.to_owned() })
        };
        self.asked.lock().unwrap().iter().filter_map(of).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn refusal(status: u16, code: &str) -> Response {
    let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No way \u{9b}31m.</Message></Error>");
    Response {
        headers: vec![("content-type".to_owned(), "application/xml".to_owned())],
        ..Response::text(status, &xml)
    }
}

fn is_log(request: &Request, hour: u32) -> bool {
    request.path.contains(&format!("/02/{hour}.json.gz"))
}

#[tokio::test]
async fn a_bucket_holds_what_a_folder_holds() {
    let bucket = Bucket::new().await;
    let there = scan(&bucket.door.url(), &[&bucket.address()]).await;
    let here = scan(&bucket.door.url(), &[&bucket.folder.path("AWSLogs")]).await;
    assert_eq!(there.found(), here.found());
    let summary = there.summary();
    assert_eq!(
        (&summary["records"], &summary["denials"], &summary["passed_over"]),
        (&400.into(), &64.into(), &2.into())
    );
    assert!(there.status == 1 && there.said.contains("/03/cut.json.gz"), "{}", there.said);
    let asked = bucket.asked();
    assert!(asked.iter().filter(|asked| asked.contains("continuation-token=")).count() >= 3, "{asked:?}");
    assert!(!asked.iter().any(|asked| asked.contains("Config/") || asked.contains("Digest")), "{asked:?}");
    // It lies in another Region than the environment says.
    for request in bucket.asked.lock().unwrap().iter().filter(|request| request.method == "GET") {
        assert_eq!(signed_for(request), "eu-central-1", "{}", request.path);
    }
}

#[tokio::test]
async fn days_before_since_are_neither_opened_nor_listed() {
    let bucket = Bucket::new().await;
    let ran = scan(&bucket.door.url(), &["--since", "2026-10-03", &bucket.address()]).await;
    assert_eq!((&ran.summary()["records"], ran.status), (&200.into(), 1), "{}", ran.said);
    let asked = bucket.asked();
    assert!(!asked.iter().any(|asked| asked.contains("/2026/10/02/")), "{asked:?}");
    assert!(asked.iter().any(|asked| asked.contains("start-after=")), "{asked:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_goes_on_where_it_broke() {
    let bucket = Bucket::new().await;
    let mut breaks = 0;
    bucket.rules(move |request| {
        let is_cut = is_log(request, 1) && breaks < 3;
        breaks += usize::from(is_cut);
        if is_cut { Fate::Cut(100) } else { Fate::Answered }
    });
    let ran = scan(&bucket.door.url(), &[&bucket.address()]).await;
    assert_eq!(ran.summary()["records"], 400, "{}", ran.said);
    let ranges: Vec<Option<String>> = {
        let asked = bucket.asked.lock().unwrap();
        asked
            .iter()
            .filter(|request| is_log(request, 1))
            .map(|request| request.header("range").map(str::to_owned))
            .collect()
    };
    let from = |first: u32| Some(format!("bytes={first}-"));
    assert_eq!(ranges, [None, from(100), from(200), from(300)]);
}

#[tokio::test]
async fn what_stays_out_of_reach_ends_it_and_another_one_goes_on() {
    let bucket = Bucket::new().await;
    let state = bucket.folder.path("state");
    bucket.rules(|request| if is_log(request, 2) { Fate::Answers(503, "SlowDown") } else { Fate::Answered });
    let first = scan(&bucket.door.url(), &["--resume", &state, &bucket.address()]).await;
    assert!(first.status == 1 && first.summary()["is_whole"] == false, "{}", first.said);
    assert!(first.said.contains("The same command goes on from here."), "{}", first.said);
    // Asked again, and again, and only then given up.
    let tries = bucket.asked().iter().filter(|asked| asked.ends_with("/02/2.json.gz")).count();
    assert_eq!(tries, 3);

    bucket.rules(|_| Fate::Answered);
    bucket.asked.lock().unwrap().clear();
    let second = scan(&bucket.door.url(), &["--resume", &state, &bucket.address()]).await;
    let once = scan(&bucket.door.url(), &[&bucket.address()]).await;
    assert_eq!(second.lines, once.lines, "{}", second.said);
    let asked = bucket.asked();
    assert!(
        asked.iter().filter(|asked| asked.ends_with("/02/0.json.gz")).count() == 1,
        "only the other run: {asked:?}"
    );
    assert!(!std::path::Path::new(&state).exists());
}

#[tokio::test]
async fn a_refusal_names_what_was_refused_and_the_others_are_read() {
    let bucket = Bucket::new().await;
    bucket.rules(|request| if is_log(request, 0) { Fate::Answers(403, "AccessDenied") } else { Fate::Answered });
    let ran = scan(&bucket.door.url(), &[&bucket.address()]).await;
    assert_eq!((ran.status, &ran.summary()["records"]), (1, &350.into()), "{}", ran.said);
    assert!(
        ran.said.contains(&format!("s3://{}/{BEFORE}/02/0.json.gz: this program lacks a permission", bucket.name)),
        "{}",
        ran.said
    );
    assert!(!ran.said.contains('\u{9b}'), "{:?}", ran.said);

    bucket.rules(|_| Fate::Answers(403, "AccessDenied"));
    let ran = scan(&bucket.door.url(), &[&bucket.address()]).await;
    assert!(ran.status == 1 && ran.said.contains("lacks a permission"), "{}", ran.said);
    assert_eq!(ran.summary()["is_whole"], false);

    bucket.rules(|_| Fate::Answered);
    let ran = scan(&bucket.door.url(), &["s3://no-such-bucket-anywhere/AWSLogs/"]).await;
    assert!(ran.status == 1 && ran.said.contains("NoSuchBucket"), "{}", ran.said);
}
