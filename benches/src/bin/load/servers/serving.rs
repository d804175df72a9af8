//! The start of a server of this program: the same for all, so that the servers differ only in
//! their implementation.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use anyhow::Context;
use tokio::runtime::Runtime;

/// Backlog of the listener, longer than the standard library's 128, so that no server loses a
/// connection while many are opened.
const BACKLOG: i32 = 4096;

/// The arguments of every server.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Serving {
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Threads that serve; the floor always has one [default: one for each processor that the
    /// server may use].
    #[arg(long)]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Threads of the reactor [default: as many as `--workers`].
    #[arg(long)]
    pub(crate) reactor_threads: Option<NonZeroUsize>,
    /// Maximum number of events that wait for a stream. A slower stream loses events or is ended.
    /// The floor holds no events. The broadcaster of actix holds 10, because it waits for its
    /// streams.
    #[arg(long, default_value_t = 1024)]
    pub(crate) capacity: usize,
    /// The server of the streams of `sse-hyper` and `sse-axum`: a reactor with `on`, which is their
    /// default, or hyper with `off`.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) reactor: Switch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Serving {
    pub(crate) fn workers(&self) -> usize {
        self.workers
            .or_else(|| available_parallelism().ok())
            .map_or(1, NonZeroUsize::get)
    }

    pub(crate) fn reactor_threads(&self) -> NonZeroUsize {
        self.reactor_threads
            .or_else(|| NonZeroUsize::new(self.workers()))
            .unwrap_or(NonZeroUsize::MIN)
    }

    /// Creates a non-blocking listening socket.
    pub(crate) fn listener(&self) -> anyhow::Result<TcpListener> {
        let address = self.listen;
        let listener =
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Creates the runtime of every server on tokio except Actix, which has its own.
    pub(crate) fn runtime(&self) -> anyhow::Result<Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.workers())
            .enable_all()
            .build()
            .context("starting a runtime")
    }
}
