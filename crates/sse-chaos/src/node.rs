//! Nodes: hubs in processes of their own.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use sse_testkit::request;

use crate::{
    clock::Clock,
    error::Error,
    ports,
    process::Process,
    wait::{LONG, until},
};

/// A hub at a port of its own, that may be killed and started again there.
pub(crate) struct Node {
    program: PathBuf,
    arguments: Vec<String>,
    address: SocketAddr,
    output: PathBuf,
    clock: Option<Clock>,
    process: Option<Process>,
}

impl Node {
    /// Starts a node with these arguments, and with a clock that can be set if there is one.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        output: PathBuf,
        clock: Option<Clock>,
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

    /// Starts it again at its port. It may take a while until it listens.
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
        self.process = Some(Process::spawn(command, &self.output)?);
        Ok(())
    }

    /// Sets its clock.
    pub(crate) fn set_clock(&self, offset: &str) -> Result<(), Error> {
        self.clock
            .as_ref()
            .map_or(Ok(()), |clock| clock.set(offset))
    }

    /// As by `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.kill())
    }

    /// Asks it to drain, by `SIGTERM`, and waits for its end.
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
            "a hub that was asked to drain ended with {status}: {tail}"
        )))
    }

    /// Pauses it, by `SIGSTOP`.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) -> Result<(), Error> {
        self.process
            .as_mut()
            .map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Waits until it is ready.
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

    /// What is wrong with it, if it ended by itself.
    pub(crate) fn problem(&mut self) -> Result<Option<String>, Error> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let status = process.ended()?;
        Ok(status.map(|status| format!("a hub ended by itself ({status}): {}", process.tail())))
    }

    /// The last that it said.
    pub(crate) fn tail(&self) -> String {
        self.process.as_ref().map(Process::tail).unwrap_or_default()
    }
}

/// Whether a variable would change what a hub does.
fn is_setting(name: &str) -> bool {
    ["SSE_HUB_", "AUTH_SECRET", "NEXTAUTH_SECRET", "JWT_SECRET"]
        .iter()
        .any(|start| name.starts_with(start))
}
