//! AWS's access-denied sentence: every form that AWS documents, those that were seen in the wild (accounts and
//! names replaced), the places where a sentence breaks off, and what an attacker would write into a name.
//!
//! Forms: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::time::{Duration, Instant};

use access::message::{CUT_AT, Reason, Sentence, parse};
use proptest::prelude::*;

const JOHN: &str = "arn:aws:iam::111122223333:user/John";
const TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail";
const SECRETS: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:*";
const SCP: &str = "arn:aws:organizations::123456789012:policy/o-exampleorgid/service_control_policy/p-examplepolicyid";
const NO_ALLOW: &str = "because no identity-based policy allows the cloudtrail:GetTrail action";
const THREE_WAY: &str = "because the resource does not exist in this Region, no resource-based policies allow access, or a \
    resource-based policy explicitly denies access";
const DENY: &str = "arn:aws:iam::123456789012:policy/ExampleDenyPolicy";

/// The reason in a few words: `explicit service-control-policy`, `implicit ?`, `none`, `cut`, `unrecognised`.
fn in_words(reason: Reason) -> String {
    let Reason::Clause { effect, policy_type } = reason else { return format!("{reason:?}").to_lowercase() };
    let word = |value| serde_json::from_value::<String>(value).unwrap();
    let kind = policy_type.map_or("?".into(), |kind| word(serde_json::to_value(kind).unwrap()));
    format!("{} {kind}", word(serde_json::to_value(effect).unwrap()).trim_end_matches("-deny"))
}

fn read(message: &str) -> Sentence {
    parse(message).unwrap_or_else(|| panic!("no sentence in {message:?}"))
}

/// John is refused `rest`.
fn john(rest: &str) -> String {
    format!("User: {JOHN} is not authorized to perform: {rest}")
}

/// Sentence behind "perform: " → action, resource, reason.
#[track_caller]
fn check(rows: &[(&str, &str, Option<&str>, &str)]) {
    for (rest, action, resource, reason) in rows {
        let found = read(&john(rest));
        let said = (found.action.as_str(), found.resource.as_deref(), in_words(found.reason));
        assert_eq!(said, (*action, *resource, (*reason).to_owned()), "{rest}");
        assert_eq!(found.principal.as_deref(), Some(JOHN), "{rest}");
    }
}

#[test]
fn every_documented_form() {
    const LIST: &str = "codecommit:ListRepositories";
    const DEPLOYMENTS: &str = "codedeploy:ListDeployments";
    const GROUPS: Option<&str> = Some("arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:*");
    #[rustfmt::skip]
    check(&[
        // AWS's own slip of the pen: the two actions differ.
        ("codecommit:ListRepositories because no service control policy allows the codecommit:ListRespositories action", LIST, None, "implicit service-control-policy"),
        ("codecommit:ListRepositories with an explicit deny in a service control policy", LIST, None, "explicit service-control-policy"),
        ("secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:* with an explicit deny in a resource control policy", "secretsmanager:GetSecretValue", Some(SECRETS), "explicit resource-control-policy"),
        ("codecommit:ListRepositories because no VPC endpoint policy allows the codecommit:ListRepositories action", LIST, None, "implicit vpc-endpoint-policy"),
        ("codedeploy:ListDeployments on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in a VPC endpoint policy", DEPLOYMENTS, GROUPS, "explicit vpc-endpoint-policy"),
        ("codedeploy:ListDeployments on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* because no permissions boundary allows the codedeploy:ListDeployments action", DEPLOYMENTS, GROUPS, "implicit permissions-boundary"),
        ("sagemaker:ListModels with an explicit deny in a permissions boundary", "sagemaker:ListModels", None, "explicit permissions-boundary"),
        ("codecommit:ListRepositories because no session policy allows the codecommit:ListRepositories action", LIST, None, "implicit session-policy"),
        ("codedeploy:ListDeployments on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in a sessions policy", DEPLOYMENTS, GROUPS, "explicit session-policy"),
        ("secretsmanager:GetSecretValue because no resource-based policy allows the secretsmanager:GetSecretValue action", "secretsmanager:GetSecretValue", None, "implicit resource-based-policy"),
        ("secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:* with an explicit deny in a resource-based policy", "secretsmanager:GetSecretValue", Some(SECRETS), "explicit resource-based-policy"),
        ("sts:AssumeRole because no role trust policy allows the sts:AssumeRole action", "sts:AssumeRole", None, "implicit role-trust-policy"),
        ("sts:AssumeRole with an explicit deny in the role trust policy", "sts:AssumeRole", None, "explicit role-trust-policy"),
        ("codecommit:ListRepositories because no identity-based policy allows the codecommit:ListRepositories action", LIST, None, "implicit identity-based-policy"),
        ("codedeploy:ListDeployments on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in an identity-based policy", DEPLOYMENTS, GROUPS, "explicit identity-based-policy"),
        // The kind that denies is the first; the service's prefix is upper case.
        ("SNS:Publish on resource: arn:aws:sns:us-east-1:444455556666:role-name-2 with an explicit deny in a VPC endpoint policy transitively through a service control policy", "sns:Publish", Some("arn:aws:sns:us-east-1:444455556666:role-name-2"), "explicit vpc-endpoint-policy"),
        // The old form, with and without a resource: the first is CloudTrail's own troubleshooting page.
        ("cloudtrail:GetTrailStatus on resource: My-Trail", "cloudtrail:GetTrailStatus", Some("My-Trail"), "none"),
        ("widgets:GetWidget on resource: my-example-widget", "widgets:GetWidget", Some("my-example-widget"), "none"),
        ("iam:PassRole", "iam:PassRole", None, "none"),
    ]);
}

