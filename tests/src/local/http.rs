//! HTTP/1.1 between programs of one machine: a server that a closure answers for, and a client.
//!
//! Decides nothing but framing. It is written by hand because a test has to do what no library offers: take a request and never
//! answer, close in the middle, or pass a request on byte for byte, its signed headers untouched.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// Header lines in their order.
pub type Headers = Vec<(String, String)>;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header lines.
    pub headers: Headers,
    /// The body, unframed.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The header lines without those that frame the body.
    pub headers: Headers,
    /// The body, unframed.
    pub body: Vec<u8>,
}

/// What a server does with a request.
#[derive(Debug)]
pub enum Reply {
    /// Answers.
    Answer(Response),
    /// Answers with so many bytes of the body, and then closes the connection.
    Part(Response, usize),
    /// Closes the connection without a word.
    Close,
    /// Keeps the connection open without a word.
    Hang,
}

impl Request {
    /// A header's value; names have no case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Response {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    /// An answer with a plain text.
    pub fn text(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A server on a port of the system's choice; it ends, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: SocketAddr,
    accepting: AbortHandle,
}

impl Server {
    /// Starts it. Each connection is served on its own.
    pub async fn start<F>(answer: impl Fn(Request) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let accepting = tokio::spawn(async move {
            // Dropped with this task, and its tasks with it.
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => { open.spawn(converse(stream, answer.clone())); }
                        Err(_) => return,
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Self { address, accepting: accepting.abort_handle() }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse<F: Future<Output = Reply>>(stream: TcpStream, answer: impl Fn(Request) -> F) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Ok(Some((first, headers, body))) = read(&mut stream, false).await {
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
        match answer(Request { method, path, headers, body }).await {
            Reply::Answer(response) => {
                let first = format!("HTTP/1.1 {} Answer", response.status);
                if write(&mut stream, &first, &response.headers, &response.body).await.is_err() {
                    return;
                }
            }
            Reply::Part(response, length) => {
                let first = format!("HTTP/1.1 {} Answer", response.status);
                let part = &response.body[..length];
                let _ = write_part(&mut stream, &first, &response.headers, response.body.len(), part).await;
                return;
            }
            Reply::Close => return,
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// Sends one request on a connection of its own. The request's own header lines go out as they are.
pub async fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.get_ref().set_nodelay(true)?;
    let mut headers = unframed(&request.headers);
    headers.push(("connection".to_owned(), "close".to_owned()));
    write(&mut stream, &format!("{} {} HTTP/1.1", request.method, request.path), &headers, &request.body).await?;
    let Some((first, headers, body)) = read(&mut stream, true).await? else {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"));
    };
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, first.clone()))?;
    Ok(Response { status, headers: unframed(&headers), body })
}

/// Without what says how the body is framed and how long the connection lives: that is each connection's own.
fn unframed(headers: &Headers) -> Headers {
    const FRAMING: [&str; 4] = ["content-length", "transfer-encoding", "connection", "keep-alive"];
    let is_framing = |name: &str| FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name));
    headers.iter().filter(|(name, _)| !is_framing(name)).cloned().collect()
}

async fn write(stream: &mut BufReader<TcpStream>, first: &str, headers: &Headers, body: &[u8]) -> io::Result<()> {
    write_part(stream, first, headers, body.len(), body).await
}

/// Says how long the body is, and writes this of it.
async fn write_part(
    stream: &mut BufReader<TcpStream>,
    first: &str,
    headers: &Headers,
    length: usize,
    body: &[u8],
) -> io::Result<()> {
    let mut message = format!("{first}\r\n");
    for (name, value) in headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    message.push_str(&format!("content-length: {length}\r\n\r\n"));
    let mut message = message.into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message).await?;
    stream.flush().await
}

type Message = (String, Headers, Vec<u8>);

/// One message; `None` where the other side has closed. `to_end`: a body without a length reaches to the end.
async fn read(stream: &mut BufReader<TcpStream>, to_end: bool) -> io::Result<Option<Message>> {
    let Some(first) = line(stream).await? else { return Ok(None) };
    let mut headers = Headers::new();
    while let Some(text) = line(stream).await?.filter(|text| !text.is_empty()) {
        if let Some((name, value)) = text.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let mut body = Vec::new();
    if header(&headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = line(stream).await?.unwrap_or_default();
            let size = size.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or(0);
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await?;
            body.extend(chunk);
            line(stream).await?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header(&headers, "content-length").and_then(|length| length.parse().ok()) {
        body = vec![0; length];
        stream.read_exact(&mut body).await?;
    } else if to_end {
        stream.read_to_end(&mut body).await?;
    }
    Ok(Some((first, headers, body)))
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes).await? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()))
}
