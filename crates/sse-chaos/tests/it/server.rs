//! A scripted server, which answers connection by connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The answer to a connection.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    text: String,
    then: Then,
}

/// The continuation of a connection after the answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    Close,
    Reset,
    /// The connection stays open in silence.
    Hold,
    /// The connection stays open and repeats this text.
    Repeat(&'static str),
}

/// The head of a received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) at: Instant,
}

/// A server that answers one connection after the other, and repeats the last answer.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    _task: JoinSet<()>,
}

const TIMEOUT: Duration = Duration::from_secs(60);

/// Creates a stream that begins with this text.
pub(crate) fn stream(text: &str) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    Answer {
        text: format!("{head}{text}"),
        then: Then::Hold,
    }
}

/// Creates an answer of this status.
pub(crate) fn status(status: u16, fields: &str) -> Answer {
    let text = format!("HTTP/1.1 {status} Status\r\n{fields}Content-Length: 0\r\n\r\n");
    Answer {
        text,
        then: Then::Close,
    }
}

/// Creates an answer that never comes.
pub(crate) fn silence() -> Answer {
    raw("")
}

/// Creates an answer of these bytes.
pub(crate) fn raw(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        then: Then::Hold,
    }
}

impl Answer {
    /// Closes the connection after the answer.
    pub(crate) fn closed(self) -> Self {
        Self {
            then: Then::Close,
            ..self
        }
    }

    /// Resets the connection after the answer.
    pub(crate) fn reset(self) -> Self {
        Self {
            then: Then::Reset,
            ..self
        }
    }

    /// Repeats a text after the answer.
    pub(crate) fn repeating(self, text: &'static str) -> Self {
        Self {
            then: Then::Repeat(text),
            ..self
        }
    }

    async fn give(&self, mut socket: TcpStream, requests: mpsc::UnboundedSender<Request>) {
        let Some(head) = read_head(&mut socket).await else {
            return;
        };
        // A test that is over no longer receives requests.
        _ = requests.send(Request {
            head,
            at: Instant::now(),
        });
        _ = socket.write_all(self.text.as_bytes()).await;
        match self.then {
            Then::Close => {}
            Then::Reset => {
                // A reset discards data in flight; the client must have read it first.
                sleep(Duration::from_millis(50)).await;
                socket.set_zero_linger().unwrap();
            }
            Then::Hold => _ = socket.read(&mut [0]).await,
            Then::Repeat(text) => {
                while socket.write_all(text.as_bytes()).await.is_ok() {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}

impl Scripted {
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            let last = answers.last().cloned().unwrap();
            let mut answers = answers.into_iter();
            while let Ok((socket, _)) = listener.accept().await {
                let answer = answers.next().unwrap_or_else(|| last.clone());
                let sender = sender.clone();
                connections.spawn(async move { answer.give(socket, sender).await });
            }
        });
        Self {
            address,
            requests,
            _task: task,
        }
    }

    /// Returns the next request.
    pub(crate) async fn request(&mut self) -> Request {
        timeout(TIMEOUT, self.requests.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

impl Request {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, waits)
        .await
        .unwrap_or_else(|_| panic!("timed out while waiting for {what}"));
}

async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
