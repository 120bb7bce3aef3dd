//! Everything on one machine: denials come in over HTTP or from a folder, notices go to the terminal, cases to a page, and answers
//! come from that page or from the other verbs.
//!
//! The handlers are the deployed ones; only the store is a folder and the channel a terminal. Unless a grant mode is asked for, IAM is
//! a picture, in which grants are rehearsed: nothing in AWS is read or changed, whatever credentials lie around.

pub mod connection;
mod desk;
pub mod door;
mod folder;
mod grants;
mod home;
mod pages;

use std::{
    io::Read,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use access::{
    approver,
    diagnose::Setting,
    event::Record,
    grant::GrantMode,
    guardrails::Guardrails,
    notice::{text::Style, time},
    reconcile::{Holder, Limits},
};
use adapters::{
    channel::{Channel, Channels},
    iam::{Iam, LocalIam},
    pages::Pages,
    store::embedded::EmbeddedStore,
    telemetry::{self, Metric},
    vouch::Voucher,
};
use decide::{
    authority::{Authority, Source},
    handle::Decide,
};
use reconcile::handle::{Account, Reconcile};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task,
};
use triage::handle::{Report, Triage};

use crate::{
    args, explain, files,
    input::{self, Failure, Found, What},
    local::{Files, Running},
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
    store: Arc<EmbeddedStore>,
    triage: Triage<Arc<EmbeddedStore>>,
    decide: Decide<Arc<EmbeddedStore>>,
    reconcile: Reconcile<Arc<EmbeddedStore>>,
    account: Account,
    authority: Files,
    running: Running,
    /// Somebody has answered.
    wake: Notify,
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
    telemetry::init(
        Some("warn"),
        if args.grant_mode == GrantMode::None { telemetry::Output::Stderr } else { telemetry::Output::StderrWithAudit },
    );
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
    if args.grant_mode != GrantMode::None && args.now.is_some() {
        return Err("--now is for rehearsals: a grant that is made would end by another clock than AWS's".to_owned());
    }
    let store = EmbeddedStore::open(&args.data).map_err(|e| e.to_string())?;
    let listener = TcpListener::bind(args.listen).await.map_err(|e| format!("can't listen on {}: {e}", args.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?.to_string();
    let machine = Arc::new(Machine::assemble(args, guardrails, store, &address).await?);
    home::close(&args.data)?;
    // Only now can anybody answer: what was known before this run is there.
    let announced = machine.running.announce(&args.data);
    let _announced = announced.map_err(|e| format!("{}: {e}", args.data.display()))?;
    let mut known = folder::Known::default();
    if let Some(folder) = &args.events {
        let (files, taken) = known.play(folder, &machine).await?;
        eprintln!("Played {files} files from {}: {taken}.", folder.display());
        if taken.report.count(Metric::Posted) == 0 && taken.report.count(Metric::Duplicate) > 0 {
            eprintln!("They are known from an earlier run. To see them again: --data with a new folder.");
        }
    }
    eprintln!("Cases are kept in {}.", args.data.display());
    let token = if machine.is_rehearsal() { "" } else { " -H x-trailpass-token:…" };
    eprintln!(
        "Listening on http://{address}/ – send a denial: curl{token} --data-binary @denial.json http://{address}/"
    );
    eprintln!("{}", machine.how_to_answer(&args.data));
    if let Some(folder) = &args.events {
        eprintln!("Watching {} for new files. Ctrl-C ends.", folder.display());
    }
    tokio::select! {
        never = pages::serve(listener, Arc::clone(&machine)) => match never {},
        () = grants::look_after(&machine) => Ok(()),
        () = folder::watch(known, args.events.as_deref(), &machine) => Ok(()),
        () = ended() => {
            machine.say_what_stays().await;
            Ok(())
        }
    }
}

/// Somebody wants this to end: Ctrl-C, or the system.
pub async fn ended() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        return;
    }
    // Without a handler there is only the way in which everything ends.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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

/// The picture of IAM, or, if grants are to be made, IAM.
#[cfg(not(feature = "aws"))]
#[allow(clippy::unused_async, reason = "with AWS, AWS is asked")]
async fn iam(args: &args::Serve) -> Result<(Iam, Account, Option<String>), String> {
    if args.grant_mode != GrantMode::None {
        return Err("this program was built without AWS, and can only rehearse grants: leave --grant-mode out, or build it with the feature `aws` (make run AWS=1)".to_owned());
    }
    picture(args)
}

/// The picture of IAM, or, if grants are to be made, IAM: with the credentials of whoever runs this, and in their account.
#[cfg(feature = "aws")]
async fn iam(args: &args::Serve) -> Result<(Iam, Account, Option<String>), String> {
    if args.grant_mode == GrantMode::None {
        return picture(args);
    }
    if args.approvers.is_none() {
        return Err(
            "--grant-mode needs --approvers: who may answer, or nobody could tell whose own denial it is".to_owned()
        );
    }
    let region = crate::source::stack::region().await.map_err(|why| why.to_string())?;
    let caller = crate::source::stack::caller(&region).await.map_err(|why| why.to_string())?;
    // A stack of the account attaches these policies, too, and knows why.
    let account = Account::of_arn(&caller.arn).ok_or("your credentials are of no account")?.shared();
    eprintln!("Grants are made in account {} as {}.", account.id, visible(&caller.arn));
    Ok((Iam::Aws(adapters::iam::AwsIam::new()), account, Some(caller.arn)))
}

/// What is rehearsed stays in the folder, so that what began before a restart ends after it.
fn picture(args: &args::Serve) -> Result<(Iam, Account, Option<String>), String> {
    let file = args.data.join("iam.json");
    let picture = LocalIam::kept_in(file.clone()).map_err(|e| format!("{}: {e}", file.display()))?;
    // Nobody but us attaches anything in a picture, so there is no account whose policies have to be looked after.
    Ok((
        Iam::Local(picture),
        Account { partition: "aws".to_owned(), id: "000000000000".to_owned(), is_shared: false },
        None,
    ))
}

/// The word of the command line and of the contract.
fn word(mode: GrantMode) -> &'static str {
    match mode {
        GrantMode::None => "none",
        GrantMode::Managed => "managed",
        GrantMode::Exact => "exact",
    }
}

