//! A server under test, running as a child process on a separate processor.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::driver::process::{Process, pin};
use crate::servers::contender::Contender;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout for a server to end before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// The processors of the server and of the load.
#[derive(Clone, Debug)]
pub(crate) struct Cpus {
    pub(crate) server: Vec<usize>,
    pub(crate) load: Vec<usize>,
}

/// A running server; a drop ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: Option<SocketAddr>,
    /// Folder of a server that reads its configuration from a file.
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts the server on its processor, waits until it listens, and leaves the calling thread on
    /// the load's processor.
    ///
    /// # Errors
    ///
    /// If the server cannot be started, ends, or prints no address; the error has its output.
    pub(crate) fn start(contender: &Contender, cpus: &Cpus) -> anyhow::Result<Self> {
        let name = &contender.name;
        let (arguments, address, folder) = match contender.configuration {
            None => (contender.arguments.clone(), None, None),
            Some(configuration) => configured(configuration, &contender.arguments)?,
        };
        let mut child = spawn(&contender.program, &arguments, cpus)?;
        let lines = lines(&mut child);
        // From here on the process is ended even if an error is returned.
        let mut server = Self {
            child,
            address,
            _folder: folder,
        };
        let address = match address {
            Some(address) => address,
            None => first_address(&lines).with_context(|| format!("starting {name}"))?,
        };
        thread::spawn(move || lines.into_iter().for_each(drop));
        wait_for(address).with_context(|| format!("waiting for {name} at {address}"))?;
        server.address = Some(address);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    pub(crate) fn url(&self) -> Option<String> {
        self.address.map(|address| format!("http://{address}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has child processes ends them only if it is asked.
        Process::new(self.pid()).terminate();
        let deadline = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        // Both fail only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns arguments, address and folder of a server that prints no address, because a file
/// configures it.
fn configured(
    configuration: &str,
    arguments: &[String],
) -> anyhow::Result<(Vec<String>, Option<SocketAddr>, Option<TempDir>)> {
    let folder = tempfile::tempdir().context("making a folder for a server")?;
    let path = folder
        .path()
        .to_str()
        .context("the name of the temporary folder is not UTF-8")?;
    // The port was free a moment ago; the server can lose it to another process.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
    let configuration = configuration
        .replace("FOLDER", path)
        .replace("ADDRESS", &address.to_string());
    fs::write(folder.path().join("configuration"), configuration)
        .context("writing a configuration")?;
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("FOLDER", path))
        .collect();
    Ok((arguments, Some(address), Some(folder)))
}

/// Spawns a child, which inherits the processors that the thread is pinned to meanwhile.
fn spawn(program: &Path, arguments: &[String], cpus: &Cpus) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    pin(&cpus.server)?;
    let child = command.spawn();
    pin(&cpus.load)?;
    child.with_context(|| format!("starting {}", program.display()))
}

/// Returns the lines of both outputs. They are read to the end, so that the server never waits for
/// a reader.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = sync_channel(64);
    if let Some(output) = child.stdout.take() {
        forward(output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        forward(output, sender);
    }
    lines
}

fn forward(output: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || {
        let read = BufReader::new(output).split(b'\n').map_while(Result::ok);
        read.map(|line| String::from_utf8_lossy(&line).into_owned())
            .try_for_each(|line| lines.send(line))
    });
}

fn first_address(lines: &Receiver<String>) -> anyhow::Result<SocketAddr> {
    let (deadline, mut printed) = (Instant::now() + TIMEOUT, String::new());
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => match find_address(&line) {
                Some(address) => return Ok(address),
                None => printed = printed + &line + "\n",
            },
            Err(RecvTimeoutError::Timeout) => {
                bail!("the server printed no address within {TIMEOUT:?}; output:\n{printed}")
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the server exited; output:\n{printed}"),
        }
    }
}

/// Returns the first `http://IP:PORT` or `https://IP:PORT` in a line.
fn find_address(line: &str) -> Option<SocketAddr> {
    let schemes = ["http://", "https://"];
    let mut urls = schemes.iter().flat_map(|scheme| line.split(scheme).skip(1));
    urls.find_map(|rest| {
        let end = rest.find(|byte: char| !(byte.is_ascii_hexdigit() || ".:[]".contains(byte)));
        rest[..end.unwrap_or(rest.len())]
            .trim_end_matches(['.', ':'])
            .parse()
            .ok()
    })
}

fn wait_for(address: SocketAddr) -> std::io::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::process::allowed_cpus;
    use crate::driver::target::Layout;

    #[test]
    fn finds_the_address_in_any_output() {
        let find = |line: &str| find_address(line).map(|address| address.to_string());
        assert_eq!(
            find("demo: http://127.0.0.1:8080/sse-demo").as_deref(),
            Some("127.0.0.1:8080")
        );
        assert_eq!(
            find("see http://example.org, at \u{1b}[1mhttp://[::1]:1\u{1b}[0m.").as_deref(),
            Some("[::1]:1")
        );
        assert_eq!(
            find("http://127.0.0.1:99.").as_deref(),
            Some("127.0.0.1:99")
        );
        assert_eq!(
            find("listening on https://127.0.0.1:443").as_deref(),
            Some("127.0.0.1:443")
        );
        assert_eq!(find("listening on 127.0.0.1:99"), None);
    }

    #[test]
    fn early_exit_is_an_error_with_the_output() {
        let arguments = ["-c", "echo sorry >&2; exit 2"].map(str::to_owned).into();
        let (name, program) = ("x".to_owned(), "/bin/sh".into());
        let contender = Contender {
            name,
            layout: Layout::Plain,
            native: None,
            program,
            arguments,
            configuration: None,
        };
        let cpus = Cpus {
            server: allowed_cpus().unwrap(),
            load: allowed_cpus().unwrap(),
        };
        let error = Server::start(&contender, &cpus).unwrap_err();
        assert!(format!("{error:#}").contains("sorry"), "{error:#}");
    }

    #[test]
    fn a_configuration_names_the_folder_and_the_address() {
        let arguments = ["-c".to_owned(), "FOLDER/configuration".to_owned()];
        let (arguments, address, folder) =
            configured("listen ADDRESS; pid FOLDER/pid;", &arguments).unwrap();
        let text = fs::read_to_string(&arguments[1]).unwrap();
        let folder = folder.unwrap();
        assert_eq!(
            text,
            format!(
                "listen {}; pid {}/pid;",
                address.unwrap(),
                folder.path().display()
            )
        );
    }
}
