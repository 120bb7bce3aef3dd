//! One condition of an approval, broken: each break takes a record that may be granted and changes one thing.

use proptest::sample::Index;
use serde_json::{Value, json};
use tests::{actions, sample::*};

use super::grantable::{Grantable, LAKE};

/// What is broken, and how; the word and the number choose between ways to break it.
pub type Break = (&'static str, fn(&Grantable, &str, Index) -> Value);

/// An account that is nobody's here.
pub const NOBODYS: &str = "000000000000";

/// The conditions, in the order of the contract, each with the ways to break it.
pub const CONDITIONS: &[(&str, &[Break])] = &[
    ("response is not alarm or ignore, scenario is not-authorized", TOPIC),
    ("the target is a user or role of this account, and is the caller", TARGET),
    ("it can be edited, and is no workload's", EDITABLE),
    ("the record says alike who called, and it was no service in the caller's name", IDENTITY),
    ("the action is CloudTrail's, known, harmless and not of Lake", ACTION),
    ("the cause is a missing allow in an identity-based policy, or the old form for a routine action", CAUSE),
    ("there is one reason at most", REASONS),
    ("the sentence's principal does not contradict userIdentity", PRINCIPAL),
    ("every name is legal", NAMES),
    ("the resource's account is the principal's", OWNER),
];

const TOPIC: &[Break] = &[
    ("the call succeeded", |g, _, _| without(g.record(), "/errorCode")),
    ("the error is no refusal", |g, _, at| coded(g, at, &["ThrottlingException", "TrailNotFoundException", "x"])),
    ("the credentials are quarantined", |g, _, _| {
        let quarantine = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2";
        ending(g, &format!(" with an explicit deny in an identity-based policy: {quarantine}"))
    }),
    ("the account may not, whatever its policies say", |g, _, at| {
        coded(g, at, &["OperationNotPermittedException", "NotOrganizationMasterAccountException"])
    }),
    ("the organization does not trust CloudTrail", |g, _, at| coded(g, at, &["CloudTrailAccessNotEnabledException"])),
    ("CloudTrail itself was refused", |g, _, at| {
        coded(g, at, &["InsufficientS3BucketPolicyException", "NoManagementAccountSLRExistsException"])
    }),
    ("Organizations' permissions are missing", |g, _, at| {
        coded(g, at, &["InsufficientDependencyServiceAccessPermissionException"])
    }),
    ("IAM's permissions are missing", |g, _, at| coded(g, at, &["InsufficientIAMAccessPermissionException"])),
];

const TARGET: &[Break] = &[
    ("the call is another account's", |g, _, _| with(g.record(), "/recipientAccountId", NOBODYS)),
    ("the account is not in the record", |g, _, _| without(g.record(), "/recipientAccountId")),
    ("the account is no account", |g, _, at| {
        with(g.record(), "/recipientAccountId", one_of(&["", "1111", "11112222333x", "*"], at))
    }),
    ("the caller belongs to another account", |g, _, _| {
        let other = Grantable { account: NOBODYS.to_owned(), ..g.clone() };
        with(g.record(), "/userIdentity", other.identity())
    }),
    ("the caller is no user or role", |g, _, at| {
        let kinds =
            ["Root", "FederatedUser", "Directory", "AWSAccount", "AWSService", "SAMLUser", "Unknown", "iamuser"];
        with(g.record(), "/userIdentity/type", one_of(&kinds, at))
    }),
    ("the caller is Identity Center's, or nothing", |g, _, at| {
        with(g.record(), "/userIdentity/type", one_of(&["IdentityCenterUser", "WebIdentityUser", ""], at))
    }),
    ("the caller has no type", |g, _, _| without(g.record(), "/userIdentity/type")),
    ("there is no caller", |g, _, _| without(g.record(), "/userIdentity")),
    ("nothing says which of its namesakes it was", |g, _, _| {
        let record = without(g.record(), "/userIdentity/principalId");
        let issuer = "/userIdentity/sessionContext/sessionIssuer/principalId";
        if g.is_role { without(record, issuer) } else { record }
    }),
];

const EDITABLE: &[Break] = &[
    ("the role is Identity Center's", |g, _, at| {
        let paths = ["/aws-reserved/sso.amazonaws.com/", "/aws-reserved/sso.amazonaws.com/eu-west-1/"];
        let name = "AWSReservedSSO_Readers_0123456789abcdef".to_owned();
        Grantable { name, path: one_of(&paths, at).to_owned(), ..of_role(g) }.record()
    }),
    ("the role is reserved", |g, _, _| {
        Grantable { path: "/aws-reserved/other.amazonaws.com/".to_owned(), ..of_role(g) }.record()
    }),
    ("the role is a service's", |g, _, _| {
        Grantable { path: "/aws-service-role/config.amazonaws.com/".to_owned(), ..of_role(g) }.record()
    }),
    ("nothing says which role it was", |g, _, _| without(of_role(g).record(), "/userIdentity/sessionContext")),
    ("nothing says which user it was", |g, _, _| without(of_user(g).record(), "/userIdentity/arn")),
    ("an instance calls", |g, _, at| {
        let session = one_of(&["i-0abcdef1234567890", "i-12345678"], at).to_owned();
        Grantable { session, ..of_role(g) }.record()
    }),
    ("the credentials were an instance's", |g, _, _| {
        with(of_role(g).record(), "/userIdentity/sessionContext/ec2RoleDelivery", "2.0")
    }),
    ("the credentials were a function's", |g, _, _| {
        with(of_role(g).record(), "/userIdentity/inScopeOf", json!({ "issuerType": "AWS::Lambda::Function" }))
    }),
];

const ISSUER: &str = "/userIdentity/sessionContext/sessionIssuer";

const IDENTITY: &[Break] = &[
    ("the user is another account's", |g, _, _| {
        let arn = of_user(g).signed().replacen(&g.account, NOBODYS, 1);
        with(of_user(g).record(), "/userIdentity/arn", arn)
    }),
    ("the user has two names", |g, word, _| {
        with(of_user(g).record(), "/userIdentity/userName", format!("{}{word}", g.name))
    }),
    ("the user has a role's id", |g, _, _| {
        with(of_user(g).record(), "/userIdentity/principalId", of_role(g).unique_id)
    }),
    ("the session is another account's", |g, _, _| {
        let arn = of_role(g).signed().replacen(&g.account, NOBODYS, 1);
        with(of_role(g).record(), "/userIdentity/arn", arn)
    }),
    ("the role has two names", |g, word, at| {
        let role = of_role(g);
        let member = one_of(&["arn", "userName"], at);
        let value = if member == "arn" {
            role.arn("iam", &format!("role/{}{word}", role.name))
        } else {
            word.to_owned() + &role.name
        };
        with(role.record(), &format!("{ISSUER}/{member}"), value)
    }),
    ("the role is another account's or partition's", |g, _, at| {
        let role = of_role(g);
        let other = Grantable { account: NOBODYS.to_owned(), ..role.clone() };
        let name = format!("role{}{}", role.path, role.name);
        match at.index(3) {
            0 => with(role.record(), &format!("{ISSUER}/arn"), other.arn("iam", &name)),
            1 => with(role.record(), &format!("{ISSUER}/accountId"), NOBODYS),
            _ => with(role.record(), &format!("{ISSUER}/arn"), elsewhere(&role).arn("iam", &name)),
        }
    }),
    ("the role has two ids", |g, _, _| {
        with(of_role(g).record(), &format!("{ISSUER}/principalId"), "AROAEXAMPLEOFANOTHERID")
    }),
    ("the session has two names", |g, word, _| {
        let role = of_role(g);
        with(role.record(), "/userIdentity/principalId", format!("{}:{}{word}", role.unique_id, role.session))
    }),
    ("a user made the session", |g, _, _| with(of_role(g).record(), &format!("{ISSUER}/type"), "IAMUser")),
    ("a service calls for the caller", |g, _, at| {
        let services = ["config.amazonaws.com", "athena.amazonaws.com", "AWS Internal"];
        with(g.record(), "/userIdentity/invokedBy", one_of(&services, at))
    }),
    ("a service's own kind of role calls", |g, _, _| {
        Grantable { path: "/service-role/".to_owned(), ..of_role(g) }.record()
    }),
    ("a task or a build calls", |g, _, at| {
        let names = ["0123456789abcdef0123456789abcdef", "AWSCodeBuild-0a1b", "GlueJobRunnerSession"];
        Grantable { session: one_of(&names, at).to_owned(), ..of_role(g) }.record()
    }),
];

const ACTION: &[Break] = &[
    ("the call would have blinded the log", |g, _, at| {
        let rows: Vec<_> = actions::of_risk("tampering").filter(|row| row.0.starts_with("cloudtrail:")).collect();
        let (_, operation) = rows[at.index(rows.len())].0.split_once(':').unwrap();
        with(reading(g).record(), "/eventName", operation)
    }),
    ("the action is another service's", |g, _, at| {
        let others = ["s3:GetObject", "iam:PassRole", "kms:Decrypt", "sts:AssumeRole", "config:DescribeConfigRules"];
        saying(g, g.sentence().replace(g.action, one_of(&others, at)))
    }),
    ("the action is not in the table", |g, word, _| {
        let (service, _) = g.action.split_once(':').unwrap();
        saying(g, g.sentence().replace(g.action, &format!("{service}:Frobnicate{word}")))
    }),
    ("the action is a pattern", |g, _, at| {
        saying(g, g.sentence().replace(g.action, one_of(&["cloudtrail:*", "cloudtrail:Get*", "cloudtrail-data:*"], at)))
    }),
    ("the action tampers", |g, _, at| {
        let rows: Vec<_> = actions::of_risk("tampering").collect();
        doing(g, rows[at.index(rows.len())].0).record()
    }),
    ("the action makes something of CloudTrail Lake", |g, _, at| doing(g, LAKE[at.index(LAKE.len())]).record()),
];

const CAUSE: &[Break] = &[
    ("another kind of policy does not allow", |g, _, at| ending(g, &g.reason(one_of(OTHER_KINDS, at)))),
    ("a policy denies", |g, _, at| ending(g, &format!(" with an explicit deny in a {}", one_of(OTHER_KINDS, at)))),
    ("an identity-based policy denies", |g, _, _| ending(g, " with an explicit deny in an identity-based policy")),
    ("something denies", |g, _, _| ending(g, " with an explicit deny")),
    ("one of three reasons", |g, _, _| {
        ending(
            g,
            " because the resource does not exist in this Region, no resource-based policies allow access, or a \
             resource-based policy explicitly denies access",
        )
    }),
    ("the endpoint refused", |g, _, at| coded(g, at, &["VpceAccessDenied"])),
    ("another text", |g, word, at| {
        let texts = ["Access Denied", "User is not authorized", "because no identity-based policy allows it"];
        saying(g, format!("{} {word}", one_of(&texts, at)))
    }),
    ("no text", |g, _, _| without(g.record(), "/errorMessage")),
    ("cut inside the reason", |g, _, at| {
        let reason = g.reason("identity-based policy");
        let cut = &reason[..2 + at.index(reason.len() - 3)];
        ending(g, &format!("{cut}{}", if g.risk == "routine" { "…" } else { "" }))
    }),
    ("long enough to be cut", |g, _, _| {
        saying(g, g.said_on(&g.resource_arn()).replacen("User: ", &format!("User: {}", " ".repeat(1000)), 1))
    }),
    ("the old form of a sensitive action", |g, _, at| {
        let rows: Vec<_> = actions::of_risk("sensitive").collect();
        Grantable { is_old_form: true, ..doing(g, rows[at.index(rows.len())].0) }.record()
    }),
];

const REASONS: &[Break] = &[
    ("two reasons", |g, _, at| {
        let first = g.reason(one_of(&["session policy", "identity-based policy", "service control policy"], at));
        ending(g, &(first + &g.reason("identity-based policy")))
    }),
    ("a reason in the name, and AWS's own", |g, _, _| {
        ending(g, &(g.reason("identity-based policy") + " with an explicit deny in a service control policy"))
    }),
    ("a reason in the name that the request shows", |g, _, at| {
        // AWS gave none; the name that the caller chose ends like one.
        let g = Grantable { resource: "My-Trail".to_owned(), ..doing(g, "cloudtrail:StartLogging") };
        let reason = g.reason("identity-based policy");
        let asked = one_of(&["My-Trail", &g.resource_arn()], at).to_owned() + &reason;
        with(ending(&g, &reason), "/requestParameters", json!({ "name": asked }))
    }),
];

const PRINCIPAL: &[Break] = &[
    ("the sentence names another one", |g, word, _| {
        naming(g, &Grantable { name: format!("{}{word}", g.name), ..g.clone() }.signed())
    }),
    ("the sentence names another account", |g, _, _| {
        naming(g, &Grantable { account: NOBODYS.to_owned(), ..g.clone() }.signed())
    }),
    ("the sentence names another partition", |g, _, _| naming(g, &elsewhere(g).signed())),
    ("the sentence names another session", |g, word, _| {
        let g = of_role(g);
        naming(&g, &format!("{}{word}", g.signed()))
    }),
    ("the sentence names another kind", |g, _, at| {
        let g = of_role(g);
        let others = [
            g.arn("sts", &format!("federated-user/{}", g.name)),
            g.arn("iam", &format!("user/{}", g.name)),
            g.arn("iam", "root"),
        ];
        naming(&g, &others[at.index(others.len())])
    }),
    ("the sentence names a role of the user's name", |g, _, _| {
        let g = Grantable { is_role: false, ..g.clone() };
        naming(&g, &g.arn("sts", &format!("assumed-role/{}/x1", g.name)))
    }),
    ("the sentence names nobody", |g, _, at| naming(g, one_of(&["anonymous", NOBODYS], at))),
];

const NAMES: &[Break] = &[
    ("the trail's name is illegal", |g, word, at| {
        let g = Grantable { resource: illegal_name(word, at), ..reading(g) };
        on(&g, &g.resource_arn())
    }),
    ("the trail's bare name is illegal", |g, word, at| on(&reading(g), &illegal_name(word, at))),
    ("the name that was asked for is illegal", |g, word, at| {
        let g = reading(g);
        with(on(&g, &g.resource_arn()), "/requestParameters", json!({ "name": illegal_name(word, at) }))
    }),
    ("there is no Region, or none of this partition", |g, _, at| match at.index(3) {
        0 => without(g.record(), "/awsRegion"),
        1 => with(g.record(), "/awsRegion", format!("{}*", g.place.1)),
        _ => with(g.record(), "/awsRegion", if g.place.0 == "aws-cn" { "eu-west-1" } else { "cn-north-1" }),
    }),
    ("the caller's name is illegal", |g, word, at| {
        let name = format!("{word}{}", one_of(&["*", "?", "$x", "\"", "<b>", "a;b", "a:b"], at));
        Grantable { name, ..g.clone() }.record()
    }),
    ("the caller's name is too long", |g, _, at| {
        Grantable { name: "a".repeat(65 + at.index(60)), ..g.clone() }.record()
    }),
    ("the session's name is illegal", |g, word, at| {
        let session = format!("{word}{}", one_of(&["*", "?", "$x", "\"", "<b>", ";", ":x", "!"], at));
        Grantable { session, ..of_role(g) }.record()
    }),
    ("the session's name is too long", |g, _, at| {
        Grantable { session: "a".repeat(65 + at.index(60)), ..of_role(g) }.record()
    }),
    ("the resource is everything", |g, _, _| {
        let g = reading(g);
        let said = format!("User: {} is not authorized to perform: {} on resource: *", g.signed(), g.action);
        with(saying(&g, said + &g.reason("identity-based policy")), "/requestParameters", Value::Null)
    }),
    ("the resource is not in the record", |g, _, _| on(&reading(g), "*")),
    ("the resource is none that the action takes", |g, _, at| {
        let resource_type = ["channel", "eventdatastore", "dashboard", "widget"][at.index(4)];
        let g = Grantable { resource_type, ..reading(g) };
        on(&g, &g.resource_arn())
    }),
    ("the resource is a trail, and the action takes none", |g, _, _| {
        let g = Grantable { action: "cloudtrail:ListTrails", ..reading(g) };
        on(&g, &g.resource_arn())
    }),
    ("the resource is another service's", |g, _, _| {
        let g = reading(g);
        on(&g, &g.resource_arn().replacen(":cloudtrail:", ":config:", 1))
    }),
    ("the resource is of another partition", |g, _, _| {
        let g = reading(g);
        on(&g, &elsewhere(&g).resource_arn())
    }),
];

const OWNER: &[Break] = &[
    ("the resource is another account's", |g, _, _| {
        let g = reading(g);
        on(&g, &Grantable { account: NOBODYS.to_owned(), ..g.clone() }.resource_arn())
    }),
    ("the request is about another one", |g, word, at| {
        let g = reading(g);
        let others = [
            Grantable { account: NOBODYS.to_owned(), ..g.clone() }.resource_arn(),
            Grantable { resource: format!("{word}{}", g.resource), ..g.clone() }.resource_arn(),
            format!("{word}{}", g.resource),
            g.resource_arn().replacen(g.place.1, if g.place.1 == "eu-west-1" { "eu-west-2" } else { "eu-west-1" }, 1),
        ];
        let asked = &others[at.index(others.len())];
        with(on(&g, &g.resource_arn()), "/requestParameters", json!({ "name": asked }))
    }),
    ("the resource has no account", |g, _, _| {
        let g = reading(g);
        on(&g, &Grantable { account: String::new(), ..g.clone() }.resource_arn())
    }),
    ("the record says that it is another account's", |g, _, _| {
        let g = Grantable { resource_type: "", ..doing(g, "cloudtrail:ListTrails") };
        with(g.record(), "/resources", json!([{ "accountId": NOBODYS }]))
    }),
];

const OTHER_KINDS: &[&str] = &[
    "resource-based policy",
    "permissions boundary",
    "session policy",
    "service control policy",
    "resource control policy",
    "VPC endpoint policy",
    "role trust policy",
    "network-based policy",
];

/// One of these, by the number.
fn one_of<'a>(of: &[&'a str], at: Index) -> &'a str {
    of[at.index(of.len())]
}

