//! AWS as a test calls it: its JSON and query protocols over plain HTTP, signed.
//!
//! Decides nothing about the services. It is this small because a test needs a dozen calls, and an SDK for each of seven
//! services would take minutes to compile. Requests carry [Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html),
//! which the emulator checks once its enforcement of policies is on.

use std::net::SocketAddr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    REGION,
    http::{self, Request},
    moto,
};

/// Somebody's access key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `AKIA…` or `ASIA…`.
    pub id: String,
    /// The secret half.
    pub secret: String,
    /// The session's token, for a role's.
    pub token: Option<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "test".to_owned(), token: None }
    }
}

/// Why AWS said no: status and the answer's text.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// What it said.
    pub text: String,
}

/// AWS at one address, called with one key.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Where.
    pub address: SocketAddr,
    /// By whom.
    pub keys: Keys,
}

impl Aws {
    /// With a key that means nothing; the emulator asks for none.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, keys: Keys::default() }
    }

    /// A call that must succeed. `operation` is `DynamoDB_20120810.Scan`, say: X-Amz-Target.
    pub async fn call(&self, service: &str, operation: &str, body: Value) -> Value {
        let answer = self.try_call(service, operation, body).await;
        answer.unwrap_or_else(|refused| panic!("{operation}: {refused:?}"))
    }

    /// A call in one of the two JSON protocols.
    pub async fn try_call(&self, service: &str, operation: &str, body: Value) -> Result<Value, Refused> {
        let kind = if matches!(service, "dynamodb" | "sqs") {
            "application/x-amz-json-1.0"
        } else {
            "application/x-amz-json-1.1"
        };
        let headers = [("content-type", kind), ("x-amz-target", operation)];
        let text = self.answer(self.signed(service, &headers, body.to_string())).await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// A call in the query protocol that must succeed; XML comes back.
    pub async fn query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.try_query(service, action, parameters).await;
        answer.unwrap_or_else(|refused| panic!("{action}: {refused:?}"))
    }

    /// A call in the query protocol.
    pub async fn try_query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> Result<String, Refused> {
        let version = match service {
            "sns" => "2010-03-31",
            "sts" => "2011-06-15",
            _ => "2010-05-08",
        };
        let mut fields = vec![("Action", action), ("Version", version)];
        fields.extend(parameters);
        self.answer(self.signed_form(service, &fields)).await
    }

    /// A signed form. Its encoding is the one that the emulator makes of it again when it checks the signature.
    pub fn signed_form(&self, service: &str, fields: &[(&str, &str)]) -> Request {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.signed(service, &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")], pairs.join("&"))
    }

    fn signed(&self, service: &str, headers: &[(&str, &str)], body: String) -> Request {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let host = self.address.to_string();
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        signed.extend([("host", host.as_str()), ("x-amz-date", time.as_str())]);
        if let Some(token) = &self.keys.token {
            signed.push(("x-amz-security-token", token));
        }
        signed.sort_unstable();
        let authorization = self.authorization(service, &time, &signed, &body);
        let mut all: http::Headers =
            signed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.push(("authorization".to_owned(), authorization));
        Request { method: "POST".to_owned(), path: "/".to_owned(), headers: all, body: body.into_bytes() }
    }

    async fn answer(&self, request: Request) -> Result<String, Refused> {
        let answer = moto::send(self.address, &request).await.expect("the emulator answers");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == 200 { Ok(text) } else { Err(Refused { status: answer.status, text }) }
    }

    fn authorization(&self, service: &str, time: &str, signed: &[(&str, &str)], body: &str) -> String {
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let request = format!("POST\n/\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(body)));
        let day = &time[..8];
        let scope = format!("{day}/{REGION}/{service}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let mut key = format!("AWS4{}", self.keys.secret).into_bytes();
        for part in [day, REGION, service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.keys.id)
    }
}

/// The text of the first element of that name.
pub fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
}

/// IAM's answer with users' ids as AWS gives them: `AIDA…` in capitals. The emulator's have no prefix, and nobody would be taken
/// for a user by one.
pub fn with_users_ids(xml: &str) -> String {
    let mut parts = xml.split("<UserId>");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (id, rest) = part.split_once('<').unwrap_or((part, ""));
        out.push_str(&format!("<UserId>AIDA{}<{rest}", id.to_uppercase()));
    }
    out
}

/// A form's fields.
pub fn form(body: &str) -> Vec<(String, String)> {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("a form holds text")
}

/// Lower-case digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104 with SHA-256.
pub fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let key = if key.len() > block.len() { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36)[..], text].concat());
    Sha256::digest([&padded(0x5c)[..], &inner[..]].concat()).to_vec()
}
