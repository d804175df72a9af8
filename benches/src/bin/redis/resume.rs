//! Clients that all reconnect at once and need events that only the server still has.

use std::{
    fmt, fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, stream::FuturesUnordered};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_core::{
    Event, EventType, Handshake, Manager, Retention, Session, Target, UserId, stats::LogState,
};
use sse_redis::RedisConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::server::RedisServer;

/// One line of the table.
pub(crate) struct Resume {
    way: &'static str,
    clients: usize,
    time: Duration,
    /// Memory of the process that the clients reconnect to, in KiB.
    before: u64,
    peak: u64,
    after: u64,
    /// Number of reads of the log meanwhile; for a hub, of all transactions.
    reads: u64,
    /// Number of bytes that Redis sent meanwhile.
    bytes: u64,
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            way,
            clients,
            time,
            before,
            peak,
            after,
            reads,
            bytes,
        } = self;
        let mib = |kib: u64| kib as f64 / 1024.0;
        write!(f, "| {way} | {clients} | {:.2} s | ", time.as_secs_f64())?;
        write!(
            f,
            "{:.1} / {:.1} / {:.1} MiB | ",
            mib(*before),
            mib(*peak),
            mib(*after)
        )?;
        write!(f, "{reads} | {:.0} KiB |", *bytes as f64 / 1024.0)
    }
}

/// Number of events that every client missed.
const MISSED: usize = 100;

/// Number of later events to nobody, which fill a node's memory.
const LATER: usize = 2_000;

/// Prefix of a separate log: a manager cannot read the entries of the append benchmark.
const PREFIX: &str = "resume";

/// Bytes that the node holds in memory.
const WINDOW: u64 = 16 << 10;

/// Timeout for all clients to resume.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Number of clients that connect at one moment, so that a full listen queue turns no client away.
const CONNECTING: usize = 512;

/// Publishes the missed events. Returns the id that the clients have.
async fn miss(server: &RedisServer) -> anyhow::Result<String> {
    let publisher = Manager::builder()
        .backplane(server.node(RedisConfig::default().prefix(PREFIX)).await?)
        .build()?;
    let event =
        || Event::text("0123456789abcdef".repeat(4)).with_event_type(EventType::NOTIFICATION);
    let nobody = UserId::try_from("nobody")?;
    let had = publisher
        .publish(Target::All, event())
        .await?
        .id
        .context("the event has no id")?;
    for _ in 0..MISSED {
        publisher.publish(Target::All, event()).await?;
    }
    for _ in 0..LATER {
        publisher
            .publish(Target::User(nobody.clone()), event())
            .await?;
    }
    Ok(had.as_str().to_owned())
}

/// Measures resumes at a manager in this process, without sockets.
pub(crate) async fn in_process(server: &RedisServer, clients: usize) -> anyhow::Result<Resume> {
    let had = miss(server).await?;
    let window = Retention::default().bytes(WINDOW);
    let node = server.node(RedisConfig::default().prefix(PREFIX)).await?;
    let manager = Manager::builder()
        .log(window)
        .backplane(node)
        .max_connections(clients)
        .build()?;
    manager.follow();
    let ready = Instant::now() + TIMEOUT;
    while !manager
        .log_stats()
        .is_some_and(|log| log.state == LogState::Current)
    {
        ensure!(
            Instant::now() < ready,
            "the manager did not start to follow the log"
        );
        sleep(Duration::from_millis(20)).await;
    }
    let (served, before) = (server.served()?, memory("self", "VmRSS")?);
    let start = Instant::now();
    let sessions: Result<Vec<_>, _> = (0..clients)
        .map(|number| {
            let handshake = Handshake::from_request("GET", None, Some(had.as_bytes()));
            manager.connect(handshake.user(number.to_string()))
        })
        .collect();
    let mut sessions: FuturesUnordered<_> = sessions?.into_iter().map(catch_up).collect();
    let mut there = Vec::with_capacity(clients);
    let all = async {
        while let Some(session) = sessions.next().await {
            there.push(session?);
        }
        anyhow::Ok(())
    };
    timeout(TIMEOUT, all)
        .await
        .context("not all clients resumed in time")??;
    let time = start.elapsed();
    let reads = manager.log_stats().context("the manager has no log")?.reads;
    let now = server.served()?;
    Ok(Resume {
        way: "a manager, without sockets",
        clients,
        time,
        before,
        peak: memory("self", "VmHWM")?,
        after: memory("self", "VmRSS")?,
        reads,
        bytes: now.bytes - served.bytes,
    })
}

