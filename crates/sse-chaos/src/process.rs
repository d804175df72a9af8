//! A child process.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{error::Error, wait};

/// Maximum number of bytes of a process's output that are shown when it has a problem.
const TAIL: usize = 4_000;

/// A process that is killed when this is dropped.
pub(crate) struct ChildProcess {
    child: Child,
    output: PathBuf,
}

impl ChildProcess {
    /// Starts a process whose output is appended to a file.
    pub(crate) fn spawn(mut command: Command, output: &Path) -> Result<Self, Error> {
        let file = File::options().create(true).append(true).open(output)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| {
                Error::new(format!(
                    "failed to start {:?}: {error}",
                    command.get_program()
                ))
            })?;
        Ok(Self {
            child,
            output: output.to_owned(),
        })
    }

    /// Sends the process a signal. A process that has ended is not an error here: code that needs
    /// the process alive finds out.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        // As long as the child has not been waited for, its id cannot have gone to another process.
        if self.ended()?.is_none() {
            kill_process(Pid::from_child(&self.child), signal)
                .map_err(|error| Error::from(std::io::Error::from(error)))?;
        }
        Ok(())
    }

    /// Returns the exit status if the process has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end of the process.
    pub(crate) async fn end(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        let mut status = None;
        let what = format!("the end of process {}", self.child.id());
        wait::until(&what, limit, async || {
            status = self.ended()?;
            Ok(status.is_some())
        })
        .await?;
        status.ok_or_else(|| Error::new("the process did not exit"))
    }

    /// Kills the process as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Returns the end of the process's output.
    pub(crate) fn tail(&self) -> String {
        tail_of(&self.output)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn tail_of(file: &Path) -> String {
    let text = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(TAIL)..]).into_owned()
}
