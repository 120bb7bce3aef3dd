//! The sample events in all three languages: which files there are stands in a golden file, and each one passes its linter and does
//! what it says.

use std::{collections::BTreeSet, fmt::Write as _, os::unix::fs::PermissionsExt};

use super::{stage::Stage, *};

/// Compares with the golden file; writes it where `UPDATE_GOLDEN=1` is set.
fn compare(name: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emit").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&file, actual).unwrap();
    }
    let expected = fs::read_to_string(&file).expect("the golden file (UPDATE_GOLDEN=1 writes it)");
    let differs = expected.lines().zip(actual.lines()).position(|(before, after)| before != after);
    assert!(expected == actual, "{name} differs from line {differs:?} on; UPDATE_GOLDEN=1 writes it anew\n{actual}");
}

/// One line for each file and each case without one.
fn listed(index: &Value) -> String {
    let mut out = String::new();
    let mut without: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in index["files"].as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        match file["cases"].as_array() {
            None => writeln!(out, "{name}").unwrap(),
            Some(cases) => writeln!(
                out,
                "{name}\n    {} ({}, {}; cases {}, records {})",
                file["does"].as_str().unwrap(),
                file["risk"].as_str().unwrap(),
                file["reach"].as_str().unwrap(),
                cases.len(),
                file["records"],
            )
            .unwrap(),
        }
    }
    for case in index["without_file"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap_or("?");
        without.entry(text("why")).or_default().push(format!("{} {}", text("rule"), text("action")));
    }
    for (why, cases) in without {
        writeln!(out, "without a file: {why}\n    {}", cases.join("\n    ")).unwrap();
    }
    out
}

#[test]
fn the_samples_in_cloudformation() {
    let scratch = Scratch::new("samples-cloudformation");
    let folder = scratch.at("out");
    let files = emit_samples("cloudformation", &folder);
    compare("cloudformation.txt", &listed(&index(&files)));
    lint::cloudformation(&folder);
    let fixes = fixes(&files);
    let ids: BTreeSet<&str> =
        fixes.values().map(|text| text.split("\nResources:\n  ").nth(1).unwrap().split(':').next().unwrap()).collect();
    assert_eq!(ids.len(), fixes.len(), "two templates can stand in one stack");
    for (name, text) in fixes {
        assert!(text.is_ascii(), "{name}");
        let account = name.split('/').next().unwrap();
        let is_kept =
            text.contains("    Condition: IsItsAccount\n") && text.contains(&format!("      - \"{account}\"\n"));
        assert_eq!(is_kept, account != "unknown-account", "{name}\n{text}");
    }
}

#[test]
fn the_samples_in_terraform() {
    let scratch = Scratch::new("samples-terraform");
    let folder = scratch.at("out");
    let files = emit_samples("terraform", &folder);
    compare("terraform.txt", &listed(&index(&files)));
    let defined = lint::terraform(&folder);
    assert!(defined.len() > 3 && defined["111122223333"].len() > 40, "{defined:?}");
    for (account, addresses) in defined {
        let is_kept = addresses.contains(&"data.aws_caller_identity.trailpass".to_owned());
        assert_eq!(is_kept, account != "unknown-account");
        assert_eq!(files.contains_key(&format!("{account}/account.tf")), is_kept);
        assert!(
            !is_kept || files[&format!("{account}/account.tf")].contains(&format!("self.account_id == \"{account}\""))
        );
    }
}

#[test]
fn the_samples_as_scripts() {
    let scratch = Scratch::new("samples-cli");
    let folder = scratch.at("out");
    let files = emit_samples("cli", &folder);
    compare("cli.txt", &listed(&index(&files)));
    lint::shell(&folder);
    for (name, text) in fixes(&files) {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} can be run");
        assert!(text.starts_with("#!/bin/sh\n") && text.is_ascii(), "{name}");
    }
    assert_eq!(fs::metadata(folder.join("index.json")).unwrap().permissions().mode() & 0o111, 0);
}

/// Run as they are, by their own first line.
#[test]
fn scripts_do_what_they_say_and_in_their_account_only() {
    let scratch = Scratch::new("samples-run");
    let folder = scratch.at("out");
    let files = emit_samples("cli", &folder);
    let index = index(&files);
    let run = |stage: &Stage, name: &str| stage.shell("sh", &format!("exec '{}'", folder.join(name).display()));
    let (mut changed, mut shown) = (0, 0);
    for file in index["files"].as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let is_write = |call: &Vec<String>| ["attach-", "put-", "create-"].iter().any(|verb| call[1].starts_with(verb));
        if file["is_change"] == false {
            let stage = Stage::new();
            run(&stage, name);
            assert!(stage.recorded().iter().all(|call| !is_write(call)), "{name}: {:?}", stage.recorded());
            shown += 1;
        } else if ["attach-managed-policy", "put-inline-policy", "create-cross-account-role"]
            .contains(&file["kind"].as_str().unwrap())
        {
            let account = file["account"].as_str().unwrap();
            let right = Stage::new().in_account(account);
            let output = run(&right, name);
            assert!(output.status.success(), "{name}: {output:?}");
            let calls = right.recorded();
            assert!(!calls.is_empty() && calls.iter().all(is_write), "{name}: {calls:?}");
            let target = file["target"]["name"].as_str().unwrap();
            assert!(calls.iter().all(|call| call[3] == target), "{name}: {calls:?}");

            let wrong = Stage::new().in_account("999988887777");
            assert!(!run(&wrong, name).status.success(), "{name} works in another account");
            assert_eq!(wrong.recorded(), Vec::<Vec<String>>::new(), "{name}");
            changed += 1;
        }
    }
    assert!(changed > 40 && shown > 10, "{changed} {shown}");
}

#[test]
fn whatever_the_order_the_files_are_the_same() {
    let scratch = Scratch::new("order");
    let mut samples = sample_events();
    let run = |name: &str, samples: &[String]| {
        let folder = scratch.at(name);
        let head = ["explain", "--emit", "terraform", folder.to_str().unwrap()];
        let arguments: Vec<&str> = head.into_iter().chain(samples.iter().map(String::as_str)).collect();
        assert_eq!(trailpass(&arguments, "").status, Some(0));
        tree(&folder)
    };
    let forwards = run("forwards", &samples);
    samples.reverse();
    let backwards = run("backwards", &samples);
    let differs: Vec<_> = forwards.iter().filter(|(name, text)| backwards.get(*name) != Some(text)).collect();
    assert!(differs.is_empty() && backwards.len() == forwards.len(), "{differs:#?}");
}
