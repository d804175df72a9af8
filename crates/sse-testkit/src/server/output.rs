//! The output of a server.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Maximum number of lines that are kept.
const LINES_KEPT: usize = 200;

/// Maximum number of bytes of a line before it is split.
const LINE_LIMIT: u64 = 16 * 1024;

/// The last lines of both outputs, in the order in which they were read.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerOutput(Arc<Mutex<VecDeque<String>>>);

impl ServerOutput {
    /// Begins to read the outputs of a child, to their end so that the child never blocks. The
    /// returned future resolves to the address, or to `None` if both outputs end without one.
    pub(super) fn of(
        child: &mut Child,
    ) -> (Self, impl Future<Output = Option<SocketAddr>> + use<>) {
        let (found, address) = oneshot::channel();
        let output = Self::default();
        let stderr = child.stderr.take().map(|stderr| output.read(stderr, None));
        if let Some(stdout) = child.stdout.take() {
            // The channel in the task signals the task's end.
            drop(output.read(stdout, Some(found)));
        }
        (output, after_stderr(address, stderr))
    }

    /// Returns the lines as one text.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect()
    }

    fn read(
        &self,
        pipe: impl AsyncRead + Unpin + Send + 'static,
        mut found: Option<oneshot::Sender<SocketAddr>>,
    ) -> JoinHandle<()> {
        let output = self.clone();
        tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe);
            while let Some(line) = next_line(&mut pipe).await {
                if let Some(address) = address_in(&line)
                    && let Some(found) = found.take()
                {
                    // The receiver was dropped only if nothing waits for the address any more.
                    _ = found.send(address);
                }
                output.push(line);
            }
        })
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Returns the address. If standard output ended without one, returns `None`, but only after all of
/// standard error was read.
async fn after_stderr(
    address: oneshot::Receiver<SocketAddr>,
    stderr: Option<JoinHandle<()>>,
) -> Option<SocketAddr> {
    let address = address.await.ok();
    if address.is_none()
        && let Some(stderr) = stderr
    {
        // A failed reader has nothing more to report.
        _ = stderr.await;
    }
    address
}

/// Returns the next line with its end, or `None` at the end of the pipe. A pipe that cannot be read
/// has ended.
async fn next_line(pipe: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let length = pipe
        .take(LINE_LIMIT)
        .read_until(b'\n', &mut line)
        .await
        .ok()?;
    (length > 0).then(|| String::from_utf8_lossy(&line).into_owned())
}

/// Returns the first `http://IP:PORT` or `https://IP:PORT` in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.match_indices("://").find_map(|(start, scheme)| {
        let rest = &line[start + scheme.len()..];
        let is_part = |letter: char| letter.is_ascii_hexdigit() || ".:[]".contains(letter);
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        rest[..end].trim_end_matches(['.', ':']).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_a_line() {
        let found = |line: &str| address_in(line).map(|address| address.to_string());
        let v4 = Some("127.0.0.1:8080".to_owned());
        assert_eq!(found("http://127.0.0.1:8080"), v4);
        assert_eq!(
            found("listening on \u{1b}[1mhttp://127.0.0.1:8080\u{1b}[0m, hello"),
            v4
        );
        assert_eq!(
            found("demo: http://127.0.0.1:8080/sse-demo (docs: http://127.0.0.1:9/)"),
            v4
        );
        assert_eq!(
            found("See http://example.org. Listening on http://127.0.0.1:8080.\n"),
            v4
        );
        assert_eq!(found("http://[::1]:80/"), Some("[::1]:80".to_owned()));
        assert_eq!(found("https://127.0.0.1:8080/"), v4);
        assert_eq!(
            found("http://127.0.0.1/ http:// https://example.org:80/"),
            None
        );
    }
}
