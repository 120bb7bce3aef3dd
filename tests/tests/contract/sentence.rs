//! A bare sentence, as somebody pasted it: for showing, never for granting.

use access::{diagnose::diagnose_sentence, grant::GrantMode};
use serde_json::Value;
use tests::{golden::assert_none, sample::*};

use super::differences;

fn pasted(text: &str) -> Value {
    let diagnosed =
        diagnose_sentence(text, &setting(GrantMode::Exact, "{}")).unwrap_or_else(|| panic!("no refusal: {text}"));
    serde_json::to_value(&diagnosed.diagnosis).unwrap()
}

#[test]
fn for_display() {
    let nothing = "event_id: null; event_time: null; region: null; account_id: null; grants: 0";
    let page = "User: arn:aws:iam::123456789012:user/mateojackson is not authorized to perform: cloudtrail:GetTrailStatus on resource: My-Trail";
    let pass = "User: arn:aws:iam::123456789012:user/marymajor is not authorized to perform: iam:PassRole";
    let whole = missing(&user("alice"), "cloudtrail:GetTrail", TRAIL, "identity-based policy");
    let stop = said(&role("reader"), "cloudtrail:StopLogging", TRAIL);
    let other = missing(&user("alice"), "ec2:RunInstances", "*", "identity-based policy");
    for (text, expected) in [
        (
            page,
            "response: suggest-fix; scenario: not-authorized; kind: iam-user; name: mateojackson; of: 123456789012; resource: My-Trail; risk: routine; unique_id: null",
        ),
        (pass, "response: suggest-fix; scenario: integration; name: marymajor; action: iam:PassRole"),
        (
            &whole,
            "response: suggest-fix; effect: implicit-deny; policy_type: identity-based-policy; arn: arn:aws:iam::111122223333:user/alice",
        ),
        (&stop, "response: raise-alarm; kind: role-session; name: reader; session_name: alice; risk: tampering"),
        (&other, "response: ignore; scenario: null; risk: null"),
        (
            "An error occurred (InsufficientS3BucketPolicyException) when calling the CreateTrail operation: Incorrect S3 bucket policy is detected for bucket: b-1",
            "response: suggest-fix; scenario: delivery; kind: unknown",
        ),
    ] {
        let diagnosis = pasted(text);
        assert_none(text, &differences(&diagnosis, &format!("{nothing}; {expected}")));
    }
}

#[test]
fn what_is_no_refusal_is_none() {
    for text in ["", "hello", "User: alice likes trails", "not authorized"] {
        assert!(diagnose_sentence(text, &setting(GrantMode::Exact, "{}")).is_none(), "{text}");
    }
}
