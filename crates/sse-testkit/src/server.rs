//! Servers in separate processes.

mod output;

use std::fmt;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::process::Child;
use tokio::time::timeout;

use crate::error::Error;
use output::ServerOutput;

/// Default timeout for a server to print its address.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Timeout for a server that closed its outputs to exit.
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// The signals that tests send to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `SIGTERM`: asks the process to end.
    Terminate,
    /// `SIGINT`: as Ctrl-C does.
    Interrupt,
    /// `SIGQUIT`: as Ctrl-\ does.
    Quit,
    /// `SIGHUP`: the terminal closed, or the server should reload its files.
    Hangup,
    /// `SIGUSR1`.
    User1,
    /// `SIGUSR2`.
    User2,
    /// `SIGPIPE`.
    Pipe,
    /// `SIGXFSZ`: a write beyond the largest file.
    FileSize,
    /// `SIGKILL`: ends the process at once.
    Kill,
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Terminate => Self::TERM,
            Signal::Interrupt => Self::INT,
            Signal::Quit => Self::QUIT,
            Signal::Hangup => Self::HUP,
            Signal::User1 => Self::USR1,
            Signal::User2 => Self::USR2,
            Signal::Pipe => Self::PIPE,
            Signal::FileSize => Self::XFSZ,
            Signal::Kill => Self::KILL,
        }
    }
}

/// A server process that is killed when this is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    output: ServerOutput,
}

impl Server {
    /// Starts a server and waits until it prints its address: the first `http://IP:PORT` or
    /// `https://IP:PORT` on its standard output.
    ///
    /// The server should listen on port 0, so that tests can run in parallel. It must print its
    /// address within one minute. The output is read to its end, and the last 200 lines are kept.
    /// Must be called within a tokio runtime that has IO and time enabled.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the process cannot be started, [`Error::Server`] with its output if the
    /// process exits or prints no address in time.
    pub async fn spawn(command: Command) -> Result<Self, Error> {
        Self::spawn_within(command, START_LIMIT).await
    }

    /// Like [`spawn`](Self::spawn), with another timeout.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_within(command: Command, limit: Duration) -> Result<Self, Error> {
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (output, address) = ServerOutput::of(&mut child);
        match timeout(limit, address).await {
            Ok(Some(address)) => Ok(Self {
                child,
                address,
                output,
            }),
            Ok(None) => Err(Error::Server {
                reason: early_exit(&mut child).await,
                output: output.text(),
            }),
            Err(_) => Err(Error::Server {
                reason: format!("printed no address in {limit:?}"),
                output: output.text(),
            }),
        }
    }

    /// Returns the address that the server printed.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process id, as long as the process has not been seen to exit.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns the last lines that the server printed, on both outputs; 200 at most.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Sends the server a signal.
    ///
    /// # Errors
    ///
    /// [`Error::Server`] if the server has exited, [`Error::Io`] if the signal cannot be sent.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        // As long as the child has not been waited for, its id cannot have gone to another process.
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(id) = id else {
            return Err(self.failure("has exited".to_owned()));
        };
        kill_process(id, signal.into()).map_err(|error| Error::Io(error.into()))
    }

    /// Waits until the server exits.
    ///
    /// # Errors
    ///
    /// [`Error::Server`] with its output if the server does not exit within `limit`, [`Error::Io`]
    /// if the process cannot be waited for.
    pub async fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(self.failure(format!("did not exit within {limit:?}"))),
        }
    }

    fn failure(&self, reason: String) -> Error {
        Error::Server {
            reason,
            output: self.output.text(),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("id", &self.id())
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Describes the fate of a child that closed its outputs without an address in them.
async fn early_exit(child: &mut Child) -> String {
    match timeout(EXIT_LIMIT, child.wait()).await {
        Ok(Ok(status)) => format!("ended without printing an address ({status})"),
        Ok(Err(error)) => format!("cannot be waited for: {error}"),
        Err(_) => "closed its output without printing an address".to_owned(),
    }
}
