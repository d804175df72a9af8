//! A request without its body, independent of a web framework.

use std::{borrow::Cow, net::IpAddr};

use sse_core::{Caller, ConnectErrorKind};

/// A request without its body, independent of a web framework.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Method, as in the request line.
    pub method: &'a str,
    /// Path after the mount point, without its leading slash, still percent-encoded:
    /// `sse.getStats`.
    pub path: &'a str,
    /// Query string, without the question mark.
    pub query: Option<&'a str>,
    /// Header fields.
    pub headers: Headers<'a>,
    /// The caller, or the reason for which authentication refuses it. A rejection fails every call.
    /// Only `renew` with a token in its input is still possible if the reason is
    /// [`ConnectErrorKind::Unauthenticated`] or [`ConnectErrorKind::CrossSite`].
    pub caller: Result<Caller, ConnectErrorKind>,
    /// Address of the client, for the limits of subscriptions and of bodies in flight, and for
    /// [`Management::limit`](crate::Management::limit).
    pub address: Option<IpAddr>,
}

/// The header fields that the API reads.
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
    /// Reads the header fields; `get` is called with names in lower case.
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

    /// Returns `true` if the client accepts lines of JSON (tRPC 11, `http/contentType.ts`).
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

    /// Returns `true` if the client accepts results as they complete, in the form of tRPC 10.
    pub(crate) fn asks_for_pieces(&self) -> bool {
        self.trpc_batch_mode == Some(b"stream")
    }

    pub(crate) fn last_event_id(&self) -> Option<Cow<'a, str>> {
        self.last_event_id.map(String::from_utf8_lossy)
    }

    /// Returns the length of the body that the header declares. Servers reject values that are not
    /// a number, so such values count as missing.
    pub(crate) fn content_length(&self) -> Option<usize> {
        std::str::from_utf8(self.content_length?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}
