//! The house's rules, held by a test: what a reviewer would otherwise have to say every time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use tests::{events::repository, golden::assert_none};

/// The longest that a file of Rust may be.
const LINES: usize = 500;

/// Folders that builds and tools fill; git leaves them out, too.
const FILLED: &[&str] = &[
    ".git",
    "target",
    ".tools",
    ".aws-sam",
    ".trailpass",
    "node_modules",
    "__pycache__",
    "corpus",
    "artifacts",
    "coverage",
];

/// Every file of the repository, by its path from the root.
fn files() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !FILLED.iter().any(|filled| *filled == name) {
                walk(&entry.path(), found);
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    let root = repository();
    let mut found = Vec::new();
    walk(&root, &mut found);
    let relative = |path: PathBuf| path.strip_prefix(&root).unwrap().to_str().expect("a plain path").replace('\\', "/");
    let mut files: Vec<String> = found.into_iter().map(relative).collect();
    files.sort();
    assert!(files.len() > 100, "the repository is here");
    files
}

/// The text of a file; nothing for what is no text.
fn text(file: &str) -> String {
    fs::read(repository().join(file)).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// The files of Rust that are ours.
fn rust() -> Vec<String> {
    let ours = |file: &String| {
        file.ends_with(".rs") && ["shared/", "functions/", "tests/"].iter().any(|folder| file.starts_with(folder))
    };
    files().into_iter().filter(ours).collect()
}

/// The code of `access`, its tests included: they need no more than it does.
fn domain() -> Vec<(String, String)> {
    let is_ours =
        |file: &String| ["src", "data"].iter().any(|folder| file.starts_with(&format!("shared/access/{folder}/")));
    rust().into_iter().filter(is_ours).map(|file| (file.clone(), text(&file))).collect()
}

/// The tables of a manifest: header, then its lines without comments.
fn tables(manifest: &str) -> Vec<(String, Vec<String>)> {
    let mut tables = vec![(String::new(), Vec::new())];
    for line in text(manifest).lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(header) if !line.contains('=') => {
                tables.push((header.trim_matches(['[', ']']).to_owned(), Vec::new()))
            }
            _ => tables.last_mut().unwrap().1.push(line.to_owned()),
        }
    }
    tables
}

/// The manifests of the workspace's members, and the root's.
fn manifests() -> Vec<String> {
    files().into_iter().filter(|file| file.ends_with("Cargo.toml") && !file.starts_with("tests/fuzz/")).collect()
}

#[test]
fn files_are_short() {
    let lines = |file: &String| text(file).lines().count();
    let long =
        rust().into_iter().filter(|file| lines(file) > LINES).map(|file| format!("{file}: {} lines", lines(&file)));
    assert_none("longer than 500 lines", &long.collect::<Vec<_>>());
}

#[test]
fn files_say_what_they_are() {
    // A list that is included says so in an ordinary comment: a doc comment would belong to whatever follows.
    let says = |file: &String| {
        let first = text(file).lines().next().unwrap_or_default().to_owned();
        first.starts_with("//! ") && first.len() > 10 || file.contains("/data/") && first.starts_with("// ")
    };
    let silent: Vec<String> = rust().into_iter().filter(|file| !says(file)).collect();
    assert_none("no doc comment in the first line", &silent);
}

#[test]
fn modules_are_called_after_what_they_are() {
    const VAGUE: &[&str] = &[
        "utils", "util", "common", "helpers", "helper", "types", "misc", "manager", "service", "shared", "base", "core",
    ];
    let vague = rust().into_iter().filter(|file| {
        let path = file.strip_prefix("shared/").unwrap_or(file);
        path.split('/').any(|part| VAGUE.contains(&part.trim_end_matches(".rs")))
    });
    let declared = rust().into_iter().flat_map(|file| {
        let text = text(&file);
        let after_mod = |line: &str| line.trim().trim_start_matches("pub ").strip_prefix("mod ").map(str::to_owned);
        let name = |rest: String| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
        let names = text.lines().filter_map(after_mod).filter_map(name).filter(|name| VAGUE.contains(&name.as_str()));
        names.map(|name| format!("{file}: mod {name}")).collect::<Vec<_>>()
    });
    assert_none("a name that says nothing", &vague.chain(declared).collect::<Vec<_>>());
}

