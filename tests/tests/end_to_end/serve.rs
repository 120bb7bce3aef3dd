//! `trailpass serve` with real grants: the same handlers in one process, with the credentials of whoever runs it, on the emulated IAM.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use access::grant::GrantMode;
use serde_json::{Value, json};
use tests::local::{
    ACCOUNT, REGION,
    aws::Keys,
    denials::NO_POLICY,
    function::fresh_id,
    http::{self, Request},
    moto::Moto,
};

use crate::{
    TRAILPASS,
    desk::{ALL, person},
    grants::{Stack, Who},
};

/// A serve, ended with its test, and its folder.
struct Serve {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// Where AWS's answers come from.
    aws: Vec<(String, String)>,
}

impl Serve {
    fn start(stack: &Stack, approvers: &Value, keys: &Keys) -> Self {
        let folder = std::env::temp_dir().join(format!("trailpass-serve-{}", fresh_id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("approvers.json"), approvers.to_string()).unwrap();
        // As the deployed functions reach it: users have the ids there that AWS would give them.
        let settings = stack.place.settings.iter().filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL"));
        let mut aws: Vec<_> = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
        aws.push(("AWS_ACCESS_KEY_ID".to_owned(), keys.id.clone()));
        aws.push(("AWS_SECRET_ACCESS_KEY".to_owned(), keys.secret.clone()));
        let mut command = Self::command(&aws);
        command.args(["serve", "--listen", "127.0.0.1:0", "--grant-mode", "exact", "--approvers"]);
        command.arg(folder.join("approvers.json")).arg("--data").arg(folder.join("data"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended before it listened: {said}")).unwrap();
            if let Some(rest) = line.strip_prefix("Listening on http://") {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
            said.push_str(&line);
        };
        assert!(said.contains(&format!("Grants are made in account {ACCOUNT}")), "{said}");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, folder, aws }
    }

    fn command(aws: &[(String, String)]) -> Command {
        let mut command = Command::new(TRAILPASS);
        command.env_clear().stdin(Stdio::null());
        for (name, value) in [("AWS_REGION", REGION), ("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")] {
            command.env(name, value);
        }
        command.envs(aws.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a verb printed, whatever came of it.
    async fn types(&self, words: &[&str]) -> (bool, String) {
        let mut command = Self::command(&self.aws);
        command.args(words).arg("--data").arg(self.folder.join("data"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    }

    async fn posts(&self, body: &str, token: Option<&str>) -> (u16, String) {
        let mut headers = vec![("host".to_owned(), self.address.to_string())];
        headers.extend(token.map(|token| ("x-trailpass-token".to_owned(), token.to_owned())));
        let (method, path) = ("POST".to_owned(), "/".to_owned());
        let request = Request { method, path, headers, body: body.as_bytes().to_vec() };
        let answer = http::send(self.address, &request).await.unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_one_machine_is_real_where_it_was_asked_for() {
    let moto = Moto::start();
    let stack = Stack::at(&moto, "machine", GrantMode::Exact).await;
    let denial = stack.denial(Who::User).await.because(NO_POLICY);
    let people = json!({ "schema": "trailpass.approvers/1", "approvers": [
        { "name": "saanvi", "aws": [format!("arn:aws:iam::{ACCOUNT}:user/saanvi")] },
    ] });
    let keys = person(&stack.place.aws, "saanvi", ALL).await;
    let serve = Serve::start(&stack, &people, &keys);
    let running = std::fs::read_to_string(serve.folder.join("data/serve.json")).unwrap();
    let token = serde_json::from_str::<Value>(&running).unwrap()["token"].as_str().unwrap().to_owned();

    // Everybody on this machine can reach the port, and could make a denial up.
    let event = denial.event().to_string();
    for token in [None, Some("0")] {
        assert_eq!(serve.posts(&event, token).await.0, 401);
    }
    let (status, taken) = serve.posts(&event, Some(&token)).await;
    assert!(status == 200 && taken.contains("\"posted\":1"), "{taken}");

    let (_, cases) = serve.types(&["cases", "--format", "json"]).await;
    let case: Value = serde_json::from_str(cases.lines().next().unwrap()).unwrap();
    let id = case["case"].as_str().unwrap();
    assert_eq!(case["state"], "open", "{case:#}");
    let (is_done, said) = serve.types(&["approve", id, "--for", "15m", "--yes"]).await;
    assert!(is_done && said.contains("approved by saanvi"), "{said}");
    until(&stack, 1).await;
    let (_, grants) = serve.types(&["grants"]).await;
    assert!(grants.contains(&stack.holder(Who::User)) && grants.contains("given"), "{grants}");

    let (is_done, said) = serve.types(&["revoke", "--all", "--yes"]).await;
    assert!(is_done && said.contains("taken back by saanvi"), "{said}");
    until(&stack, 0).await;

    // Who answers is who AWS says it is; and what was approved where nothing was real is never made real.
    let approvers = serve.folder.join("approvers.json").display().to_string();
    let real = ["serve", "--listen", "127.0.0.1:0", "--grant-mode", "exact", "--approvers", approvers.as_str()];
    let started = async |folder: &str, more: &[&str]| {
        let mut command = Serve::command(&serve.aws);
        command.args(real).args(more).arg("--data").arg(serve.folder.join(folder));
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (ended.status.success(), String::from_utf8(ended.stderr).unwrap())
    };
    let (is_started, said) = started("another", &["--approver", "richard"]).await;
    assert!(!is_started && said.contains("who is another"), "{said}");
    let (is_started, said) = started("later", &["--now", "2027-01-01T00:00:00Z"]).await;
    assert!(!is_started && said.contains("--now is for rehearsals"), "{said}");
    let rehearsed = serve.folder.join("rehearsed");
    std::fs::create_dir(&rehearsed).unwrap();
    std::fs::write(rehearsed.join("decisions.key"), [7; 32]).unwrap();
    let (is_started, said) = started("rehearsed", &[]).await;
    assert!(!is_started && said.contains("grants are rehearsed"), "{said}");
    let open = serve.folder.join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (is_started, said) = started("open", &[]).await;
    assert!(!is_started && said.contains("can be written by, somebody else"), "{said}");
}

/// Waits until the user holds so many of our policies.
async fn until(stack: &Stack, many: usize) {
    let begun = Instant::now();
    loop {
        let (ours, _) = stack.held(Who::User).await;
        if ours.len() == many {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{ours:?} and not {many}");
        tokio::task::yield_now().await;
    }
}
