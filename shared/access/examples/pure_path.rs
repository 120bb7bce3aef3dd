//! Times the pure path: one record in, its text notice out. Prints the median of many rounds in microseconds.

use std::{hint::black_box, time::Instant};

use access::{
    diagnose::{Setting, diagnose},
    event,
    grant::GrantMode,
    notice::{
        Notice,
        text::{self, Style},
    },
};

const ROUNDS: usize = 300;
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
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..TIMES).for_each(|_| {
                black_box(notice(black_box(&json), &setting));
            });
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{:.2} {}", rounds.get(ROUNDS / 2).copied().unwrap_or_default(), json.len());
}

fn notice(json: &str, setting: &Setting) -> usize {
    event::read(json).into_iter().flatten().fold(0, |length, record| {
        let diagnosed = diagnose(record, setting, false);
        let call = diagnosed.call();
        let notice = Notice { diagnosis: &diagnosed.diagnosis, call: &call, case: None, grant_mode: setting.mode };
        length + text::write(&notice, Style::Plain).len()
    })
}
