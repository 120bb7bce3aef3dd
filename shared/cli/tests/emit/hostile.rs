//! Records that try to choose a path, or to make a comment a command.

use super::*;

const HOSTILE: &[&str] = &[
    "../../../etc/cron.d/x",
    "..\\..\\x",
    "/etc/passwd",
    "-rf",
    "--help",
    ".bashrc",
    "CON",
    "con.tf",
    "x\ntouch pwned\n",
    "x\r\ntouch pwned",
    "x\u{85}Resources: {}\u{2028}b: c",
    "'; touch pwned; '",
    "$(touch pwned)`touch pwned`",
    "${file(\"/etc/passwd\")} %{ for x in y }",
    "{{resolve:ssm:secret}}",
    "x\u{0}y",
    "\u{1b}[2J\u{202e}exe.txt",
    "x shellcheck disable=all",
    "x vim: set modeline foldexpr=system('touch pwned') :",
    "# */ EOF",
    "日本語",
];

/// Records with a hostile text wherever callers write.
fn records() -> Vec<Value> {
    let long = "x".repeat(70_000);
    let mut records = Vec::new();
    for text in HOSTILE.iter().copied().chain([long.as_str()]) {
        let mut named = denied("alice", "My-Trail");
        named["userIdentity"]["userName"] = json!(text);
        records.push(named);
        records.push(denied(text, "My-Trail"));
        records.push(denied("alice", text));
        for member in ["eventName", "eventSource", "awsRegion", "recipientAccountId", "errorMessage", "userAgent"] {
            let mut record = denied("alice", "My-Trail");
            record[member] = json!(text);
            records.push(record);
        }
        let mut request = denied("alice", "My-Trail");
        request["requestParameters"] = json!({"name": text});
        records.push(request);
        let mut account = denied("alice", "My-Trail");
        account["userIdentity"]["accountId"] = json!(text);
        account["recipientAccountId"] = json!(text);
        records.push(account);
        let mut session = denied("alice", "My-Trail");
        session["userIdentity"] = json!({
            "type": "AssumedRole", "principalId": format!("AROAEXAMPLE0000000001:{text}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/{text}/{text}"), "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE0000000001",
                "arn": format!("arn:aws:iam::111122223333:role/{text}"), "accountId": "111122223333", "userName": text}},
        });
        records.push(session);
        // A service's denial, with the hostile text as IAM's own free text.
        let mut service = denied("alice", "My-Trail");
        service["errorMessage"] = json!(format!(
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cloudtrail:GetTrailStatus on resource: {text} \
             with an explicit deny in a service control policy"
        ));
        records.push(service);
    }
    records
}

/// What stops these is over the account, so whoever called gets a file that names them.
fn over(text: &str) -> Vec<Value> {
    let ceiling = |mut record: Value, name: &str, value: Value| {
        let sentence = record["errorMessage"].as_str().unwrap().split(" because ").next().unwrap().to_owned();
        let tail = " because no service control policy allows the cloudtrail:GetTrailStatus action";
        record["errorMessage"] = json!(sentence + tail);
        record["userIdentity"][name] = value;
        record
    };
    vec![
        ceiling(denied("alice", "My-Trail"), "userName", json!(text)),
        ceiling(denied("alice", "My-Trail"), "arn", json!(format!("arn:aws:iam::111122223333:user/{text}"))),
        ceiling(denied(text, "My-Trail"), "principalId", json!(text)),
    ]
}

/// Names, and what stands in comments and first behind them.
fn check(fixes: &BTreeMap<&str, &str>) {
    for (name, text) in fixes {
        let (account, file) = name.split_once('/').expect("one folder deep");
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        assert!(is_account || account == "unknown-account", "{name}");
        let (stem, extension) = file.split_once('.').unwrap();
        assert!(["sh", "tf", "yaml"].contains(&extension) && stem.starts_with("ct") && file.len() <= 125, "{name}");
        assert!(stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        assert!(text.is_ascii() && !text.contains(['\r', '\t', '\0', '\u{1b}']), "{name}");
        let comments = text.lines().filter(|line| line.starts_with('#'));
        for line in comments {
            assert!(!line.contains(" vim:") && !line.contains(" shellcheck"), "{name}: {line}");
        }
        let body = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
        assert!(
            ["(", "aws ", "resource ", "data ", "AWSTemplateFormatVersion"].iter().any(|known| body.starts_with(known)),
            "{name}: {body}"
        );
    }
}

#[test]
fn nothing_that_a_caller_wrote_chooses_a_path_or_leaves_a_comment() {
    for language in LANGUAGES {
        let scratch = Scratch::new(&format!("hostile-{language}"));
        let folder = scratch.at("out");
        let ran = emit(language, &folder, lines(records()));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(scratch.names(), ["out"]);
        let files = tree(&folder);
        let fixes = fixes(&files);
        assert!(fixes.len() > 3, "{fixes:?}");
        check(&fixes);
        // The index shows what was written there as text, and nothing that a terminal obeys.
        assert!(!files["index.json"].contains(['\u{1b}', '\u{202e}', '\u{0}']));
        index(&files);
        match language {
            "cli" => lint::shell(&folder),
            "terraform" => drop(lint::terraform(&folder)),
            _ => lint::cloudformation(&folder),
        }
        if language == "cli" {
            for name in fixes.keys() {
                // The stage fails if anything but `aws` was run.
                stage::Stage::new().shell("sh", &format!("exec '{}'", folder.join(name).display()));
            }
        }
    }
}

/// Each by itself: a head names twenty cases and no more.
#[test]
fn whoever_is_named_in_a_head_is_one_word() {
    let scratch = Scratch::new("named");
    let mut named = 0;
    for (at, text) in HOSTILE.iter().enumerate() {
        let folder = scratch.at(&at.to_string());
        let files = emitted("cli", &folder, lines(over(text)));
        let fixes = fixes(&files);
        check(&fixes);
        lint::shell(&folder);
        // What isn't plain is spelt out: a space, too.
        named += fixes.values().filter(|text| text.contains("\\u{")).count();
    }
    assert!(named > 10, "{named}");
}
