//! The words of the verbs for what waits for an answer, and for what was given.
//!
//! They all say which stack is meant in the same way, and none of them changes anything unless it is told to: by a person at the
//! terminal, or by `--yes`.

use std::{net::SocketAddr, path::PathBuf};

use access::answer::{read_subject, subject};
use clap::{
    Args as Arguments, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::{DATA, loopback};

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Desk {
    /// List cases: what was refused, to whom, and whether anybody has answered
    Cases(Cases),
    /// Give what a case asks for, for a time
    Approve(Approve),
    /// Answer a case with no
    Reject(Reject),
    /// List what is given, and how long it lasts
    Grants(Grants),
    /// Take back what was given, before its time
    Revoke(Revoke),
    /// Answer in a browser: cases and grants, with buttons
    Console(Console),
}

/// Which stack, or which running serve.
#[derive(Debug, Clone, Arguments)]
pub struct Where {
    /// The deployed stack of this name, in the account and Region of your AWS credentials
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,

    /// Without --stack: the folder of the `trailpass serve` that runs on this machine
    #[arg(long, value_name = "DIR", default_value = DATA, conflicts_with = "stack")]
    pub data: PathBuf,
}

/// Answer in a browser.
///
/// Of a stack, pages are served on this machine for as long as this runs; its answers are signed with your own AWS credentials, as those
/// of approve are. Without --stack, says where the pages of the running `trailpass serve` are.
#[derive(Debug, Arguments)]
pub struct Console {
    /// Which stack.
    #[command(flatten)]
    pub place: Where,

    /// Where to listen, for a stack: an address of this machine only. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,
}

/// The arguments of `cases`.
#[derive(Debug, Arguments)]
pub struct Cases {
    /// Which stack.
    #[command(flatten)]
    pub place: Where,

    /// How it is listed.
    #[command(flatten)]
    pub listing: Listing,
}

/// The arguments of `grants`.
#[derive(Debug, Arguments)]
pub struct Grants {
    /// Which stack.
    #[command(flatten)]
    pub place: Where,

    /// Those that are over, too, as far as they were approved within the hours
    #[arg(long)]
    pub all: bool,

    /// How it is listed.
    #[command(flatten)]
    pub listing: Listing,
}

/// How something is listed.
#[derive(Debug, Clone, Copy, Arguments)]
pub struct Listing {
    /// How many hours to look back
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=2160))]
    pub hours: u16,

    /// How to say it
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub format: Shape,
}

/// The ways of listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// A table that fits the terminal
    Text,
    /// One JSON object a line, with everything there is
    Json,
}

/// What holds for every answer.
#[derive(Debug, Clone, Arguments)]
pub struct Answering {
    /// Which stack.
    #[command(flatten)]
    pub place: Where,

    /// Say what would happen and who could do it, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Don't ask whether it is meant
    #[arg(long)]
    pub yes: bool,
}

/// Give what a case asks for, for a time.
///
/// Shows what would be given to whom, and asks. To a stack, the answer is signed with your own AWS credentials; you have to be one of
/// its approvers.
#[derive(Debug, Arguments)]
pub struct Approve {
    /// The case, as `trailpass cases` and the notice name it; ID#N for its Nth opening
    #[arg(value_name = "ID", value_parser = case)]
    pub case: Case,

    /// Which of the remedies that can be approved: its number, or the beginning of its hash
    #[arg(long, value_name = "N|HASH", default_value = "1")]
    pub remedy: String,

    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = durations())]
    pub minutes: i64,

    /// What holds for every answer.
    #[command(flatten)]
    pub answering: Answering,
}

/// Answer a case with no: nothing is given, and nobody else is asked.
#[derive(Debug, Arguments)]
pub struct Reject {
    /// The case; ID#N for its Nth opening
    #[arg(value_name = "ID", value_parser = case)]
    pub case: Case,

    /// What holds for every answer.
    #[command(flatten)]
    pub answering: Answering,
}

/// Take back what was given, before its time.
#[derive(Debug, Arguments)]
pub struct Revoke {
    /// The case; ID#N where more than one of its openings has a grant
    #[arg(value_name = "ID", value_parser = case, required_unless_present = "all", conflicts_with = "all")]
    pub case: Option<Case>,

    /// Everything that is given now
    #[arg(long)]
    pub all: bool,

    /// What holds for every answer.
    #[command(flatten)]
    pub answering: Answering,
}

/// A case as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// Which opening, where it is said.
    pub opening: Option<u64>,
}

fn case(text: &str) -> Result<Case, String> {
    if let Some((id, opening)) = read_subject(text) {
        return Ok(Case { id: id.to_owned(), opening: Some(opening) });
    }
    // What an opening can be named of is a case's id.
    let is_id = subject(text, 1).is_some();
    is_id
        .then(|| Case { id: text.to_owned(), opening: None })
        .ok_or_else(|| "a case's id has 20 letters and digits, such as 2gd4tjkox2q74mauvvu6".to_owned())
}

/// The times that can be asked for, as they are written.
const TIMES: [(&str, i64); 4] = [("15m", 15), ("1h", 60), ("4h", 240), ("8h", 480)];

fn durations() -> impl TypedValueParser<Value = i64> {
    let minutes = |text: String| TIMES.iter().find(|(its, _)| *its == text).map(|(_, minutes)| *minutes);
    PossibleValuesParser::new(TIMES.map(|(text, _)| text)).try_map(move |text| minutes(text).ok_or("no such time"))
}

#[cfg(test)]
mod tests {
    use access::answer::DURATIONS;

    use super::*;

    #[test]
    fn the_times_are_those_that_can_be_answered() {
        assert_eq!(TIMES.map(|(_, minutes)| minutes), DURATIONS);
    }

    #[test]
    fn a_case_is_named_in_one_way() {
        let id = "2gd4tjkox2q74mauvvu6";
        assert_eq!(case(id), Ok(Case { id: id.into(), opening: None }));
        assert_eq!(case(&format!("{id}#3")), Ok(Case { id: id.into(), opening: Some(3) }));
        for text in ["", "#1", "2GD4tjkox2q74mauvvu6", "2gd4tjkox2q74mauvvu6#0", "2gd4tjkox2q74mauvvu6#", "\u{1b}[2J"] {
            assert!(case(text).is_err(), "{text:?}");
        }
    }
}
