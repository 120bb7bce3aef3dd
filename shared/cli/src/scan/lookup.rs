//! The event history of a Region, as `LookupEvents` gives it: no trail and no bucket are needed, and it goes back 90 days.
//!
//! AWS answers two requests a second, of fifty events each, for an account and Region, and others ask, too: whoever asks here waits
//! in between, and longer each time that AWS says that it was too much.

use std::{
    iter, thread,
    time::{Duration, Instant},
};

use access::{
    event,
    scan::{Batch, Filter},
};
use adapters::{
    cloudtrail::{CloudTrail, Events},
    http::AwsError,
};

use super::{
    Scanning,
    network::{runtime, tried},
    resume::{Place, Span},
};
use crate::{args::Scan, output::visible};

/// Between the beginnings of two requests.
const PACE: Duration = Duration::from_millis(510);
/// How long CloudTrail remembers.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);
/// Waits for one page, each twice the one before.
const WAITS: usize = 5;

/// Reads the history of each Region that is asked for, of that of the environment without any.
pub fn read_all(scanning: &mut Scanning, arguments: &Scan) {
    let filter = arguments.filter();
    let regions: Vec<Option<&str>> = match arguments.regions.is_empty() {
        true => vec![None],
        false => arguments.regions.iter().map(|region| Some(region.as_str())).collect(),
    };
    let behind_paths = arguments.paths.len();
    let begun = scanning.place.source.saturating_sub(behind_paths);
    for (at, region) in regions.into_iter().enumerate().skip(begun) {
        read(scanning, region, &filter);
        if scanning.is_stopped() {
            return;
        }
        scanning.place = Place { source: behind_paths + at + 1, ..Place::default() };
        scanning.keep(false);
    }
}

fn read(scanning: &mut Scanning, region: Option<&str>, filter: &Filter) {
    let name = format!("the event history of {}", region.map_or_else(|| "this Region".to_owned(), visible));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return scanning.failed(&name, &why),
    };
    let mut span = scanning.place.history.clone().unwrap_or_else(|| whole(filter));
    let (to, before) = (span.to, span.taken.clone());
    let cloudtrail = runtime.block_on(CloudTrail::of(region));
    let mut next = None;
    loop {
        let began = Instant::now();
        let waits = iter::successors(Some(PACE), |wait| Some(*wait * 2)).take(WAITS);
        let ask = || runtime.block_on(cloudtrail.events(span.from, to, next.as_deref()));
        let page = match tried(waits, |length| scanning.waits(length), ask) {
            Ok(page) => page,
            Err(why @ AwsError::Unavailable(_)) => return scanning.outage(&name, &visible(&why.to_string())),
            Err(why) => return scanning.failed(&name, &visible(&why.to_string())),
        };
        scanning.page(&page, &before, &mut span);
        scanning.place.history = Some(span.clone());
        scanning.keep(false);
        next = page.next;
        if next.is_none() {
            scanning.read.inputs += 1;
            return;
        }
        if !scanning.waits(PACE.saturating_sub(began.elapsed())) {
            return;
        }
    }
}

/// All that CloudTrail remembers of what is asked for.
fn whole(filter: &Filter) -> Span {
    let now = jiff::Timestamp::now().as_second();
    let earliest = now - i64::try_from(REMEMBERED.as_secs()).unwrap_or(0);
    let from = filter.since.map_or(earliest, |since| since.as_second().max(earliest));
    // The last second of a span is in what is asked for; what the filter asks for ends before it.
    let to = filter.until.map_or(now, |until| until.as_second().min(now));
    Span { from, to, taken: Vec::new() }
}

impl Scanning {
    /// Waits, unless somebody has stopped it. `false`: somebody has.
    fn waits(&self, length: Duration) -> bool {
        let end = Instant::now() + length;
        while !self.is_stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(100)));
        }
        false
    }

    /// Counts what is on a page, without what an earlier run has taken.
    fn page(&mut self, page: &Events, before: &[String], span: &mut Span) {
        let mut batch = Batch::default();
        for looked_up in &page.events {
            if before.contains(&looked_up.id) {
                continue;
            }
            for found in event::read(&looked_up.record) {
                match found {
                    Ok(record) => self.reading.record(record, &mut batch),
                    Err(why) => self.failed(&format!("event {}", visible(&looked_up.id)), &visible(&why.to_string())),
                }
            }
            if looked_up.time < span.to {
                (span.to, span.taken) = (looked_up.time, Vec::new());
            }
            if looked_up.time == span.to {
                span.taken.push(looked_up.id.clone());
            }
        }
        self.tally.take(batch);
        self.progress.back_to(self.tally.records() + self.tally.left_out(), span.to, self.tally.denials());
    }
}
