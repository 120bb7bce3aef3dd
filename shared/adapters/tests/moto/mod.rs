//! A moto_server for one test: AWS's services, emulated on this machine.
//!
//! Decides where it comes from (`.tools/`, where `tests/tools/install.sh` puts it), that the system chooses its port, and that it never outlives
//! the test, however that ends: a shell between the two waits for the end of its standard input, which the system closes for a
//! test that panics, aborts or is killed.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const UNTIL_INPUT_ENDS: &str =
    r#""$0" -H 127.0.0.1 -p 0 "$@" </dev/null & server=$!; cat >/dev/null; kill "$server"; wait "$server""#;

pub struct Moto {
    shell: Child,
    pub url: String,
}

impl Moto {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments for moto_server.
    pub fn start_with(arguments: &[&str]) -> Self {
        let program = program();
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS])
            .arg(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut lines = BufReader::new(shell.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let url = loop {
            let Some(line) = lines.next() else { panic!("{} did not start:\n{said}", program.display()) };
            let line = line.expect("moto_server writes text");
            if let Some((_, address)) = line.split_once("Running on ") {
                break address.trim().to_owned();
            }
            said.push_str(&line);
            said.push('\n');
        };
        // It logs every request; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { shell, url }
    }

    pub async fn config(&self) -> SdkConfig {
        config(&self.url).await
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// What `http::sdk_config` makes of the environment, with an address credentials that need none, and quick second tries.
pub async fn config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(adapters::http::client())
        .timeout_config(adapters::http::timeouts())
        .endpoint_url(url)
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(10)))
        .load()
        .await
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("MOTO_SERVER") {
        return path.into();
    }
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/moto_server"));
    assert!(path.exists(), "{} is missing: run tests/tools/install.sh, or set MOTO_SERVER", path.display());
    path
}
