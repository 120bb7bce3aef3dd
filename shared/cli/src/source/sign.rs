//! The signature under an answer: one `GetCallerIdentity` that is signed here and sent by the stack.
//!
//! What is signed stands in [`access::answer::aws`], and that is all of it: a signature of this is good for telling STS who signed, and
//! for this answer.

use std::time::SystemTime;

use access::answer::aws::{BODY, CONTENT_TYPE, HEADER, SCHEMA, SignedAnswer, host};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

/// Signs a header's text for STS of a Region.
pub fn signed(answer: &str, region: &str, credentials: &Credentials, at: SystemTime) -> Result<SignedAnswer, String> {
    let host = host(region).ok_or("the Region has no name")?;
    let identity = credentials.clone().into();
    let settings = SigningSettings::default();
    let parameters = v4::SigningParams::builder().identity(&identity).region(region).name("sts").time(at);
    let parameters = parameters.settings(settings).build().map_err(|why| why.to_string())?.into();
    let headers = [("content-type", CONTENT_TYPE), ("host", host.as_str()), (HEADER, answer)];
    let body = SignableBody::Bytes(BODY.as_bytes());
    let request = SignableRequest::new("POST", format!("https://{host}/"), headers.into_iter(), body);
    let signed = request.and_then(|request| sign(request, &parameters)).map_err(|why| why.to_string())?;
    let (instructions, _) = signed.into_parts();
    let header = |name| instructions.headers().find(|(its, _)| *its == name).map(|(_, value)| value.to_owned());
    Ok(SignedAnswer {
        schema: SCHEMA.to_owned(),
        authorization: header("authorization").ok_or("no signature was made")?,
        date: header("x-amz-date").ok_or("no date was signed")?,
        token: header("x-amz-security-token"),
        answer: answer.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use access::answer::aws::{AwsAnswer, Wish};

    use super::*;

    /// Whatever the credentials are, it is of the form that `decide` reads.
    #[test]
    fn what_is_signed_is_read() {
        let answer = AwsAnswer {
            stack: "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b".into(),
            case_id: "2gd4tjkox2q74mauvvu6".into(),
            opening: 1,
            wish: Wish::Approve { remedy: "0".repeat(64), duration_seconds: 3600 },
        };
        for token in [None, Some("FwoGZXIvYXdzEBYaD//token==".to_owned())] {
            let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", token.clone(), None, "test");
            let its = signed(&answer.header().unwrap(), "eu-west-1", &credentials, SystemTime::now()).unwrap();
            assert_eq!(its.token, token);
            let body = serde_json::to_vec(&its).unwrap();
            assert_eq!(SignedAnswer::read(&body, "eu-west-1"), Ok((its, answer.clone())));
        }
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        assert!(signed("x", "evil.example/", &credentials, SystemTime::now()).is_err());
    }
}
