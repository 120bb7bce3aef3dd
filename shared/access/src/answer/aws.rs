//! An answer with AWS credentials: a `GetCallerIdentity` that its sender signed, and never sent.
//!
//! Whoever answers signs the one call that tells who they are and does nothing else, with the answer itself in a header that the
//! signature covers. `decide` sends exactly this request to STS of its own Region, and believes what STS says about the signer:
//! neither the event that it was invoked with, nor anything that the sender claims. Because the answer is signed, the
//! same request is no answer to another case, for another remedy, a longer time, or to another stack. Vault's AWS login rests on the
//! same idea: <https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method>.
//!
//! The request is built here, once for both sides, so that whoever sends an answer chooses nothing of it but the signature:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use serde::{Deserialize, Serialize};

use super::{is_remedy_hash, read_duration, read_subject, subject};
use crate::arn::is_region;

/// The name and version of the signed text and of the body around it.
pub const SCHEMA: &str = "trailpass.answer/1";
/// The header that carries the answer; in lower case, as it is signed.
pub const HEADER: &str = "x-trailpass-answer";
/// The request's `content-type`.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// The request's body. <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The host that the request is for and that its signature covers: STS of one Region. `None` where that is no Region's name.
///
/// It is signed and sent whatever address is really connected to, so that a signature for an emulated STS is made as one for AWS's.
/// <https://docs.aws.amazon.com/general/latest/gr/sts.html>
pub fn host(region: &str) -> Option<String> {
    let ending = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    is_region(region).then(|| format!("sts.{region}.{ending}"))
}

/// The longest body that is looked at. A session's token is the long part of it, 4 KB at the most that was seen. Bytes.
pub const LONGEST_BODY: usize = 16 * 1024;

/// What somebody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Give what the hash names.
    Approve {
        /// The remedy's hash.
        remedy: String,
        /// One of [`super::DURATIONS`], in seconds.
        duration_seconds: i64,
    },
    /// Give nothing.
    Reject,
    /// Take back what was given.
    Revoke,
}

/// The answer that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAnswer {
    /// The ARN of the stack that is meant.
    pub stack: String,
    /// The case.
    pub case_id: String,
    /// Which opening of it.
    pub opening: u64,
    /// What is answered.
    pub wish: Wish,
}

impl AwsAnswer {
    /// The header's text. `None` where something in it is not of the form that [`AwsAnswer::read`] takes.
    pub fn header(&self) -> Option<String> {
        let subject = subject(&self.case_id, self.opening)?;
        let stack = &self.stack;
        let text = match &self.wish {
            Wish::Approve { remedy, duration_seconds } => {
                format!("{SCHEMA} {stack} approve {subject} {remedy} {}", duration_seconds / 60)
            }
            Wish::Reject => format!("{SCHEMA} {stack} reject {subject}"),
            Wish::Revoke => format!("{SCHEMA} {stack} revoke {subject}"),
        };
        (Self::read(&text).as_ref() == Some(self)).then_some(text)
    }

    /// Reads a header's text; only what [`AwsAnswer::header`] writes.
    pub fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (stack, named, wish) = match *words.as_slice() {
            [SCHEMA, stack, "approve", subject, remedy, minutes] => {
                let duration_seconds = read_duration(minutes)?;
                let remedy = Some(remedy).filter(|hash| is_remedy_hash(hash))?.to_owned();
                (stack, subject, Wish::Approve { remedy, duration_seconds })
            }
            [SCHEMA, stack, "reject", subject] => (stack, subject, Wish::Reject),
            [SCHEMA, stack, "revoke", subject] => (stack, subject, Wish::Revoke),
            _ => return None,
        };
        let is_word = !stack.is_empty() && stack.len() <= 1024 && stack.bytes().all(|byte| byte.is_ascii_graphic());
        let (case_id, opening) = read_subject(named).filter(|_| is_word)?;
        Some(Self { stack: stack.to_owned(), case_id: case_id.to_owned(), opening, wish })
    }
}

/// What is sent to `decide`: the parts of the request that are not the same for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAnswer {
    /// [`SCHEMA`].
    pub schema: String,
    /// The header `authorization`.
    pub authorization: String,
    /// The header `x-amz-date`.
    pub date: String,
    /// The header `x-amz-security-token`, of a session's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The header [`HEADER`].
    pub answer: String,
}

