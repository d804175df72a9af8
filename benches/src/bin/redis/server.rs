//! A Redis in a folder of its own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use sse_redis::{RedisBackplane, RedisConfig};
use tempfile::TempDir;

/// A server that keeps everything in memory, killed when it is dropped.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--port", &port.to_string(), "--dir"]).arg(folder.path());
        let process = command.stdout(Stdio::null()).spawn().context("cannot start redis-server")?;
        Ok(Self { process, port, _folder: folder })
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while let Err(error) = self.node(RedisConfig::default()).await {
            if Instant::now() > end {
                bail!("redis-server does not answer: {error}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(crate) async fn node(&self, config: RedisConfig) -> anyhow::Result<RedisBackplane> {
        Ok(RedisBackplane::connect(&format!("redis://127.0.0.1:{}", self.port), config).await?)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
