//! The command line: its words, its defaults, and what `--help` says.
//!
//! Wrong usage is found here, before anything is read, and ends with status 2 and a line that says what to do instead.

mod desk;
mod scan;

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use access::grant::GrantMode;
use clap::{
    ArgAction, Args as Arguments, CommandFactory, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

pub use desk::Desk;
pub use desk::{Answering, Approve, Case, Cases, Console, Grants, Reject, Revoke, Shape, Where};
pub use scan::{Moment, ReportFormat, Scan};

/// Where serve keeps what it knows, unless it is told otherwise; and where the other verbs look for it.
pub const DATA: &str = ".trailpass";

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
    #[command(long_about = ABOUT, after_long_help = HELP)]
    Explain(Explain),
    /// Count what the logs you have hold: who was refused what, how often, and what would mend most
    #[command(long_about = scan::ABOUT, after_long_help = scan::HELP)]
    Scan(Scan),
    /// Take denials in on this machine: notices on the terminal, cases on a page
    Serve(Serve),
    /// What waits for an answer, and what was given.
    #[command(flatten)]
    Desk(Desk),
    /// Look for what a deployed stack lacks: what it does not hear, whom it does not tell, what it may not do or should not
    #[cfg(feature = "aws")]
    #[command(after_long_help = DOCTOR)]
    Doctor(Doctor),
    /// Print what makes a shell complete this command's words
    #[command(after_help = COMPLETIONS)]
    Completions(Completions),
}

/// The arguments of `doctor`.
#[cfg(feature = "aws")]
#[derive(Debug, Arguments)]
pub struct Doctor {
    /// The deployed stack of this name, in the account and Region of your AWS credentials
    #[arg(long, value_name = "NAME", default_value = "trailpass")]
    pub stack: String,

    /// How to tell it
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub format: Shape,

    /// Post a message to each of the stack's Slack channels, as the stack would; nothing else here changes anything
    #[arg(long)]
    pub slack_test: bool,
}

/// The arguments of `completions`.
#[derive(Debug, Arguments)]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The arguments of `explain`.
#[derive(Debug, Arguments)]
pub struct Explain {
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// What a stack would be set to grant on approval
    #[arg(long, value_name = "MODE", default_value = "exact", value_parser = modes())]
    pub grant_mode: GrantMode,

    /// JSON: protected principals and the trail's own resources
    #[arg(long, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,

    /// Write the best fix of each case into a folder that is new, empty or an earlier run's: LANGUAGE is cloudformation,
    /// terraform or cli. The fixes are made by hand and last, so there is no grant mode
    #[arg(long, num_args = 2, action = ArgAction::Set, value_names = ["LANGUAGE", "DIR"], conflicts_with_all = ["format", "grant_mode"])]
    emit: Option<Vec<OsString>>,

    /// What to read; - is standard input, and so is no FILE
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// The languages that fixes are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Cloudformation,
    Terraform,
    Cli,
}

impl Language {
    /// As it is written on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cloudformation => "cloudformation",
            Self::Terraform => "terraform",
            Self::Cli => "cli",
        }
    }
}

impl Explain {
    /// What `--emit` asks for.
    pub fn emit(&self) -> Option<(Language, &Path)> {
        let [language, folder] = self.emit.as_deref()? else { return None };
        let known = [Language::Cloudformation, Language::Terraform, Language::Cli];
        match known.into_iter().find(|known| language == known.word()) {
            Some(language) => Some((language, Path::new(folder))),
            None => wrong_usage("explain", "--emit LANGUAGE DIR: LANGUAGE is one of cloudformation, terraform and cli"),
        }
    }
}

/// Take denials in on this machine: notices on the terminal, cases on a page.
///
/// A denial comes in by POST to the address that is listened on (in any form that explain reads), or as a file that is put
/// into the folder; of each, up to 64 MiB are read, unpacked. Cases are kept in a folder, and are there again after a restart.
/// They are answered on the page whose address is printed at the start, or with approve, reject and revoke. Nothing in AWS is read or
/// changed, unless --grant-mode says so.
#[derive(Debug, Arguments)]
pub struct Serve {
    /// Where to listen: an address of this machine only. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback)]
    pub listen: SocketAddr,

    /// The folder that cases are kept in; it is made if it isn't there.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,

    /// What an approval does: none rehearses it (what would be changed in IAM is shown); managed and exact change IAM with your
    /// credentials, as a stack does, and need --approvers.
    #[arg(long, value_name = "MODE", default_value = "none", value_parser = modes())]
    pub grant_mode: GrantMode,

