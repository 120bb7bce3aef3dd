//! A proxy before AWS and Slack: it counts what has an effect, and kills the function at a point that the test chooses.
//!
//! An effect is a request that changes something outside: a write to the table, a publication, a message posted or updated. A
//! function that dies between two of them leaves the world in a state that no test could set up by hand.

use std::{
    net::SocketAddr,
    process::Child,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{
    aws::{self, Aws, Keys},
    http::{self, Reply, Request, Response, Server},
    moto,
};

/// What a request does, by what is lost if it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A write to the table: one item, or several in a transaction.
    Write,
    /// A publication to a topic.
    Publish,
    /// A message to Slack.
    Post,
    /// An update of a message in Slack.
    Update,
    /// A change of somebody's permissions in IAM.
    Change,
    /// Anything that changes nothing.
    Read,
}

/// A publication as it was asked for.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The topic's ARN.
    pub topic: String,
    /// The mail's subject.
    pub subject: String,
    /// One text for each protocol.
    pub message: Value,
    /// The attributes for filters.
    pub attributes: Vec<(String, String)>,
}

/// When the function dies, or what else goes wrong at an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The function is killed, and the effect doesn't happen.
    Before,
    /// The effect happens, and the function is killed before it learns of it.
    After,
    /// The effect happens, and its answer is lost on the way.
    AnswerLost,
}

/// How everything of one kind is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// With status 500.
    Fails,
    /// Not at all: the connection stays open.
    Hangs,
    /// As AWS answers whoever lacks the permission.
    Denies,
}

/// The function's process, shared with whoever may kill it.
pub type Victim = Arc<Mutex<Child>>;

#[derive(Debug, Default)]
struct Book {
    effects: Vec<Kind>,
    reads: usize,
    iam: Vec<String>,
    publications: Vec<Publication>,
    fault: Option<(usize, When)>,
    trouble: Vec<(Kind, Trouble)>,
    victim: Option<Victim>,
    signs_as: Option<Keys>,
}

/// What passed through, over both proxies of a place.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
}

impl Ledger {
    /// The effects so far, in their order.
    pub fn effects(&self) -> Vec<Kind> {
        self.book.lock().unwrap().effects.clone()
    }

    /// How many of one kind.
    pub fn count(&self, kind: Kind) -> usize {
        let book = self.book.lock().unwrap();
        if kind == Kind::Read { book.reads } else { book.effects.iter().filter(|effect| **effect == kind).count() }
    }

    /// What was published.
    pub fn publications(&self) -> Vec<Publication> {
        self.book.lock().unwrap().publications.clone()
    }

    /// IAM's operations that were called, in their order.
    pub fn iam_calls(&self) -> Vec<String> {
        self.book.lock().unwrap().iam.clone()
    }

    /// From now on the `n`th effect goes wrong, once. The first is 1.
    pub fn fault(&self, n: usize, when: When) {
        let mut book = self.book.lock().unwrap();
        book.fault = Some((book.effects.len() + n, when));
    }

    /// Whether the fault that was asked for is still to come.
    pub fn is_waiting(&self) -> bool {
        self.book.lock().unwrap().fault.is_some()
    }

    /// What is answered with status 500 from now on.
    pub fn out_of_order(&self, kinds: &[Kind]) {
        self.trouble(&kinds.iter().map(|&kind| (kind, Trouble::Fails)).collect::<Vec<_>>());
    }

    /// What is not done from now on, and how it is answered.
    pub fn trouble(&self, trouble: &[(Kind, Trouble)]) {
        self.book.lock().unwrap().trouble = trouble.to_vec();
    }

    /// Whom a fault kills.
    pub fn set_victim(&self, victim: &Victim) {
        self.book.lock().unwrap().victim = Some(victim.clone());
    }

    /// Forms are signed anew, with the function's own keys: the emulator, once it checks, signs its own encoding of a form's
    /// fields and compares, and the SDK encodes them in another way.
    pub fn signs_forms_as(&self, keys: &Keys) {
        self.book.lock().unwrap().signs_as = Some(keys.clone());
    }

    /// Takes a request down. What goes wrong with it, if anything.
    fn enter(&self, kind: Kind, request: &Request) -> Option<When> {
        let mut book = self.book.lock().unwrap();
        book.iam.extend(iam_action(request));
        if kind == Kind::Read {
            book.reads += 1;
            return None;
        }
        book.effects.push(kind);
        if kind == Kind::Publish {
            book.publications.push(publication(request));
        }
        let now = book.effects.len();
        let (_, when) = book.fault.take_if(|(at, _)| *at == now)?;
        Some(when)
    }

