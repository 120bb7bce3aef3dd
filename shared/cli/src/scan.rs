//! `trailpass scan`: what Trailpass would have said of the logs that somebody has already.
//!
//! Inputs are read several at a time and counted in their order, so that one set of logs has one result. What is small is read whole
//! and quickly; what is large, or in any way odd, as `explain` reads it. Either way each record is judged by the same call.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use access::{
    diagnose::Setting,
    notice::html,
    scan::{Read, Tally},
};
use jiff::tz::TimeZone;
use rayon::prelude::*;

use crate::{
    args::{ReportFormat, Scan, wrong_usage},
    explain::guardrails,
    output::{self, visible},
};
use progress::Progress;
use read::{Outcome, Reading, Scratch};
use resume::{Place, Resume};
use walk::{Found, Input, Unread, Wanted};

#[cfg(feature = "aws")]
mod bucket;
mod csv;
mod json;
#[cfg(feature = "aws")]
mod lookup;
#[cfg(feature = "aws")]
mod network;
mod progress;
mod read;
mod resume;
mod text;
mod walk;

/// Inputs that are read before the next ones are looked for, for each thread.
const GROUP: usize = 16;
/// Failures of one input that are named.
const NAMED: usize = 10;

/// Runs the command.
pub fn run(arguments: &Scan) -> ExitCode {
    let guardrails = match guardrails(arguments.guardrails.as_deref()) {
        Ok(guardrails) => guardrails,
        Err(wrong_usage) => return wrong_usage,
    };
    let setting = Setting { mode: arguments.grant_mode, guardrails };
    let mut arguments = arguments.clone();
    let (resume, found) = match arguments.resume.clone() {
        None => (None, resume::Found::default()),
        Some(_) if arguments.paths.iter().any(|path| path == Path::new("-")) => wrong_usage(
            "scan",
            "standard input can't be read again from where it was left: --resume is for files, folders and buckets",
        ),
        Some(file) => match Resume::take_up(&file, &mut arguments, &setting) {
            Ok((resume, found)) => (Some(resume), found),
            Err(why) => wrong_usage("scan", &why),
        },
    };
    let arguments = arguments;
    let stop = match interruption() {
        Ok(stop) => stop,
        Err(error) => return failed(format_args!("signals can't be heard: {error}")),
    };
    let threads = threads(&arguments.paths);
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        return failed(format_args!("no threads can be started: {error}"));
    }
    let mut scan = Scanning {
        reading: Reading::new(setting, arguments.filter(), threads),
        tally: found.tally,
        read: Read { is_interrupted: false, ..found.read },
        progress: Progress::new(),
        stop,
        resume,
        place: found.place,
        is_torn: false,
    };
    scan.all(&arguments);
    scan.progress.end();
    scan.end();
    let told = match tell(&arguments, &scan.tally, &scan.read) {
        Ok(()) => true,
        // Whoever read our output has enough: that is no error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            output::say(format_args!("the report could not be written: {}", visible(&error.to_string())));
            false
        }
    };
    let is_whole = scan.read.failures == 0 && !scan.read.is_interrupted;
    if told && is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One for each processor; where objects are fetched, as many as are fetched at once.
fn threads(paths: &[PathBuf]) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    #[cfg(feature = "aws")]
    if paths.iter().any(|path| bucket::is_in_one(path)) {
        return processors.max(bucket::AT_ONCE);
    }
    let _ = paths;
    processors
}

fn failed(why: impl Display) -> ExitCode {
    output::say(why);
    ExitCode::FAILURE
}

/// Set by Ctrl-C. A second one ends the program as it always does.
fn interruption() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::{consts::SIGINT, flag};
    let stop = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGINT, Arc::clone(&stop))?;
    flag::register(SIGINT, Arc::clone(&stop))?;
    Ok(stop)
}

struct Scanning {
    reading: Reading,
    tally: Tally,
    read: Read,
    progress: Progress,
    stop: Arc<AtomicBool>,
    resume: Option<Resume>,
    /// Everything up to here is counted.
    place: Place,
    /// A part of what comes next is counted, too.
    is_torn: bool,
}

impl Scanning {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Every source, from where it was left.
    fn all(&mut self, arguments: &Scan) {
        let since = arguments.since.as_ref().map(|since| since.at.to_zoned(TimeZone::UTC).date());
        for (source, path) in arguments.paths.iter().enumerate().skip(self.place.source) {
            self.path(path, since);
            if self.is_stopped() {
                break;
            }
            self.place = Place { source: source + 1, ..Place::default() };
        }
        #[cfg(feature = "aws")]
        if arguments.lookup && !self.is_stopped() {
            lookup::read_all(self, arguments);
        }
        self.read.is_interrupted = self.is_stopped();
    }

    fn path(&mut self, path: &Path, since: Option<jiff::civil::Date>) {
        let most = GROUP * rayon::current_num_threads();
        let mut group = Vec::with_capacity(most);
        let behind = self.place.behind.clone();
        for found in walk::inputs(path, Wanted { behind: behind.as_deref(), since }) {
            group.push(found);
            if group.len() == most {
                self.group(&group);
                group.clear();
            }
            if self.is_stopped() {
                return;
            }
        }
        self.group(&group);
    }

