//! A Redis with a replica, and sentinels that promote the replica when the primary is lost.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    broker::{BrokerKind, BrokerProcess},
    certificates::CertificateFiles,
    error::Error,
    plan::Wire,
    ports,
    process::ChildProcess,
    wait::{LONG, until_answered},
};

/// Number of sentinels, of which more than half must agree.
const SENTINELS: usize = 3;

/// Time in milliseconds for which a primary must be silent before it is given up.
const SILENCE: u32 = 2000;

/// Two servers, and the sentinels that name the primary.
pub(crate) struct SentinelProcesses {
    servers: Vec<ReplicatedServer>,
    sentinels: Vec<Sentinel>,
    certificates: Option<CertificateFiles>,
}

struct ReplicatedServer {
    broker: BrokerProcess,
    /// Address at which sentinels, the other server and nodes reach the server.
    address: SocketAddr,
}

struct Sentinel {
    /// Address without TLS, at which this program queries the sentinel.
    plain: SocketAddr,
    /// Address at which nodes query the sentinel: with TLS if there are certificates.
    address: SocketAddr,
    _process: ChildProcess,
}

impl SentinelProcesses {
    pub(crate) async fn start(wire: Wire, folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder)?;
        let certificates = match wire {
            Wire::Plain => None,
            Wire::Tls => Some(CertificateFiles::write(folder)?),
        };
        let tls = certificates.as_ref();
        let primary = ReplicatedServer::start(tls, &folder.join("primary"), None).await?;
        let replica =
            ReplicatedServer::start(tls, &folder.join("replica"), Some(primary.address)).await?;
        let mut sentinels = Vec::new();
        for index in 0..SENTINELS {
            let folder = folder.join(format!("sentinel-{index}"));
            sentinels.push(Sentinel::start(tls, &folder, primary.address).await?);
        }
        Ok(Self {
            servers: vec![primary, replica],
            sentinels,
            certificates,
        })
    }

    /// Returns the arguments with which a node reaches the sentinels.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| sentinel.address.to_string())
            .collect();
        let scheme = if self.certificates.is_some() {
            "rediss+sentinel"
        } else {
            "redis+sentinel"
        };
        let url = format!("{scheme}://{}/main", hosts.join(","));
        let authority = self.certificates.iter().flat_map(|certificates| {
            [
                "--backplane-ca".to_owned(),
                certificates.authority.display().to_string(),
            ]
        });
        ["--backplane".to_owned(), url]
            .into_iter()
            .chain(authority)
            .collect()
    }

    /// Waits until all sentinels know each other, and the replica has the primary's data.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        for sentinel in &self.sentinels {
            until_answered("the sentinels", LONG, async || {
                let master = sentinel.ask("SENTINEL MASTER main").await?;
                let fact = |name: &str| {
                    master
                        .iter()
                        .skip_while(|fact| *fact != name)
                        .nth(1)
                        .map(String::as_str)
                };
                let others = (SENTINELS - 1).to_string();
                let knows =
                    fact("num-other-sentinels") == Some(&others) && fact("num-slaves") == Some("1");
                Ok(knows && fact("flags") == Some("master"))
            })
            .await?;
        }
        let primary = self.primary().await?;
        let replicas = self
            .servers
            .iter()
            .filter(|server| server.address != primary);
        for replica in replicas {
            until_answered("the replica", LONG, async || {
                replica.broker.is_replica_in_sync().await
            })
            .await?;
        }
        Ok(())
    }

    /// Kills the primary, and waits until another server is promoted.
    pub(crate) async fn kill_primary(&mut self) -> Result<(), Error> {
        let primary = self.primary().await?;
        let server = self
            .servers
            .iter_mut()
            .find(|server| server.address == primary);
        server
            .ok_or_else(|| Error::new("the primary is a foreign server"))?
            .broker
            .kill()?;
        until_answered("a failover", LONG, async || {
            Ok(self.primary().await? != primary)
        })
        .await?;
        Ok(())
    }

    /// Restarts the killed server as a replica.
    pub(crate) async fn resume(&mut self) -> Result<(), Error> {
        for server in &mut self.servers {
            if !server.broker.is_running() {
                server.broker.resume().await?;
            }
        }
        self.ready().await
    }

    async fn primary(&self) -> Result<SocketAddr, Error> {
        let answer = self.sentinels[0]
            .ask("SENTINEL GET-MASTER-ADDR-BY-NAME main")
            .await?;
        let address = format!(
            "{}:{}",
            answer.first().map_or("", String::as_str),
            answer.last().map_or("", String::as_str)
        );
        address
            .parse()
            .map_err(|_| Error::new(format!("the sentinel named no primary: {answer:?}")))
    }
}