/// Why nothing was read from what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// The body is longer than [`LONGEST_BODY`].
    TooLong,
    /// It is no JSON of this shape.
    Shape,
    /// A header of the request has a form that no signer gives it.
    Header,
    /// The signature leaves a header out, or is for another Region or service.
    Scope,
    /// The answer is not in its form.
    Answer,
}

impl Unread {
    /// For the person who answered.
    pub fn because(self) -> &'static str {
        match self {
            Self::TooLong => "the answer is too long",
            Self::Shape => "this is no signed answer",
            Self::Header => "a header of the signed request is not in its form",
            Self::Scope => "the signature is for another Region or service, or does not cover every header",
            Self::Answer => "the signed text is no answer",
        }
    }
}

impl SignedAnswer {
    /// Reads what arrived: a request that covers all of its headers, for STS of this Region, and the answer in it. Whether the
    /// signature is right, STS says.
    pub fn read(body: &[u8], region: &str) -> Result<(Self, AwsAnswer), Unread> {
        if body.len() > LONGEST_BODY {
            return Err(Unread::TooLong);
        }
        let signed: Self = serde_json::from_slice(body).map_err(|_| Unread::Shape)?;
        if signed.schema != SCHEMA {
            return Err(Unread::Shape);
        }
        let is_header = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let texts = [&signed.authorization, &signed.date, &signed.answer];
        if !texts.into_iter().chain(&signed.token).all(|text| is_header(text)) || !is_date(&signed.date) {
            return Err(Unread::Header);
        }
        signed.check_scope(region).ok_or(Unread::Scope)?;
        let answer = AwsAnswer::read(&signed.answer).ok_or(Unread::Answer)?;
        Ok((signed, answer))
    }

    /// The headers that have to be signed, in the order in which signatures list them.
    pub fn signed_headers(has_token: bool) -> &'static str {
        if has_token {
            "content-type;host;x-amz-date;x-amz-security-token;x-trailpass-answer"
        } else {
            "content-type;host;x-amz-date;x-trailpass-answer"
        }
    }

    /// `AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/sts/aws4_request, SignedHeaders=…, Signature=…`
    fn check_scope(&self, region: &str) -> Option<()> {
        let rest = self.authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
        let (credential, rest) = rest.split_once(", SignedHeaders=")?;
        let (headers, signature) = rest.split_once(", Signature=")?;
        let [key, day, its_region, "sts", "aws4_request"] = *credential.split('/').collect::<Vec<_>>().as_slice()
        else {
            return None;
        };
        let is_key = (16..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_signature = is_remedy_hash(signature);
        let is_covered = headers == Self::signed_headers(self.token.is_some());
        (is_key && is_signature && is_covered && its_region == region && self.date.starts_with(day) && day.len() == 8)
            .then_some(())
    }
}