    fn group(&mut self, group: &[Found]) {
        let (reading, stop) = (&self.reading, &self.stop);
        let outcomes: Vec<Option<Outcome>> = group
            .par_iter()
            .map_init(Scratch::default, |scratch, found| match found {
                Found::Input(input) => (!stop.load(Ordering::Relaxed)).then(|| reading.input(input, scratch)),
                Found::PassedOver(_) => Some(Outcome::PassedOver),
                Found::Failure { .. } => None,
            })
            .collect();
        for (found, outcome) in group.iter().zip(outcomes) {
            match (found, outcome) {
                (Found::Failure { name, why: Unread::Itself(why) }, _) => self.failed(name, why),
                (Found::Failure { name, why: Unread::Outage(why) }, _) => return self.outage(name, why),
                // Somebody has stopped it.
                (Found::Input(_) | Found::PassedOver(_), None) => return,
                (Found::Input(input) | Found::PassedOver(input), Some(outcome)) => {
                    match outcome {
                        Outcome::Read { batches, failures, bytes } => {
                            batches.into_iter().for_each(|batch| self.tally.take(batch));
                            self.done(input, failures, bytes);
                        }
                        Outcome::Large if self.large(input) => {}
                        Outcome::Large => return,
                        Outcome::PassedOver => self.read.passed_over += 1,
                        Outcome::Outage(why) => return self.outage(&input.name(), &why),
                    }
                    self.place.behind = Some(input.key());
                }
            }
        }
        self.keep(false);
    }

    /// What is too large to be held is read alone, piece by piece. `false`: not to its end.
    fn large(&mut self, input: &Input) -> bool {
        self.keep(true);
        let (tally, stop, progress) = (&mut self.tally, &self.stop, &self.progress);
        let failures = self.reading.stream(input, |batch| {
            tally.take(batch);
            progress.denials(tally.denials());
            !stop.load(Ordering::Relaxed)
        });
        self.is_torn = self.is_stopped();
        match failures {
            Ok(failures) => {
                self.done(input, failures, input.length().unwrap_or(0));
                !self.is_torn
            }
            Err(why) => {
                self.outage(&input.name(), &why);
                false
            }
        }
    }

    /// Writes down how far it has come, if somebody wants that, now or when it is time.
    fn keep(&mut self, is_needed: bool) {
        let Some(resume) = self.resume.as_mut().filter(|resume| is_needed || resume.is_due()) else { return };
        if let Err(why) = resume.keep(&self.place, &self.read, &self.tally) {
            // It would be worth nothing to go on and not to be able to stop.
            self.progress.aside(|| output::say(&why));
            self.resume = None;
            self.read.failures += 1;
        }
    }

    /// Leaves behind what another one goes on with, if there is anything left to read.
    fn end(&mut self) {
        if !self.read.is_interrupted {
            if let Some(resume) = &self.resume {
                resume.end();
            }
            return;
        }
        // What is torn was kept before it was begun.
        if !self.is_torn {
            self.keep(true);
        }
        if self.resume.is_some() {
            output::say("Not everything is read. The same command goes on from here.");
        }
    }

    fn done(&mut self, input: &Input, failures: read::Failures, bytes: u64) {
        self.read.inputs += 1;
        let name = input.name();
        for why in &failures.named {
            self.progress.aside(|| output::say(format_args!("{name}{why}")));
        }
        let more = failures.count - failures.named.len() as u64;
        if more > 0 {
            self.progress.aside(|| output::say(format_args!("{name}: and {more} more like these.")));
        }
        self.read.failures += failures.count;
        self.progress.done(bytes, self.tally.denials());
    }

    /// Nothing can be read for now: ends like an interruption, so that what is missing is not taken for read.
    fn outage(&mut self, name: &str, why: &str) {
        self.stop.store(true, Ordering::Relaxed);
        self.progress.aside(|| output::say(format_args!("{name}: {why}")));
    }

    fn failed(&mut self, name: &str, why: &str) {
        self.read.failures += 1;
        self.progress.aside(|| output::say(format_args!("{name}: {why}")));
    }
}

/// Tells it, to where it is to go.
fn tell(arguments: &Scan, tally: &Tally, read: &Read) -> io::Result<()> {
    let Some(path) = &arguments.output else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        write(arguments, tally, read, output::width(), &mut out)?;
        return out.flush();
    };
    // Whoever reads the file while it is written finds the one before.
    let beside = path.with_added_extension("part");
    let mut out = io::BufWriter::new(File::create(&beside)?);
    write(arguments, tally, read, None, &mut out)?;
    out.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}

fn write(arguments: &Scan, tally: &Tally, read: &Read, width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    match arguments.format {
        ReportFormat::Text => text::write(arguments, tally, read, width, out),
        ReportFormat::Json => json::write(arguments, tally, read, out),
        ReportFormat::Csv => csv::write(tally, out),
        ReportFormat::Html => out.write_all(html::report(tally, read).as_bytes()),
    }
}
