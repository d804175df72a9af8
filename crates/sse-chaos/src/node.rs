//! Nodes: hubs, each in its own process.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use sse_testkit::request;

use crate::{
    clock::ShiftedClock,
    error::Error,
    ports,
    process::ChildProcess,
    wait::{LONG, until},
};

/// A hub at its own port, which can be killed and restarted there.
pub(crate) struct HubNode {
    program: PathBuf,
    arguments: Vec<String>,
    address: SocketAddr,
    output: PathBuf,
    clock: Option<ShiftedClock>,
    process: Option<ChildProcess>,
}

impl HubNode {
    /// Starts a node with these arguments, and with a clock that can be set if there is one.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        output: PathBuf,
        clock: Option<ShiftedClock>,
    ) -> Result<Self, Error> {
        let (address, arguments) = (ports::free()?, arguments.to_vec());
        let mut node = Self {
            program: program.to_owned(),
            arguments,
            address,
            output,
            clock,
            process: None,
        };
        node.resume()?;
        Ok(node)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Restarts the node at its port. The node may take a while until it listens.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        let mut command = Command::new(&self.program);
        command
            .args(["--listen", &self.address.to_string()])
            .args(&self.arguments);
        for (name, _) in env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        if let Some(clock) = &self.clock {
            clock.prepare(&mut command);
        }
        self.process = Some(ChildProcess::spawn(command, &self.output)?);
        Ok(())
    }

    /// Sets the node's clock.
    pub(crate) fn set_clock(&self, offset: &str) -> Result<(), Error> {
        self.clock
            .as_ref()
            .map_or(Ok(()), |clock| clock.set(offset))
    }

    /// Kills the node as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.kill())
    }

    /// Asks the node to drain, by `SIGTERM`, and waits for its end.
    pub(crate) async fn drain(&mut self) -> Result<(), Error> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        process.signal(Signal::TERM)?;
        let status = process.end(LONG).await?;
        let tail = process.tail();
        self.process = None;
        if status.success() {
            return Ok(());
        }
        Err(Error::new(format!(
            "hub exited with {status} after SIGTERM: {tail}"
        )))
    }

    /// Pauses the node, by `SIGSTOP`.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Resumes a paused node.
    pub(crate) fn go_on(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Waits until the node is ready.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        let address = self.address;
        until(
            &format!("the hub at {address} to be ready"),
            LONG,
            async || {
                if let Some(problem) = self.problem()? {
                    return Err(Error::new(problem));
                }
                let answer = request(address, "GET", "/health/ready", &[], "").await;
                Ok(answer.is_ok_and(|answer| answer.status == 200))
            },
        )
        .await?;
        Ok(())
    }

    /// Returns the problem if the node ended unasked.
    pub(crate) fn problem(&mut self) -> Result<Option<String>, Error> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let status = process.ended()?;
        Ok(status.map(|status| format!("hub exited unexpectedly ({status}): {}", process.tail())))
    }

    /// Returns the end of the node's output.
    pub(crate) fn tail(&self) -> String {
        self.process
            .as_ref()
            .map(ChildProcess::tail)
            .unwrap_or_default()
    }
}

/// Returns `true` if an environment variable would change the behavior of a hub.
fn is_setting(name: &str) -> bool {
    ["SSE_HUB_", "AUTH_SECRET", "NEXTAUTH_SECRET", "JWT_SECRET"]
        .iter()
        .any(|start| name.starts_with(start))
}