/// `20261005T080001Z`
fn is_date(text: &str) -> bool {
    let is_digits = |range| text.get(range).is_some_and(|part: &str| part.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() == 16 && is_digits(0..8) && text.get(8..9) == Some("T") && is_digits(9..15) && text.ends_with('Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn answer(wish: Wish) -> AwsAnswer {
        AwsAnswer {
            stack: "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b".into(),
            case_id: "2gd4tjkox2q74mauvvu6".into(),
            opening: 2,
            wish,
        }
    }

    fn approval() -> AwsAnswer {
        answer(Wish::Approve { remedy: HASH.into(), duration_seconds: 3600 })
    }

    fn signed() -> SignedAnswer {
        SignedAnswer {
            schema: SCHEMA.into(),
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261005/eu-west-1/sts/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-trailpass-answer, Signature={HASH}"
            ),
            date: "20261005T080001Z".into(),
            token: None,
            answer: approval().header().unwrap(),
        }
    }

    fn read(signed: &SignedAnswer) -> Result<AwsAnswer, Unread> {
        let body = serde_json::to_vec(signed).unwrap();
        SignedAnswer::read(&body, "eu-west-1").map(|(its, answer)| {
            assert_eq!(&its, signed);
            answer
        })
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        for answer in [approval(), answer(Wish::Reject), answer(Wish::Revoke)] {
            let text = answer.header().unwrap();
            assert_eq!(AwsAnswer::read(&text), Some(answer), "{text}");
        }
        assert_eq!(
            approval().header().unwrap(),
            format!(
                "trailpass.answer/1 arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b approve 2gd4tjkox2q74mauvvu6#2 {HASH} 60"
            )
        );
    }

    #[test]
    fn an_answer_has_one_form() {
        let text = approval().header().unwrap();
        let no = [
            text.replace("approve", "approves"),
            text.replace(' ', "  "),
            format!("{text} "),
            format!(" {text}"),
            format!("{text} 60"),
            text.replace(" 60", " 61"),
            text.replace(" 60", ""),
            text.replace("#2", "#02"),
            text.replace("answer/1", "answer/2"),
            text.replace(HASH, &HASH.to_uppercase()),
            text.replace("approve", "reject"),
        ];
        for text in no {
            assert_eq!(AwsAnswer::read(&text), None, "{text}");
        }
        assert_eq!(AwsAnswer { stack: "a b".into(), ..approval() }.header(), None);
        assert_eq!(AwsAnswer { opening: 0, ..approval() }.header(), None);
        assert_eq!(answer(Wish::Approve { remedy: HASH.into(), duration_seconds: 61 }).header(), None);
    }

    #[test]
    fn a_signed_answer_is_read() {
        assert_eq!(read(&signed()), Ok(approval()));
        let mut session = signed();
        session.token = Some("FwoGZXIvYXdzEBYaD//token==".into());
        assert_eq!(read(&session), Err(Unread::Scope), "the token is not signed");
        session.authorization = session.authorization.replace("date;", "date;x-amz-security-token;");
        assert_eq!(read(&session), Ok(approval()));
        session.token = None;
        assert_eq!(read(&session), Err(Unread::Scope));
    }

    #[test]
    fn a_signature_that_does_not_cover_all_is_none() {
        let swaps = [
            ("content-type;", ""),
            ("host;", ""),
            ("x-amz-date;", ""),
            (";x-trailpass-answer", ""),
            ("host;", "host;x-other;"),
            ("eu-west-1", "us-east-1"),
            ("/sts/", "/iam/"),
            ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            ("20261005/", "20261004/"),
            ("20261005/", "2026100/"),
            ("Signature=0", "Signature="),
            ("AKIAIOSFODNN7EXAMPLE", "AKIA/IOSFODNN7EXAMPLE"),
        ];
        for (from, to) in swaps {
            let mut other = signed();
            other.authorization = other.authorization.replace(from, to);
            assert_ne!(other, signed(), "{from}");
            assert_eq!(read(&other), Err(Unread::Scope), "{from} → {to}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let line = "\r\nhost: evil.example";
        for change in [
            (|s, line| s.authorization.push_str(line)) as fn(&mut SignedAnswer, &str),
            |s, line| s.date.push_str(line),
            |s, line| s.answer.push_str(line),
            |s, line| s.token = Some(line.to_owned()),
            |s, _| s.date = "20261005T0800011".into(),
            |s, _| s.token = Some(String::new()),
        ] {
            let mut other = signed();
            change(&mut other, line);
            assert_eq!(read(&other), Err(Unread::Header), "{other:?}");
        }
    }

    #[test]
    fn a_host_is_the_regions_own() {
        assert_eq!(host("eu-west-1").as_deref(), Some("sts.eu-west-1.amazonaws.com"));
        assert_eq!(host("cn-north-1").as_deref(), Some("sts.cn-north-1.amazonaws.com.cn"));
        for region in
            ["", "evil.example/-", "eu-west-1.evil.example", "eu-west-1/", "EU-WEST-1", "eu-west-1@x", "a-\r\nb"]
        {
            assert_eq!(host(region), None, "{region:?}");
        }
    }

    #[test]
    fn a_body_has_a_shape_and_a_size() {
        let body = |json: &str| SignedAnswer::read(json.as_bytes(), "eu-west-1").unwrap_err();
        assert_eq!(body("[]"), Unread::Shape);
        assert_eq!(body(&"[".repeat(LONGEST_BODY)), Unread::Shape);
        assert_eq!(body(&" ".repeat(LONGEST_BODY + 1)), Unread::TooLong);
        let mut json = serde_json::to_value(signed()).unwrap();
        json["url"] = "https://evil.example".into();
        assert_eq!(body(&json.to_string()), Unread::Shape);
        let other = SignedAnswer { schema: "trailpass.answer/2".into(), ..signed() };
        assert_eq!(read(&other), Err(Unread::Shape));
        let other = SignedAnswer { answer: "approve everything".into(), ..signed() };
        assert_eq!(read(&other), Err(Unread::Answer));
    }
}
