//! A request without its body, in no framework's terms.

use std::{borrow::Cow, net::IpAddr};

use sse_core::{Caller, ConnectErrorKind};

/// A request without its body, in no framework's terms.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method, as it stands in the request line.
    pub method: &'a str,
    /// What follows the mount point, without its leading slash, still percent-encoded:
    /// `sse.getStats`.
    pub path: &'a str,
    /// The query string without the question mark.
    pub query: Option<&'a str>,
    /// What the header says.
    pub headers: Headers<'a>,
    /// Who asks, or why authentication refuses it: then every call is refused, except for `renew`
    /// with a token in its input.
    pub caller: Result<Caller, ConnectErrorKind>,
    /// Where the client is, for the limits of subscriptions.
    pub address: Option<IpAddr>,
}

/// The header fields that matter.
///
/// ```
/// let request = http::Request::get("/").header("last-event-id", "7").body(())?;
/// let headers = sse_trpc::Headers::read(|name| request.headers().get(name).map(|value| value.as_bytes()));
/// # let _ = headers;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    content_type: Option<&'a [u8]>,
    accept: Option<&'a [u8]>,
    trpc_accept: Option<&'a [u8]>,
    trpc_batch_mode: Option<&'a [u8]>,
    last_event_id: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// Reads them; names come in lower case.
    pub fn read(get: impl Fn(&'static str) -> Option<&'a [u8]>) -> Self {
        Self {
            content_type: get("content-type"),
            accept: get("accept"),
            trpc_accept: get("trpc-accept"),
            trpc_batch_mode: get("trpc-batch-mode"),
            last_event_id: get("last-event-id"),
            content_length: get("content-length"),
        }
    }

    pub(crate) fn content_type(&self) -> Option<Cow<'a, str>> {
        self.content_type.map(String::from_utf8_lossy)
    }

    /// Whether lines of JSON are asked for (tRPC 11, `http/contentType.ts`).
    pub(crate) fn accepts_lines(&self) -> bool {
        const LINES: &[u8] = b"application/jsonl";
        match self.trpc_accept {
            Some(accept) => accept == LINES,
            None => self.accept.is_some_and(|accept| {
                accept
                    .split(|byte| *byte == b',')
                    .any(|it| it.trim_ascii() == LINES)
            }),
        }
    }

    /// Whether answers are asked for as they come, in the way of tRPC 10.
    pub(crate) fn asks_for_pieces(&self) -> bool {
        self.trpc_batch_mode == Some(b"stream")
    }

    pub(crate) fn last_event_id(&self) -> Option<Cow<'a, str>> {
        self.last_event_id.map(String::from_utf8_lossy)
    }

    /// The length that the body has by its header. Servers reject what is not a number, so it
    /// counts as not given.
    pub(crate) fn content_length(&self) -> Option<usize> {
        std::str::from_utf8(self.content_length?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}
