//! The index of a folder: which file answers which case, and which cases have none, and why; one line each, for people and programs.
//!
//! It also says which files were written, by name and content, so that the next run knows them.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use access::{
    commands,
    diagnosis::{Reach, RemedyKind, Risk, Target},
    notice,
};
use serde::{Deserialize, Serialize};

use super::{Answer, Case, Planned, folder::Content};
use crate::{args::Language, output};

/// The index's name in the folder.
pub const NAME: &str = "index.json";

const SCHEMA: &str = "trailpass.emit/1";

#[derive(Serialize)]
struct File<'a> {
    file: &'a str,
    sha256: String,
    /// Nothing where it is no fix: Terraform's guard of an account.
    #[serde(flatten)]
    fix: Option<Fix<'a>>,
}

#[derive(Serialize)]
struct Fix<'a> {
    does: String,
    kind: RemedyKind,
    is_change: bool,
    risk: Risk,
    reach: Reach,
    account: Option<&'a str>,
    target: &'a Target,
    not_together_with: &'a [String],
    records: u64,
    cases: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    rule: &'static str,
    principal: &'a str,
    action: Option<&'a str>,
    resource: Option<&'a str>,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl<'a> Line<'a> {
    fn of(case: &'a Case) -> Self {
        Self {
            case: &case.id,
            rule: case.rule.id(),
            principal: &case.principal,
            action: case.action.as_deref(),
            resource: case.resource.as_deref(),
            records: case.records,
            why: match case.answer {
                Answer::Nothing(why) => Some(why),
                Answer::File(_) => None,
            },
        }
    }
}

/// Writes the index of these files.
pub fn write(
    language: Language,
    ignored: u64,
    left_out: u64,
    cases: &[Case],
    planned: &[Planned<'_>],
    files: &BTreeMap<String, Content>,
) -> io::Result<String> {
    let fixes: HashMap<&str, &Planned<'_>> = planned.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut written = Vec::with_capacity(files.len());
    for (name, content) in files {
        let fix = fixes.get(name.as_str()).map(|file| Fix {
            does: notice::order(file.remedy),
            kind: file.remedy.kind,
            is_change: commands::is_change(file.remedy),
            risk: file.remedy.risk,
            reach: file.remedy.reach,
            account: commands::account(file.remedy),
            target: &file.remedy.target,
            not_together_with: &file.rivals,
            records: file.cases.iter().map(|case| case.records).sum(),
            cases: file.cases.iter().map(|case| Line::of(case)).collect(),
        });
        written.push(output::json_line(&File { file: name, sha256: content.sha256(), fix })?);
    }
    let mut without: Vec<Line<'_>> =
        cases.iter().filter(|case| matches!(case.answer, Answer::Nothing(_))).map(Line::of).collect();
    without.sort_by_key(|line| (line.rule, line.principal, line.action, line.resource, line.case, line.why));
    let without = without.iter().map(output::json_line).collect::<io::Result<Vec<_>>>()?;
    Ok(format!(
        "{{\"schema\":\"{SCHEMA}\",\"language\":\"{}\",\"records_ignored\":{ignored},\"records_left_out\":{left_out},\"files\":[\n{}\n],\"without_file\":[\n{}\n]}}\n",
        language.word(),
        lines(&written),
        lines(&without),
    ))
}

/// Elements of a list, each on its line.
fn lines(elements: &[String]) -> String {
    elements.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join(",\n")
}

/// The files that an index names, by their paths: what each of them held. `None`: this is no index of ours.
pub fn files(text: &str) -> Option<HashMap<String, String>> {
    #[derive(Deserialize)]
    struct Index {
        schema: String,
        files: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        file: String,
        sha256: String,
    }
    let index: Index = serde_json::from_str(text).ok()?;
    (index.schema == SCHEMA).then(|| index.files.into_iter().map(|named| (named.file, named.sha256)).collect())
}
