//! `trailpass approve`, `reject` and `revoke`: what is meant, shown and asked for, signed, and sent to whoever decides.
//!
//! What is found out here before anything is sent is a courtesy: the stack asks it all again. Taking back is the exception: it is
//! sent whatever the table says, because whoever can write to the table must not be able to keep a grant alive.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use access::{
    answer::aws::Wish,
    case::Case,
    decide::{LONGEST, Refusal},
    diagnose::Diagnosed,
    diagnosis::Remedy,
    notice::{Call, Notice, text::offer},
    reconcile::Grant,
    standing::State,
};
use decide::answer::{Outcome, Reply};

use super::{dry_run, show, time};
use crate::{
    args::{self, Answering, Approve, Reject, Revoke},
    files::{CaseFile, Subject, offers},
    output::{self, visible},
    source::{Failure, Source},
};

/// A case that can be answered, with what can be given for it.
struct Answerable {
    case: Case,
    subject: Subject,
    call: Call,
    diagnosed: Diagnosed,
    offers: Vec<Remedy>,
    /// The same call was refused for another reason since: it can be rejected only. The newer case, where it is known.
    overtaken: Option<Option<String>>,
}

/// `trailpass approve`.
pub async fn approve(arguments: &Approve) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.answering.place).await?;
    let found = answerable(&source, &arguments.case).await?;
    if let Some(newer) = &found.overtaken {
        let newer = newer.as_ref().map_or_else(String::new, |id| format!(": answer {}", visible(id)));
        let why = "the same call was refused for another reason since";
        return Err(Failure::Failed(format!("{}: {why}{newer}", found.subject)));
    }
    let remedy = chosen(&found.offers, &arguments.remedy)?;
    let hash = remedy.hash.clone().ok_or_else(|| Failure::Failed(Refusal::NothingToApprove.because()))?;
    show(&offer(&found.notice(&source), remedy, arguments.minutes, output::style()))?;
    if found.offers.len() > 1 {
        output::say(format_args!("{} remedies can be approved: --remedy 1 to {0}", found.offers.len()));
    }
    if arguments.answering.dry_run {
        return dry_run::approval(&source, &found.diagnosed.diagnosis, remedy, arguments.minutes).await;
    }
    is_meant(&arguments.answering, "Give this?")?;
    let wish = Wish::Approve { remedy: hash, duration_seconds: arguments.minutes * 60 };
    told(&found.subject, &source.send(&found.subject, wish).await?)
}

/// `trailpass reject`.
pub async fn reject(arguments: &Reject) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.answering.place).await?;
    let found = answerable(&source, &arguments.case).await?;
    show(&format!("Reject {}: {}\n", found.subject, visible(&found.diagnosed.diagnosis.summary)))?;
    if arguments.answering.dry_run {
        let best = chosen(&found.offers, "1")?;
        return dry_run::rejection(&source, &found.diagnosed.diagnosis, best).await;
    }
    is_meant(&arguments.answering, "Give nothing?")?;
    told(&found.subject, &source.send(&found.subject, Wish::Reject).await?)
}

