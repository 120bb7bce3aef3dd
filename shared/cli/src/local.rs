//! What a running `trailpass serve` and the other verbs say to each other on one machine.
//!
//! The file that serve leaves in its folder says where it listens and holds the token of this run. Whoever can read that file may
//! answer: it is its owner's alone, it is new with each run, and it goes with the run.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use access::{
    answer::{aws::Wish, subject},
    grant::hex,
    guardrails::Guardrails,
};
use decide::answer::Asked;
use serde::{Deserialize, Serialize};

/// The file's name in the folder.
const FILE: &str = "serve.json";
/// The name and version of its shape.
const SCHEMA: &str = "trailpass.serve/1";
/// Where keys are read.
pub const READ: &str = "/desk/read";
/// Where answers are sent.
pub const ANSWER: &str = "/desk/answer";
/// Where it is asked who may answer.
pub const AUTHORITY: &str = "/desk/authority";
/// The header that carries the token.
pub const TOKEN: &str = "x-trailpass-token";

/// A run of serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    schema: String,
    /// Address and port.
    pub address: String,
    /// What proves that somebody may answer: 64 hexadecimal digits.
    pub token: String,
    /// How far its clock is ahead of the machine's, milliseconds.
    pub ahead_ms: i64,
    /// What it gives on approval.
    pub grant_mode: String,
    /// As whom whoever holds the token answers.
    pub approver: String,
    /// What it keeps to.
    #[serde(default)]
    pub guardrails: Guardrails,
}

impl Running {
    /// A new run, with a token that nobody can guess.
    pub fn new(
        address: String,
        ahead_ms: i64,
        grant_mode: &str,
        approver: String,
        guardrails: Guardrails,
    ) -> io::Result<Self> {
        let (schema, token, grant_mode) = (SCHEMA.to_owned(), hex(&random()?), grant_mode.to_owned());
        Ok(Self { schema, address, token, ahead_ms, grant_mode, approver, guardrails })
    }

    /// Reads the run whose folder this is; `None` where there is none.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(folder.join(FILE)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let running: Self = serde_json::from_str(&text)?;
        if running.schema != SCHEMA {
            return Err(io::Error::other(format!("schema: {:?} is not {SCHEMA:?}", running.schema)));
        }
        Ok(Some(running))
    }

    /// Leaves the file in the folder for as long as what is returned lives.
    pub fn announce(&self, folder: &Path) -> io::Result<Announced> {
        let file = folder.join(FILE);
        write_private(&file, serde_json::to_string(self)?.as_bytes())?;
        Ok(Announced(file))
    }

    /// Whether a text is the token, in a time that says nothing of where it differs.
    pub fn is_token(&self, text: &str) -> bool {
        let (ours, theirs) = (self.token.as_bytes(), text.as_bytes());
        ours.len() == theirs.len() && ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

/// The file, which goes with the run. After a kill it stays, and leads to nobody.
#[derive(Debug)]
pub struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // What can't be removed is known to be stale by whoever asks there.
        let _ = fs::remove_file(&self.0);
    }
}

/// What is asked on the way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The case.
    pub case: String,
    /// Which opening of it.
    pub opening: u64,
    /// `approve`, `reject` or `revoke`.
    pub answer: String,
    /// The hash, of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// For how long, of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<i64>,
}

impl Question {
    /// For the way.
    pub fn of(case: &str, opening: u64, wish: &Wish) -> Self {
        let (answer, remedy, minutes) = match wish {
            Wish::Approve { remedy, duration_seconds } => {
                ("approve", Some(remedy.clone()), Some(duration_seconds / 60))
            }
            Wish::Reject => ("reject", None, None),
            Wish::Revoke => ("revoke", None, None),
        };
        Self { case: case.to_owned(), opening, answer: answer.to_owned(), remedy, minutes }
    }

    /// As it is judged; `None` for what can't be meant.
    pub fn asked(self) -> Option<Asked> {
        subject(&self.case, self.opening)?;
        let wish = match (self.answer.as_str(), self.remedy, self.minutes) {
            ("approve", Some(remedy), Some(minutes)) => {
                Wish::Approve { remedy, duration_seconds: minutes.checked_mul(60)? }
            }
            ("reject", None, None) => Wish::Reject,
            ("revoke", None, None) => Wish::Revoke,
            _ => return None,
        };
        Some(Asked { case_id: self.case, opening: self.opening, wish })
    }
}

/// The keys that are asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
}

/// What stands under them: key, version, content.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// The documents.
    pub documents: Vec<(String, u64, String)>,
}

/// The operator's two files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Files {
    /// Who may answer.
    pub approvers: String,
    /// By which rules, if not by those that ship with the project.
    pub rules: Option<String>,
}

/// 32 bytes that nobody can guess.
pub fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Writes a file that its owner alone can read, whole or not at all.
pub fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let beside = file.with_added_extension("new");
    // Made anew: permissions are given to a file when it is made.
    let _ = fs::remove_file(&beside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&beside)?;
    written.write_all(content)?;
    written.sync_all()?;
    fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_of_three() {
        let case = "2gd4tjkox2q74mauvvu6";
        for wish in [Wish::Approve { remedy: "ab".into(), duration_seconds: 3600 }, Wish::Reject, Wish::Revoke] {
            let asked = Question::of(case, 2, &wish).asked().unwrap();
            assert_eq!((asked.case_id.as_str(), asked.opening, asked.wish), (case, 2, wish));
        }
        for wrong in [
            r#"{"case":"2gd4tjkox2q74mauvvu6","opening":1,"answer":"approve"}"#,
            r#"{"case":"2gd4tjkox2q74mauvvu6","opening":1,"answer":"reject","remedy":"ab","minutes":60}"#,
            r#"{"case":"2gd4tjkox2q74mauvvu6","opening":1,"answer":"Approve","remedy":"ab","minutes":60}"#,
            r#"{"case":"2gd4tjkox2q74mauvvu6","opening":0,"answer":"reject"}"#,
            r#"{"case":"x","opening":1,"answer":"reject"}"#,
            r#"{"case":"2gd4tjkox2q74mauvvu6","opening":1,"answer":"approve","remedy":"ab","minutes":9223372036854775807}"#,
        ] {
            let question: Question = serde_json::from_str(wrong).unwrap();
            assert!(question.asked().is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_its_own_alone() {
        let running = Running::new("127.0.0.1:1".into(), 0, "exact", "alice".into(), Guardrails::default()).unwrap();
        assert_eq!(running.token.len(), 64);
        assert_ne!(
            running.token,
            Running::new("127.0.0.1:1".into(), 0, "exact", "alice".into(), Guardrails::default()).unwrap().token
        );
        assert!(running.is_token(&running.token));
        for wrong in
            ["", &running.token[1..], &format!("{}0", running.token), &running.token.to_uppercase().replace('0', "1")]
        {
            assert!(!running.is_token(wrong), "{wrong}");
        }
    }
}
