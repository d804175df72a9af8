//! Brokers: real servers, each with its own port and folder.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::ValueEnum;
use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::{
    error::Error,
    ports,
    process::ChildProcess,
    wait::{LONG, until},
};

/// The kind of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrokerKind {
    Redis,
    Nats,
}

impl BrokerKind {
    /// Returns the broker's name, which is also the scheme of its URL.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Nats => "nats",
        }
    }

    fn executable(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }
}

/// Timeout for a broker to answer one request.
const ANSWER: Duration = Duration::from_secs(30);

/// A broker that persists everything; killed on drop.
pub(crate) struct BrokerProcess {
    kind: BrokerKind,
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    more: Vec<String>,
    process: Option<ChildProcess>,
}

impl BrokerProcess {
    /// Starts a broker in a folder that is created for it.
    pub(crate) async fn start(kind: BrokerKind, folder: &Path) -> Result<Self, Error> {
        Self::start_with(kind, folder, Vec::new()).await
    }

    /// Starts a Redis as a replica of another one.
    pub(crate) async fn start_replica(of: &Self, folder: &Path) -> Result<Self, Error> {
        let primary = of.address;
        let more = [
            "--replicaof",
            &primary.ip().to_string(),
            &primary.port().to_string(),
        ];
        Self::start_with(BrokerKind::Redis, folder, more.map(str::to_owned).to_vec()).await
    }

    /// Starts a broker with additional arguments.
    pub(crate) async fn start_with(
        kind: BrokerKind,
        folder: &Path,
        more: Vec<String>,
    ) -> Result<Self, Error> {
        let mut broker = Self::spawn_with(kind, folder, more)?;
        broker.answer().await?;
        Ok(broker)
    }

    /// Starts a broker without waiting until it answers, for a broker whose peers must run first.
    pub(crate) fn spawn_with(
        kind: BrokerKind,
        folder: &Path,
        more: Vec<String>,
    ) -> Result<Self, Error> {
        let name = kind.executable();
        let program = sse_testkit::executable(name)?
            .ok_or_else(|| Error::new(format!("{name} is not in PATH")))?;
        fs::create_dir_all(folder)?;
        let (folder, address) = (folder.to_owned(), ports::free()?);
        let mut broker = Self {
            kind,
            program,
            folder,
            address,
            more,
            process: None,
        };
        broker.spawn()?;
        Ok(broker)
    }

