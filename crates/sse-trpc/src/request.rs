//! A request, in no framework's terms.

use bytes::Bytes;
use sse_core::Caller;

/// A request, in no framework's terms.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method, as it stands in the request line.
    pub method: &'a str,
    /// What follows the mount point, without its leading slash, still percent-encoded: `sse.getStats`.
    pub path: &'a str,
    /// The query string without the question mark.
    pub query: Option<&'a str>,
    /// The value of the `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: Body,
    /// Who asks.
    pub caller: Caller,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it; empty where there is none.
    Read(Bytes),
    /// It was longer than [`Management::body_limit`](crate::Management::body_limit), and was not read to its end.
    TooLarge,
}

impl Default for Body {
    fn default() -> Self {
        Self::Read(Bytes::new())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(body: T) -> Self {
        Self::Read(body.into())
    }
}
