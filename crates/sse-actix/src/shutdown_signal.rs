//! Signals that stop a server without a shutdown future.

use std::{future::pending, io};

use tracing::warn;

/// The signals at which Actix stops: SIGINT and SIGTERM, or Ctrl-C. `next` resolves at each of
/// them.
#[derive(Debug)]
pub(crate) struct ShutdownSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl ShutdownSignals {
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        let caught = tokio::select! {
            caught = self.interrupt.recv() => caught.is_some(),
            caught = self.terminate.recv() => caught.is_some(),
        };
        #[cfg(not(unix))]
        let caught = tokio::signal::ctrl_c().await.is_ok();
        if !caught {
            warn!("failed to wait for a shutdown signal: the runtime delivers no more signals");
            pending::<()>().await;
        }
    }
}
