//! `--dry-run`: who could answer and why not, and whether whoever asks could. Nothing is sent but the question who that is.
//!
//! The rules are the stack's own, read and asked as `decide` asks them. Status 0: you could. 1: you could not, or nobody knows.

use std::process::ExitCode;

use access::{
    approval_rules::{AnswerKind, Matter, Verdict, Who, may_revoke},
    approver::Approver,
    diagnosis::{Diagnosis, Remedy},
};
use decide::authority::Authority;

use super::show;
use crate::{
    output::{self, visible},
    source::{Failure, Source},
    table::table,
};

/// Of an approval.
pub async fn approval(
    source: &Source,
    diagnosis: &Diagnosis,
    remedy: &Remedy,
    minutes: i64,
) -> Result<ExitCode, Failure> {
    let matter = Matter { answer: AnswerKind::Approve, diagnosis, remedy, minutes, channel: source.channel() };
    by_rules(source, &matter).await
}

/// Of a rejection: the rules are asked of what would have been given, the best first.
pub async fn rejection(source: &Source, diagnosis: &Diagnosis, best: &Remedy) -> Result<ExitCode, Failure> {
    let matter = Matter { answer: AnswerKind::Reject, diagnosis, remedy: best, minutes: 0, channel: source.channel() };
    by_rules(source, &matter).await
}

/// Of taking back, which no rule is asked about.
pub async fn revocation(source: &Source) -> Result<ExitCode, Failure> {
    said(source, &source.authority().await, |approver| may_revoke(Who::Listed(approver))).await
}

async fn by_rules(source: &Source, matter: &Matter<'_>) -> Result<ExitCode, Failure> {
    let authority = source.authority().await;
    let rules = &authority.rules;
    said(source, &authority, |approver| rules.decide(&matter.asked_by(Who::Listed(approver)))).await
}

async fn said(
    source: &Source,
    authority: &Authority,
    verdict: impl Fn(&Approver) -> Verdict,
) -> Result<ExitCode, Failure> {
    let approvers = authority.approvers.as_ref();
    let approvers = approvers.map_err(|why| Failure::Failed(format!("nobody could: {}", visible(why))))?;
    let row = |approver: &Approver| {
        let verdict = verdict(approver);
        let word = if verdict.allowed { "yes" } else { "no" };
        vec![visible(&approver.name), word.to_owned(), visible(&verdict.because.join("; "))]
    };
    let rows: Vec<_> = approvers.iter().map(row).collect();
    let lines = table(&["WHO", "COULD", "BECAUSE"], &rows, output::width());
    show(&format!("\n{}\n\n", lines.join("\n")))?;
    let (name, you) = source.myself(approvers).await?;
    let (could, line) = match you {
        None => (false, "no approver".to_owned()),
        Some(approver) => {
            let verdict = verdict(approver);
            let word = if verdict.allowed { "could" } else { "could not" };
            (verdict.allowed, format!("{}, who {word}", visible(&approver.name)))
        }
    };
    show(&format!("You are {}: {line}.\nNothing was sent.\n", visible(&name)))?;
    Ok(if could { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
