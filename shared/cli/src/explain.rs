//! `trailpass explain`: each record, or sentence, to what somebody would be told of it.
//!
//! It decides what is shown and what is only counted. A log file is mostly calls that succeeded, and a script that is
//! refused tries again and again: whoever reads the text wants each denial once, and how much there was besides.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Arguments,
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
    process::ExitCode,
};

use access::{
    classify::Rule,
    diagnose::{Diagnosed, Setting, diagnose, diagnose_sentence},
    diagnosis::Response,
    grant::GrantMode,
    guardrails::Guardrails,
    notice::{Notice, html, slack, sns, text, words::thousands},
};

use crate::{
    args::{Explain, Format, wrong_usage},
    emit::Emitting,
    input::{self, Failure, Found, What},
    output::{self, count, visible},
};

/// Denials that are remembered for telling repeats; more than these are shown again.
const REMEMBERED: usize = 100_000;
/// Ignored records that are named one by one, where nothing else is shown.
const NAMED: u64 = 5;

/// How one record is taken out of a file: packed or not (`gzip` hands on what isn't), in any wrapping, in a string, too, as
/// `lookup-events` and SQS have it.
const PICK: &str = "gzip -dcf FILE | jq 'recurse(.[]?, (strings | fromjson?)) | objects | select(.eventID == \"EVENT\")' | \
    trailpass explain --format html > page.html";

