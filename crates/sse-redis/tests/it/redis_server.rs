//! A Redis server for one test.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult, Value, aio::MultiplexedConnection};
use rustix::process::{Pid, Signal, kill_process};
use sse_redis::{RedisBackplane, RedisConfig};
use sse_testkit::Proxy;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A server in a folder of its own, killed when it is dropped.
pub(crate) struct RedisServer {
    executable: PathBuf,
    folder: TempDir,
    pub(crate) port: u16,
    kind: Kind,
    process: Option<Child>,
}

/// The role of a server.
enum Kind {
    /// A data server with further arguments.
    Data(Vec<String>),
    /// A sentinel with settings, which it rewrites.
    Sentinel(String),
}

/// Timeout that is long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the URL of the server that a proxy leads to.
pub(crate) fn url_of(proxy: &Proxy) -> String {
    format!("redis://{}", proxy.address())
}

impl RedisServer {
    /// Starts a server that syncs every write to disk before its reply. Returns `None` if Redis is
    /// not installed and the tests do not require it.
    pub(crate) async fn start(extra: &[&str]) -> Option<Self> {
        Self::start_as(|| Kind::Data(extra.iter().map(|&argument| argument.to_owned()).collect()))
            .await
    }

    /// Starts a sentinel: the same executable, which distributions also have under the name
    /// `redis-sentinel`.
    pub(crate) async fn start_sentinel(settings: &str) -> Option<Self> {
        Self::start_as(|| Kind::Sentinel(settings.to_owned())).await
    }

    async fn start_as(kind: impl Fn() -> Kind) -> Option<Self> {
        let name =
            std::env::var("SSE_TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let Some(executable) = sse_testkit::executable(&name).unwrap() else {
            println!("skipped: there is no {name}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self {
            executable,
            folder,
            port: 0,
            kind: kind(),
            process: None,
        };
        // Another process can get the port between our request and the server's.
        for _ in 0..20 {
            server.port = free_port();
            if server.spawn().await {
                return Some(server);
            }
        }
        panic!("Redis did not start: {}", server.output());
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns a proxy of the server that can fail.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::to(self.address()).await.unwrap()
    }

    pub(crate) async fn node(&self) -> RedisBackplane {
        self.node_with(patient()).await
    }

    pub(crate) async fn node_with(&self, config: RedisConfig) -> RedisBackplane {
        RedisBackplane::connect(&self.url(), config).await.unwrap()
    }

    /// Sends a command on a separate connection.
    pub(crate) async fn ask(&self, command: &str) -> Value {
        self.ask_as("", command).await
    }

    /// Sends a command as a user: `user:password@`.
    pub(crate) async fn ask_as(&self, user: &str, command: &str) -> Value {
        let mut client = self.client_as(user).await.unwrap();
        let answer: RedisResult<Value> = words(command).query_async(&mut client).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub(crate) async fn client(&self) -> RedisResult<MultiplexedConnection> {
        self.client_as("").await
    }

    pub(crate) async fn client_as(&self, user: &str) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let url = format!("redis://{user}127.0.0.1:{}", self.port);
        Client::open(url)?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Kills the server, as by `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Restarts the server at the same port, with the data on disk.
    pub(crate) async fn resume(&mut self) {
        let end = Instant::now() + TIMEOUT;
        while !self.spawn().await {
            assert!(
                Instant::now() < end,
                "Redis did not restart: {}",
                self.output()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Pauses the process, whose kernel still accepts connections.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.as_ref().unwrap().id();
        kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
    }

    /// Starts the process. Returns `true` if it listens.
    async fn spawn(&mut self) -> bool {
        let output = File::create(self.folder().join("output")).unwrap();
        let mut command = Command::new(&self.executable);
        let listen = format!(
            "bind 127.0.0.1\nport {}\ndir {}\n",
            self.port,
            self.folder().display()
        );
        let is_ready = match &self.kind {
            Kind::Data(extra) => {
                let file = self.folder().join("settings");
                std::fs::write(&file, listen).unwrap();
                command.arg(file).args([
                    "--save",
                    "",
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                ]);
                command.args(extra);
                "Ready to accept connections"
            }
            Kind::Sentinel(settings) => {
                let file = self.folder().join("settings");
                std::fs::write(&file, listen + settings).unwrap();
                command.arg(file).arg("--sentinel");
                "Sentinel ID is"
            }
        };
        command
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output);
        self.process = Some(command.spawn().unwrap());
        let end = Instant::now() + TIMEOUT;
        loop {
            if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            if self.output().contains(is_ready) {
                return true;
            }
            assert!(
                Instant::now() < end,
                "Redis did not become ready: {}",
                self.output()
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.folder().join("output")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// Returns a configuration for servers that reply, however slow the machine is.
pub(crate) fn patient() -> RedisConfig {
    let most = Duration::from_secs(7);
    RedisConfig::default()
        .response_timeout(most)
        .connect_timeout(most)
}

/// Creates a command from words without spaces.
pub(crate) fn words(command: &str) -> Cmd {
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