/// The record with one of these codes.
fn coded(from: &Grantable, at: Index, codes: &[&str]) -> Value {
    with(from.record(), "/errorCode", one_of(codes, at))
}

/// The record with another sentence.
fn saying(from: &Grantable, sentence: String) -> Value {
    with(from.record(), "/errorMessage", sentence)
}

/// The record with another end of its sentence.
fn ending(from: &Grantable, reason: &str) -> Value {
    saying(from, from.said_on(&from.resource_arn()) + reason)
}

/// The record whose sentence names somebody else.
fn naming(from: &Grantable, somebody: &str) -> Value {
    saying(from, from.sentence().replacen(&from.signed(), somebody, 1))
}

/// The record on another resource; what the request says of it goes.
fn on(from: &Grantable, resource: &str) -> Value {
    let sentence = from.said_on(resource) + &from.reason("identity-based policy");
    with(saying(from, sentence), "/requestParameters", Value::Null)
}

/// The same by a role's session.
fn of_role(from: &Grantable) -> Grantable {
    Grantable { is_role: true, unique_id: from.unique_id.replacen("AIDA", "AROA", 1), ..from.clone() }
}

/// The same by a user.
fn of_user(from: &Grantable) -> Grantable {
    Grantable { is_role: false, unique_id: from.unique_id.replacen("AROA", "AIDA", 1), ..from.clone() }
}