/// Runs the command.
pub fn run(arguments: &Explain) -> ExitCode {
    if arguments.files.is_empty() && io::stdin().is_terminal() {
        wrong_usage(
            "explain",
            "nothing to explain: name a FILE, or pipe something in, for example\n\n    \
             aws cloudtrail get-trail-status --name My-Trail 2>&1 | trailpass explain",
        );
    }
    let guardrails = match guardrails(arguments.guardrails.as_deref()) {
        Ok(guardrails) => guardrails,
        Err(wrong_usage) => return wrong_usage,
    };
    let emitting = match arguments.emit().map(|(language, folder)| Emitting::new(language, folder)).transpose() {
        Ok(emitting) => emitting,
        Err(wrong_usage) => return wrong_usage,
    };
    // What is written down for a person to run has no end that anybody keeps.
    let mode = if emitting.is_some() { GrantMode::None } else { arguments.grant_mode };
    let mut explaining = Explaining {
        emitting,
        format: arguments.format,
        style: output::style(),
        setting: Setting { mode, guardrails },
        seen: HashSet::new(),
        is_one_of_several: arguments.files.len() > 1,
        pages: Vec::new(),
        tally: Tally::default(),
    };
    let standard_input = [Path::new("-").to_owned()];
    let files = if arguments.files.is_empty() { &standard_input[..] } else { &arguments.files };
    let done = files.iter().try_for_each(|file| explaining.file(file)).and_then(|()| explaining.finish());
    match done {
        Ok(status) => status,
        // Whoever read our output has enough: that is no error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => explaining.tally.status(),
        Err(error) => {
            output::say(format_args!("the output could not be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The guardrails that `--guardrails` names, if it is given.
///
/// Guardrails that can't be read stop everything: explaining without them would offer what they forbid. It is said why, and
/// the status is that of wrong usage.
pub fn guardrails(path: Option<&Path>) -> Result<Guardrails, ExitCode> {
    let Some(path) = path else { return Ok(Guardrails::default()) };
    let json = std::fs::read_to_string(path).map_err(|error| unopened(&error, path));
    json.and_then(|json| Guardrails::from_json(&json).map_err(|error| visible(&error))).map_err(|why| {
        output::say(format_args!("--guardrails {}: {why}", visible(&path.to_string_lossy())));
        ExitCode::from(2)
    })
}

/// Why a file could not be opened, and what to do.
pub fn unopened(error: &io::Error, path: &Path) -> String {
    let name = path.to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound if name.contains(' ') && name.contains(':') => {
            "there is no such file. To explain a sentence, pipe it in: echo '…' | trailpass explain".to_owned()
        }
        io::ErrorKind::NotFound => "there is no such file.".to_owned(),
        io::ErrorKind::PermissionDenied => "this file may not be read by you.".to_owned(),
        _ => error.to_string(),
    }
}

/// What is explained, how, and what has been shown so far.
struct Explaining {
    /// Fixes go into files, and nothing is shown.
    emitting: Option<Emitting>,
    format: Format,
    style: text::Style,
    setting: Setting,
    seen: HashSet<(String, Rule)>,
    /// Texts are told apart by the file that they come from.
    is_one_of_several: bool,
    /// For `html`: the page, and what there is besides.
    pages: Vec<(String, String)>,
    tally: Tally,
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    shown: u64,
    repeats: u64,
    ignored: BTreeMap<Rule, u64>,
    /// The first ignored ones in words.
    named: Vec<String>,
    failures: u64,
}

impl Tally {
    fn status(&self) -> ExitCode {
        if self.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Explaining {
    fn file(&mut self, path: &Path) -> io::Result<()> {
        if path == Path::new("-") {
            return self.input("standard input", io::stdin().lock());
        }
        let name = visible(&path.to_string_lossy());
        match File::open(path) {
            Ok(file) => self.input(&name, file),
            Err(error) => {
                self.failed(&name, &Failure { at: None, why: unopened(&error, path) });
                Ok(())
            }
        }
    }

    fn input(&mut self, name: &str, bytes: impl Read) -> io::Result<()> {
        let mut is_empty = true;
        for found in input::read(bytes) {
            is_empty = false;
            match found {
                Ok(found) => self.found(name, found)?,
                Err(failure) => self.failed(name, &failure),
            }
        }
        if is_empty {
            output::say(format_args!("{name}: a list without a record in it."));
        }
        Ok(())
    }

    fn failed(&mut self, name: &str, failure: &Failure) {
        self.tally.failures += 1;
        let at = failure.at.map(|at| format!(", {at}")).unwrap_or_default();
        output::say(format_args!("{name}{at}: {}", visible(&failure.why)));
    }

    fn found(&mut self, name: &str, found: Found) -> io::Result<()> {
        if found.is_repaired {
            output::say(format_args!(
                "{name}, {}: some bytes here are no valid text; they are shown as \u{FFFD} or escaped.",
                found.at
            ));
        }
        let from = format_args!("From {name}, {}\n\n", found.at);
        match found.what {
            What::Record(record) => self.show(from, &diagnose(*record, &self.setting, false), self.setting.mode),
            What::Text(text) => match diagnose_sentence(&text, &self.setting) {
                Some(diagnosed) => self.show(from, &diagnosed, GrantMode::None),
                None => {
                    self.failed(name, &Failure { at: Some(found.at), why: input::neither(&text) });
                    Ok(())
                }
            },
        }
    }

    fn show(&mut self, from: Arguments<'_>, diagnosed: &Diagnosed, grant_mode: GrantMode) -> io::Result<()> {
        if let Some(emitting) = &mut self.emitting {
            emitting.take(diagnosed);
            return Ok(());
        }
        let diagnosis = &diagnosed.diagnosis;
        if self.format == Format::Json {
            self.tally.shown += 1;
            return output::write(&output::json_line(diagnosis)?);
        }
        if diagnosis.response == Response::Ignore {
            *self.tally.ignored.entry(diagnosis.rule).or_default() += 1;
            if self.tally.shown == 0 && self.tally.named.len() < NAMED as usize {
                self.tally.named.push(visible(&diagnosis.summary));
            }
            return Ok(());
        }
        if matches!(self.format, Format::Text | Format::Html) {
            let key = (diagnosed.case_id.clone(), diagnosis.rule);
            if self.seen.contains(&key) {
                self.tally.repeats += 1;
                return Ok(());
            }
            if self.seen.len() < REMEMBERED {
                self.seen.insert(key);
            }
        }
        self.tally.shown += 1;
        let call = diagnosed.call();
        let notice = Notice { diagnosis, call: &call, case: None, grant_mode };
        match self.format {
            Format::Text => {
                let gap = if self.tally.shown > 1 { "\n\n" } else { "" };
                let from = if self.is_one_of_several { from } else { format_args!("") };
                output::write(&format!("{gap}{from}{}", text::write(&notice, self.style)))
            }
            Format::Slack => output::write(&output::json_line(&slack::message(&notice))?),
            Format::Sns => {
                output::write(&output::json_line(&sns::publish(&notice, sns::TopicFormat::Email).to_json())?)
            }
            Format::Html => {
                // Only the first can be printed; of the others it is said that they are there.
                let page = if self.pages.is_empty() { html::page(&notice) } else { String::new() };
                if self.pages.len() < 20 {
                    let id = diagnosis.event_id.as_deref().unwrap_or("without an id");
                    self.pages.push((page, visible(&format!("event {id}: {}", diagnosis.summary))));
                }
                Ok(())
            }
            Format::Json => Ok(()),
        }
    }

    /// Says what was not shown.
    fn finish(&mut self) -> io::Result<ExitCode> {
        let tally = &self.tally;
        if let Some(emitting) = self.emitting.take() {
            return Ok(emitting.finish(tally.failures));
        }
        if let [(page, _), others @ ..] = self.pages.as_slice() {
            if !others.is_empty() {
                output::say(format_args!("--format html is the page of one denial, and here are {}:", tally.shown));
                self.pages.iter().for_each(|(_, label)| output::say(format_args!("    {label}")));
                output::say("take another format, or pick one: a sentence by itself, a record by its event:");
                output::say(format_args!("    {PICK}"));
                return Ok(ExitCode::from(2));
            }
            output::write(page)?;
        }
        if tally.repeats > 0 {
            output::say(format_args!(
                "{} like one that is shown (same principal, action, resource and cause) left out; --format json has each.",
                count(tally.repeats, "denial", "denials")
            ));
        }
        let ignored: u64 = tally.ignored.values().sum();
        if ignored > 0 {
            let is_named = tally.shown == 0 && ignored <= NAMED;
            output::say(format_args!("{} ignored:", count(ignored, "record", "records")));
            if is_named {
                tally.named.iter().for_each(|summary| output::say(format_args!("    {summary}")));
            } else {
                let width = thousands(ignored).len();
                for (rule, number) in &tally.ignored {
                    output::say(format_args!("    {:>width$}  {} ({})", thousands(*number), rule.title(), rule.id()));
                }
            }
        }
        Ok(tally.status())
    }
}