impl ReplicatedServer {
    async fn start(
        tls: Option<&CertificateFiles>,
        folder: &Path,
        of: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let secure = tls.map(|_| ports::free()).transpose()?;
        let mut more = Vec::new();
        if let (Some(tls), Some(address)) = (tls, secure) {
            let port = address.port().to_string();
            more.extend([
                "--tls-port".to_owned(),
                port.clone(),
                "--replica-announce-port".to_owned(),
                port,
            ]);
            more.extend(
                tls.arguments()
                    .map(|(name, value)| [format!("--{name}"), value])
                    .into_iter()
                    .flatten(),
            );
        }
        if let Some(primary) = of {
            more.extend([
                "--replicaof".to_owned(),
                primary.ip().to_string(),
                primary.port().to_string(),
            ]);
        }
        let broker = BrokerProcess::start_with(BrokerKind::Redis, folder, more).await?;
        let address = secure.unwrap_or_else(|| broker.address());
        Ok(Self { broker, address })
    }
}

impl Sentinel {
    async fn start(
        tls: Option<&CertificateFiles>,
        folder: &Path,
        primary: SocketAddr,
    ) -> Result<Self, Error> {
        fs::create_dir_all(folder)?;
        let plain = ports::free()?;
        let secure = tls.map(|_| ports::free()).transpose()?;
        let mut lines = vec![
            format!("bind {}", plain.ip()),
            format!("port {}", plain.port()),
            format!("dir {}", folder.display()),
        ];
        if let (Some(tls), Some(address)) = (tls, secure) {
            lines.push(format!("tls-port {}", address.port()));
            lines.extend(
                tls.arguments()
                    .map(|(name, value)| format!("{name} {value}")),
            );
        }
        lines.push(format!(
            "sentinel monitor main {} {} {}",
            primary.ip(),
            primary.port(),
            SENTINELS / 2 + 1
        ));
        lines.push(format!("sentinel down-after-milliseconds main {SILENCE}"));
        lines.push("sentinel failover-timeout main 10000".to_owned());
        let file = folder.join("settings");
        fs::write(&file, lines.join("\n") + "\n")?;
        let process = spawn(&file, folder)?;
        let sentinel = Self {
            plain,
            address: secure.unwrap_or(plain),
            _process: process,
        };
        let asks = async || Ok(sentinel.ask("PING").await? == ["PONG"]);
        until_answered("a sentinel", LONG, asks).await?;
        Ok(sentinel)
    }

    /// Returns the texts in the reply to a command.
    async fn ask(&self, question: &str) -> Result<Vec<String>, Error> {
        let mut connection = BufReader::new(TcpStream::connect(self.plain).await?);
        connection
            .write_all(format!("{question}\r\n").as_bytes())
            .await?;
        let mut texts = Vec::new();
        let mut left = 1_usize;
        while left > 0 {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Err(Error::new("the sentinel closed the connection"));
            }
            left -= 1;
            let line = line.trim_end();
            let (sort, rest) = line.split_at_checked(1).unwrap_or_default();
            match sort {
                "*" => left += rest.parse::<usize>().unwrap_or_default(),
                // The text of a bulk string is the next line.
                "$" if rest != "-1" => {
                    let mut text = String::new();
                    connection.read_line(&mut text).await?;
                    texts.push(text.trim_end().to_owned());
                }
                "+" | ":" => texts.push(rest.to_owned()),
                "-" => return Err(Error::new(format!("{question}: {rest}"))),
                _ => {}
            }
        }
        Ok(texts)
    }
}

fn spawn(file: &PathBuf, folder: &Path) -> Result<ChildProcess, Error> {
    let program = sse_testkit::executable("redis-server")?;
    let program = program.ok_or_else(|| Error::new("redis-server is not in PATH"))?;
    let mut command = Command::new(program);
    command.arg(file).arg("--sentinel");
    ChildProcess::spawn(command, &folder.join("output"))
}