#[test]
fn the_domain_is_pure() {
    const IMPURE: &[&str] = &[
        "std::env",
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::net::ToSocketAddrs",
        "std::process",
        "std::thread",
        "std::io",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
        "async fn",
        ".await",
        "tokio",
        "aws_sdk",
        "aws_config",
        "lambda_runtime",
        "reqwest",
        "hyper",
        "println!",
        "eprintln!",
        "print!",
        "dbg!",
        "env!(",
        "unsafe ",
        "thread_rng",
        "rand::",
    ];
    let code = domain();
    assert!(code.len() > 30, "the domain is here");
    let impure = code.iter().flat_map(|(file, code)| {
        let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let found = lines.filter_map(move |(at, line)| {
            IMPURE.iter().find(|word| line.contains(*word)).map(|word| format!("{file}:{}: {word}", at + 1))
        });
        found.collect::<Vec<_>>()
    });
    // `std::net::Ipv4Addr` reads a text and opens nothing.
    assert_none("the domain does I/O, waits, or reads a clock", &impure.collect::<Vec<_>>());
}

#[test]
fn the_domain_depends_on_little() {
    const ALLOWED: &[&str] = &["serde", "serde_json", "memchr", "sha2", "hmac", "jiff", "maud", "cedar-policy"];
    let tables = tables("shared/access/Cargo.toml");
    let dependencies: Vec<&String> =
        tables.iter().filter(|(header, _)| header == "dependencies").flat_map(|(_, lines)| lines).collect();
    assert!(!dependencies.is_empty(), "the manifest was read");
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    let others: Vec<String> =
        dependencies.iter().map(|line| name(line)).filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    assert_none("new dependencies of the domain", &others);
    // The clock of jiff is a feature, and off: `now` is a parameter.
    let root = text("Cargo.toml");
    let jiff = root.lines().find(|line| line.starts_with("jiff")).expect("jiff stands in the root");
    assert!(jiff.contains("default-features = false"), "{jiff}");
}

#[test]
fn cedar_stays_out_of_triage() {
    // A megabyte and three milliseconds of each cold start, for rules that triage never asks.
    let root = text("Cargo.toml");
    let access = root.lines().find(|line| line.starts_with("access ")).expect("access stands in the root");
    assert!(!access.contains("features"), "{access}");
    let is_optional = |line: &String| line.starts_with("cedar-policy") && line.contains("optional = true");
    assert!(tables("shared/access/Cargo.toml").iter().any(|(_, lines)| lines.iter().any(is_optional)));
    for manifest in ["functions/triage/Cargo.toml", "shared/adapters/Cargo.toml"] {
        assert!(!tables(manifest).iter().flat_map(|(_, lines)| lines).any(|line| line.contains("rules")), "{manifest}");
    }
    // Nor does access switch it on by itself.
    let default = |line: &String| line.starts_with("default");
    assert!(!tables("shared/access/Cargo.toml").iter().any(|(_, lines)| lines.iter().any(default)));
}

#[test]
fn arrows_point_one_way() {
    // functions → {adapters, access}; cli → {adapters, access, functions}; adapters → access.
    const MAY: &[(&str, &[&str])] = &[
        ("shared/access/", &[]),
        ("shared/adapters/", &["access"]),
        ("functions/", &["access", "adapters"]),
        ("shared/cli/", &["access", "adapters", "triage", "decide", "reconcile"]),
    ];
    let members = ["access", "adapters", "cli", "triage", "decide", "reconcile", "tests"];
    let mut wrong = Vec::new();
    for manifest in manifests() {
        let Some((_, may)) = MAY.iter().find(|(folder, _)| manifest.starts_with(folder)) else { continue };
        for (header, lines) in tables(&manifest) {
            for line in lines.iter().filter(|_| header == "dependencies") {
                let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
                if members.contains(&name) && !may.contains(&name) {
                    wrong.push(format!("{manifest}: {name}"));
                }
            }
        }
    }
    assert_none("an arrow the wrong way", &wrong);
}

#[test]
fn one_binary_is_called_trailpass() {
    let mut called = Vec::new();
    for manifest in manifests() {
        let tables = tables(&manifest);
        let named = |header: &str| {
            tables
                .iter()
                .filter(|(found, _)| found == header)
                .flat_map(|(_, lines)| lines)
                .filter(|line| line.replace(' ', "") == "name=\"trailpass\"")
                .count()
        };
        let folder = Path::new(&manifest).parent().unwrap();
        let is_program = repository().join(folder).join("src/main.rs").is_file();
        let has_own_names = tables.iter().any(|(header, _)| header == "bin");
        // A package without `[[bin]]` names its binary after itself.
        let count = named("bin") + usize::from(is_program && !has_own_names) * named("package");
        called.extend(std::iter::repeat_n(manifest.clone(), count));
        let more = repository().join(folder).join("src/bin/trailpass.rs").is_file();
        called.extend(more.then(|| format!("{}/src/bin", folder.display())));
    }
    assert_eq!(called.len(), 1, "exactly one binary is called trailpass: {called:?}");
}