/// Milliseconds from the machine's clock to the one asked for.
fn ahead_of(now: jiff::Timestamp) -> i64 {
    now.as_millisecond() - jiff::Timestamp::now().as_millisecond()
}

/// The operator's files; without one of approvers, whoever runs this is the only one. That person has an identity in no account,
/// so that nothing which was refused to anybody is their own.
fn files(args: &args::Serve, approver: &str) -> Result<Files, String> {
    let read = |file: &PathBuf| std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()));
    let alone = || {
        serde_json::json!({
            "schema": approver::SCHEMA,
            "approvers": [{ "name": approver, "aws": ["arn:aws:iam::000000000000:user/whoever-runs-trailpass-serve"] }],
        })
        .to_string()
    };
    Ok(Files {
        approvers: args.approvers.as_ref().map_or_else(|| Ok(alone()), read)?,
        rules: args.approval_rules.as_ref().map(read).transpose()?,
    })
}

/// As the system calls whoever runs this.
fn operator() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let name = named.map(|name| visible(name.trim()).chars().take(64).collect::<String>());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "operator".to_owned())
}

impl Machine {
    async fn assemble(
        args: &args::Serve,
        guardrails: Guardrails,
        store: EmbeddedStore,
        address: &str,
    ) -> Result<Self, String> {
        let store = Arc::new(store);
        let ahead_ms = args.now.map_or(0, ahead_of);
        // A rehearsal shows the smallest grant.
        let mode = if args.grant_mode == GrantMode::None { GrantMode::Exact } else { args.grant_mode };
        let setting = Setting { mode, guardrails };
        let style = output::style();
        let channels = || -> Result<Channels, String> {
            let pages = Some(Pages::Plain(format!("http://{address}/case/")));
            Ok(Channels { notices: channels(args, style)?, alarms: channels(args, style)?, pages })
        };
        let (iam, account, caller) = iam(args).await?;
        home::keep_to(&args.data, &account, caller.is_some())?;
        let named = args.approver.clone().unwrap_or_else(operator);
        let authority = files(args, &named)?;
        let read = Authority::read(Ok(&authority.approvers), Ok(authority.rules.as_deref()));
        if let Some(fault) = read.faults.first() {
            return Err(fault.clone());
        }
        let approver = match &caller {
            None => named,
            // Whose own denial it is, and what the audit says, hangs on who this is: AWS says it, and no argument.
            Some(arn) => {
                let known = read.approvers.as_ref().ok().and_then(|all| all.by_aws(arn)).map(|one| one.name.clone());
                let named = args.approver.as_ref().or(known.as_ref());
                if named != known.as_ref() {
                    return Err(format!("--approver: your credentials are {}'s, who is another", visible(arn)));
                }
                known.unwrap_or_else(|| arn.clone())
            }
        };
        let is_listed = read.approvers.as_ref().is_ok_and(|all| all.iter().any(|one| one.name == approver));
        if !is_listed {
            eprintln!(
                "{} is no approver: nobody can answer here.{}",
                visible(&approver),
                if caller.is_none() { " Say who you are with --approver." } else { "" }
            );
        }
        let voucher = home::voucher(&args.data)?;
        let running = Running::new(address.to_owned(), ahead_ms, word(mode), approver, setting.guardrails.clone());
        let running = running.map_err(|e| e.to_string())?;
        let asks_history = !iam.is_picture();
        Ok(Self {
            triage: Triage {
                store: Arc::clone(&store),
                channels: channels()?,
                setting: setting.clone(),
                simulator: None,
                looks_up: false,
                own_roles: Vec::new(),
                ahead_ms,
            },
            decide: Decide {
                store: Arc::clone(&store),
                voucher: Voucher::Local(voucher.clone()),
                authority: Source::Read(Arc::new(read)),
                setting: setting.clone(),
                ahead_ms,
            },
            reconcile: Reconcile {
                store: Arc::clone(&store),
                iam,
                voucher: Voucher::Local(voucher),
                channels: channels()?,
                setting,
                limits: Limits::default(),
                asks_history,
                ahead_ms,
            },
            store,
            account,
            authority,
            running,
            wake: Notify::new(),
            folder: args.events.clone(),
        })
    }

