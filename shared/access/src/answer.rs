//! Answers: what arrives from a person before anything is decided, and the forms in which it names what it answers.
//!
//! An answer names a case at one of its openings, the remedy that was shown, and a time from a closed list. Whoever offers
//! something to answer writes these forms, and whoever reads an answer takes these and no others: nothing that comes back
//! from outside is ever a policy, a name or a number of seconds, only an id that is looked up here.

pub mod aws;
pub mod slack;

/// What a grant may be asked to last. Minutes, the shortest first.
pub const DURATIONS: [i64; 4] = [15, 60, 240, 480];

/// A case at one of its openings, as an opaque value: `2gd4tjkox2q74mauvvu6#1`.
///
/// The opening belongs to it: whoever answers an old message means what was denied then, not what came later. `None` where
/// the id is none that [`crate::case::id`] gives, since nobody could answer it.
pub fn subject(case_id: &str, opening: u64) -> Option<String> {
    (is_case_id(case_id) && opening > 0).then(|| format!("{case_id}#{opening}"))
}

/// The case and the opening that a value names; only what [`subject`] writes.
pub fn read_subject(value: &str) -> Option<(&str, u64)> {
    let (case_id, digits) = value.split_once('#')?;
    let opening: u64 = digits.parse().ok()?;
    // Written back, it must be the same: no sign, no leading zero, no second way to name one opening.
    (subject(case_id, opening)? == value).then_some((case_id, opening))
}

/// Whether this is a remedy's hash, as [`crate::grant::hash`] gives it.
pub fn is_remedy_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A time of the list, by its minutes. Seconds.
pub fn read_duration(text: &str) -> Option<i64> {
    DURATIONS.into_iter().find(|minutes| minutes.to_string() == text).map(|minutes| minutes * 60)
}

fn is_case_id(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::LONGEST;

    const CASE: &str = "2gd4tjkox2q74mauvvu6";

    #[test]
    fn a_subject_is_read_as_it_was_written() {
        for opening in [1, 2, u64::MAX] {
            let value = subject(CASE, opening).unwrap();
            assert_eq!(read_subject(&value), Some((CASE, opening)));
        }
        assert_eq!(subject(CASE, 0), None);
        assert_eq!(subject("<!channel>", 1), None);
    }

    #[test]
    fn a_subject_has_one_form() {
        let no = ["", "#", "#1", CASE, "2gd4tjkox2q74mauvvu6#", "2gd4tjkox2q74mauvvu6#0", "2gd4tjkox2q74mauvvu6#01"];
        let more = [
            "2gd4tjkox2q74mauvvu6#+1",
            "2gd4tjkox2q74mauvvu6#1#1",
            "2gd4tjkox2q74mauvvu6#1 ",
            "2GD4tjkox2q74mauvvu6#1",
        ];
        let long = format!("{CASE}#{}", "9".repeat(4_000));
        for value in no.into_iter().chain(more).chain([long.as_str(), "../../decision/aaaaaa#1"]) {
            assert_eq!(read_subject(value), None, "{value}");
        }
    }

    #[test]
    fn durations_are_a_closed_list() {
        assert_eq!(read_duration("60"), Some(3600));
        for text in ["", "0", "61", "060", "+60", "60 ", "1e2", "3600", "-15"] {
            assert_eq!(read_duration(text), None, "{text:?}");
        }
        assert!(DURATIONS.iter().all(|minutes| minutes * 60 <= LONGEST));
    }
}
