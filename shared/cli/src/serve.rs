//! Everything on one machine: denials come in over HTTP or from a folder, notices go to the terminal, cases to a page.
//!
//! The handler is the deployed one; only the store is a folder and the channel a terminal. Nothing in AWS is read or changed,
//! whatever credentials lie around.

mod connection;
mod door;
mod folder;
mod pages;

use std::{
    io::Read,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use access::{diagnose::Setting, event::Record, grant::GrantMode, guardrails::Guardrails, notice::text::Style};
use adapters::{
    channel::{Channel, Channels},
    pages::Pages,
    store::embedded::EmbeddedStore,
    telemetry::{self, Metric},
};
use tokio::{net::TcpListener, sync::mpsc, task};
use triage::handle::{Report, Triage};

use crate::{
    args, explain,
    input::{self, Failure, Found, What},
    output::{self, visible},
};

/// How long one batch may take; only a folder's disk can make it wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// As many records as are read ahead and handled together.
const BATCH: usize = 500;
/// Bytes of one input that are read, after unpacking. A log file of CloudTrail's has some 50 MB.
const LARGEST_INPUT: u64 = 64 << 20;
/// As many failures of one input as are named; the others are counted.
const NAMED: usize = 100;

/// The handlers of one machine, and what is shown of them.
pub struct Machine {
    triage: Triage<EmbeddedStore>,
    address: String,
    folder: Option<PathBuf>,
}

/// What became of one input.
#[derive(Debug, Default)]
pub struct Taken {
    report: Report,
    /// How often something could not be read.
    unreadable: u64,
    /// The first of these, each in a sentence.
    named: Vec<String>,
}

/// Runs until it is interrupted.
pub fn run(args: &args::Serve) -> ExitCode {
    let guardrails = match explain::guardrails(args.guardrails.as_deref()) {
        Ok(guardrails) => guardrails,
        Err(wrong_usage) => return wrong_usage,
    };
    telemetry::init(Some("warn"), telemetry::Output::Stderr);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|e| e.to_string()).and_then(|runtime| {
        // One thread serves all: a machine has one operator, and a page is written in microseconds.
        runtime.block_on(serve(args, guardrails))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("trailpass: {}", visible(&why));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: &args::Serve, guardrails: Guardrails) -> Result<(), String> {
    let store = EmbeddedStore::open(&args.data).map_err(|e| e.to_string())?;
    let listener = TcpListener::bind(args.listen).await.map_err(|e| format!("can't listen on {}: {e}", args.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?.to_string();
    let style = output::style();
    let machine = Arc::new(Machine {
        triage: Triage {
            store,
            channels: Channels {
                notices: channels(args, style)?,
                alarms: channels(args, style)?,
                pages: Some(Pages::Plain(format!("http://{address}/case/"))),
            },
            setting: Setting { mode: GrantMode::None, guardrails },
            simulator: None,
            own_roles: Vec::new(),
            ahead_ms: args.now.map_or(0, ahead_of),
        },
        address: address.clone(),
        folder: args.events.clone(),
    });
    let mut known = folder::Known::default();
    if let Some(folder) = &args.events {
        let (files, taken) = known.play(folder, &machine).await?;
        eprintln!("Played {files} files from {}: {taken}.", folder.display());
        if taken.report.count(Metric::Posted) == 0 && taken.report.count(Metric::Duplicate) > 0 {
            eprintln!("They are known from an earlier run. To see them again: --data with a new folder.");
        }
    }
    eprintln!("Cases are kept in {}.", args.data.display());
    eprintln!("Listening on http://{address}/ – send a denial: curl --data-binary @denial.json http://{address}/");
    if let Some(folder) = &args.events {
        eprintln!("Watching {} for new files. Ctrl-C ends.", folder.display());
    }
    tokio::select! {
        never = pages::serve(listener, Arc::clone(&machine)) => match never {},
        () = folder::watch(known, args.events.as_deref(), &machine) => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The terminal, and where this build can send to, what was asked for.
#[cfg_attr(not(feature = "aws"), allow(unused_variables, clippy::unnecessary_wraps, reason = "nothing can be sent to"))]
fn channels(args: &args::Serve, style: Style) -> Result<Vec<Channel>, String> {
    let channels = std::iter::once(Channel::Terminal(style));
    #[cfg(feature = "aws")]
    let channels = {
        use adapters::{secrets::Secret, slack, sns::Publisher};
        let topic = args.topic.clone().map(|topic_arn| Channel::Sns {
            topic_arn,
            format: access::notice::sns::TopicFormat::Email,
            publisher: Arc::new(Publisher::new()),
        });
        let slack = args.slack_webhook.as_deref().map(|file| {
            let url = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
            let slack = slack::Slack::new(slack::API, Duration::from_secs(5)).map_err(|e| e.to_string())?;
            Ok::<_, String>(Channel::SlackAddress { slack, url: Secret::new(url.trim()) })
        });
        channels.chain(topic).chain(slack.transpose()?)
    };
    Ok(channels.collect())
}

/// Milliseconds from the machine's clock to the one asked for.
fn ahead_of(now: jiff::Timestamp) -> i64 {
    now.as_millisecond() - jiff::Timestamp::now().as_millisecond()
}

impl Machine {
    /// Takes everything that an input holds: each record through triage, each failure into the answer.
    ///
    /// Whoever sends it decides how much there is to unpack and to read. So that is done on a thread of its own, no further
    /// ahead than the next batch, and the pages are answered between two batches.
    pub async fn take(&self, input: impl Read + Send + 'static) -> Taken {
        let (sender, mut batches) = mpsc::channel(1);
        let reading = task::spawn_blocking(move || {
            let mut found = input::read_at_most(input, LARGEST_INPUT);
            loop {
                let batch: Vec<_> = found.by_ref().take(BATCH).collect();
                // Nobody receives any more when whoever sent this has gone.
                if batch.is_empty() || sender.blocking_send(batch).is_err() {
                    return;
                }
            }
        });
        let mut taken = Taken::default();
        while let Some(batch) = batches.recv().await {
            let records = batch.into_iter().filter_map(|one| taken.record(one)).collect();
            let report = self.triage.handle_records(records, SystemTime::now() + PATIENCE).await;
            taken.report.join(&report);
            task::yield_now().await;
        }
        if reading.await.is_err() {
            taken.fail("reading ended before its end");
        }
        taken
    }
}

impl Taken {
    /// The record, if it is one; what is none is a failure.
    fn record(&mut self, one: Result<Found, Failure>) -> Option<(usize, Record)> {
        match one {
            Ok(Found { what: What::Record(record), .. }) => return Some((0, *record)),
            Ok(Found { what: What::Text(_), at, .. }) => self.fail(&format!(
                "{at}: a text, and no record of CloudTrail's: `trailpass explain` reads AWS's sentence by itself"
            )),
            Err(Failure { at: Some(at), why }) => self.fail(&format!("{at}: {why}")),
            Err(Failure { at: None, why }) => self.fail(&why),
        }
        None
    }

    /// An input that could not even be opened.
    fn failed(why: &str) -> Self {
        let mut taken = Self::default();
        taken.fail(why);
        taken
    }

    fn fail(&mut self, why: &str) {
        self.unreadable += 1;
        if self.named.len() < NAMED {
            self.named.push(visible(why));
        }
    }

    /// What could not be read: the first failures in words, and how many there are besides.
    fn failures(&self) -> Vec<String> {
        let others = self.unreadable - self.named.len() as u64;
        let rest = (others > 0).then(|| format!("and {others} more that could not be read"));
        self.named.iter().cloned().chain(rest).collect()
    }

    /// The counts of two inputs. What failed has been named with its own.
    fn join(&mut self, other: &Self) {
        self.report.join(&other.report);
        self.unreadable += other.unreadable;
    }
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |metric| self.report.count(metric);
        write!(f, "{} records, {} new cases", count(Metric::Received), count(Metric::Posted))?;
        for (count, what) in [
            (count(Metric::Joined), "joined an open case"),
            (count(Metric::Duplicate), "known already"),
            (count(Metric::Held), "held back in a storm"),
            (count(Metric::Ignored), "ignored"),
            (count(Metric::Failed), "failed"),
            (self.unreadable, "unreadable"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
