//! Who called: the kinds, and what is told of each.

use serde_json::json;
use tests::sample::*;

use super::check;

const READ: &str = "cloudtrail:GetTrail";

#[test]
fn kinds() {
    let saml = json!({ "type": "SAMLUser", "principalId": "x:jane@example.com", "userName": "jane@example.com", "identityProvider": "x" });
    let web = json!({ "type": "WebIdentityUser", "principalId": "accounts.google.com:app:id", "userName": "id", "identityProvider": "accounts.google.com" });
    let named = json!({ "type": "AWSAccount", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "accountId": THERE, "arn": "arn:aws:iam::444455556666:user/div/alice" });
    let unsigned = json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" });
    check([
        (
            "root",
            lacking(root(), READ, TRAIL),
            "kind: root; of: 111122223333; arn: arn:aws:iam::111122223333:root; unique_id: null; session_name: null",
        ),
        (
            "a user",
            lacking(user("alice"), READ, TRAIL),
            "kind: iam-user; name: alice; unique_id: AIDAJ45Q7YFFAREXAMPLE; session_name: null; arn: arn:aws:iam::111122223333:user/alice",
        ),
        (
            "a user with a path",
            lacking(with(user("alice"), "/arn", "arn:aws:iam::111122223333:user/div/sub/alice"), READ, TRAIL),
            "kind: iam-user; name: alice; arn: arn:aws:iam::111122223333:user/div/sub/alice",
        ),
        (
            "a session is named as its role, without the path",
            lacking(role("reader"), READ, TRAIL),
            "kind: role-session; name: reader; session_name: alice; unique_id: AROAIDPPEZS35WEXAMPLE",
        ),
        (
            "Identity Center's role",
            lacking(sso("Readers"), READ, TRAIL),
            "kind: sso-session; name: AWSReservedSSO_Readers_0123456789abcdef; session_name: alice@example.com",
        ),
        (
            "not by the name alone",
            lacking(session(HERE, "/", "AWSReservedSSO_Readers_0123456789abcdef", "alice"), READ, TRAIL),
            "kind: role-session",
        ),
        (
            "a service-linked role",
            lacking(service_linked(), READ, TRAIL),
            "kind: service-linked-role; name: AWSServiceRoleForConfig",
        ),
        (
            "not by the name alone",
            lacking(session(HERE, "/", "AWSServiceRoleForConfig", "x"), READ, TRAIL),
            "kind: role-session",
        ),
        (
            "a federated user by its own name",
            lacking(federated("jane"), READ, TRAIL),
            "kind: federated-user; name: jane; unique_id: null",
        ),
        ("SAML", lacking(saml, READ, TRAIL), "kind: saml-user; name: jane@example.com"),
        ("web identity", lacking(web, READ, TRAIL), "kind: web-identity-user; name: id"),
        (
            "Identity Center's user",
            lacking(identity_center(), READ, TRAIL),
            "kind: identity-center-user; name: 544894e8-80c1-707f-60e3-3ba6510dfac1; of: 111122223333",
        ),
        ("a service", lacking(service(), READ, TRAIL), "kind: aws-service; name: ssm.amazonaws.com"),
        (
            "another account without an ARN",
            lacking(stranger(), READ, TRAIL),
            "kind: aws-account; of: 444455556666; name: null; arn: null; unique_id: AROAIDPPEZS35WEXAMPLE",
        ),
        (
            "another account with one",
            lacking(named, READ, TRAIL),
            "kind: aws-account; name: alice; unique_id: AIDAJ45Q7YFFAREXAMPLE",
        ),
        ("nobody signed", lacking(unsigned, READ, TRAIL), "kind: anonymous; of: null; name: null"),
        (
            "a form that is not known",
            lacking(json!({ "type": "Directory", "accountId": HERE }), READ, TRAIL),
            "kind: unknown; of: 111122223333",
        ),
        (
            "no identity",
            without(lacking(user("alice"), READ, TRAIL), "/userIdentity"),
            "kind: unknown; of: null; name: null",
        ),
        ("an identity of no type", lacking(json!({ "accountId": HERE }), READ, TRAIL), "kind: unknown"),
    ]);
}

#[test]
fn ids() {
    check([
        (
            "a key's id is no principal's",
            lacking(with(user("alice"), "/principalId", "AKIAIOSFODNN7EXAMPLE"), READ, TRAIL),
            "unique_id: null",
        ),
        (
            "an account is no principal's id",
            lacking(with(user("alice"), "/principalId", HERE), READ, TRAIL),
            "unique_id: null",
        ),
        ("a session's id without its name", lacking(role("reader"), READ, TRAIL), "unique_id: AROAIDPPEZS35WEXAMPLE"),
        (
            "userIdentity says who it was, not the sentence",
            refused(user("bob"), READ, &missing(&user("alice"), READ, TRAIL, "identity-based policy")),
            "name: bob; grants: 0",
        ),
    ]);
}

#[test]
fn the_permission_set_is_the_target() {
    check([
        (
            "by name",
            lacking(sso("Log_Readers"), READ, TRAIL),
            "response: suggest-fix; kinds: change-permission-set, change-permission-set; targets: permission-set Log_Readers, permission-set Log_Readers; grants: 0",
        ),
        (
            "hosted in us-east-1, its path has no Region",
            lacking(
                session(
                    HERE,
                    "/aws-reserved/sso.amazonaws.com/",
                    "AWSReservedSSO_Ops_0123456789abcdef",
                    "a@example.com",
                ),
                READ,
                TRAIL,
            ),
            "kind: sso-session; targets: permission-set Ops, permission-set Ops",
        ),
    ]);
}
