//! STS: who signed an answer.
//!
//! Decides what is believed of a request that somebody else has signed: nothing but what STS of our own Region says about its signer.
//! The request is put together here from the signed parts and the constants of [`access::answer::aws`], sent to that one address
//! and to none that an answer leads to, and what comes back is taken only as the whole document that STS writes
//! ([GetCallerIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)). There is no client of STS's
//! in it: a client signs, and this must not.
//!
//! Signatures and tokens are in no error. STS's own sentence quotes them, so only its code is passed on.

use std::{borrow::Cow, fmt, time::Duration};

use access::{
    answer::aws::{BODY, CONTENT_TYPE, HEADER, SignedAnswer, host},
    arn::Arn,
};
use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use roxmltree::{Document, Node};

use crate::http::{PostError, post, sdk_config};

/// The whole of it, a second try included. Who answers in Slack's three seconds does not come this way.
const LIMIT: Duration = Duration::from_secs(8);
/// The most of an answer that is read. Bytes; the usual one has 500.
const ANSWER_BYTES: usize = 64 * 1024;
/// In the name of which these two elements stand.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The ARN, of a session the session's.
    pub arn: String,
    /// The account's id.
    pub account: String,
    /// The unique id, with the session's name behind a colon where there is one.
    pub user_id: String,
}

/// Why nobody knows who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsError {
    /// The signature is not right, too old, or of nobody; with STS's code. The same request will be refused again.
    Refused(String),
    /// Not reached, throttled, out of order, or an answer that is not STS's: worth another try.
    Unavailable(String),
}

impl fmt::Display for StsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "AWS does not take the signature: {code}"),
            Self::Unavailable(why) => write!(f, "STS can't be asked now: {why}"),
        }
    }
}

impl std::error::Error for StsError {}

/// STS of one Region. Nothing is connected before the first answer.
#[derive(Debug, Default)]
pub struct Sts {
    config: Option<SdkConfig>,
}

impl Sts {
    /// With the environment's configuration, of which only the address is used.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration made by hand.
    pub fn with_config(config: &SdkConfig) -> Self {
        Self { config: Some(config.clone()) }
    }

    /// Who signed this for STS of our Region.
    pub async fn caller(&self, signed: &SignedAnswer, region: &str) -> Result<Caller, StsError> {
        let config = match &self.config {
            Some(config) => config,
            None => sdk_config().await,
        };
        let host = host(region).ok_or_else(|| unavailable("the Region has no name"))?;
        let address = address(config, &host);
        let asked = async {
            match once(signed, &address, &host).await {
                // A connection kept from before the function was frozen is often dead, and found to be so by its first use.
                Err(PostError::Broken(_)) => once(signed, &address, &host).await,
                other => other,
            }
        };
        let (status, body) = match tokio::time::timeout(LIMIT, asked).await {
            Ok(Ok(answer)) => answer,
            // What a library says of a request may quote it, and this one must not be seen.
            Ok(Err(PostError::Broken(_))) => return Err(unavailable("there is no connection")),
            Ok(Err(why)) => return Err(unavailable(&why.to_string())),
            Err(_) => return Err(unavailable("no answer in time")),
        };
        understand(status, &body)
    }
}

fn unavailable(why: &str) -> StsError {
    StsError::Unavailable(why.to_owned())
}

/// STS's own address, unless AWS's standard settings name another one.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
fn address(config: &SdkConfig, host: &str) -> String {
    let key = ServiceConfigKey::builder().service_id("STS").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = config.service_config().zip(key.ok()).and_then(|(settings, key)| settings.load_config(key));
    let other = own.map(Cow::Owned).or_else(|| config.endpoint_url().map(Cow::Borrowed));
    other.map_or_else(|| format!("https://{host}/"), |url| format!("{}/", url.trim_end_matches('/')))
}

/// Sends the signed request, to the letter. Where a redirection leads, nobody signed for.
async fn once(signed: &SignedAnswer, address: &str, host: &str) -> Result<(u16, Vec<u8>), PostError> {
    let fixed = [("host", host), ("content-type", CONTENT_TYPE)];
    let given = [("x-amz-date", &signed.date), (HEADER, &signed.answer), ("authorization", &signed.authorization)];
    let given = given.map(|(name, value)| (name, value.as_str()));
    let token = signed.token.as_deref().map(|token| ("x-amz-security-token", token));
    let headers: Vec<_> = fixed.into_iter().chain(given).chain(token).collect();
    post(address, &headers, BODY, ANSWER_BYTES).await
}

/// What the answer means.
fn understand(status: u16, body: &[u8]) -> Result<Caller, StsError> {
    /// [Codes](https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html) below 500 that pass by themselves.
    const PASSING: [&str; 4] = ["RequestLimitExceeded", "RequestTimeout", "Throttling", "ThrottlingException"];
    let not_its_own = || StsError::Unavailable(format!("an answer that is not STS's, with status {status}"));
    if !matches!(status, 200 | 400 | 403) {
        return Err(StsError::Unavailable(format!("status {status}")));
    }
    let text = std::str::from_utf8(body).map_err(|_| not_its_own())?;
    let document = Document::parse(text).map_err(|_| not_its_own())?;
    let root = document.root_element();
    if status == 200 {
        return caller(root).ok_or_else(not_its_own);
    }
    let mut codes = root.descendants().filter(|node| node.tag_name().name() == "Code");
    let code = codes
        .next()
        .filter(|_| root.tag_name().name() == "ErrorResponse" && codes.next().is_none())
        .and_then(text_of)
        .filter(|code| is_code(code))
        .ok_or_else(not_its_own)?;
    Err(if PASSING.contains(&code) { unavailable(code) } else { StsError::Refused(code.to_owned()) })
}

