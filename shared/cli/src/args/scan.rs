//! The arguments of `scan`: which logs, which records of them, and how the result is told.

use std::path::PathBuf;

use access::{grant::GrantMode, scan::Filter};
use clap::{Args as Arguments, ValueEnum};
use jiff::{Span, SpanRelativeTo, Timestamp, civil::Date, tz::TimeZone};

use super::modes;

/// The arguments.
#[derive(Debug, Clone, Arguments)]
pub struct Scan {
    /// How to tell it
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,

    /// Write it to this file, once all is read; without it, to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Only records from this time on: 2026-10-05, 2026-10-05T08:00:00Z, or 7d, 12h (before now)
    #[arg(long, value_name = "T", value_parser = time)]
    pub since: Option<Moment>,

    /// Only records before this time
    #[arg(long, value_name = "T", value_parser = time)]
    pub until: Option<Moment>,

    /// Only records of this account; may be given again
    #[arg(long = "account", value_name = "ID", value_parser = account)]
    pub accounts: Vec<String>,

    /// Only calls made in this Region; may be given again
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,

    /// How many of each list to show as text
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,

    /// What a stack would be set to grant on approval
    #[arg(long, value_name = "MODE", default_value = "exact", value_parser = modes())]
    pub grant_mode: GrantMode,

    /// JSON: protected principals and the trail's own resources
    #[arg(long, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,

    /// Keep in this file how far it has come; where it is there already, go on from there
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// Look up the event history of the account and Region (or of each --region), with your credentials
    #[cfg(feature = "aws")]
    #[arg(long)]
    pub lookup: bool,

    /// Files, folders, and s3://BUCKET/PREFIX; - is standard input
    #[cfg(feature = "aws")]
    #[arg(value_name = "PATH", required_unless_present = "lookup")]
    pub paths: Vec<PathBuf>,

    /// Files and folders; - is standard input
    #[cfg(not(feature = "aws"))]
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
}

impl Scan {
    /// Which records are looked at.
    pub fn filter(&self) -> Filter {
        Filter {
            since: self.since.as_ref().map(|since| since.at),
            until: self.until.as_ref().map(|until| until.at),
            accounts: self.accounts.iter().cloned().collect(),
            regions: self.regions.iter().cloned().collect(),
        }
    }
}

/// The ways of telling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a person at a terminal
    Text,
    /// One JSON object a line: what was read, then each case
    Json,
    /// One line for each case, to open as a table
    Csv,
    /// One page with charts, whole in itself, to mail
    Html,
}

/// A time that somebody has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// As they wrote it: `7d` is another time whenever it is written.
    pub typed: String,
    /// When that is.
    pub at: Timestamp,
}

fn time(text: &str) -> Result<Moment, String> {
    Ok(Moment { typed: text.to_owned(), at: moment(text)? })
}

/// A time, a day (its first moment, in UTC), or so long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<Date>() {
        return day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || "a time is written 2026-10-05, 2026-10-05T08:00:00Z, or 7d, 12h (before now)".to_owned();
    let span = text.parse::<Span>().map_err(|_| wrong())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Timestamp::now().checked_sub(length).map_err(|_| wrong())
}

fn account(text: &str) -> Result<String, String> {
    let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then(|| text.to_owned()).ok_or_else(|| "an account's id has twelve digits".to_owned())
}

/// What `--help` says first.
pub const ABOUT: &str = "\
Count what the logs you have hold: who was refused what, how often, and what would mend most

Reads files and whole folders, as they lie in a trail's bucket (AWSLogs/...), in every form that explain reads, told apart
by what is in them. Each record is judged exactly as explain judges it. It changes nothing, and asks AWS only where you
name a bucket (s3:ListBucket, s3:GetObject) or --lookup (cloudtrail:LookupEvents).
Memory stays small whatever there is to read.";

/// What `--help` says last.
pub const HELP: &str = "\
Examples:
  A month of logs, fetched from the trail's bucket:
      aws s3 sync s3://my-trail-bucket/AWSLogs logs/ && trailpass scan logs/

  The same without fetching it first, and what the last 90 days hold where there is no trail:
      trailpass scan s3://my-trail-bucket/AWSLogs/
      trailpass scan --lookup --since 7d --region eu-west-1

  A page to mail:
      trailpass scan --format html --output report.html logs/

  A bucket that takes an hour to read, in as many goes as it takes:
      trailpass scan --resume scan.state s3://my-trail-bucket/AWSLogs/

  One week of one account, as a table:
      trailpass scan --since 7d --account 111122223333 --format csv logs/ > denials.csv

What is counted:
  Every record. Calls that succeeded, and refusals that are not about CloudTrail, are counted as ignored. An event that
  several trails logged is counted once among the cases; how many copies there were is said.
  In folders and buckets, files of other services (AWSLogs/ACCOUNT/Config, ...) and digest files are passed over, and with
  --since the folders of days before it are not opened.
  Up to 10,000 cases are told apart; the denials of further ones are counted in one number.

Status:
  0  everything was read
  1  something could not be read, or Ctrl-C ended it: what was found until then is told
  2  wrong usage";
