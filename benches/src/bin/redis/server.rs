//! A Redis in its own folder.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use sse_redis::{RedisBackplane, RedisConfig};
use tempfile::TempDir;

/// A server that keeps everything in memory, killed on drop.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

/// The work that a server did.
pub(crate) struct Served {
    /// Number of transactions. A node reads each page of the log in one transaction; its other
    /// regular work uses none.
    pub(crate) transactions: u64,
    /// Bytes that the server sent.
    pub(crate) bytes: u64,
}

impl RedisServer {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path());
        let process = command
            .stdout(Stdio::null())
            .spawn()
            .context("failed to start redis-server")?;
        Ok(Self {
            process,
            port,
            _folder: folder,
        })
    }

    /// Waits until the server answers.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while let Err(error) = self.node(RedisConfig::default()).await {
            if Instant::now() > end {
                bail!("redis-server does not reply: {error}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the work that the server did until now.
    pub(crate) fn served(&self) -> anyhow::Result<Served> {
        let mut command = Command::new("redis-cli");
        command
            .args(["-p", &self.port.to_string(), "INFO", "all"])
            .stdin(Stdio::null());
        let output = command.output().context("failed to start redis-cli")?;
        let info = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = |name: &str| -> u64 {
            let rest = info
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default();
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse().unwrap_or(0)
        };
        Ok(Served {
            transactions: number("cmdstat_exec:calls="),
            bytes: number("total_net_output_bytes:"),
        })
    }

    pub(crate) async fn node(&self, config: RedisConfig) -> anyhow::Result<RedisBackplane> {
        Ok(RedisBackplane::connect(&self.url(), config).await?)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