/// `trailpass revoke`.
pub async fn revoke(arguments: &Revoke) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.answering.place).await?;
    let now = source.now();
    // The list of what is given may have been emptied; what was decided within the longest grant stands in another.
    let hours = u16::try_from(LONGEST / 3600 + 1).unwrap_or(u16::MAX);
    let mut subjects = source.given(Some(hours), now).await?;
    if let Some(args::Case { id, opening }) = &arguments.case {
        subjects.retain(|subject| subject.case_id == *id);
        if let Some(opening) = *opening {
            subjects = vec![Subject { case_id: id.clone(), opening }];
        }
    }
    let mut files = source.read(&subjects).await?;
    let is_all = arguments.case.is_none();
    if is_all || files.len() > 1 {
        files.retain(|file| may_be_held(file, now));
    }
    if files.is_empty() {
        let Some(case) = &arguments.case else {
            show("Nothing is given.\n")?;
            return Ok(ExitCode::SUCCESS);
        };
        return Err(Failure::Failed(format!("nothing was given for case {}", case.id)));
    }
    if !is_all && files.len() > 1 {
        let openings: Vec<String> = files.iter().map(|file| file.subject.to_string()).collect();
        return Err(Failure::Usage(format!(
            "more than one of its openings has a grant: say {}",
            openings.join(" or ")
        )));
    }
    for file in &files {
        show(&format!("Take back {}: {}\n", file.subject, what_is_held(file)))?;
    }
    if arguments.answering.dry_run {
        return dry_run::revocation(&source).await;
    }
    is_meant(&arguments.answering, "Take it back?")?;
    let mut status = ExitCode::SUCCESS;
    for file in &files {
        // One that fails must not keep the others alive.
        match source.send(&file.subject, Wish::Revoke).await {
            Ok(reply) if is_all && reply.outcome == Outcome::Already => {
                told(&file.subject, &reply)?;
            }
            Ok(reply) => {
                if told(&file.subject, &reply)? != ExitCode::SUCCESS {
                    status = ExitCode::FAILURE;
                }
            }
            Err(why) => {
                output::say(format_args!("{}: {why}", file.subject));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

impl Answerable {
    fn notice<'a>(&'a self, source: &Source) -> Notice<'a> {
        let case = Some(self.case.facts(&self.diagnosed, &[], None));
        Notice { diagnosis: &self.diagnosed.diagnosis, call: &self.call, case, grant_mode: source.setting().mode }
    }
}

/// The case, if it can still be answered.
async fn answerable(source: &Source, named: &args::Case) -> Result<Answerable, Failure> {
    let refused = |why: String| Err(Failure::Failed(format!("{}: {why}", named.id)));
    let Some(case) = source.case(&named.id).await? else { return refused("there is no such case".to_owned()) };
    if named.opening.is_some_and(|opening| opening != case.opening) {
        return refused(format!("it is at its opening {} by now: {}#{}", case.opening, case.id, case.opening));
    }
    let subject = Subject { case_id: case.id.clone(), opening: case.opening };
    let file = source.read(std::slice::from_ref(&subject)).await?.into_iter().next();
    let state = file.map_or(State::Closed, |file| file.state(source.setting(), source.now()));
    let by = state.by().map(visible).unwrap_or_default();
    let overtaken = if let State::Overtaken(newer) = &state { Some(newer.clone()) } else { None };
    match state {
        State::Open | State::Overtaken(_) => {}
        State::ByHand => return refused(Refusal::NothingToApprove.because()),
        State::Lapsed => return refused(Refusal::Lapsed.because()),
        State::Closed => return refused(Refusal::Closed.because()),
        State::Approved(_) | State::Over(_) => return refused(format!("{by} had already approved it")),
        State::Rejected(_) => return refused(format!("{by} had already rejected it")),
        State::Revoked(_) => return refused(format!("{by} had already taken it back")),
    }
    let diagnosed = case.diagnosed(source.setting());
    let offers = offers(&case, &diagnosed);
    Ok(Answerable { call: diagnosed.call(), case, subject, diagnosed, offers, overtaken })
}

/// The remedy of this number, counted from one, or whose hash begins like this.
fn chosen<'a>(offers: &'a [Remedy], named: &str) -> Result<&'a Remedy, Failure> {
    const SHORTEST: usize = 6;
    let begins = |remedy: &&Remedy| remedy.hash.as_deref().is_some_and(|hash| hash.starts_with(named));
    let number = named.parse::<usize>().ok().filter(|_| named.len() < SHORTEST);
    let mut matching = offers.iter().filter(begins).filter(|_| named.len() >= SHORTEST);
    let found = match number {
        Some(number) => number.checked_sub(1).and_then(|at| offers.get(at)),
        None => matching.next().filter(|_| matching.next().is_none()),
    };
    found.ok_or_else(|| {
        let hashes: Vec<&str> = offers.iter().filter_map(|remedy| remedy.hash.as_deref()?.get(..12)).collect();
        Failure::Usage(format!(
            "--remedy: which one is not clear. There are 1 to {}: {}",
            offers.len(),
            hashes.join(", ")
        ))
    })
}

/// Whether IAM may hold something on its account now, as far as anybody knows.
fn may_be_held(file: &CaseFile, now: i64) -> bool {
    match (&file.grant, &file.decision) {
        (Some(grant), _) => !Grant::is_over(grant),
        (None, Some(decision)) => decision.remedy.is_some() && now < decision.not_after,
        (None, None) => true,
    }
}

fn what_is_held(file: &CaseFile) -> String {
    let by = file.decision.as_ref().map_or_else(|| "nobody knows who".to_owned(), |its| visible(&its.by.approver));
    let until = file.decision.as_ref().map_or_else(String::new, |its| format!(", until {}", time(its.not_after)));
    let holder = file.grant.as_ref().map(|grant| match &grant.holder {
        access::reconcile::Holder::User(name) | access::reconcile::Holder::Role(name) => visible(name),
    });
    let holder = holder.unwrap_or_else(|| "not given yet".to_owned());
    format!("{holder}; {by} approved it{until}")
}

/// Only a person at the terminal, or `--yes`, sets something going.
fn is_meant(answering: &Answering, question: &str) -> Result<(), Failure> {
    if answering.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "nothing was sent: nobody is here to be asked. Add --yes if it is meant".to_owned(),
        ));
    }
    let _ = write!(io::stderr().lock(), "{question} [y/N] ");
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::Failed("nothing was sent".to_owned()))
}

/// Says what came of it.
fn told(subject: &Subject, reply: &Reply) -> Result<ExitCode, Failure> {
    let by = reply.by.as_deref().map_or_else(|| "somebody".to_owned(), visible);
    let because = reply.because.as_deref().map_or_else(|| "no reason was given".to_owned(), visible);
    let until = reply.not_after.map_or_else(String::new, |end| format!(", until {}", time(end)));
    match reply.outcome {
        Outcome::Approved => show(&format!("{subject}: approved by {by}{until}. It is being given.\n"))?,
        Outcome::Rejected => show(&format!("{subject}: rejected by {by}. Nothing is given.\n"))?,
        Outcome::Revoked => show(&format!("{subject}: taken back by {by}.\n"))?,
        Outcome::Already | Outcome::Refused => {
            output::say(format_args!("{subject}: it did not count: {because}"));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
