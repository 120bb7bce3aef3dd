//! `trailpass completions`: a script that makes a shell complete the command's words, made from the command line itself.
//!
//! It is printed and put nowhere: where such a script belongs differs from one machine to the next, and `--help` says where.

use std::{io, process::ExitCode};

use clap::CommandFactory;

use crate::{
    args::{Args, Completions},
    output,
};

/// Runs the command.
pub fn run(wanted: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut Args::command(), "trailpass", &mut script);
    match output::write(&String::from_utf8_lossy(&script)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read it has enough: that is no error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::say(format_args!("the output could not be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
