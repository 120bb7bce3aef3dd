//! `trailpass explain --emit`: the fixes of many cases as files, for whoever keeps changes in a repository or runs them in a row.
//!
//! It decides which fixes become files, and which file answers which case. One file for each distinct remedy, of each case the
//! *best* remedy and no other: the second is wider or riskier, so where the best can't be said in a language there is no file
//! rather than another fix. Files are run by a person and last until somebody takes them back, so the remedies are those of the
//! grant mode `none`: no policy that would have to end by itself. Alarms are never answered with a file, nor is anything that
//! would let somebody tamper. A folder for each account: what lies in one folder is one Terraform module.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    process::ExitCode,
};

use access::{
    classify::Rule,
    commands::{self, Commands, Label},
    diagnose::Diagnosed,
    diagnosis::{Diagnosis, Remedy, RemedyKind, Response, Risk},
    notice,
};
use sha2::{Digest, Sha256};

use crate::{
    args::Language,
    output::{self, count, visible},
};
use folder::{Content, Folder};

mod folder;
mod head;
mod index;
mod name;

/// Cases and fixes of theirs that are told apart. How many there are, callers choose.
const MOST: usize = 10_000;
/// Reasons that are told of one fix.
const REASONS: usize = 4;
/// Characters that are kept of each text that callers wrote.
const LONGEST: usize = 300;

/// What was found so far, and where it goes.
pub struct Emitting {
    language: Language,
    folder: Folder,
    numbers: HashMap<(String, Rule, Answer), usize>,
    cases: Vec<Case>,
    fixes: BTreeMap<Fingerprint, Fix>,
    ignored: u64,
    beyond: u64,
}

/// Account and text of a remedy's commands: what is the same here is the same change.
type Fingerprint = String;

/// One case and its fix, as files and the index name it. Somebody who tries again with other settings needs another fix, though it is
/// the same case.
struct Case {
    id: String,
    rule: Rule,
    principal: String,
    action: Option<String>,
    resource: Option<String>,
    records: u64,
    answer: Answer,
}

/// A change, and why it is the answer: cases that share it may have come to it for different reasons.
struct Fix {
    /// With the highest risk that any of them sees in it.
    remedy: Remedy,
    reasons: BTreeSet<String>,
}

/// What a case gets.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Answer {
    File(Fingerprint),
    /// No file, and why.
    Nothing(&'static str),
}

/// A file of a remedy.
struct Planned<'a> {
    /// Its path in the folder.
    path: String,
    suffix: &'a str,
    remedy: &'a Remedy,
    reasons: &'a BTreeSet<String>,
    cases: Vec<&'a Case>,
    /// Files that make the same thing, each whole: only one of them can be used.
    rivals: Vec<String>,
}

impl Emitting {
    /// Looks at the folder before anything is read: a folder that can't be used is wrong usage.
    pub fn new(language: Language, folder: &Path) -> Result<Self, ExitCode> {
        match Folder::at(folder) {
            Ok(folder) => Ok(Self {
                language,
                folder,
                numbers: HashMap::new(),
                cases: Vec::new(),
                fixes: BTreeMap::new(),
                ignored: 0,
                beyond: 0,
            }),
            Err(why) => {
                output::say(format_args!("--emit: {}", visible(&why)));
                Err(ExitCode::from(2))
            }
        }
    }