    /// JSON: who may answer, as a stack's parameter has it. Without it, whoever runs this.
    #[arg(long, value_name = "FILE")]
    pub approvers: Option<PathBuf>,

    /// As which approver this machine's answers count; without it, by the name that the system knows you by.
    #[arg(long, value_name = "NAME")]
    pub approver: Option<String>,

    /// Cedar: your own approval rules, instead of those that ship with the project.
    #[arg(long, value_name = "FILE")]
    pub approval_rules: Option<PathBuf>,

    /// A folder of denials: what is in it is played at the start, and what comes into it later.
    #[arg(long, value_name = "DIR")]
    pub events: Option<PathBuf>,

    /// Send the notices to this SNS topic, too (with the credentials of the environment).
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ARN")]
    pub topic: Option<String>,

    /// Post the notices to Slack, too: a file that holds the address of an incoming webhook (which is a secret, so no argument).
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "FILE")]
    pub slack_webhook: Option<PathBuf>,

    /// Set the clock, to see what time does to cases and grants: a time such as 2026-10-05T08:00:00Z, from which it goes on. Started
    /// again on the same folder with a later time, everything that has ended by then is taken back.
    #[arg(long, value_name = "T")]
    pub now: Option<jiff::Timestamp>,

    /// JSON: protected principals and the trail's own resources.
    #[arg(long, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,
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

/// An address that only this machine can reach.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<SocketAddr>().map_err(|_| match text.strip_prefix("localhost:") {
        Some(port) => format!("an address is needed, not a name: write 127.0.0.1:{port}"),
        None => "an address and a port are needed, such as 127.0.0.1:8080".to_owned(),
    })?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("this is not this machine: whoever reaches these pages sees every case, so only loopback addresses are listened \
        on (127.0.0.1, [::1])"
        .to_owned())
}

fn modes() -> impl TypedValueParser<Value = GrantMode> {
    let modes = [
        PossibleValue::new("none").help("Nothing: every fix is made by hand"),
        PossibleValue::new("managed").help("One of a few read policies that the stack owns, for a few hours"),
        PossibleValue::new("exact").help("A policy for exactly the refused call, for a few hours: the least privilege"),
    ];
    PossibleValuesParser::new(modes).try_map(|mode| mode.parse::<GrantMode>())
}

const ABOUT: &str = "\
Explain refused calls: who was refused what, why, and the smallest fix

Reads what CloudTrail or AWS wrote, from files or from standard input. It asks no AWS account and changes nothing.
Each input may hold, plain or gzip, told apart by what is in it and not by its name:
  - CloudTrail records and EventBridge events, one or many (JSON Lines, or one after the other)
  - log files ({\"Records\":[...]}) and the output of aws cloudtrail lookup-events
  - SQS and SNS messages around one of these
  - the text of an access-denied error, as the AWS CLI, an SDK or Terraform printed it";

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
  json prints every record, the ignored ones too ("response": "ignore"). The other formats show what somebody would be
  told of, and count the rest on standard error. text and html show a call that was refused again (same principal,
  action, resource and cause) once.
  --emit writes one file for each distinct fix, and index.json, which names the cases of each. Alarms get none.
  html is the page of one denial: where there are more, it prints nothing, names them and ends with status 2.

Status:
  0  everything was explained
  1  something could not be read: it is named with its position, and the rest is explained
  2  wrong usage"#;

/// What `doctor --help` says last.
#[cfg(feature = "aws")]
const DOCTOR: &str = "\
Each line is one part of the stack: ok, warning, problem, or unknown where it could not be looked at, and what to do.
It reads only, and needs what it reads with; a permission that you lack hides that part and no other.

Status:
  0  nothing is a problem, and everything could be looked at
  1  something is a problem, or could not be looked at
  2  wrong usage";

const COMPLETIONS: &str = "\
Where it goes:
  bash        trailpass completions bash > ~/.local/share/bash-completion/completions/trailpass
  zsh         trailpass completions zsh > \"${fpath[1]}/_trailpass\"
  fish        trailpass completions fish > ~/.config/fish/completions/trailpass.fish
  powershell  trailpass completions powershell | Out-String | Invoke-Expression    (in $PROFILE)
  elvish      eval (trailpass completions elvish | slurp)    (in rc.elv)";

/// Ends with status 2, the usage of a command and a line of what to do.
pub fn wrong_usage(command: &str, message: &str) -> ! {
    let mut all = Args::command();
    all.build();
    match all.find_subcommand_mut(command) {
        Some(one) => one.error(ErrorKind::MissingRequiredArgument, message).exit(),
        None => all.error(ErrorKind::MissingRequiredArgument, message).exit(),
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
