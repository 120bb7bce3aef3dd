//! Golden files: what must come out stands in a file that people read and review.

use std::{env, fs, path::Path};

/// Compares a text with a file; writes the file instead where `UPDATE_GOLDEN=1` is set. The error names the first line that
/// differs.
pub fn compare(file: &Path, actual: &str) -> Result<(), String> {
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        return fs::write(file, actual).map_err(|e| format!("{}: {e}", file.display()));
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let expected = fs::read_to_string(file).map_err(|e| format!("{name}: {e} (UPDATE_GOLDEN=1 writes it)"))?;
    if expected == actual {
        return Ok(());
    }
    let (mut old, mut new) = (expected.lines(), actual.lines());
    for number in 1.. {
        let (before, after) = (old.next(), new.next());
        if before != after || before.is_none() {
            let shown = |line: Option<&str>| line.map_or("the end of the text".to_owned(), |line| format!("{line:?}"));
            return Err(format!("{name}:{number}: expected {}, got {}", shown(before), shown(after)));
        }
    }
    Ok(())
}

/// Fails with every complaint at once, each on a line of its own.
#[track_caller]
pub fn assert_none(what: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{what}: {}\n  {}", complaints.len(), complaints.join("\n  "));
}