    /// Counts a record, and keeps the fix of a case that is new.
    pub fn take(&mut self, diagnosed: &Diagnosed) {
        let diagnosis = &diagnosed.diagnosis;
        if diagnosis.response == Response::Ignore {
            self.ignored += 1;
            return;
        }
        let answer = self.answer(diagnosis);
        let key = (diagnosed.case_id.clone(), diagnosis.rule, answer);
        if let (Answer::File(fingerprint), Some(best)) = (&key.2, diagnosis.remedies.first())
            && (self.numbers.contains_key(&key) || self.cases.len() < MOST)
        {
            let new = || Fix { remedy: best.clone(), reasons: BTreeSet::new() };
            let kept = self.fixes.entry(fingerprint.clone()).or_insert_with(new);
            let risk = kept.remedy.risk.max(best.risk);
            // In whatever order the records are read, the same one is kept.
            if (&best.target.arn, best.reach) < (&kept.remedy.target.arn, kept.remedy.reach) {
                kept.remedy.clone_from(best);
            }
            kept.remedy.risk = risk;
            kept.reasons.insert(notice::reason(best));
            if kept.reasons.len() > REASONS {
                kept.reasons.pop_last();
            }
        }
        if let Some(case) = self.numbers.get(&key).and_then(|&number| self.cases.get_mut(number)) {
            case.records += 1;
        } else if self.cases.len() < MOST {
            let (id, rule, answer) = key.clone();
            self.numbers.insert(key, self.cases.len());
            self.cases.push(Case {
                id,
                rule,
                principal: cut(&name::principal(&diagnosis.principal)),
                action: diagnosis.action.as_deref().map(cut),
                resource: diagnosis.resource.as_deref().map(cut),
                records: 1,
                answer,
            });
        } else {
            self.beyond += 1;
        }
    }

    fn answer(&self, diagnosis: &Diagnosis) -> Answer {
        if diagnosis.response == Response::RaiseAlarm {
            return Answer::Nothing("nobody is given what raised an alarm");
        }
        let Some(best) = diagnosis.remedies.first() else {
            return Answer::Nothing("there is none to give");
        };
        if best.risk == Risk::Tampering {
            return Answer::Nothing("the fix would let somebody tamper with the audit log");
        }
        let all = Commands::of(best);
        let Some(text) = self.language.of(&all) else {
            return Answer::Nothing(match (&all.aws_cli, self.language) {
                (Some(_), Language::Cloudformation) => "CloudFormation can't say the best fix; --emit cli can",
                (Some(_), Language::Terraform) => "Terraform can't say the best fix; --emit cli can",
                _ => "no command can say the best fix: trailpass explain shows it in words",
            });
        };
        let account = commands::account(best).unwrap_or_default();
        Answer::File(hex(&Sha256::digest(format!("{account}\n{text}").as_bytes())))
    }

    /// Writes the folder, and says what is in it. `failures`: inputs that could not be read; what could is written all the same.
    pub fn finish(self, failures: u64) -> ExitCode {
        let planned = self.planned();
        let mut files: BTreeMap<String, Content> = planned
            .iter()
            .map(|file| {
                let is_script = self.language == Language::Cli;
                (file.path.clone(), Content { text: self.text(file), is_script })
            })
            .collect();
        if self.language == Language::Terraform {
            let accounts = planned.iter().filter_map(|file| commands::account(file.remedy));
            for account in accounts {
                let text = format!("{}{}", head::GUARD, commands::only_in(account));
                files.insert(format!("{account}/account.tf"), Content { text, is_script: false });
            }
        }
        let index = match index::write(self.language, self.ignored, self.beyond, &self.cases, &planned, &files) {
            Ok(index) => index,
            Err(error) => {
                output::say(format_args!("the index could not be written: {error}"));
                return ExitCode::FAILURE;
            }
        };
        files.insert(index::NAME.to_owned(), Content { text: index, is_script: false });
        if let Err(why) = self.folder.replace(&files) {
            output::say(format_args!("--emit: {}", visible(&why)));
            return ExitCode::FAILURE;
        }
        self.say(&planned);
        if failures == 0 && self.beyond == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn planned(&self) -> Vec<Planned<'_>> {
        let mut cases: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
        for case in &self.cases {
            if let Answer::File(fingerprint) = &case.answer {
                cases.entry(fingerprint).or_default().push(case);
            }
        }
        let suffixes = name::suffixes(self.fixes.keys().map(String::as_str));
        let mut planned: Vec<Planned<'_>> = self
            .fixes
            .iter()
            .zip(suffixes)
            .map(|((fingerprint, Fix { remedy, reasons }), suffix)| {
                let mut cases = cases.remove(fingerprint.as_str()).unwrap_or_default();
                // The same files from the same records, in whatever order they were read.
                cases.sort_by_key(|case| (case.rule.id(), &case.principal, &case.action, &case.resource, &case.id));
                let stem = cases.first().map(|case| name::stem(case.rule, &case.principal, case.action.as_deref()));
                let folder = commands::account(remedy).unwrap_or(name::NO_ACCOUNT);
                let extension = self.language.extension();
                let path = format!("{folder}/{}-{suffix}.{extension}", stem.unwrap_or_default());
                Planned { path, suffix, remedy, reasons, cases, rivals: Vec::new() }
            })
            .collect();
        planned.sort_by(|one, other| one.path.cmp(&other.path));
        let mut made: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (at, file) in planned.iter().enumerate().filter(|(_, file)| self.makes_whole(file.remedy)) {
            let account = commands::account(file.remedy).unwrap_or_default();
            made.entry((account, &file.remedy.target.name)).or_default().push(at);
        }
        for group in made.into_values().filter(|group| group.len() > 1) {
            let paths: Vec<String> =
                group.iter().filter_map(|&at| planned.get(at)).map(|file| file.path.clone()).collect();
            for at in group {
                if let Some(file) = planned.get_mut(at) {
                    file.rivals = paths.iter().filter(|path| **path != file.path).cloned().collect();
                }
            }
        }
        planned
    }

