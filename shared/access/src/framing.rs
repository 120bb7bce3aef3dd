//! Framing: how several texts become the bytes of one hash or one code, so that no two lists of texts are the same bytes.
//!
//! Ids of cases, what a decision's code vouches for, and the name of a set of rules all hang on it, and must not each have a
//! way of their own to get it wrong.

/// Hands each part on with its length before it; an absent part is none of any length, the empty one included.
pub(crate) fn framed<'a>(parts: impl IntoIterator<Item = Option<&'a str>>, mut take: impl FnMut(&[u8])) {
    for part in parts {
        match part {
            Some(part) => {
                take(&(part.len() as u64 + 1).to_be_bytes());
                take(part.as_bytes());
            }
            None => take(&0_u64.to_be_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(parts: [Option<&str>; N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        framed(parts, |piece| bytes.extend_from_slice(piece));
        bytes
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(bytes([Some("ab"), Some("c")]), bytes([Some("a"), Some("bc")]));
        assert_ne!(bytes([Some("")]), bytes([None]));
        assert_ne!(bytes([Some(""), None]), bytes([None, Some("")]));
    }
}
