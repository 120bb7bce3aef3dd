//! moto's server: AWS's services, emulated on this machine.
//!
//! Decides that it never outlives the test program, however that ends: a shell between the two waits for the end of its
//! standard input, which the system closes for a program that panics, aborts or is killed. And that it is asked one thing at a
//! time: it is not made for more (a list of subscriptions that grows while a publication goes through it is an error of
//! status 500, and its transactions are not isolated from what happens beside them, as AWS's are).

use std::{
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tokio::sync::Mutex;

use super::{
    ACCOUNT,
    http::{self, Request, Response},
    tool,
};

const UNTIL_INPUT_ENDS: &str =
    r#""$0" -H 127.0.0.1 -p 0 </dev/null & server=$!; cat >/dev/null; kill "$server"; wait "$server""#;

/// Sends a request when it is its turn.
pub async fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    tokio::time::timeout(Duration::from_secs(60), http::send(address, request)).await?
}

/// A running server.
#[derive(Debug)]
pub struct Moto {
    shell: Child,
    /// `127.0.0.1:PORT`.
    pub address: SocketAddr,
}

impl Moto {
    /// The one that all tests of a program share, each with names of its own: starting one costs more than using it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One for a test that changes what holds for the whole server.
    pub fn start() -> Self {
        let program = tool("moto_server");
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS])
            .arg(&program)
            .env("MOTO_ACCOUNT_ID", ACCOUNT)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut lines = BufReader::new(shell.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let address = loop {
            let Some(line) = lines.next() else { panic!("{} did not start:\n{said}", program.display()) };
            let line = line.expect("moto_server writes text");
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().parse().expect("an address with its port");
            }
            said.push_str(&line);
            said.push('\n');
        };
        // It logs every request; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { shell, address }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
