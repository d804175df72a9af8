//! Brokers in separate processes.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Child,
    time::timeout,
};

use crate::hub::until;

/// The kind of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

/// A broker with its own folder and port. Dropping a broker kills it. A broker can be stopped and
/// started again.
pub(crate) struct Broker {
    kind: Kind,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    more: Vec<String>,
    process: Option<Child>,
}

impl Broker {
    /// Creates a broker that is not running yet, or returns `None` if the program is not installed.
    pub(crate) fn new(kind: Kind, more: &[&str]) -> Option<Self> {
        let name = match kind {
            Kind::Redis => "redis-server",
            Kind::Nats => "nats-server",
        };
        let program = sse_testkit::executable(name).unwrap()?;
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        Some(Self {
            kind,
            program,
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            more,
            process: None,
        })
    }

    pub(crate) async fn started(kind: Kind) -> Option<Self> {
        let mut broker = Self::new(kind, &[])?;
        broker.start().await;
        Some(broker)
    }

    pub(crate) fn url(&self) -> String {
        self.url_as("")
    }

    /// Returns the URL with `user:password@`.
    pub(crate) fn url_as(&self, credentials: &str) -> String {
        let scheme = if self.kind == Kind::Redis {
            "redis"
        } else {
            "nats"
        };
        format!("{scheme}://{credentials}127.0.0.1:{}", self.port)
    }

    /// Starts the broker with the data that it had saved.
    pub(crate) async fn start(&mut self) {
        let (folder, port) = (self.folder.path().to_str().unwrap(), self.port.to_string());
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Redis => command
                .args([
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--dir",
                    folder,
                    "--save",
                    "",
                ])
                .args(["--appendonly", "yes", "--appendfsync", "always"]),
            Kind::Nats => command.args(["-js", "-sd", folder, "-a", "127.0.0.1", "-p", &port]),
        };
        command
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(
            tokio::process::Command::from(command)
                .kill_on_drop(true)
                .spawn()
                .unwrap(),
        );
        until(async || self.answers().await).await;
    }

    /// Runs a command on Redis. The command must succeed.
    pub(crate) async fn redis(&self, command: &[&str]) {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let words = command
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let request = format!("*{}\r\n{}", command.len(), words.collect::<String>());
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 256];
        let length = timeout(Duration::from_secs(60), connection.read(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(!answer.starts_with('-'), "{command:?}: {answer}");
    }

    /// Removes the files of NATS's streams while the server runs. nats-server 2.9 does the same
    /// with the files of a stream that is created while its predecessor is being deleted.
    pub(crate) fn remove_files(&self) {
        std::fs::remove_dir_all(self.folder.path().join("jetstream/$G")).unwrap();
    }

    /// Kills the broker, as by `kill -9`.
    pub(crate) async fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().await.unwrap();
    }

    /// Returns whether the broker is ready for clients.
    async fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let asking = async {
            let mut connection = TcpStream::connect(address).await?;
            if self.kind == Kind::Redis {
                connection.write_all(b"PING\r\n").await?;
            }
            let mut answer = [0; 5];
            connection.read_exact(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        match timeout(Duration::from_secs(5), asking).await {
            // Redis responds with another error while it loads its files.
            Ok(Ok(answer)) => matches!(&answer, b"+PONG" | b"-NOAU" | b"INFO "),
            _ => false,
        }
    }
}

/// Returns a port below the range of ephemeral ports, so that no other process gets the port while
/// the broker is down.
pub(crate) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let start = u64::from(std::process::id()) * 97
        + PORTS.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    let ports = (0..10_000).map(|step| 20_000 + u16::try_from((start + step) % 10_000).unwrap());
    ports.into_iter().find(is_free).expect("a port is free")
}

static PORTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
