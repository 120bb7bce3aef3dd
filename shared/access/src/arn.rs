//! Amazon Resource Names: which text is one, and which may stand in a policy.
//!
//! Every ARN that leaves Trailpass was either in the record or is built here from parts that were.
//! Shape: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use memchr::memchr;

/// The parts of an ARN, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// The service's namespace.
    pub service: &'a str,
    /// May be empty.
    pub region: &'a str,
    /// Twelve digits, `aws` for what AWS owns, or empty.
    pub account: &'a str,
    /// Everything behind the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads a whole text as an ARN; `None` for anything else, white space and control characters included.
    pub fn parse(text: &'a str) -> Option<Self> {
        // Most texts that are asked about are ARNs, and there are dozens a denial: no early end, so that it is one quick pass.
        let is_graphic = text.bytes().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
        if text.len() > 2048 || !is_graphic {
            return None;
        }
        let (partition, rest) = until_colon(text.strip_prefix("arn:")?)?;
        let (service, rest) = until_colon(rest)?;
        let (region, rest) = until_colon(rest)?;
        let (account, resource) = until_colon(rest)?;
        let word = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let legal = partition.starts_with("aws")
            && word(partition)
            && !service.is_empty()
            && word(service)
            && (region.is_empty() || region == "*" || is_region(region))
            && (account.is_empty() || account == "aws" || account == "*" || is_account_id(account))
            && !resource.is_empty();
        legal.then_some(Self { partition, service, region, account, resource })
    }

    /// The account, if it is a customer's.
    pub fn account_id(&self) -> Option<&'a str> {
        is_account_id(self.account).then_some(self.account)
    }

    /// `("role", "/path/", "name")` of `role/path/name`.
    pub fn entity(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let (kind, rest) = self.resource.split_once('/')?;
        let at = rest.rfind('/').map_or(0, |at| at + 1);
        let (path, name) = rest.split_at(at);
        // The slash after the kind belongs to the path, as IAM counts it.
        let path = if path.is_empty() { "/" } else { self.resource.get(kind.len()..kind.len() + 1 + path.len())? };
        (!name.is_empty()).then_some((kind, path, name))
    }
}

fn until_colon(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b':', text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Letters, digits and dashes, as every Region's code is made.
pub fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.contains('-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether a text may stand in a policy's `Resource` and mean one thing: no wildcard, no policy variable.
pub fn is_literal(text: &str) -> bool {
    !text.contains(['*', '?', '$'])
}

/// The partition that a Region belongs to, by the prefixes that AWS's SDKs use.
/// <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>
pub fn partition_of(region: &str) -> &'static str {
    const BY_PREFIX: &[(&str, &str)] = &[
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-iso-", "aws-iso"),
        ("eusc-", "aws-eusc"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// Whether a name is one that IAM takes for a user, a role or a group.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub fn is_iam_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_has_kind_path_and_name() {
        let of = |text| Arn::parse(text).and_then(|arn| arn.entity());
        assert_eq!(of("arn:aws:iam::111122223333:user/alice"), Some(("user", "/", "alice")));
        assert_eq!(of("arn:aws:iam::111122223333:role/a/b/reader"), Some(("role", "/a/b/", "reader")));
        assert_eq!(of("arn:aws:iam::111122223333:root"), None);
        assert_eq!(of("arn:aws:iam::111122223333:user/"), None);
    }

    #[test]
    fn text_around_an_arn_makes_it_none() {
        assert!(Arn::parse("arn:aws:cloudtrail:eu-west-1:111122223333:trail/a").is_some());
        for text in [
            "arn:aws:cloudtrail:eu-west-1:111122223333:trail/a b",
            "arn:aws:cloudtrail:eu-west-1:111122223333:",
            "arn:aws:cloudtrail:eu-west-1:1111:trail/a",
            "arn:aws:cloudtrail:EU:111122223333:trail/a",
            "arn:evil:cloudtrail:eu-west-1:111122223333:trail/a",
            "x arn:aws:cloudtrail:eu-west-1:111122223333:trail/a",
            "arn:aws:cloudtrail:eu-west-1:111122223333:trail/a\n",
            "",
        ] {
            assert_eq!(Arn::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_region_tells_its_partition() {
        assert_eq!(partition_of("eu-west-1"), "aws");
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
        assert_eq!(partition_of("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition_of("us-isob-east-1"), "aws-iso-b");
    }
}
