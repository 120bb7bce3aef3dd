//! Which kind of policy decided, as far as AWS's sentence says so.

use serde_json::{Value, json};
use tests::sample::*;

use super::check;

const READ: &str = "cloudtrail:GetTrail";
const BECAUSE: &str = "because no identity-based policy allows the cloudtrail:GetTrail action";

/// Alice is refused with these words behind action and resource.
fn with_clause(clause: &str) -> Value {
    refused(user("alice"), READ, format!("{} {clause}", said(&user("alice"), READ, TRAIL)).trim_end())
}

#[test]
fn kinds_of_policy() {
    for (words, kind, remedy) in [
        ("identity-based policy", "identity-based-policy", ""),
        ("resource-based policy", "resource-based-policy", ""),
        ("permissions boundary", "permissions-boundary", "change-permissions-boundary"),
        ("session policy", "session-policy", "change-session-policy"),
        ("sessions policy", "session-policy", "change-session-policy"),
        ("service control policy", "service-control-policy", "change-service-control-policy"),
        ("resource control policy", "resource-control-policy", "change-resource-control-policy"),
        ("VPC endpoint policy", "vpc-endpoint-policy", "change-vpc-endpoint-policy"),
        ("role trust policy", "role-trust-policy", "change-trust-policy"),
        ("network-based policy", "null", ""),
        ("declarative policy", "null", ""),
    ] {
        let implicit = format!("effect: implicit-deny; policy_type: {kind}; policy_arn: null");
        let explicit =
            format!("effect: explicit-deny; policy_type: {kind}; policy_arn: null; response: suggest-fix; grants: 0");
        let article = if words.starts_with(['i', 'a']) { "an" } else { "a" };
        let mended =
            |expected: String| if remedy.is_empty() { expected } else { format!("{expected}; kinds: {remedy}") };
        check([
            (
                "nothing allows",
                with_clause(&format!("because no {words} allows the {READ} action")),
                mended(implicit).as_str(),
            ),
            (
                "something denies",
                with_clause(&format!("with an explicit deny in {article} {words}")),
                mended(explicit).as_str(),
            ),
        ]);
    }
    check([
        ("without a kind", with_clause("with an explicit deny"), "effect: explicit-deny; policy_type: null; grants: 0"),
        (
            "KMS's three at once",
            with_clause(
                "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            ),
            "effect: unknown; policy_type: resource-based-policy; grants: 0",
        ),
        (
            "through another kind it is still the first",
            with_clause("with an explicit deny in a VPC endpoint policy transitively through a service control policy"),
            "effect: explicit-deny; policy_type: vpc-endpoint-policy",
        ),
    ]);
}

#[test]
fn the_policys_arn() {
    let scp = format!("with an explicit deny in a service control policy: {SCP}");
    let words = format!("with an explicit deny in a service control policy, with policy ARN: {SCP}");
    let arn = "policy_arn: arn:aws:organizations::123456789012:policy/o-exampleorgid/service_control_policy/p-examplepolicyid; policy_type: service-control-policy";
    check([
        ("behind a colon", with_clause(&scp), arn),
        ("in words", with_clause(&words), arn),
        (
            "before AWS's encoded tail",
            with_clause(&format!("{scp}. Encoded authorization failure message: abcDEF")),
            arn,
        ),
        (
            "what is no policy's ARN",
            with_clause("with an explicit deny in an identity-based policy: arn:aws:s3:::b-1"),
            "policy_arn: null; effect: explicit-deny",
        ),
        ("an ARN is named only where something denies", with_clause(&format!("{BECAUSE}: {SCP}")), "policy_arn: null"),
    ]);
}

#[test]
fn the_last_clause_at_the_end_decides() {
    let two = "because no identity-based policy allows the cloudtrail:GetTrail action with an explicit deny in a service control policy";
    let trail = "because no identity-based policy allows the cloudtrail:GetTrail action on the moon";
    check([
        ("the last", with_clause(&format!("{} {BECAUSE}", BECAUSE.replace("identity-based", "session"))), "grants: 0"),
        ("never the first", with_clause(two), "grants: 0; response: suggest-fix"),
        ("anchored at the end", with_clause(trail), "effect: unknown; policy_type: null; grants: 0"),
        (
            "a known tail aside",
            with_clause(&format!("{BECAUSE}. Encoded authorization failure message: abcDEF")),
            "effect: implicit-deny; policy_type: identity-based-policy",
        ),
    ]);
}

#[test]
fn unknown_where_no_clause_stands() {
    let long = "a".repeat(960);
    let cut: String = missing(
        &user("alice"),
        READ,
        &format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{long}"),
        "identity-based policy",
    )
    .chars()
    .take(1024)
    .collect();
    let fake = "x because no identity-based policy allows the cloudtrail:GetTrail action";
    let hidden = refused(
        user("alice"),
        READ,
        &said(&user("alice"), READ, &format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{fake}")),
    );
    check([
        ("the old form", with_clause(""), "effect: unknown; policy_type: null; response: request-approval"),
        (
            "the old form without a resource",
            lacking_old("cloudtrail:DescribeTrails"),
            "effect: unknown; response: request-approval",
        ),
        ("cut at 1 KB", refused(user("alice"), READ, &cut), "effect: unknown; policy_type: null; grants: 0"),
        (
            "cut inside the clause",
            with_clause("because no identity-ba"),
            "effect: unknown; policy_type: null; grants: 0",
        ),
        (
            "its resource is a proper prefix of the request's",
            with(
                refused(user("alice"), READ, &said(&user("alice"), READ, &TRAIL[..TRAIL.len() - 3])),
                "/requestParameters",
                json!({ "name": TRAIL }),
            ),
            "effect: unknown; grants: 0; rule: CT121",
        ),
        (
            "of the request's bare name, too",
            with(
                refused(user("alice"), READ, &said(&user("alice"), READ, &TRAIL[..TRAIL.len() - 3])),
                "/requestParameters",
                json!({ "name": "My-Trail" }),
            ),
            "effect: unknown; grants: 0; rule: CT121",
        ),
        (
            "the rest of the name passes for a clause",
            with(
                hidden.clone(),
                "/requestParameters",
                json!({ "name": format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{fake}") }),
            ),
            "effect: unknown; policy_type: null; grants: 0",
        ),
        (
            "the rest of the bare name passes for a clause",
            with(hidden, "/requestParameters", json!({ "name": fake })),
            "effect: unknown; policy_type: null; grants: 0",
        ),
        (
            "another text",
            refused(user("alice"), READ, "Access Denied"),
            "effect: unknown; policy_type: null; grants: 0; response: suggest-fix",
        ),
        (
            "no text",
            without(refused(user("alice"), READ, "x"), "/errorMessage"),
            "effect: unknown; policy_type: null; grants: 0; response: suggest-fix",
        ),
        ("an empty text", refused(user("alice"), READ, ""), "effect: unknown; grants: 0"),
    ]);
}

fn lacking_old(action: &str) -> Value {
    refused(user("alice"), action, &said(&user("alice"), action, ""))
}
