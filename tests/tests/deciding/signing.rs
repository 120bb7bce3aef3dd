//! Answers that are signed with AWS credentials, and an STS that knows whose they are.
//!
//! A stand-in: STS can't run here, and the emulator believes every signature. A signature here is a hash over everything that a real one
//! covers and that differs from one answer to another, so that whatever is changed after signing is found.

use access::answer::aws::{AwsAnswer, SCHEMA, SignedAnswer, Wish};
use access::case::Case;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{
    local::{
        aws::hex,
        http::{Request, Response},
    },
    sample::{HERE, THERE},
};

use crate::desk::{STACK, event};

pub const SAANVI: &str = "AKIASAANVIEXAMPLE000";
pub const NIKKI: &str = "AKIANIKKIEXAMPLE0000";
pub const ALICE: &str = "AKIAALICEEXAMPLE0000";
pub const MALLORY: &str = "AKIAMALLORYEXAMPLE00";
/// Somebody of another account who is called saanvi there.
pub const NAMESAKE: &str = "AKIANAMESAKEEXAMPLE0";

fn signature(key: &str, date: &str, answer: &str) -> String {
    hex(&Sha256::digest(format!("{key}\n{date}\n{answer}")))
}

/// What a person's program sends.
pub fn signed(key: &str, answer: &AwsAnswer) -> SignedAnswer {
    let (date, answer) = ("20261005T080001Z", answer.header().expect("an answer's form"));
    let scope = "20261005/eu-west-1/sts/aws4_request";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={}, Signature={}",
        SignedAnswer::signed_headers(false),
        signature(key, date, &answer)
    );
    SignedAnswer { schema: SCHEMA.into(), authorization, date: date.into(), token: None, answer }
}

pub fn answer(case: &Case, wish: Wish) -> AwsAnswer {
    AwsAnswer { stack: STACK.into(), case_id: case.id.clone(), opening: case.opening, wish }
}

/// As API Gateway hands it over.
pub fn sent(signed: &SignedAnswer) -> Value {
    let mut event = event("POST /answers");
    event["headers"]["content-type"] = json!("application/json");
    event["body"] = json!(serde_json::to_string(signed).unwrap());
    event
}

/// STS's part.
pub fn sts(request: &Request, (asked, works): &mut (Vec<String>, bool)) -> Response {
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let (authorization, answer) = (header("authorization"), header("x-trailpass-answer"));
    asked.push(answer.clone());
    if !*works {
        return Response::text(503, "");
    }
    let key = authorization.split(['=', '/']).nth(1).unwrap_or_default().to_owned();
    let is_right = authorization.ends_with(&signature(&key, &header("x-amz-date"), &answer));
    let (account, user) = match key.as_str() {
        SAANVI => (HERE, "saanvi"),
        NIKKI => (HERE, "nikki"),
        ALICE => (HERE, "alice"),
        NAMESAKE => (THERE, "saanvi"),
        _ => (HERE, "mallory"),
    };
    let xmlns = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
    if is_right {
        Response::text(
            200,
            &format!(
                "<GetCallerIdentityResponse {xmlns}><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/{user}</Arn>\
             <UserId>AIDAEXAMPLE</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        )
    } else {
        let code = "SignatureDoesNotMatch";
        Response::text(
            403,
            &format!(
                "<ErrorResponse {xmlns}><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            ),
        )
    }
}
