//! A server for one test.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::{Client, ConnectOptions};
use rustix::{
    fs::statvfs,
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
};
use serde_json::Value;
use sse_nats::{NatsBackplane, NatsConfig};
use sse_testkit::{Proxy, executable};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// Timeout for the start of a server, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A server with its files in a directory of its own. Dropping it kills the server.
pub(crate) struct Server {
    binary: PathBuf,
    directory: TempDir,
    port: u16,
    extra: String,
    process: Option<Child>,
}

/// Returns the path of an installed server.
pub(crate) fn installed(which: usize) -> Option<PathBuf> {
    let first = executable("nats-server").unwrap_or_else(|error| panic!("{error}"));
    let Some(first) = first else {
        println!("skipped: there is no nats-server in PATH");
        return None;
    };
    let mut found = vec![first.canonicalize().unwrap()];
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        let Ok(binary) = folder.join("nats-server").canonicalize() else {
            continue;
        };
        if !found.contains(&binary) {
            found.push(binary);
        }
    }
    let chosen = found.get(which).cloned();
    if chosen.is_none() {
        println!("skipped: there is no second nats-server in PATH");
    }
    chosen
}

impl Server {
    /// Starts the first installed server.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(0, |_| String::new()).await
    }

    /// Starts a server with additional text in its configuration file, which can name files in its
    /// directory.
    pub(crate) async fn start_with(which: usize, extra: impl Fn(&Path) -> String) -> Option<Self> {
        let binary = installed(which)?;
        let directory = directory();
        let extra = extra(directory.path());
        let mut server = Self {
            binary,
            directory,
            port: 0,
            extra,
            process: None,
        };
        for _ in 0..20 {
            server.port = free_port();
            server.spawn();
            if server.is_ready().await {
                return Some(server);
            }
        }
        panic!("nats-server did not start: {}", server.log());
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns a proxy of the server that can fail.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::to(([127, 0, 0, 1], self.port).into()).await.unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the directory in which the server keeps streams.
    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn spawn(&mut self) {
        let config = self.write_config();
        let mut command = Command::new(&self.binary);
        command
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
    }

    /// Changes the additional text of the configuration file while the server runs.
    pub(crate) fn reconfigure(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.write_config();
        self.signal(Signal::HUP);
    }

    fn write_config(&self) -> PathBuf {
        let config = self.directory.path().join("server.conf");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nserver_name: \"{}\"\nmax_payload: 8MB\nlog_file: {:?}\n\
             jetstream {{ store_dir: {:?}, max_file_store: 4GB, max_memory_store: 256MB }}\n{}\n",
            self.port,
            self.name(),
            self.directory.path().join("log"),
            self.store(),
            self.extra
        );
        fs::write(&config, text).unwrap();
        config
    }

    /// Returns a name that no other server has. It identifies this server if another one has taken
    /// the port.
    pub(crate) fn name(&self) -> String {
        self.directory
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }

    /// Waits until the server accepts connections. Returns `false` if the server ended instead.
    async fn is_ready(&mut self) -> bool {
        let end = Instant::now() + START;
        while Instant::now() < end {
            if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(Some(info)) = timeout(Duration::from_secs(5), greeting(self.port)).await
                && info.contains(&self.name())
            {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("nats-server sent no greeting: {}", self.log());
    }

    /// Kills the server, as by `kill -9`.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts the server again, at the same address.
    pub(crate) async fn resume(&mut self) {
        let end = Instant::now() + START;
        loop {
            self.spawn();
            if self.is_ready().await {
                return;
            }
            assert!(
                Instant::now() < end,
                "nats-server did not restart: {}",
                self.log()
            );
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Sends a signal: pauses the process without ending it, or resumes it.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(self.process.as_ref().unwrap());
        kill_process(id, signal).unwrap();
        if signal == Signal::STOP {
            // The threads of the process continue for a moment.
            waitpid(Some(id), WaitOptions::UNTRACED).unwrap();
        }
    }

    pub(crate) async fn node(&self) -> NatsBackplane {
        self.node_with(config()).await
    }

    pub(crate) async fn node_with(&self, config: NatsConfig) -> NatsBackplane {
        NatsBackplane::connect(&self.url(), config).await.unwrap()
    }

    /// Returns a separate client of the test.
    pub(crate) async fn client(&self) -> Client {
        ConnectOptions::new().connect(self.url()).await.unwrap()
    }

    /// Sends a request to JetStream, which must succeed.
    pub(crate) async fn ask(&self, what: &str, request: Value) -> Value {
        let answer = self
            .client()
            .await
            .request(format!("$JS.API.{what}"), request.to_string().into())
            .await;
        let answer: Value = serde_json::from_slice(&answer.unwrap().payload).unwrap();
        assert!(answer.get("error").is_none(), "{what}: {answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // The process may have ended already.
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// Returns the configuration of all tests, with their prefix.
pub(crate) fn config() -> NatsConfig {
    // Fewer appends at once than by default, so that none waits for long on a busy machine.
    NatsConfig::default()
        .prefix("test.suite")
        .appends_under_way(256)
}

/// The log's stream under that prefix.
pub(crate) const LOG: &str = "test_suite_log";

/// The stream of leases.
pub(crate) const STATE: &str = "test_suite_state";

async fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.ok()?;
    Some(line)
}

/// Returns a directory, in memory if possible. A server whose disk is busy with other work does not
/// reply for seconds, and correctly counts as silent.
fn directory() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    const ROOM: u64 = 2 << 30;
    let has_room =
        statvfs(MEMORY).is_ok_and(|memory| memory.f_bavail.saturating_mul(memory.f_frsize) > ROOM);
    if has_room {
        TempDir::new_in(MEMORY).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}

/// Returns a port without a listener, outside the range that the system assigns to outgoing
/// connections.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
