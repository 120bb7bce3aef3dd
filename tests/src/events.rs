//! The events in `events/triage` and what Trailpass says about them, as `trailpass explain` says it.

use std::path::{Path, PathBuf};

use access::{
    diagnose::{Diagnosed, Setting, diagnose},
    event::{self, NotARecord, Record},
    grant::GrantMode,
    notice::{Call, Notice, text},
};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// Where the events lie, each beside what is expected.
pub fn folder() -> PathBuf {
    repository().join("events/triage")
}

/// The names of the files in the folder that end so, without that ending, sorted.
pub fn names(ending: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("events/triage is there");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a file").file_name().into_string().expect("a plain name"))
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The text of one event's file.
pub fn json(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("the event is readable")
}

/// The records of a text: one JSON value, or one a line.
pub fn records(text: &str) -> Vec<Result<Record, NotARecord>> {
    let whole = event::read(text);
    match whole.as_slice() {
        [Err(NotARecord::Json(_))] => {
            text.lines().filter(|line| !line.trim().is_empty()).flat_map(event::read).collect()
        }
        _ => whole,
    }
}

/// Every event's name with each of its records.
pub fn all() -> Vec<(String, Record)> {
    let each = |name: String| {
        let records = records(&json(&name));
        assert!(!records.is_empty(), "{name} holds no record");
        records.into_iter().map(move |record| (name.clone(), record.unwrap_or_else(|e| panic!("{name}: {e}"))))
    };
    names(".json").into_iter().flat_map(each).collect()
}

/// What `explain` goes by where nobody says otherwise.
pub fn setting() -> Setting {
    Setting { mode: GrantMode::Exact, ..Setting::default() }
}

/// What is told of a record that no case holds.
pub fn notice<'a>(diagnosed: &'a Diagnosed, call: &'a Call, mode: GrantMode) -> Notice<'a> {
    Notice { diagnosis: &diagnosed.diagnosis, call, case: None, grant_mode: mode }
}

/// The notice as plain text.
pub fn plain(notice: &Notice<'_>) -> String {
    text::write(notice, text::Style::Plain)
}

/// What stands in an event's expected file: for each record the notice, a line `---`, and the diagnosis; a line `===`
/// between two records.
pub fn explained(text: &str) -> String {
    let each = records(text).into_iter().map(|record| {
        let diagnosed = diagnose(record.expect("a record"), &setting(), false);
        let json = serde_json::to_string_pretty(&diagnosed.diagnosis).expect("a diagnosis is JSON");
        let text = plain(&notice(&diagnosed, &diagnosed.call(), GrantMode::Exact));
        format!("{}\n---\n{}\n", text.trim_end(), readable(&json))
    });
    each.collect::<Vec<_>>().join("===\n")
}

/// JSON that means the same, with nothing in it that an editor or a terminal would obey: a reviewer reads these files.
fn readable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' | ' '..='~' => text.push(character),
            other => other.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    text
}