#[test]
fn forms_seen_in_the_wild() {
    #[rustfmt::skip]
    check(&[
        ("cloudtrail:LookupEvents because no identity-based policy allows the cloudtrail:LookupEvents action", "cloudtrail:LookupEvents", None, "implicit identity-based-policy"),
        ("cloudtrail:StopLogging on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail with an explicit deny in a service control policy", "cloudtrail:StopLogging", Some(TRAIL), "explicit service-control-policy"),
        ("organizations:LeaveOrganization on resource: * because no identity-based policy allows the organizations:LeaveOrganization action", "organizations:LeaveOrganization", Some("*"), "implicit identity-based-policy"),
        // Every white space is one space.
        ("\u{a0}cloudtrail:GetTrail\non resource:   My-Trail\r\n\twith an\nexplicit deny in a service\u{2003}control policy\n", "cloudtrail:GetTrail", Some("My-Trail"), "explicit service-control-policy"),
        // Before AWS named kinds.
        ("lambda:GetFunction on resource: arn:aws:lambda:us-east-1:111122223333:function:a with an explicit deny", "lambda:GetFunction", Some("arn:aws:lambda:us-east-1:111122223333:function:a"), "explicit ?"),
        // S3 quotes.
        (r#"s3:ListBucket on resource: "arn:aws:s3:::amzn-s3-demo-bucket" because no session policy allows the s3:ListBucket action"#, "s3:ListBucket", Some("arn:aws:s3:::amzn-s3-demo-bucket"), "implicit session-policy"),
        (r#"s3:GetObject on resource: "arn:aws:s3:::amzn-s3-demo-bucket/a b (c).txt" because no VPC endpoint policy allows the s3:GetObject action"#, "s3:GetObject", Some("arn:aws:s3:::amzn-s3-demo-bucket/a b (c).txt"), "implicit vpc-endpoint-policy"),
        (r#"s3:GetObject on resource: "arn:aws:s3:::amzn-s3-demo-bucket/a b.txt""#, "s3:GetObject", Some("arn:aws:s3:::amzn-s3-demo-bucket/a b.txt"), "none"),
        (r#"s3:PutBucketAcl on resource: "arn:aws:s3:::amzn-s3-demo-bucket" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access"#, "s3:PutBucketAcl", Some("arn:aws:s3:::amzn-s3-demo-bucket"), "unrecognised"),
        // KMS names no resource, and three reasons at once.
        ("kms:GenerateDataKey on this resource because no identity-based policy allows the kms:GenerateDataKey action", "kms:GenerateDataKey", None, "implicit identity-based-policy"),
        (&format!("kms:Encrypt on this resource {THREE_WAY}"), "kms:Encrypt", None, "unknown resource-based-policy"),
        (&format!("kms:Decrypt on the resource associated with this ciphertext {THREE_WAY}"), "kms:Decrypt", None, "unknown resource-based-policy"),
        // IAM's free text.
        ("iam:CreateAccessKey on resource: user bob with an explicit deny in a service control policy", "iam:CreateAccessKey", Some("user bob"), "explicit service-control-policy"),
        ("iam:UpdateAssumeRolePolicy on resource: role reader", "iam:UpdateAssumeRolePolicy", Some("role reader"), "none"),
        ("iam:GetGroup on resource: group admins because no identity-based policy allows the iam:GetGroup action", "iam:GetGroup", Some("group admins"), "implicit identity-based-policy"),
        ("iam:CreatePolicy on resource: policy team because no permissions boundary allows the iam:CreatePolicy action", "iam:CreatePolicy", Some("policy team"), "implicit permissions-boundary"),
        ("iam:CreatePolicyVersion on resource: policy arn:aws:iam::111122223333:policy/X with an explicit deny in a permissions boundary", "iam:CreatePolicyVersion", Some("policy arn:aws:iam::111122223333:policy/X"), "explicit permissions-boundary"),
        ("iam:GetInstanceProfile on resource: instance profile web because no identity-based policy allows the iam:GetInstanceProfile action", "iam:GetInstanceProfile", Some("instance profile web"), "implicit identity-based-policy"),
        ("iam:DeleteUser on resource: user w", "iam:DeleteUser", Some("user w"), "none"),
        // Kinds that are not known here keep their effect.
        ("vpc-lattice-svcs:Invoke on resource: svc-0/ because no network-based policy allows the vpc-lattice-svcs:Invoke action", "vpc-lattice-svcs:Invoke", Some("svc-0/"), "implicit ?"),
        // Plurals, letter case, the action's star.
        ("a:B because no identity-based policies allow the a:B action", "a:B", None, "implicit identity-based-policy"),
        ("A:B On Resource: X WITH AN EXPLICIT DENY IN A SERVICE CONTROL POLICY", "a:B", Some("X"), "explicit service-control-policy"),
        ("execute-api:Invoke* on resource: arn:aws:execute-api:us-east-1:111122223333:a/b/GET/", "execute-api:Invoke*", Some("arn:aws:execute-api:us-east-1:111122223333:a/b/GET/"), "none"),
        // Words of the clause inside one word are a name like any other.
        ("a:B on resource: because-no-policy because no session policy allows the a:B action", "a:B", Some("because-no-policy"), "implicit session-policy"),
    ]);
}

#[test]
fn the_denying_policy_in_both_spellings() {
    let (quarantine, gov) =
        ("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3", "arn:aws-us-gov:iam::111122223333:policy/path/to/p");
    #[rustfmt::skip]
    let rows = [
        (format!("a service control policy: {SCP}"), Some(SCP), "service-control-policy"),
        (format!("a service control policy, with policy ARN: {SCP}"), Some(SCP), "service-control-policy"),
        (format!("an identity-based policy: {quarantine}"), Some(quarantine), "identity-based-policy"),
        (format!("a permissions boundary: {gov}."), Some(gov), "permissions-boundary"),
        (format!("a resource control policy: {DENY} Encoded authorization failure message: AAbb-_09"), Some(DENY), "resource-control-policy"),
        (format!("a VPC endpoint policy transitively through a service control policy: {SCP}"), Some(SCP), "vpc-endpoint-policy"),
        // No legal ARN of a policy, though plainly meant as one: the kind is certain all the same.
        ("a service control policy: arn:aws:organizations::MGMT:policy/p-1".into(), None, "service-control-policy"),
        ("a service control policy: arn:aws:iam::111122223333:role/x".into(), None, "service-control-policy"),
        ("a service control policy: arn:aws:iam::111122223333:policy/<b>".into(), None, "service-control-policy"),
        ("a service control policy: [REDACTED]".into(), None, "service-control-policy"),
    ];
    for (rest, policy_arn, kind) in rows {
        let found = read(&john(&format!("a:B on resource: c with an explicit deny in {rest}")));
        assert_eq!(found.policy_arn.as_deref(), policy_arn, "{rest}");
        assert_eq!(in_words(found.reason), format!("explicit {kind}"), "{rest}");
    }
}

#[test]
fn what_stands_behind_a_sentence() {
    let clause = format!("a:B on resource: c with an explicit deny in an identity-based policy: {DENY}");
    let link = ". Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/EXAMPLE1a2b \
                for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: EXAMPLE1a2b";
    let encoded = ". Encoded authorization failure message: EXAMPLE-_blob";
    for tail in ["", ".", link, encoded] {
        for end in 0..=tail.len() {
            let found = read(&john(&format!("{clause}{}", &tail[..end])));
            assert_eq!(in_words(found.reason), "explicit identity-based-policy", "{}", &tail[..end]);
            assert_eq!(found.policy_arn.as_deref(), Some(DENY), "{}", &tail[..end]);
        }
    }
    for tail in [
        " (Service: CloudTrail, Status Code: 400, Request ID: EXAMPLE)",
        " (Service: AWSCloudTrail; Status Code: 400; Error Code: AccessDeniedException; Request ID: EXAMPLE; Proxy: null)",
        " (Service: CloudTrail, Status Code: 400, Request ID: EXAMPLE) (SDK Attempt Count: 1)",
        "\n\tstatus code: 400, request id: EXAMPLE",
        ". Encoded authorization failure message: EXAMPLE (Service: Ec2, Status Code: 403, Request ID: EXAMPLE)",
    ] {
        let found = read(&john(&format!("{clause}{tail}")));
        assert_eq!(found.policy_arn.as_deref(), Some(DENY), "{tail}");
        let found = read(&john(&format!("a:B{tail}")));
        assert_eq!((in_words(found.reason).as_str(), found.action.as_str()), ("none", "a:B"), "{tail}");
    }
    // Something else behind it may be the real end of the sentence.
    for tail in [" (really)", ". Encoded authorization failure message: a b", " status code: 400, request id: a b"] {
        assert_eq!(read(&john(&format!("{clause}{tail}"))).reason, Reason::Unrecognised, "{tail}");
    }
}

#[test]
fn wrappings_in_front() {
    let sentence = john(&format!("cloudtrail:StopLogging on resource: My-Trail {NO_ALLOW}"));
    #[rustfmt::skip]
    let rows = [
        ("", "", None),
        ("You are not authorized to perform this operation. ", ". Encoded authorization failure message: EXAMPLE", None),
        ("AccessDeniedException: ", "", None),
        ("An error occurred (AccessDeniedException) when calling the StopLogging operation: ", "", Some("StopLogging")),
        ("\naws: [ERROR]: An error occurred (AccessDenied) when calling the StopLogging operation (reached max retries: 4): ", "\n", Some("StopLogging")),
        ("operation error CloudTrail: StopLogging, https response error StatusCode: 400, RequestID: EXAMPLE, api error AccessDeniedException: ", "", Some("StopLogging")),
        ("Resource handler returned message: \"", " (Service: CloudTrail, Status Code: 400, Request ID: EXAMPLE) (SDK Attempt Count: 1)\" (RequestToken: EXAMPLE, HandlerErrorCode: AccessDenied)", None),
        ("\"```\n", "\n```\"", None),
        ("“", "”", None),
    ];
    for (front, behind, operation) in rows {
        let found = read(&format!("{front}{sentence}{behind}"));
        assert_eq!(found.principal.as_deref(), Some(JOHN), "{front}");
        assert_eq!(found.operation.as_deref(), operation, "{front}");
        assert_eq!(found.resource.as_deref(), Some("My-Trail"), "{front}");
        assert_eq!(in_words(found.reason), "implicit identity-based-policy", "{front}");
        assert_eq!(found.clauses, 1, "{front}");
    }
    // Quotes that end the sentence are S3's, not the paste's.
    let quoted = john(r#"s3:GetObject on resource: "arn:aws:s3:::amzn-s3-demo-bucket/a""#);
    for front in ["", "\"", "x: \""] {
        let found = read(&format!("{front}{quoted}{}", front.trim_start_matches("x: ")));
        assert_eq!(found.resource.as_deref(), Some("arn:aws:s3:::amzn-s3-demo-bucket/a"), "{front}");
    }
}

#[test]
fn who_called() {
    let session = "arn:aws:sts::111122223333:assumed-role/reader/alice@example.com";
    #[rustfmt::skip]
    let rows = [
        (format!("User: {session}"), Some(session)),
        ("User: anonymous".into(), Some("anonymous")),
        ("USER:  123456789012".into(), Some("123456789012")),
        (session.into(), Some(session)),
        ("User:".into(), None),
        (String::new(), None),
    ];
    for (front, principal) in rows {
        let found = read(&format!("{front} is not authorized to perform: a:B"));
        assert_eq!(found.principal.as_deref(), principal, "{front}");
    }
}

#[test]
fn texts_that_hold_no_sentence() {
    #[rustfmt::skip]
    let messages = [
        "", " ", "\"",
        "Access Denied", "The request was denied due to a VPC endpoint policy",
        "Access Denied: You do not have permission to operate on this resource",
        "You are not authorized to perform this operation. Encoded authorization failure message: EXAMPLE",
        "A client error (AccessDeniedException) occurred when calling the StopLogging operation: Unknown",
        &john(""), &john("GetTrail"), &john("cloudtrail:"), &john(":GetTrail"), &john("cloudtrail:Get<b>"), &john("cloud trail:GetTrail"),
        &john("çloudtrail:GetTrail"),
        // Half an action is a wrong action.
        &john("cloudtrail:GetTr…"), &john("cloudtrail:GetTr..."),
    ];
    for message in messages {
        assert_eq!(parse(message), None, "{message:?}");
    }
}

#[test]
fn sentences_that_break_off() {
    #[rustfmt::skip]
    check(&[
        ("a:B because no identity-based policy allows the c…", "a:B", None, "cut"),
        ("a:B because no identity-based policy allows the c", "a:B", None, "cut"),
        ("a:B because no identity-based policy allows the a:B acti", "a:B", None, "cut"),
        ("a:B b", "a:B", None, "cut"),
        ("a:B on resource: c because", "a:B", Some("c"), "cut"),
        ("a:B on resource: c wi...", "a:B", Some("c"), "cut"),
        ("a:B on resource: c with an explicit deny in a serv", "a:B", Some("c"), "cut"),
        ("a:B on resource: c with an explicit deny...", "a:B", Some("c"), "cut"),
        ("a:B on resour", "a:B", None, "cut"),
        ("a:B on resource: instance prof", "a:B", None, "cut"),
        // Half a name is a wrong name.
        ("a:B on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Tr…", "a:B", None, "cut"),
        (r#"a:B on resource: "arn:aws:s3:::amzn-s3-demo-bucket/a b"#, "a:B", None, "cut"),
        ("kms:Encrypt on this resource because the resource does not exist in this Region, no resource-based policies allow access", "kms:Encrypt", None, "cut"),
        // Whole before it breaks off.
        ("a:B with an explicit deny in a service control policy…", "a:B", None, "explicit service-control-policy"),
        ("a:B with an explicit deny in a service control policy: arn:aws:org…", "a:B", None, "explicit service-control-policy"),
        ("a:B with an explicit deny in a VPC endpoint policy transitively thr", "a:B", None, "explicit vpc-endpoint-policy"),
        ("a:B because no session policy allows the a:B action...", "a:B", None, "implicit session-policy"),
    ]);
    let broken = john(&format!("a:B with an explicit deny in a service control policy: {SCP}…"));
    assert_eq!(read(&broken).policy_arn, None, "half an ARN is another policy's");
}

/// `rest`, with a principal so long that the message is `length` bytes.
fn as_long_as(length: usize, rest: &str) -> String {
    let path = "p".repeat(length - john(rest).len() - 1);
    john(rest).replacen("user/", &format!("user/{path}/"), 1)
}

#[test]
fn from_a_thousand_bytes_on_a_message_may_be_cut() {
    #[rustfmt::skip]
    let rows = [
        // behind "perform: ", reason and resource one byte before, reason and resource from there on
        ("a:B on resource: c", "none", Some("c"), "cut", None),
        ("a:B", "none", None, "cut", None),
        ("a:B on resource: c.", "none", Some("c"), "cut", Some("c")),
        ("a:B on resource: c because no ses", "cut", Some("c"), "cut", Some("c")),
        ("a:B on resource: c d", "unrecognised", Some("c d"), "cut", None),
        ("a:B on resource: c with an explicit deny", "explicit ?", Some("c"), "cut", Some("c")),
        ("a:B on resource: c because no session policy allows the a:B action", "implicit session-policy", Some("c"), "implicit session-policy", Some("c")),
    ];
    for (rest, short, short_resource, long, long_resource) in rows {
        let long = (long, long_resource);
        for (length, (reason, resource)) in [(CUT_AT - 1, (short, short_resource)), (CUT_AT, long), (CUT_AT + 24, long)]
        {
            let found = read(&as_long_as(length, rest));
            assert_eq!((in_words(found.reason).as_str(), found.resource.as_deref()), (reason, resource), "{rest}");
        }
    }
    let rest = format!("a:B with an explicit deny in a service control policy: {SCP}");
    assert_eq!(read(&as_long_as(CUT_AT - 1, &rest)).policy_arn.as_deref(), Some(SCP));
    assert_eq!(read(&as_long_as(CUT_AT, &rest)).policy_arn, None, "may be half of one");
    assert_eq!(read(&as_long_as(CUT_AT, &format!("{rest}."))).policy_arn.as_deref(), Some(SCP));
}

#[test]
fn names_that_lie() {
    #[rustfmt::skip]
    let rows = [
        // what the attacker named, what AWS wrote behind it, the reason, how many clauses
        (format!("x {NO_ALLOW}"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x\n{NO_ALLOW}\n"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x\u{2003}{NO_ALLOW}"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("My Trail {NO_ALLOW}"), "", "unrecognised", 1),
        (format!("user bob x {NO_ALLOW}"), "", "unrecognised", 1),
        (format!("x {NO_ALLOW}."), " and so on", "unrecognised", 1),
        (format!("x {NO_ALLOW}. Encoded authorization failure message: a"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x {NO_ALLOW} (Service: a"), " with an explicit deny in a service control policy (Service: CloudTrail, Status Code: 400)", "unrecognised", 2),
        (format!("x {NO_ALLOW} (Service: a)"), " with an explicit deny in a moon policy (b)", "unrecognised", 2),
        (format!("x {NO_ALLOW} status code: 400, request id: a"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x {NO_ALLOW}. Go to https://a"), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x {NO_ALLOW}..."), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("x because no identity-based policy allows the {NO_ALLOW}"), "", "unrecognised", 2),
        // A space that is none, so the name stays in one piece and is no clause.
        (format!("x\u{200b}{}", NO_ALLOW.replace(' ', "\u{200b}")), " with an explicit deny in a service control policy", "explicit service-control-policy", 1),
        // S3 quotes the name, so its ends are certain as long as it holds no quote.
        (format!("\"arn:aws:s3:::b/x {NO_ALLOW}\""), " with an explicit deny in a service control policy", "explicit service-control-policy", 2),
        (format!("\"arn:aws:s3:::b/x\" {NO_ALLOW}\""), " with an explicit deny in a service control policy", "unrecognised", 2),
        (format!("\"arn:aws:s3:::b/x\" {NO_ALLOW}\""), "", "unrecognised", 1),
        // A second sentence in a name names neither caller nor action.
        (format!("x User: arn:aws:iam::111122223333:role/Admin is not authorized to perform: a:B {NO_ALLOW}"), "", "unrecognised", 1),
    ];
    for (name, behind, reason, clauses) in rows {
        let found = read(&john(&format!("cloudtrail:StopLogging on resource: {name}{behind}")));
        assert_eq!((in_words(found.reason).as_str(), found.clauses), (reason, clauses), "{name}");
        assert_eq!(found.principal.as_deref(), Some(JOHN), "{name}");
        assert_eq!(found.action, "cloudtrail:StopLogging", "{name}");
    }
}

#[test]
fn where_a_lie_cannot_be_told_the_resource_is_a_prefix_of_the_name() {
    // AWS wrote no clause, the attacker did: the text is one that AWS writes. What gives it away is outside
    // of it: the request's name goes on where the sentence's ends.
    let name = format!("My-Trail {NO_ALLOW}");
    let found = read(&john(&format!("cloudtrail:GetTrail on resource: {name}")));
    assert_eq!(in_words(found.reason), "implicit identity-based-policy");
    assert!(found.resource.is_some_and(|resource| name.starts_with(&resource) && resource.len() < name.len()));
}

#[test]
fn five_megabytes_are_read_in_linear_time() {
    #[rustfmt::skip]
    let pieces = [
        "x", " ", "\"", "a ", " b", " because", " because no ", &format!("{NO_ALLOW} "), " with an explicit deny in a ", " (Service: a)",
        " Go to https://", " Encoded authorization failure message:", " status code: 4", ".", "…", ": ", "é", "\u{2003}x",
        "is not authorized to perform:", "User: ", " policy", "identity-based polic",
    ];
    for (index, piece) in pieces.into_iter().enumerate() {
        // All of them at 5 MB would only be slow: in quadratic time, 500 kB would take an hour, too.
        let size = if index < 2 { 5_000_000 } else { 500_000 };
        let long = piece.repeat(size / piece.len());
        let messages = [
            john(&format!("a:B on resource: {long}")),
            john(&format!("a:B on resource: c {NO_ALLOW}{long}")),
            john(&format!("a:B with an explicit deny in a {long}")),
            format!("{long}{}", john("a:B")),
        ];
        for message in messages {
            let start = Instant::now();
            let _ = parse(&message);
            assert!(start.elapsed() < Duration::from_secs(20), "{piece:?}");
        }
    }
}

/// Whole sentences of every form, behind "perform: ".
fn whole() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let resource = prop::sample::select(vec![
        "", " on resource: My-Trail", " on resource: *", " on resource: role reader", " on resource: instance profile web",
        " on resource: arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail", " on this resource",
        " on the resource associated with this ciphertext", " on resource: \"arn:aws:s3:::amzn-s3-demo-bucket/a b\"",
    ]);
    #[rustfmt::skip]
    let kind = prop::sample::select(vec![
        "an identity-based", "a resource-based", "a service control", "a resource control", "a session", "the role trust", "a network-based",
    ]);
    let reason = (kind, 0..6).prop_map(|(kind, form)| match form {
        0 => String::new(),
        1 => format!(" with an explicit deny in {kind} policy"),
        2 => format!(" with an explicit deny in {kind} policy: {SCP}"),
        3 => format!(" with an explicit deny in a permissions boundary transitively through {kind} policy, with policy ARN: {SCP}"),
        4 => format!(" {THREE_WAY}"),
        _ => format!(" because no {} policy allows the cloudtrail:GetTrail action", kind.split_once(' ').unwrap().1),
    });
    let tail = prop::sample::select(vec!["", ".", ". Encoded authorization failure message: EXAMPLE"]);
    (resource, reason, tail).prop_map(|(resource, reason, tail)| format!("cloudtrail:GetTrail{resource}{reason}{tail}"))
}

/// What people and attackers write into names.
fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "x", " ", " ", "\n", "\"", ".", "...", "…", ":", "(", ")", "user ", "policy ", "é", "\u{2003}", "because", " w", " b",
            NO_ALLOW, " with an explicit deny in a service control policy", " with an explicit deny", " because no ", " on resource: ",
            "User: arn:aws:iam::111122223333:role/Admin is not authorized to perform: a:B", " (Service: a)", " (SDK Attempt Count: 1)",
            ". Encoded authorization failure message: ", ". Go to https://a for complete details, or call the", " status code: 400, request id: a",
            ": arn:aws:iam::123456789012:policy/ExampleDenyPolicy",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

/// What a part of a sentence may say about the why, where the whole says `whole`.
fn may_say(part: &Sentence, whole: &Sentence, text: &str) -> bool {
    let is_old_explicit_form =
        text.trim_end().ends_with(" with an explicit deny") && in_words(part.reason) == "explicit ?";
    part.reason == whole.reason || matches!(part.reason, Reason::None | Reason::Cut) || is_old_explicit_form
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(message in any::<String>()) {
        let _ = parse(&message);
        let _ = parse(&john(&message));
        let _ = parse(&john(&format!("a:B on resource: {message}")));
        let _ = parse(&john(&format!("a:B{message} with an explicit deny in a {message}policy: {message}")));
    }

    #[test]
    fn a_damaged_sentence_makes_no_panic_and_no_field_that_is_not_in_it(
        rest in whole(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), new in "\\PC{0,4}| |\"|\\.\\.\\.|because "
    ) {
        let message = john(&rest);
        let marks: Vec<usize> = message.char_indices().map(|(at, _)| at).chain([message.len()]).collect();
        let damaged = format!("{}{new}{}", &message[..marks[from.index(marks.len())]], &message[marks[to.index(marks.len())]..]);
        if let Some(found) = parse(&damaged) {
            let on_one_line = damaged.split_whitespace().collect::<Vec<_>>().join(" ");
            for field in [&found.principal, &found.resource, &found.policy_arn, &found.operation].into_iter().flatten() {
                prop_assert!(on_one_line.contains(field.as_str()), "{field} in {damaged}");
            }
            prop_assert!(on_one_line.to_lowercase().contains(&found.action.to_lowercase()));
        }
    }

    #[test]
    fn no_name_changes_the_cause(name in name(), explicit in any::<bool>(), quoted in any::<bool>()) {
        let clause = if explicit { "with an explicit deny in a service control policy" } else { "because no VPC endpoint policy allows the a:B action" };
        let name = if quoted { format!("\"{name}\"") } else { name };
        let found = read(&john(&format!("cloudtrail:StopLogging on resource: {name} {clause}")));
        let truth = if explicit { "explicit service-control-policy" } else { "implicit vpc-endpoint-policy" };
        prop_assert!(found.reason == Reason::Unrecognised || in_words(found.reason) == truth, "{name} {:?}", found.reason);
        prop_assert_eq!(found.principal.as_deref(), Some(JOHN));
        prop_assert_eq!(found.action.as_str(), "cloudtrail:StopLogging");
        prop_assert_eq!(found.policy_arn, None);
        prop_assert!(found.clauses > name.matches(NO_ALLOW).count());
    }

    #[test]
    fn a_name_without_white_space_hides_nothing(name in "[a-zA-Z0-9:/_.*-]{1,60}[a-z]") {
        for (behind, reason) in [("", "none"), (NO_ALLOW, "implicit identity-based-policy")] {
            let found = read(&john(&format!("a:B on resource: {name} {behind}")));
            prop_assert_eq!((found.resource, in_words(found.reason)), (Some(name.clone()), reason.to_owned()));
        }
    }
}

proptest! {
    // Each case reads some two thousand cuts.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_never_tells_another_cause(rest in whole(), spare in 0usize..200) {
        let whole = read(&john(&rest));
        for (length, end) in (0..john(&rest).len()).flat_map(|length| [(length, ""), (length, "…"), (length, "...")]) {
            let text = format!("{}{end}", &john(&rest)[..length]);
            let Some(found) = parse(&text) else { continue };
            prop_assert!(may_say(&found, &whole, &text), "{text} says {:?}", found.reason);
            // An ellipsis shows the break: then nothing is taken that touches it.
            if !end.is_empty() {
                prop_assert!(found.reason != Reason::None || text.contains(". E"), "{text}");
                prop_assert!(found.resource.is_none() || found.resource == whole.resource, "{text}");
                prop_assert!(found.policy_arn.is_none() || found.policy_arn == whole.policy_arn, "{text}");
            }
        }
        // The same where the length says that it may have been cut: nothing but the action can be half a word.
        let long = as_long_as(CUT_AT + john(&rest).len() + spare, &rest);
        for text in (CUT_AT..long.len()).map(|length| &long[..length]) {
            let Some(found) = parse(text) else { continue };
            let same = found.reason == whole.reason && whole.reason != Reason::None;
            prop_assert!(same || found.reason == Reason::Cut, "{text}");
            prop_assert!(found.resource.is_none() || found.resource == whole.resource, "{text}");
            prop_assert!(found.policy_arn.is_none() || found.policy_arn == whole.policy_arn, "{text}");
        }
    }
}
