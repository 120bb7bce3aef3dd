//! The command `trailpass`: what an administrator types.
//!
//! Results go to standard output and everything else to standard error. The exit status is 0 when all was done, 1 when
//! an input could not be read (the others are still done), and 2 for wrong usage.

// The SDKs' futures lie deep inside each other, deeper than the compiler looks without this.
#![recursion_limit = "256"]

mod args;
mod completions;
mod desk;
#[cfg(feature = "aws")]
mod doctor;
mod emit;
mod explain;
mod files;
mod input;
mod local;
mod output;
mod scan;
mod serve;
mod source;
mod table;
mod view;
mod web;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Args::parse().command {
        args::Command::Explain(explain) => explain::run(&explain),
        args::Command::Scan(scan) => scan::run(&scan),
        args::Command::Serve(serve) => serve::run(&serve),
        args::Command::Completions(wanted) => completions::run(&wanted),
        #[cfg(feature = "aws")]
        args::Command::Doctor(doctor) => doctor::run(&doctor),
        args::Command::Desk(verb) => desk::run(&verb),
    }
}
