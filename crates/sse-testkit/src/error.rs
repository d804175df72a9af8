//! Errors between a test and a server.

use std::io;
use std::time::Duration;

use crate::{decoder::Decoded, end::End};

/// The reason why a client or a server did not do what the test asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection could not be made or used.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The peer broke HTTP/1.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// The response is not an event stream, so a browser would not read it.
    #[error("the response is not an event stream: status {status}, content type {content_type:?}")]
    NotAStream {
        /// Status code of the response.
        status: u16,
        /// `Content-Type` of the response, if it has one.
        content_type: Option<String>,
    },
    /// The stream ended where an event was expected, or not in the way that was expected.
    #[error("the stream ended: {0}")]
    Ended(End),
    /// An event came where the end was expected.
    #[error("the stream sent an event instead of its end: {0:?}")]
    Unexpected(Decoded),
    /// Nothing came in the time that the test allowed.
    #[error("nothing arrived within {0:?}")]
    Timeout(Duration),
    /// A server process did not start, or did not exit.
    #[error("the server {reason}; its last output:\n{output}")]
    Server {
        /// The server's unexpected behavior.
        reason: String,
        /// The last lines that the server printed.
        output: String,
    },
    /// `SSE_TEST_SERVICES` demands an executable that is not in `PATH`.
    #[error("SSE_TEST_SERVICES is set, but {0} is not in PATH")]
    NoExecutable(String),
}