    fn kill(&self) {
        let victim = self.book.lock().unwrap().victim.clone().expect("a fault has a victim");
        let mut process = victim.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Puts a proxy before an address.
pub async fn before(upstream: SocketAddr, ledger: Ledger) -> Server {
    Server::start(move |request| {
        let ledger = ledger.clone();
        async move { pass(upstream, &ledger, request).await }
    })
    .await
}

async fn pass(upstream: SocketAddr, ledger: &Ledger, request: Request) -> Reply {
    let kind = kind(&request);
    let trouble = ledger.book.lock().unwrap().trouble.iter().find(|(of, _)| *of == kind).map(|(_, trouble)| *trouble);
    match trouble {
        Some(Trouble::Fails) => return Reply::Answer(Response::text(500, "")),
        Some(Trouble::Hangs) => return Reply::Hang,
        Some(Trouble::Denies) => return Reply::Answer(denied(&request)),
        None => {}
    }
    let fault = ledger.enter(kind, &request);
    if fault == Some(When::Before) {
        ledger.kill();
        return Reply::Close;
    }
    let signs_as = ledger.book.lock().unwrap().signs_as.clone();
    let request = match signs_as {
        Some(keys) if kind == Kind::Publish => {
            let fields = aws::form(&request.text());
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Aws { address: upstream, keys }.signed_form("sns", &fields)
        }
        _ => request,
    };
    let is_slacks = matches!(kind, Kind::Post | Kind::Update);
    let answer = if is_slacks { http::send(upstream, &request).await } else { moto::send(upstream, &request).await };
    let Ok(mut answer) = answer else { return Reply::Close };
    if iam_action(&request).is_some() {
        answer.body = aws::with_users_ids(&String::from_utf8_lossy(&answer.body)).into_bytes();
    }
    // The emulator refuses in XML whatever it was asked in, a form that no SDK reads.
    if answer.status == 403 && !is_slacks {
        answer = denied(&request);
    }
    match fault {
        Some(When::After) => {
            ledger.kill();
            Reply::Close
        }
        Some(When::AnswerLost) => Reply::Close,
        _ => Reply::Answer(answer),
    }
}

/// What AWS says to whoever lacks a permission, in the protocol that was spoken.
fn denied(request: &Request) -> Response {
    const SAYS: &str = "User: arn:aws:sts::111122223333:assumed-role/triage/triage is not authorized to perform this";
    if request.header("x-amz-target").is_some() {
        return Response::json(
            400,
            &json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": SAYS}),
        );
    }
    let xml = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>AuthorizationError</Code><Message>{SAYS}</Message></Error><RequestId>x</RequestId></ErrorResponse>"
    );
    Response { headers: vec![("content-type".to_owned(), "text/xml".to_owned())], ..Response::text(403, &xml) }
}

fn kind(request: &Request) -> Kind {
    let operation = request.header("x-amz-target").and_then(|target| target.rsplit('.').next());
    match (operation, request.path.as_str()) {
        (Some("PutItem" | "TransactWriteItems" | "UpdateItem" | "DeleteItem" | "BatchWriteItem"), _) => Kind::Write,
        (Some(_), _) => Kind::Read,
        (None, "/api/chat.update") => Kind::Update,
        (None, path) if path.starts_with("/api/") || path.starts_with("/hook/") => Kind::Post,
        (None, _) if request.text().contains("Action=Publish&") => Kind::Publish,
        (None, _) if iam_action(request).is_some_and(|action| changes_somebody(&action)) => Kind::Change,
        (None, _) => Kind::Read,
    }
}

/// The operation, if it is IAM's.
fn iam_action(request: &Request) -> Option<String> {
    let text = request.text();
    let action = text.strip_prefix("Action=")?.split('&').next()?;
    text.contains("Version=2010-05-08").then(|| action.to_owned())
}

fn changes_somebody(action: &str) -> bool {
    ["Attach", "Detach", "Put", "Delete"].iter().any(|verb| action.starts_with(verb))
}

fn publication(request: &Request) -> Publication {
    let fields = aws::form(&request.text());
    let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let attribute = |n: usize| {
        let entry = format!("MessageAttributes.entry.{n}");
        Some((field(&format!("{entry}.Name"))?, field(&format!("{entry}.Value.StringValue"))?))
    };
    assert_eq!(field("MessageStructure").as_deref(), Some("json"));
    Publication {
        topic: field("TopicArn").unwrap_or_default(),
        subject: field("Subject").unwrap_or_default(),
        message: field("Message").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        attributes: (1..).map_while(attribute).collect(),
    }
}