    /// Whether what is made can be made once only: a role of a name, or the one policy of a bucket.
    fn makes_whole(&self, remedy: &Remedy) -> bool {
        match remedy.kind {
            RemedyKind::CreateCrossAccountRole => true,
            RemedyKind::UpdateBucketPolicy => self.language == Language::Cloudformation,
            _ => false,
        }
    }

    fn text(&self, file: &Planned<'_>) -> String {
        let label = Label { suffix: file.suffix, account: commands::account(file.remedy) };
        let all = Commands::labelled(file.remedy, label);
        head::write(self.language, file) + self.language.of(&all).unwrap_or_default()
    }

    fn say(&self, planned: &[Planned<'_>]) {
        let answered: BTreeSet<_> =
            planned.iter().flat_map(|file| &file.cases).map(|case| (&case.id, case.rule.id())).collect();
        output::say(format_args!(
            "{} in {} for {}; {} says which answers what.",
            count(planned.len() as u64, "file", "files"),
            visible(&self.folder.to_string()),
            count(answered.len() as u64, "case", "cases"),
            index::NAME,
        ));
        let mut without: BTreeMap<&str, u64> = BTreeMap::new();
        for case in &self.cases {
            if let Answer::Nothing(why) = case.answer {
                *without.entry(why).or_default() += 1;
            }
        }
        for (why, number) in without {
            output::say(format_args!("{} without a file: {why}.", count(number, "case", "cases")));
        }
        if self.ignored > 0 {
            output::say(format_args!("{} ignored.", count(self.ignored, "record", "records")));
        }
        if self.beyond > 0 {
            output::say(format_args!(
                "{} left out: more than {} are not told apart at once. Give fewer inputs.",
                count(self.beyond, "record of further cases", "records of further cases"),
                count(MOST as u64, "case", "cases"),
            ));
        }
    }
}

impl Language {
    fn of(self, commands: &Commands) -> Option<&str> {
        match self {
            Self::Cloudformation => commands.cloudformation.as_deref(),
            Self::Terraform => commands.terraform.as_deref(),
            Self::Cli => commands.aws_cli.as_deref(),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Cloudformation => "yaml",
            Self::Terraform => "tf",
            Self::Cli => "sh",
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use access::diagnose::{Setting, diagnose_sentence};

    use super::*;

    /// Whatever the rules come to propose one day.
    #[test]
    fn a_fix_that_tampers_gives_no_file() {
        let sentence = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cloudtrail:GetTrail on \
            resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/A-Trail because no identity-based policy allows the \
            cloudtrail:GetTrail action";
        let mut diagnosed = diagnose_sentence(sentence, &Setting::default()).unwrap();
        for (risk, files) in [(Risk::Routine, 1), (Risk::Sensitive, 1), (Risk::Tampering, 0)] {
            let nowhere = std::env::temp_dir().join("trailpass-emit-nowhere");
            let mut emitting = Emitting::new(Language::Cli, &nowhere).unwrap();
            diagnosed.diagnosis.remedies[0].risk = risk;
            emitting.take(&diagnosed);
            assert_eq!((emitting.planned().len(), emitting.cases.len()), (files, 1), "{risk:?}");
        }
    }
}
