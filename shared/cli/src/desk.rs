//! The approver's desk: what waits for an answer, what was given, and the answers themselves.
//!
//! Lists are read from where the cases are; answers are sent to whoever decides there. Nothing here has any power of its own: it
//! shows, and asks. Whatever a caller put into a record is made visible before a terminal gets it.

mod answers;
mod console;
mod dry_run;
mod lists;

use std::{io, process::ExitCode};

use crate::{
    args::Desk,
    output::{self, visible},
    source::{self, Failure},
};

/// Runs a verb.
pub fn run(verb: &Desk) -> ExitCode {
    source::run(async {
        match verb {
            Desk::Cases(arguments) => lists::cases(arguments).await,
            Desk::Grants(arguments) => lists::grants(arguments).await,
            Desk::Approve(arguments) => answers::approve(arguments).await,
            Desk::Reject(arguments) => answers::reject(arguments).await,
            Desk::Revoke(arguments) => answers::revoke(arguments).await,
            Desk::Console(arguments) => console::console(arguments).await,
        }
    })
}

/// Writes a result. Whoever read our output has enough: that is no failure.
fn show(text: &str) -> Result<(), Failure> {
    match output::write(text) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("the output could not be written: {why}")))
        }
        _ => Ok(()),
    }
}

/// Seconds since 1970 as people read them; as they came where no calendar has them.
pub fn time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string());
    time.unwrap_or_else(|_| seconds.to_string())
}

/// A word that somebody else wrote, in a cell of its own.
fn cell(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "-".to_owned(), visible)
}
