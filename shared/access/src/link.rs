//! Links: the address under which a case's page can be read for some days, and the bytes that vouch for it.
//!
//! Whoever tells people of a case makes the link, and `decide` shows the page to whoever holds it. A link is a secret that is
//! passed on (in a channel, by mail), so it ends, names one opening of one case, shows and decides nothing, and holds for one stack only.

use crate::{
    answer::{read_subject, subject},
    framing::framed,
};

/// How long a link shows its page: longer than anything about a case can be waiting, and short enough to be forgotten. Seconds.
pub const LASTS: i64 = 7 * 24 * 3600;

/// What a link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// Until when. Seconds since 1970.
    pub until: i64,
}

impl Link {
    /// A link that is made now. Seconds since 1970.
    pub fn new(case_id: &str, opening: u64, now: i64) -> Self {
        // To the hour, so that one opening's notice and its updates name the same address.
        Self { case_id: case_id.to_owned(), opening, until: (now + LASTS) / 3600 * 3600 }
    }

    /// What the code vouches for. `stack` is the ARN of the stack whose page it is.
    pub fn message(&self, stack: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        let (opening, until) = (self.opening.to_string(), self.until.to_string());
        let parts = ["trailpass.link/1", stack, &self.case_id, &opening, &until];
        framed(parts.into_iter().map(Some), |piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// The address: `base`, which ends in a slash, and what [`Link::read`] takes. `None` for what is no case's id.
    pub fn address(&self, base: &str, code: &str) -> Option<String> {
        subject(&self.case_id, self.opening)?;
        let Self { case_id, opening, until } = self;
        Some(format!("{base}{case_id}?opening={opening}&until={until}&code={code}"))
    }

    /// Reads the last part of the path and the query, as they stand in the address, with the code; only what [`Link::address`]
    /// writes. Whether the code is right, and the time is not over, is the caller's to ask.
    pub fn read<'a>(case_id: &str, query: &'a str) -> Option<(Self, &'a str)> {
        let rest = query.strip_prefix("opening=")?;
        let (opening, rest) = rest.split_once("&until=")?;
        let (until, code) = rest.split_once("&code=")?;
        let named = format!("{case_id}#{opening}");
        let (_, opening) = read_subject(&named)?;
        let is_number = until.len() <= 12 && until.bytes().all(|byte| byte.is_ascii_digit()) && !until.starts_with('0');
        let until = until.parse().ok().filter(|_| is_number)?;
        Some((Self { case_id: case_id.to_owned(), opening, until }, code))
    }

    /// Whether it still shows its page. Seconds since 1970.
    pub fn holds(&self, now: i64) -> bool {
        // One that ends later than any that could have been made was not made by anybody whose clock is right.
        now < self.until && self.until <= now + LASTS + 3600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "2gd4tjkox2q74mauvvu6";
    const NOW: i64 = 1_790_000_000;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let link = Link::new(CASE, 3, NOW);
        let address = link.address("https://example.com/cases/", "0f").unwrap();
        let (case_id, query) = address.strip_prefix("https://example.com/cases/").unwrap().split_once('?').unwrap();
        assert_eq!(Link::read(case_id, query), Some((link, "0f")));
        assert_eq!(Link::new("../x", 3, NOW).address("https://example.com/", "0f"), None);
    }

    #[test]
    fn a_link_has_one_form() {
        let no = [
            "",
            "opening=3",
            "opening=03&until=1790000000&code=0f",
            "opening=3&until=01790000000&code=0f",
            "opening=3&until=+790000000&code=0f",
            "opening=3&until=9999999999999&code=0f",
            "until=1790000000&opening=3&code=0f",
            "opening=3&opening=3&until=1790000000&code=0f",
        ];
        for query in no {
            assert_eq!(Link::read(CASE, query), None, "{query}");
        }
        assert_eq!(Link::read("2gd4tjkox2q74mauvvu6#1", "opening=3&until=1790000000&code=0f"), None);
    }

    #[test]
    fn a_link_ends() {
        let link = Link::new(CASE, 3, NOW);
        assert!(link.holds(NOW) && link.holds(link.until - 1) && !link.holds(link.until));
        assert!(!link.holds(NOW - LASTS), "a link from the future");
    }

    #[test]
    fn every_part_is_vouched_for() {
        let link = Link::new(CASE, 3, NOW);
        let others = [
            Link { case_id: "3gd4tjkox2q74mauvvu6".into(), ..link.clone() },
            Link { opening: 4, ..link.clone() },
            Link { until: link.until + 1, ..link.clone() },
        ];
        for other in others {
            assert_ne!(other.message("stack"), link.message("stack"));
        }
        assert_ne!(link.message("stack"), link.message("other"));
    }
}