    /// The time here. Seconds since 1970.
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.running.ahead_ms / 1000
    }

    /// Names what is given and won't be taken back while nothing runs here.
    async fn say_what_stays(&self) {
        if self.is_rehearsal() {
            return;
        }
        let given = match files::given(&self.store, None, self.now()).await {
            Ok(subjects) => files::read(&self.store, &subjects).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let held: Vec<String> = given
            .iter()
            .filter_map(|file| file.grant.as_ref().filter(|grant| !grant.is_over()).map(|grant| (file, grant)))
            .map(|(file, grant)| {
                let (Holder::User(name) | Holder::Role(name)) = &grant.holder;
                format!("    {} until {} (case {})", visible(name), time(grant.not_after), file.subject)
            })
            .collect();
        if !held.is_empty() {
            eprintln!("Still given, and taken back only while serve runs on this folder:\n{}", held.join("\n"));
        }
    }

    /// Whether IAM is a picture.
    fn is_rehearsal(&self) -> bool {
        matches!(self.reconcile.iam, Iam::Local(_))
    }

    /// How somebody answers here, for the terminal.
    fn how_to_answer(&self, data: &std::path::Path) -> String {
        let Running { address, token, .. } = &self.running;
        let what = if self.is_rehearsal() {
            "Grants are rehearsed: what would be changed in IAM is shown, and nothing is."
        } else {
            "Grants are real: what is approved is changed in IAM with your credentials."
        };
        // The folder that the other verbs look into by themselves needs no words.
        let folder = data.display().to_string();
        let folder = if folder == args::DATA { String::new() } else { format!(" --data {folder}") };
        format!(
            "{what} To answer: http://{address}/with/{token}/ (whoever has this address can), or `trailpass approve ID{folder}`."
        )
    }

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
