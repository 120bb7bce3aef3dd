//! What is said while there is much to read: on a terminal only, and never into the result.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// How far it has come.
pub struct Progress {
    bar: ProgressBar,
    inputs: u64,
    bytes: u64,
}

impl Progress {
    /// Nothing is read yet. Where nobody watches, nothing is ever drawn.
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, inputs: 0, bytes: 0 }
    }

    /// One more input is read.
    pub fn done(&mut self, bytes: u64, denials: u64) {
        self.inputs += 1;
        self.bytes += bytes;
        self.denials(denials);
    }

    /// So many denials are found.
    pub fn denials(&self, denials: u64) {
        self.bar.set_message(format!(
            "{} files, {} read, {} denials",
            HumanCount(self.inputs),
            HumanBytes(self.bytes),
            HumanCount(denials)
        ));
    }

    /// An event history is read back to then. Seconds since 1970.
    #[cfg(feature = "aws")]
    pub fn back_to(&self, events: u64, time: i64, denials: u64) {
        let time = jiff::Timestamp::from_second(time).map(|time| time.to_string()).unwrap_or_default();
        let (events, denials) = (HumanCount(events), HumanCount(denials));
        self.bar.set_message(format!("{events} events, back to {time}, {denials} denials"));
    }

    /// Says something beside it.
    pub fn aside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// Takes it off the screen.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
