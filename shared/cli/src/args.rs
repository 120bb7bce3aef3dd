//! The command line: its words, its defaults, and what `--help` says.
//!
//! Wrong usage is found here, before anything is read, and ends with status 2 and a line that says what to do instead.

use std::path::PathBuf;

use access::grant::GrantMode;
use clap::{
    Args as Arguments, CommandFactory, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

/// Says why AWS refused a CloudTrail call, and what mends it.
#[derive(Debug, Parser)]
#[command(name = "trailpass", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "trailpass explain --help shows what can be explained, with examples.")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain refused calls: who was refused what, why, and the smallest fix
    Explain(Explain),
}

/// Explain refused calls: who was refused what, why, and the smallest fix.
///
/// Reads CloudTrail's own words from files or from standard input and changes nothing, anywhere: no AWS account is asked.
///
/// Each input may hold a CloudTrail record, an EventBridge event, a log file ({"Records":[...]}), the output of
/// `aws cloudtrail lookup-events`, an SQS or SNS message around one of these, many of them one after the other (JSON
/// Lines), or AWS's error sentence as it was printed. Gzip is unpacked. What an input is, its content says, not its name.
#[derive(Debug, Arguments)]
#[command(after_long_help = HELP)]
pub struct Explain {
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// What a stack would be set to grant: decides which fixes are offered for approval.
    #[arg(long, value_name = "MODE", default_value = "exact")]
    #[arg(value_parser = PossibleValuesParser::new(["none", "managed", "exact"]).try_map(|mode| mode.parse::<GrantMode>()))]
    pub grant_mode: GrantMode,

    /// JSON: protected principals and the trail's own resources.
    #[arg(long, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,

    /// What to read; - is standard input, and so is no FILE.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// The ways of saying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person, in colour on a terminal (NO_COLOR turns that off)
    Text,
    /// The diagnosis of every record, one JSON object a line
    Json,
    /// The Slack message, one JSON object a line
    Slack,
    /// What SNS would be asked to publish, one JSON object a line
    Sns,
    /// The page of one denial, to open in a browser
    Html,
}

const HELP: &str = r#"Examples:
  The denials in a log file, as it lies in the trail's bucket:
      trailpass explain 111122223333_CloudTrail_eu-west-1_20261005T0800Z_x.json.gz

  What happened lately:
      aws cloudtrail lookup-events | trailpass explain

  The error on your screen:
      aws cloudtrail get-trail-status --name My-Trail 2>&1 | trailpass explain

  What an administrator would see in Slack:
      trailpass explain --format slack denied.json

Which records are shown:
  json prints every record, also the ignored ones ("response": "ignore"). The other formats show only what somebody
  would be told of; the rest is counted on standard error. text and html show a call that was refused again (same
  principal, action, resource and cause) once.
  html is one page, so it takes an input with one denial: with more, it prints nothing and says which there are.

Status: 0 all was explained; 1 something could not be read (named, with its position; the rest was done);
2 wrong usage."#;

/// Ends with status 2, the usage and a line of what to do.
pub fn wrong_usage(message: &str) -> ! {
    let mut command = Args::command();
    command.build();
    match command.find_subcommand_mut("explain") {
        Some(explain) => explain.error(ErrorKind::MissingRequiredArgument, message).exit(),
        None => command.error(ErrorKind::MissingRequiredArgument, message).exit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