#[test]
fn versions_and_features_stand_in_the_root() {
    let mut wrong = Vec::new();
    for manifest in manifests().into_iter().filter(|manifest| manifest != "Cargo.toml") {
        for (header, lines) in tables(&manifest) {
            if !(header.ends_with("dependencies") || header.contains("dependencies.")) {
                continue;
            }
            for line in lines {
                let from_root = line.contains("workspace = true") || line.starts_with("workspace = true");
                // A member may ask for more of what the root names; it may not name a version, a path or a place of its own.
                let own = ["version", "path", "git", "registry", "default-features"]
                    .iter()
                    .any(|word| line.contains(&format!("{word} =")));
                if !from_root && !line.starts_with("features") && !line.starts_with("optional") || own {
                    wrong.push(format!("{manifest}: {line}"));
                }
            }
        }
    }
    assert_none("a dependency that the root does not name", &wrong);
    let root = tables("Cargo.toml");
    let lints = root.iter().any(|(header, lines)| {
        header == "workspace.lints.rust" && lines.iter().any(|line| line.contains("unsafe_code"))
    });
    assert!(lints, "lints for all stand in the root");
    let without: Vec<String> = manifests()
        .into_iter()
        .filter(|manifest| manifest != "Cargo.toml")
        .filter(|manifest| {
            !tables(manifest)
                .iter()
                .any(|(header, lines)| header == "lints" && lines.contains(&"workspace = true".to_owned()))
        })
        .collect();
    assert_none("a member without the workspace's lints", &without);
}

#[test]
fn nothing_points_at_one_machine() {
    // Whatever works only where it was written: somebody's folders, a private place to load packages from.
    let places = ["/home/", "/Users/", "/work", "/root/", "C:\\"].map(|place| place.to_owned()).into_iter();
    let hosts =
        ["index.crates", "pypi.org/simple", "artifactory", "nexus.", "jfrog"].map(|host| host.to_owned()).into_iter();
    let forbidden: Vec<String> = places.chain(hosts).collect();
    let this = "tests/tests/tidy.rs";
    let found = files().into_iter().filter(|file| file != this).flat_map(|file| {
        let text = text(&file);
        let lines = text.lines().enumerate().filter_map(|(at, line)| {
            // `/work` as a path of its own, and no part of a word or a URL.
            let has = |place: &String| match line.find(place.as_str()) {
                Some(start) => {
                    let before = line[..start].chars().next_back();
                    let after = line[start + place.len()..].chars().next();
                    let is_path =
                        place.ends_with('/') || after.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
                    !place.starts_with('/')
                        || before.is_none_or(|c| !c.is_alphanumeric() && !"./_-}*\\)>".contains(c)) && is_path
                }
                None => false,
            };
            forbidden.iter().find(|place| has(place)).map(|place| format!("{file}:{}: {place}", at + 1))
        });
        lines.collect::<Vec<_>>()
    });
    assert_none("a place on one machine", &found.collect::<Vec<_>>());
}

#[test]
fn only_example_ids() {
    // The accounts that AWS's documentation uses, zeros, and what tests count with.
    const EXAMPLES: &[&str] = &["111122223333", "444455556666", "123456789012"];
    let mut strangers = Vec::new();
    for file in files().into_iter().filter(|file| file.starts_with("events/")) {
        let text = text(&file);
        let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 12);
        let is_account = |word: &&str| {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let after = text[at + 12..].chars().next().unwrap_or(' ');
            !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric() && before != '-'
        };
        strangers.extend(
            digits.filter(is_account).filter(|word| !EXAMPLES.contains(word)).map(|word| format!("{file}: {word}")),
        );
        for (start, prefix) in ["AKIA", "ASIA", "AIDA", "AROA"].iter().flat_map(|prefix| text.match_indices(prefix)) {
            let id: String = text[start..].chars().take_while(char::is_ascii_alphanumeric).collect();
            if id.len() >= 16 && !id.contains("EXAMPLE") {
                strangers.push(format!("{file}: {prefix}… {id}"));
            }
        }
    }
    assert_none("ids that could be somebody's", &strangers);
}
