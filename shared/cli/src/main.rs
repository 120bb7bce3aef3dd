//! The command `trailpass`: what an administrator types.
//!
//! Results go to standard output and everything else to standard error. The exit status is 0 when all was done, 1 when
//! an input could not be read (the others are still done), and 2 for wrong usage.

// The SDKs' futures lie deep inside each other, deeper than the compiler looks without this.
#![recursion_limit = "256"]

mod args;
#[cfg(feature = "aws")]
mod desk;
mod explain;
#[cfg(feature = "aws")]
mod files;
mod input;
mod output;
mod serve;
#[cfg(feature = "aws")]
mod source;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Args::parse().command {
        args::Command::Explain(explain) => explain::run(&explain),
        args::Command::Serve(serve) => serve::run(&serve),
        #[cfg(feature = "aws")]
        args::Command::Desk(verb) => desk::run(&verb),
        #[cfg(not(feature = "aws"))]
        args::Command::Desk(_) => {
            output::say("this program was built without AWS: build it with the feature `aws` (make run AWS=1)");
            ExitCode::from(2)
        }
    }
}
