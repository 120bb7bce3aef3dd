//! Grants over time, in thousands of histories that a seed decides: denials, clicks, duplicates, crashes between any two effects,
//! errors of AWS's, an IAM that shows changes late, users who are renamed, clocks that are behind, an operator who changes the
//! setting, and somebody who writes into the table. Whatever happens, nobody holds what no approver gave, nobody holds it
//! longer than its end (or the setting allows it) and one sweep, and in the end everything is over.
//!
//! A failure names its seed: `SEED=17 cargo test -p tests --test simulation` plays that history alone; `HISTORIES=100000` plays more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

mod forger;
mod iam;
mod outside;
mod sweep;
mod world;

use world::{Counts, World};

/// How many histories are played, where `HISTORIES` doesn't ask for another number.
const HISTORIES: u64 = 4_000;
/// What happens in one.
const EVENTS: u64 = 60;

static HAS_FAILED: AtomicBool = AtomicBool::new(false);

fn play(seed: u64) -> Counts {
    let mut world = World::new(seed);
    for _ in 0..EVENTS {
        world.something_happens();
        world.nobody_holds_what_nobody_gave();
    }
    world.everything_ends();
    world.counts
}

#[test]
fn no_history_ends_badly() {
    if let Ok(seed) = std::env::var("SEED") {
        println!("{:?}", play(seed.parse().expect("a number")));
        return;
    }
    let histories = std::env::var("HISTORIES").map_or(HISTORIES, |number| number.parse().expect("a number"));
    let begun = Instant::now();
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut all = Counts::default();
    std::thread::scope(|scope| {
        let each = (0..workers).map(|first| {
            scope.spawn(move || {
                let mut counts = Counts::default();
                for seed in (first..histories).step_by(workers as usize) {
                    // One that ended badly is enough.
                    if HAS_FAILED.load(Ordering::Relaxed) {
                        break;
                    }
                    let played = std::panic::catch_unwind(|| play(seed));
                    counts.add(&played.unwrap_or_else(|why| {
                        HAS_FAILED.store(true, Ordering::Relaxed);
                        eprintln!("SEED={seed}");
                        std::panic::resume_unwind(why);
                    }));
                }
                counts
            })
        });
        for worker in each.collect::<Vec<_>>() {
            all.add(&worker.join().expect("a history ended badly: its seed stands above"));
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!("{histories} histories in {seconds:.1} s ({:.0} a second): {all:?}", histories as f64 / seconds);
    // The histories are worth their name only if all of this happens in them, and often.
    for (what, count) in all.each() {
        assert!(count >= histories / 200, "hardly ever {what}: {count} in {histories} histories");
    }
}
