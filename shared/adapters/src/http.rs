//! The one HTTP and TLS client, and AWS's configuration made with it.
//!
//! Decides what every call to the outside has in common: rustls with ring (no second TLS stack, and none whose first handshake
//! spends tens of milliseconds on entropy), one pool of connections, time-outs, and the sorting of AWS's errors. It exists because a
//! function's cold start is what is done before its first request: nothing here is made before somebody needs it. The SDK's own
//! builder reads the machine's certificates once for each client that is constructed, to find a broken set early; here they
//! are read once, when the first connection is wanted.
//!
//! `AWS_ENDPOINT_URL`, `AWS_MAX_ATTEMPTS`, `AWS_REGION` and the credentials' chain are
//! [the SDKs' own settings](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html). Certificates are the system's,
//! or those of `SSL_CERT_FILE`.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Until the connection stands, TLS included.
const CONNECT: Duration = Duration::from_secs(2);
/// From the request to the first byte of its answer.
const READ: Duration = Duration::from_secs(5);
/// One try of a call to AWS, and all its tries with the waits between them.
const ATTEMPT: Duration = Duration::from_secs(7);
const OPERATION: Duration = Duration::from_secs(20);

/// The client for the SDKs: give it to a configuration that is made by hand ([`sdk_config`] has it already).
pub fn client() -> SharedHttpClient {
    static CLIENT: OnceLock<SharedHttpClient> = OnceLock::new();
    CLIENT.get_or_init(|| SharedHttpClient::new(OneClient)).clone()
}

/// AWS's configuration from the environment, loaded at the first call. Credentials are fetched by the first request.
pub async fn sdk_config() -> &'static SdkConfig {
    static CONFIG: OnceCell<SdkConfig> = OnceCell::const_new();
    CONFIG
        .get_or_init(|| {
            aws_config::defaults(BehaviorVersion::latest()).http_client(client()).timeout_config(timeouts()).load()
        })
        .await
}

/// The time-outs of [`sdk_config`].
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}

/// The connector for calls that are not AWS's. It shares its connections' settings, and so its pool, with the SDKs.
pub(crate) fn connector() -> SharedHttpConnector {
    connector_for(&HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(READ).build())
}

#[derive(Debug)]
struct OneClient;

impl HttpClient for OneClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        connector_for(settings)
    }
}

type Timeouts = (Option<Duration>, Option<Duration>);

/// One connector for each pair of time-outs: ours, and the shorter ones that the SDK wants for the instance metadata service.
fn connector_for(settings: &HttpConnectorSettings) -> SharedHttpConnector {
    static CONNECTORS: Mutex<Vec<(Timeouts, SharedHttpConnector)>> = Mutex::new(Vec::new());
    let wanted = (settings.connect_timeout(), settings.read_timeout());
    let mut made = CONNECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, connector)) = made.iter().find(|(timeouts, _)| *timeouts == wanted) {
        return connector.clone();
    }
    let connector = Connector::builder()
        .connector_settings(settings.clone())
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build();
    let connector = SharedHttpConnector::new(connector);
    made.push((wanted, connector.clone()));
    connector
}

/// Why a request that is not an SDK's has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostError {
    /// The address or a header is none: nothing was sent.
    Malformed,
    /// There is no connection, or it broke, and why.
    Broken(String),
    /// No answer in time.
    Late,
    /// The answer is longer than the caller takes.
    TooLong,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the request can't be put together"),
            Self::Broken(why) => write!(f, "no connection: {why}"),
            Self::Late => f.write_str("no answer in time"),
            Self::TooLong => f.write_str("an answer that is too long"),
        }
    }
}

impl std::error::Error for PostError {}

/// Posts to an address that is [private](is_private), once, and gives the answer's status and its body, up to so many bytes. A redirection
/// is an answer like any other.
pub async fn post(
    url: &str,
    headers: &[(&'static str, &str)],
    body: &str,
    longest: usize,
) -> Result<(u16, Vec<u8>), PostError> {
    if !is_private(url) {
        return Err(PostError::Malformed);
    }
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").map_err(|_| PostError::Malformed)?;
    request.set_uri(url).map_err(|_| PostError::Malformed)?;
    for (name, value) in headers {
        request.headers_mut().try_insert(*name, (*value).to_owned()).map_err(|_| PostError::Malformed)?;
    }
    let answer = connector().call(request).await.map_err(|error| {
        if error.is_timeout() { PostError::Late } else { PostError::Broken(bounded(&with_causes(&error))) }
    })?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    let mut stream = ByteStream::new(answer.into_body());
    while let Some(bytes) = stream.next().await {
        body.extend_from_slice(&bytes.map_err(|why| PostError::Broken(bounded(&with_causes(&why))))?);
        if body.len() > longest {
            return Err(PostError::TooLong);
        }
    }
    Ok((status, body))
}

/// Whether nobody on the way can read what is sent to this address: it is encrypted, or stays on this machine.
pub fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else { return false };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = || host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|its| its.is_loopback());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback(),
        _ => false,
    }
}

/// Why a call to AWS gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsError {
    /// Throttled, timed out, failed on AWS's side or not reached; or our credentials have run out: worth another try, later.
    Unavailable(String),
    /// A permission that we lack ourselves: counted, and an operator's to mend.
    Denied(String),
    /// Refused for another reason: the same request will be refused again.
    Refused(String),
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "AWS can't be reached now: {why}"),
            Self::Denied(why) => write!(f, "this program lacks a permission: {why}"),
            Self::Refused(why) => write!(f, "AWS refused: {why}"),
        }
    }
}

impl std::error::Error for AwsError {}

/// The [common error](https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html) for a missing permission, under all its names,
/// KMS's through another service included.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "KMSAccessDenied",
    "KMSAccessDeniedException",
];

/// Codes below 500 that pass by themselves.
const PASSING: [&str; 13] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "KMSThrottling",
    "KMSThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestTimeout",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
];

/// Sorts an SDK's error by what its caller can do about it.
pub(crate) fn sort_error<E>(error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(refused) = error else {
        let text = bounded(&with_causes(error));
        return match error {
            SdkError::ConstructionFailure(_) => AwsError::Refused(text),
            _ => AwsError::Unavailable(text),
        };
    };
    let status = refused.raw().status().as_u16();
    let code = refused.err().code().unwrap_or_default();
    let text = match refused.err().message() {
        _ if code.is_empty() => format!("no reason, status {status}"),
        Some(message) => bounded(&format!("{code}: {message}")),
        None => bounded(code),
    };
    if DENIED.contains(&code) {
        AwsError::Denied(text)
    } else if status >= 500 || status == 429 || PASSING.contains(&code) {
        AwsError::Unavailable(text)
    } else {
        AwsError::Refused(text)
    }
}

/// An error with everything that led to it, which is where a refused connection or an untrusted certificate is named.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Enough of a text from outside to work with. Logs and errors are no place for a page of HTML.
pub(crate) fn bounded(text: &str) -> String {
    const CHARACTERS: usize = 500;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