async fn catch_up(mut session: Session) -> anyhow::Result<Session> {
    let mut came = 0;
    while came <= MISSED {
        came += count(&session.next().await.context("a stream ended")?);
    }
    Ok(session)
}

/// Measures resumes at a hub, over sockets.
pub(crate) async fn to_hub(
    server: &RedisServer,
    hub: &Hub,
    clients: usize,
) -> anyhow::Result<Resume> {
    allow_files(clients)?;
    let had = miss(server).await?;
    hub.ready().await?;
    let process = hub.process.id().to_string();
    let (served, before) = (server.served()?, memory(&process, "VmRSS")?);
    let (start, connecting) = (Instant::now(), Arc::new(Semaphore::new(CONNECTING)));
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let request = format!(
            "GET /api/sse?user={number} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: {had}\r\n\r\n"
        );
        let (port, connecting) = (hub.port, Arc::clone(&connecting));
        tasks.spawn(async move {
            let turn = connecting.acquire_owned().await?;
            let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
            socket.write_all(request.as_bytes()).await?;
            // The response begins, so the hub has accepted.
            socket.readable().await?;
            drop(turn);
            let (mut came, mut bytes) = (0, Vec::with_capacity(4096));
            while came <= MISSED {
                ensure!(socket.read_buf(&mut bytes).await? > 0, "a stream ended");
                came += count(&bytes);
                // The end of the counted bytes may be the beginning of another occurrence.
                bytes.drain(..bytes.len().saturating_sub(DATA.len() - 1));
            }
            anyhow::Ok(socket)
        });
    }
    let mut there = Vec::with_capacity(clients);
    let all = async {
        while let Some(socket) = tasks.join_next().await {
            there.push(socket??);
        }
        anyhow::Ok(())
    };
    timeout(TIMEOUT, all)
        .await
        .context("not all clients resumed in time")??;
    let time = start.elapsed();
    let now = server.served()?;
    Ok(Resume {
        way: "a hub, over sockets",
        clients,
        time,
        before,
        peak: memory(&process, "VmHWM")?,
        after: memory(&process, "VmRSS")?,
        reads: now.transactions - served.transactions,
        bytes: now.bytes - served.bytes,
    })
}

/// Text in every event that its data does not contain.
const DATA: &[u8] = b"data:";

/// Returns the number of events in a piece.
fn count(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, DATA).count()
}

/// A hub on the same Redis, killed on drop.
pub(crate) struct Hub {
    process: Child,
    port: u16,
}

impl Hub {
    pub(crate) fn start(
        executable: &Path,
        server: &RedisServer,
        clients: usize,
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(executable);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--log", "warn"]);
        command.args([
            "--backplane",
            &server.url(),
            "--backplane-memory",
            &WINDOW.to_string(),
        ]);
        command.args(["--backplane-prefix", PREFIX]);
        command.args(["--max-connections", &(clients + 10).to_string()]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self {
            process: process
                .with_context(|| format!("failed to start {}", executable.display()))?,
            port,
        })
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let end = Instant::now() + TIMEOUT;
        while !self.is_ready().await.unwrap_or(false) {
            ensure!(Instant::now() < end, "the hub did not become ready");
            sleep(Duration::from_millis(50)).await;
        }
        // By then the hub has read the last published event from the log.
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    async fn is_ready(&self) -> anyhow::Result<bool> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await?;
        socket
            .write_all(
                b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
            .await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Returns the memory of a process, in KiB.
fn memory(process: &str, what: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    Ok(line
        .context("the memory of the process is not in its status file")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?)
}

fn allow_files(clients: usize) -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    ensure!(
        maximum.is_none_or(|most| most > clients as u64 + 100),
        "the limit of open files is too low"
    );
    Ok(())
}