    pub(crate) fn kind(&self) -> BrokerKind {
        self.kind
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Restarts the broker with the data that it persisted, and waits until it answers.
    pub(crate) async fn resume(&mut self) -> Result<(), Error> {
        self.spawn()?;
        self.answer().await
    }

    fn spawn(&mut self) -> Result<(), Error> {
        let data = self.data();
        fs::create_dir_all(&data)?;
        let (ip, port) = (
            self.address.ip().to_string(),
            self.address.port().to_string(),
        );
        let mut command = Command::new(&self.program);
        match self.kind {
            BrokerKind::Redis => command
                .args(["--bind", &ip, "--port", &port, "--save", "", "--dir"])
                .arg(data)
                .args([
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--repl-diskless-sync-delay",
                    "0",
                ]),
            BrokerKind::Nats => command
                .args(["-js", "-a", &ip, "-p", &port, "-sd"])
                .arg(data),
        };
        command.args(&self.more);
        self.process = Some(ChildProcess::spawn(command, &self.folder.join("output"))?);
        Ok(())
    }

    /// Waits until the broker answers.
    pub(crate) async fn answer(&mut self) -> Result<(), Error> {
        let what = format!("{} to answer", self.kind.executable());
        until(&what, LONG, async || {
            let Some(process) = &mut self.process else {
                return Ok(false);
            };
            if let Some(status) = process.ended()? {
                let output = process.tail();
                return Err(Error::new(format!(
                    "{} ended ({status}): {output}",
                    self.kind.executable()
                )));
            }
            Ok(self.answers().await)
        })
        .await?;
        Ok(())
    }

    /// Returns `true` if the broker was started and has not been killed since.
    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Kills the broker as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.kill())
    }

    /// Pauses the broker. Its kernel still accepts connections.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Resumes a paused broker.
    pub(crate) fn go_on(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Deletes the data that the broker persisted. The broker must have been killed.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        Ok(fs::remove_dir_all(self.data())?)
    }

    /// Empties the broker while it runs, by `FLUSHALL` or by deletion of the log's stream.
    pub(crate) async fn empty(&self) -> Result<(), Error> {
        let is_done = match self.kind {
            BrokerKind::Redis => self.ask("FLUSHALL").await? == "+OK",
            BrokerKind::Nats => self
                .ask_jetstream("STREAM.DELETE.sse_log")
                .await?
                .contains("\"success\":true"),
        };
        if is_done {
            Ok(())
        } else {
            Err(Error::new("failed to empty the broker"))
        }
    }

    /// Sets the clock of a Redis back by an hour, as far as its log can tell: the ids of appended
    /// entries are an hour ahead of the clock. Another clock for a process would need administrator
    /// rights.
    pub(crate) async fn set_clock_back(&self) -> Result<(), Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let ahead = (now + Duration::from_secs(3600)).as_millis();
        match self
            .ask(&format!("XSETID {{sse}}:log {ahead}-0"))
            .await?
            .as_str()
        {
            "+OK" => Ok(()),
            other => Err(Error::new(format!(
                "failed to move the ids of the log: {other}"
            ))),
        }
    }

    /// Stops the replication; the replica becomes a server in its own right.
    pub(crate) async fn part(&self) -> Result<(), Error> {
        match self.ask("REPLICAOF NO ONE").await?.as_str() {
            "+OK" => Ok(()),
            other => Err(Error::new(format!("failed to detach the replica: {other}"))),
        }
    }

    /// Returns `true` if a replica has received everything that existed when it connected.
    pub(crate) async fn is_replica_in_sync(&self) -> Result<bool, Error> {
        let mut connection = BufReader::new(self.connect().await?);
        connection.write_all(b"INFO replication\r\n").await?;
        let mut length = String::new();
        connection.read_line(&mut length).await?;
        let length: usize = length
            .trim_start_matches('$')
            .trim_end()
            .parse()
            .map_err(|_| {
                Error::new(format!(
                    "the broker replied without a bulk string: {length}"
                ))
            })?;
        let mut text = vec![0; length];
        connection.read_exact(&mut text).await?;
        Ok(String::from_utf8_lossy(&text).contains("master_link_status:up"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    async fn connect(&self) -> Result<TcpStream, Error> {
        Ok(TcpStream::connect(self.address).await?)
    }

    /// Sends Redis a command whose reply is one line.
    async fn ask(&self, command: &str) -> Result<String, Error> {
        let asking = async {
            let mut connection = BufReader::new(self.connect().await?);
            connection
                .write_all(format!("{command}\r\n").as_bytes())
                .await?;
            let mut line = String::new();
            connection.read_line(&mut line).await?;
            Ok(line.trim_end().to_owned())
        };
        timeout(ANSWER, asking)
            .await
            .map_err(|_| Error::new(format!("the broker sent no reply to {command}")))?
    }

    /// Sends JetStream a request and returns the reply unparsed.
    async fn ask_jetstream(&self, subject: &str) -> Result<String, Error> {
        self.ask_jetstream_with(subject, "").await
    }

    async fn ask_jetstream_with(&self, subject: &str, body: &str) -> Result<String, Error> {
        let asking = async {
            let mut connection = BufReader::new(self.connect().await?);
            let request = format!(
                "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB $JS.API.{subject} answer {}\r\n{body}\r\n",
                body.len()
            );
            connection.write_all(request.as_bytes()).await?;
            let mut line = String::new();
            while !line.starts_with("MSG ") {
                line.clear();
                if connection.read_line(&mut line).await? == 0 {
                    return Err(Error::new("NATS closed the connection"));
                }
            }
            line.clear();
            connection.read_line(&mut line).await?;
            Ok(line)
        };
        timeout(ANSWER, asking)
            .await
            .map_err(|_| Error::new(format!("the broker sent no reply to {subject}")))?
    }

    /// Returns `true` if the broker is ready for clients.
    async fn answers(&self) -> bool {
        match self.kind {
            BrokerKind::Redis => self.ask("PING").await.is_ok_and(|answer| answer == "+PONG"),
            BrokerKind::Nats => self.ask_jetstream("INFO").await.is_ok_and(|answer| {
                answer.contains("\"streams\"") && !answer.contains("\"error\"")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a broker; `None` if it is not installed and is not required.
    async fn started(kind: BrokerKind, folder: &Path) -> Option<BrokerProcess> {
        sse_testkit::executable(kind.executable()).unwrap()?;
        Some(BrokerProcess::start(kind, folder).await.unwrap())
    }

    /// Returns `true` if a Redis has the test's key.
    async fn get(broker: &BrokerProcess) -> bool {
        broker.ask("EXISTS key").await.unwrap() == ":1"
    }

    #[tokio::test]
    async fn redis_keeps_data_until_emptied_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut broker) = started(BrokerKind::Redis, folder.path()).await else {
            return;
        };
        for loss in ["none", "files", "flush"] {
            assert_eq!(broker.ask("SET key value").await.unwrap(), "+OK");
            if loss == "flush" {
                broker.empty().await.unwrap();
            }
            broker.kill().unwrap();
            assert!(broker.connect().await.is_err());
            if loss == "files" {
                broker.forget().unwrap();
            }
            broker.resume().await.unwrap();
            assert_eq!(get(&broker).await, loss == "none", "{loss}");
        }
    }

    #[tokio::test]
    async fn replica_copies_data_until_detached() {
        let folder = tempfile::tempdir().unwrap();
        let Some(primary) = started(BrokerKind::Redis, &folder.path().join("primary")).await else {
            return;
        };
        primary.ask("SET key value").await.unwrap();
        let replica = BrokerProcess::start_replica(&primary, &folder.path().join("replica"))
            .await
            .unwrap();
        until("the replica", LONG, async || {
            replica.is_replica_in_sync().await
        })
        .await
        .unwrap();
        replica.part().await.unwrap();
        primary.ask("DEL key").await.unwrap();
        assert!(get(&replica).await);
    }

    #[tokio::test]
    async fn nats_keeps_streams_until_emptied_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut broker) = started(BrokerKind::Nats, folder.path()).await else {
            return;
        };
        assert!(broker.empty().await.is_err(), "no log exists yet");
        let is_there = async |broker: &BrokerProcess| {
            !broker
                .ask_jetstream("STREAM.INFO.sse_log")
                .await
                .unwrap()
                .contains("\"error\"")
        };
        for loss in ["none", "files", "delete"] {
            let create = r#"{"name":"sse_log","subjects":["chaos"]}"#;
            let answer = broker
                .ask_jetstream_with("STREAM.CREATE.sse_log", create)
                .await
                .unwrap();
            assert!(!answer.contains("\"error\""), "{answer}");
            if loss == "delete" {
                broker.empty().await.unwrap();
            }
            broker.kill().unwrap();
            if loss == "files" {
                broker.forget().unwrap();
            }
            broker.resume().await.unwrap();
            assert_eq!(is_there(&broker).await, loss == "none", "{loss}");
        }
    }

    #[tokio::test]
    async fn failed_broker_start_reports_its_output() {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut broker) = started(BrokerKind::Redis, folder.path()).await else {
            return;
        };
        broker.kill().unwrap();
        broker.more = vec!["--no-such-setting".to_owned(), "1".to_owned()];
        let error = broker.resume().await.unwrap_err().to_string();
        assert!(error.contains("no-such-setting"), "{error}");
    }
}
