//! Makes JSON readable whose strings hold what JSON forbids: halves of surrogate pairs, and raw control characters.
//!
//! Some writers let both through, and callers choose what stands in those strings. A record must not become unreadable by
//! one character of a caller's, so that character is replaced and everything else stays.

/// The same JSON, with half pairs as U+FFFD and control characters escaped. Only strings are changed.
pub fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    let mut is_string = false;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\\' if is_string => escape(rest, &mut out),
            control if is_string && control < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
                1
            }
            other => {
                is_string ^= other == '"';
                out.push(other);
                other.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// Copies one escape (or a pair of them that belongs together) and returns how long it was.
fn escape(rest: &str, out: &mut String) -> usize {
    let length = match (code(rest), rest.get(6..).and_then(code)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
        (Some(0xD800..=0xDFFF), _) => {
            out.push_str("\\ufffd");
            return 6;
        }
        (Some(_), _) => 6,
        (None, _) => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
    };
    out.push_str(rest.get(..length).unwrap_or_default());
    length
}

/// The number of a `\uXXXX` at the beginning of a text.
fn code(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_forbidden_changes() {
        for (given, mended_to) in [
            (r#"{"a":"\ud800"}"#, r#"{"a":"\ufffd"}"#),
            (r#"{"a":"x\udc00\ud83d\ude00\ud83d!"}"#, r#"{"a":"x\ufffd\ud83d\ude00\ufffd!"}"#),
            (r#"{"a":"\\ud800 \" é"}"#, r#"{"a":"\\ud800 \" é"}"#),
            ("{\n\t\"a\":\"b\tc\x1b\"}", "{\n\t\"a\":\"b\\u0009c\\u001b\"}"),
            (r#"{"a":"\"#, r#"{"a":"\"#),
            (r#"{"a":"\ud8"#, r#"{"a":"\ud8"#),
        ] {
            assert_eq!(mended(given), mended_to);
        }
    }
}
