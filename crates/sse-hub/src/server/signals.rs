//! The signals that the hub receives, and their effects.

#[cfg(unix)]
use std::io::IsTerminal as _;

use std::io;

/// A signal that ends the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Ctrl-C exists elsewhere"))]
pub(crate) enum Ending {
    /// Ctrl-C, `SIGINT`: sent from a terminal, so the hub has no load balancer.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGQUIT`.
    Quit,
    /// `SIGHUP` of a hub that was started from a terminal: the terminal closed.
    Hangup,
}

/// The effect of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Ctrl-C exists elsewhere"))]
pub(crate) enum SignalEffect {
    /// The end of the hub.
    End(Ending),
    /// `SIGHUP` of a hub without a terminal: certificates, secrets and keys are read again.
    Reload,
    /// No effect; by default the signal would end the process.
    Nothing(&'static str),
}

impl Ending {
    /// Returns the name of the signal.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Quit => "SIGQUIT",
            Self::Hangup => "SIGHUP",
        }
    }

    /// Returns the exit code that a shell reports for a process that the signal ended.
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Quit => 131,
            Self::Terminate => 143,
        }
    }
}

/// Returns whether the hub was started from a terminal. The hub ends together with that terminal.
#[cfg(unix)]
fn is_from_terminal() -> bool {
    io::stdin().is_terminal() || io::stderr().is_terminal()
}

/// The signals that the hub receives. From its creation on, the signals no longer end the process
/// automatically.
#[derive(Debug)]
pub(crate) struct ProcessSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    quit: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    #[cfg(unix)]
    user1: tokio::signal::unix::Signal,
    #[cfg(unix)]
    user2: tokio::signal::unix::Signal,
    /// `SIGXFSZ`, sent for a write beyond `ulimit -f`. The write fails with `EFBIG` if the signal
    /// has a handler.
    #[cfg(unix)]
    file_size: tokio::signal::unix::Signal,
    #[cfg(unix)]
    is_from_terminal: bool,
}

#[cfg(unix)]
impl ProcessSignals {
    /// Installs the signal handlers.
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
            is_from_terminal: is_from_terminal(),
        })
    }

    /// Returns the next request. *Cancel safety.* No signal is lost.
    pub(crate) async fn next(&mut self) -> SignalEffect {
        tokio::select! {
            _ = self.interrupt.recv() => SignalEffect::End(Ending::Interrupt),
            _ = self.terminate.recv() => SignalEffect::End(Ending::Terminate),
            _ = self.quit.recv() => SignalEffect::End(Ending::Quit),
            _ = self.hangup.recv() => {
                if self.is_from_terminal { SignalEffect::End(Ending::Hangup) } else { SignalEffect::Reload }
            }
            _ = self.user1.recv() => SignalEffect::Nothing("SIGUSR1"),
            _ = self.user2.recv() => SignalEffect::Nothing("SIGUSR2"),
            _ = self.file_size.recv() => SignalEffect::Nothing("SIGXFSZ"),
        }
    }
}

#[cfg(not(unix))]
impl ProcessSignals {
    /// Does nothing; only Ctrl-C exists on this system.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns the next request.
    pub(crate) async fn next(&mut self) -> SignalEffect {
        match tokio::signal::ctrl_c().await {
            Ok(()) => SignalEffect::End(Ending::Interrupt),
            Err(error) => {
                tracing::error!(%error, "failed to listen for Ctrl-C");
                std::future::pending().await
            }
        }
    }
}
