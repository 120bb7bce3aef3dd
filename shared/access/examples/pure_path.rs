//! Times the pure path: one record in, its text notice out, and its three stages one by one.
//!
//! One thread, no I/O between the clock's readings. Each number is a mean over enough repetitions for the clock's grain not to matter;
//! the many numbers are printed as JSON, and `make bench` takes their median. Lives beside the domain so that it is built as the
//! domain is.

use std::{hint::black_box, time::Instant};

use access::{
    diagnose::{Diagnosed, Setting, diagnose},
    event::{self, Record},
    grant::GrantMode,
    notice::{
        Notice,
        text::{self, Style},
    },
};
use serde_json::json;

const ROUNDS: u32 = 100;
const TIMES: u32 = 100;

fn main() {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: pure_path FILE");
        std::process::exit(2);
    };
    let json = std::fs::read_to_string(&file).unwrap_or_else(|why| {
        eprintln!("{file}: {why}");
        std::process::exit(1);
    });
    let setting = Setting { mode: GrantMode::None, ..Setting::default() };
    let Some(record) = read(&json) else {
        eprintln!("{file}: no record");
        std::process::exit(1);
    };
    let diagnosed = diagnose(record.clone(), &setting, false);
    let whole = || read(black_box(&json)).map(|record| write(&diagnose(record, &setting, false)));
    let times = json!({
        "all": rounds(whole),
        "read": rounds(|| read(black_box(&json))),
        "clone": rounds(|| black_box(&record).clone()),
        "diagnose": rounds(|| diagnose(black_box(&record).clone(), &setting, false)),
        "write": rounds(|| write(black_box(&diagnosed))),
    });
    println!("{}", json!({"record_bytes": json.len(), "notice_bytes": write(&diagnosed).len(), "microseconds": times}));
}

fn read(json: &str) -> Option<Record> {
    event::read(json).into_iter().next()?.ok()
}

fn write(diagnosed: &Diagnosed) -> String {
    let call = diagnosed.call();
    let notice = Notice { diagnosis: &diagnosed.diagnosis, call: &call, case: None, grant_mode: GrantMode::None };
    text::write(&notice, Style::Plain)
}

/// The mean time of one call, in microseconds, round by round.
fn rounds<T>(call: impl Fn() -> T) -> Vec<f64> {
    // The first calls fill caches and wake a clock that sleeps.
    (0..TIMES).for_each(|_| drop(black_box(call())));
    (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..TIMES).for_each(|_| drop(black_box(call())));
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        })
        .collect()
}
