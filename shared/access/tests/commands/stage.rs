//! Where commands are played: a folder with an `aws` that records its arguments and answers what it was told to.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// A folder with an `aws` that records its arguments and answers what it was told to.
pub struct Stage(pub PathBuf);

const FAKE_AWS: &str = r#"#!/bin/sh
if [ "$1 $2" = 'sts get-caller-identity' ]; then cat "$STAGE/account"; exit 0; fi
printf '%s\0' "$#" "$@" >>"$STAGE/calls"
n=0
[ ! -f "$STAGE/count-$1-$2" ] || read -r n <"$STAGE/count-$1-$2"
n=$((n + 1))
echo "$n" >"$STAGE/count-$1-$2"
for answer in "$1-$2-$n" "$1-$2"; do
    if [ -f "$STAGE/fail-$answer" ]; then cat "$STAGE/fail-$answer" >&2; exit 254; fi
    if [ -f "$STAGE/say-$answer" ]; then cat "$STAGE/say-$answer"; exit 0; fi
done
"#;

impl Stage {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = format!("trailpass-commands-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let stage = Self(std::env::temp_dir().join(folder));
        for folder in ["bin", "tmp", "work"] {
            fs::create_dir_all(stage.0.join(folder)).expect("a temporary folder");
        }
        fs::write(stage.0.join("account"), super::ACCOUNT).expect("an account");
        let aws = stage.0.join("bin/aws");
        fs::write(&aws, FAKE_AWS).expect("the fake aws");
        let made = Command::new("chmod").arg("+x").arg(&aws).status().expect("chmod is needed for these tests");
        assert!(made.success());
        stage
    }

    /// The nth call of a command (or every one, without a number) prints this.
    pub fn says(self, command: &str, answer: impl AsRef<str>) -> Self {
        fs::write(self.0.join(format!("say-{command}")), answer.as_ref()).expect("an answer");
        self
    }

    /// The credentials are this account's; asking whose they are is no call that is recorded.
    pub fn in_account(self, account: &str) -> Self {
        fs::write(self.0.join("account"), account).expect("an account");
        self
    }

    /// … fails with this.
    pub fn fails(self, command: &str, error: &str) -> Self {
        let text = format!("\nAn error occurred ({error}) when calling the operation: no\n");
        fs::write(self.0.join(format!("fail-{command}")), text).expect("an answer");
        self
    }

    pub fn shell(&self, shell: &str, script: &str) -> Output {
        let path = format!("{}:{}", self.0.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let file = self.0.join("script");
        fs::write(&file, script).expect("a script");
        let output = Command::new(shell)
            .arg(&file)
            .current_dir(self.0.join("work"))
            .env("PATH", path)
            .env("STAGE", &self.0)
            .env("TMPDIR", self.0.join("tmp"))
            .output()
            .unwrap_or_else(|error| panic!("{shell} is needed for these tests: {error}"));
        let left: Vec<_> = fs::read_dir(self.0.join("work")).expect("the folder").collect();
        assert!(left.is_empty(), "something was run that should have been text: {left:?}\n{script}");
        output
    }

    /// Runs a script, which has to succeed, and says which calls it made.
    pub fn calls(&self, script: &str) -> Vec<Vec<String>> {
        let output = self.shell("sh", script);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{errors}\n{script}", output.status);
        self.recorded()
    }

    pub fn recorded(&self) -> Vec<Vec<String>> {
        let bytes = fs::read(self.0.join("calls")).unwrap_or_default();
        let text = String::from_utf8(bytes).expect("arguments are UTF-8");
        let mut words = text.split_terminator('\0');
        let mut calls = Vec::new();
        while let Some(count) = words.next() {
            let count: usize = count.parse().expect("a count");
            calls.push(words.by_ref().take(count).map(normal).collect());
        }
        calls
    }

    pub fn kept(&self, file: &str) -> String {
        let folder = fs::read_dir(self.0.join("tmp")).expect("the folder").next().expect("a kept folder").expect("it");
        fs::read_to_string(folder.path().join(file)).expect("a kept file")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _leftovers_do_no_harm = fs::remove_dir_all(&self.0);
    }
}

/// A JSON argument in one form, whatever its white space; another argument as it is.
fn normal(word: &str) -> String {
    match serde_json::from_str::<Value>(word) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => word.to_owned(),
    }
}