fn caller(root: Node<'_, '_>) -> Option<Caller> {
    let result = (root.has_tag_name((NAMESPACE, "GetCallerIdentityResponse")))
        .then(|| only(root, "GetCallerIdentityResult"))
        .flatten()?;
    let text = |name| only(result, name).and_then(text_of);
    let (arn, account, user_id) = (text("Arn")?, text("Account")?, text("UserId")?);
    let is_one = Arn::parse(arn)?.account_id() == Some(account) && (1..=256).contains(&user_id.len());
    is_one.then(|| Caller { arn: arn.to_owned(), account: account.to_owned(), user_id: user_id.to_owned() })
}

/// The only child of this name.
fn only<'a, 'i>(parent: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    let mut found = parent.children().filter(|node| node.is_element() && node.tag_name().name() == name);
    found.next().filter(|_| found.next().is_none())
}

/// The text of an element that holds nothing but that.
fn text_of<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let mut children = node.children();
    let text = children.next().filter(Node::is_text)?.text()?;
    children.next().is_none().then_some(text)
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sts::111122223333:assumed-role/Admin/saanvi";

    fn answer(arn: &str, account: &str) -> String {
        format!(
            "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    <Arn>{arn}</Arn>\n    \
             <UserId>AROA123456789EXAMPLE:saanvi</UserId>\n    <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  \
             <ResponseMetadata>\n    <RequestId>01234567-89ab</RequestId>\n  </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
        )
    }

    fn error(code: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>The canonical \
             string should have been 'x-amz-security-token:secret'</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
    }

    #[test]
    fn a_caller_is_read() {
        let caller = understand(200, answer(ARN, "111122223333").as_bytes()).unwrap();
        assert_eq!(caller.arn, ARN);
        assert_eq!((caller.account.as_str(), caller.user_id.as_str()), ("111122223333", "AROA123456789EXAMPLE:saanvi"));
        // What may stand in a session's name, and nothing else that XML writes differently.
        let odd = "arn:aws:sts::111122223333:assumed-role/a+b=c,d.e@f-_/x+=,.@-_";
        assert_eq!(understand(200, answer(odd, "111122223333").as_bytes()).unwrap().arn, odd);
    }

    #[test]
    fn what_is_not_the_whole_document_is_none() {
        let right = answer(ARN, "111122223333");
        let forged = "</Arn><Arn>arn:aws:iam::111122223333:user/nikki</Arn><Arn>";
        let others = [
            String::new(),
            "{}".to_owned(),
            "<html></html>".to_owned(),
            answer(ARN, "999988887777"),
            answer(ARN, ""),
            answer("nikki", "111122223333"),
            answer("", "111122223333"),
            answer(&format!("{ARN}{forged}"), "111122223333"),
            answer("arn:aws:iam::111122223333:user/ni<!-- -->kki", "111122223333"),
            answer("arn:aws:iam::111122223333:user/ni<b/>kki", "111122223333"),
            answer("arn:aws:iam::111122223333:user/nikki&#10;", "111122223333"),
            right.replace(NAMESPACE, "https://sts.evil.example/"),
            right.replace("GetCallerIdentityResponse", "GetSessionTokenResponse"),
            right.replace("</UserId>", ""),
            right.replace("AROA123456789EXAMPLE:saanvi", ""),
            format!("<!DOCTYPE x [<!ENTITY e \"{ARN}\">]>{}", answer("&e;", "111122223333")),
            format!("<x>{right}</x>"),
            format!("{right}{right}"),
            error("SignatureDoesNotMatch"),
        ];
        for body in others {
            let found = understand(200, body.as_bytes());
            assert!(matches!(found, Err(StsError::Unavailable(_))), "{body}: {found:?}");
        }
        assert!(understand(200, &[0xff]).is_err());
    }

    #[test]
    fn a_refusal_is_told_from_an_outage() {
        let code = |status, code: &str| understand(status, error(code).as_bytes()).unwrap_err();
        for refused in ["SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken", "IncompleteSignature"] {
            assert_eq!(code(403, refused), StsError::Refused(refused.to_owned()));
        }
        assert_eq!(code(400, "Throttling"), StsError::Unavailable("Throttling".to_owned()));
        for (status, body) in [
            (403, "<html>proxy</html>".to_owned()),
            (403, String::new()),
            (400, error("<b>x</b>")),
            (400, error("two words")),
            (429, error("SignatureDoesNotMatch")),
            (500, error("SignatureDoesNotMatch")),
            (302, answer(ARN, "111122223333")),
            (201, answer(ARN, "111122223333")),
            (403, answer(ARN, "111122223333")),
        ] {
            let found = understand(status, body.as_bytes());
            assert!(matches!(found, Err(StsError::Unavailable(_))), "{status} {body}: {found:?}");
        }
    }
}