/// The same for another action, on the first type that it takes, with AWS's reason.
fn doing(from: &Grantable, action: &'static str) -> Grantable {
    let (_, _, types) = actions::find(action).unwrap();
    Grantable { action, resource_type: types.split(' ').next().unwrap(), is_old_form: false, ..from.clone() }
}

/// The same for a trail's configuration.
fn reading(from: &Grantable) -> Grantable {
    doing(from, "cloudtrail:GetTrail")
}

/// The same in another partition.
fn elsewhere(from: &Grantable) -> Grantable {
    let partition = if from.place.0 == "aws" { "aws-cn" } else { "aws" };
    Grantable { place: (partition, from.place.1), ..from.clone() }
}

/// A name that CloudTrail would not take for a trail.
fn illegal_name(word: &str, at: Index) -> String {
    match at.index(12) {
        0 => format!("{word}*"),
        1 => format!("{word}?"),
        2 => format!("${{aws:{word}}}"),
        3 => "ab".to_owned(),
        4 => format!("{word}{}", "a".repeat(128)),
        5 => format!("{word}..{word}"),
        6 => format!("-{word}"),
        7 => format!("{word}."),
        8 => "192.168.5.4".to_owned(),
        9 => format!("{word}\"{word}"),
        10 => format!("{word}<{word}>"),
        _ => format!("{word}/{word}"),
    }
}
