//! The command `trailpass`: what an administrator types.
//!
//! Results go to standard output and everything else to standard error. The exit status is 0 when all was done, 1 when
//! an input could not be read (the others are still done), and 2 for wrong usage.

mod args;
mod explain;
mod input;
mod output;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Args::parse().command {
        args::Command::Explain(explain) => explain::run(&explain),
        args::Command::Serve(serve) => serve::run(&serve),
    }
}
