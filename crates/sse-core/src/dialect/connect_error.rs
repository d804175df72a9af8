//! Reasons for rejecting a stream, and the responses to send.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use thiserror::Error;

use crate::{
    event::Event,
    id::{names::Topic, validate::FieldError},
};

/// The error for a stream that was not accepted.
///
/// Adapters send the response that [`ConnectError::response`] returns.
///
/// ```
/// use sse_core::{ConnectErrorKind, Handshake, Manager};
///
/// let manager = Manager::builder().max_connections(1).build()?;
/// let session = manager.connect(Handshake::new())?;
///
/// let error = manager.connect(Handshake::new()).unwrap_err();
/// assert_eq!(*error.cause(), ConnectErrorKind::Full);
/// assert!(error.retry_after().is_some());
///
/// let response = error.response();
/// assert_eq!(response.status, 503);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct ConnectError {
    cause: ConnectErrorKind,
    /// Time that the client should wait before it reconnects.
    retry_after: Option<Duration>,
    soft: bool,
}

/// The cause for which a stream was not accepted.
///
/// ```
/// use sse_core::{ConnectError, ConnectErrorKind};
///
/// let kind = ConnectErrorKind::RateLimit;
/// assert_eq!(kind.as_str(), "rate_limit");
/// assert!(kind.is_temporary());
/// assert_eq!(ConnectError::from(kind).response().status, 429);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// A name from the request or from the app is invalid.
    #[error("{field} {source}")]
    Invalid {
        /// The name and its origin, such as `query parameter topics` or `topic set by the app`.
        field: &'static str,
        /// Reason why the value is invalid, with the value.
        source: FieldError,
    },
    /// The query has a misspelt parameter of a stream, such as `topics[]`. Other unknown parameters
    /// belong to the app.
    #[error("query parameter {name:?} is unknown, use {known}")]
    MisspeltParameter {
        /// Name of the parameter, shortened.
        name: String,
        /// The parameters that the name resembles.
        known: &'static str,
    },
    /// The query has several different values of a parameter that has one value.
    #[error("query parameter {0} occurs more than once, with different values")]
    RepeatedParameter(&'static str),
    /// The stream would have more topics than a stream may have.
    #[error(
        "the stream would have {count} topics, {requested} of them requested, more than {limit}"
    )]
    TooManyTopics {
        /// Number of topics.
        count: usize,
        /// Number of topics that the client requested.
        requested: usize,
        /// `limits.topics`.
        limit: usize,
    },
    /// The request is a HEAD request, answered with the headers of a stream and no stream.
    #[error("the request is for headers only")]
    HeadersOnly,
    /// The method of the request opens no stream.
    #[error("a stream is opened with GET")]
    Method,
    /// The caller is not authenticated.
    #[error("not authenticated")]
    Unauthenticated,
    /// The caller does not have permission to join the topic.
    #[error("topic \"{0}\" is not for this caller")]
    Forbidden(Topic),
    /// A page without permission sent the request with its visitor's cookies. The text names the
    /// page and says what its author can do.
    #[error("not allowed for pages of {0}")]
    CrossSite(String),
    /// The credentials cannot be checked now.
    #[error("credentials cannot be checked now")]
    Unavailable,
    /// The caller sends too many requests.
    #[error("too many requests")]
    RateLimit,
    /// The user has the maximum number of streams of one user.
    #[error("the user has too many connections")]
    UserLimit,
    /// The address has the maximum number of streams of one address.
    #[error("the address has too many connections")]
    AddressLimit,
    /// The manager has its maximum number of streams.
    #[error("too many connections")]
    Full,
    /// The event log has not been read to its end yet.
    #[error("the event log has not been read yet")]
    Starting,
    /// The manager is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The client is banned.
    #[error("the client is banned")]
    Banned,
    /// The manager already uses the maximum number of dialects.
    #[error("the manager has too many dialects")]
    TooManyDialects,
}

impl ConnectErrorKind {
    /// Returns the name of the cause in logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        CAUSE_NAMES[self.index()]
    }

    pub(crate) const fn index(&self) -> usize {
        match self {
            Self::Invalid { .. }
            | Self::MisspeltParameter { .. }
            | Self::RepeatedParameter(_)
            | Self::TooManyTopics { .. } => 0,
            Self::Unauthenticated => 1,
            Self::Forbidden(_) => 2,
            Self::UserLimit => 3,
            Self::AddressLimit => 4,
            Self::Full => 5,
            Self::ShuttingDown => 6,
            Self::Banned => 7,
            Self::TooManyDialects => 8,
            Self::HeadersOnly => 9,
            Self::Method => 10,
            Self::CrossSite(_) => 11,
            Self::Unavailable => 12,
            Self::RateLimit => 13,
            Self::Starting => 14,
        }
    }

    /// Returns `true` if the cause passes without an action of the client, so that the same request
    /// can succeed later.
    ///
    /// [`RejectionStyle`](crate::config::RejectionStyle) applies to these causes, and only these
    /// causes have a [`ConnectError::retry_after`].
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        // No wildcard, so that a new cause forces the decision whether clients can retry.
        match self {
            Self::Unavailable
            | Self::Starting
            | Self::RateLimit
            | Self::UserLimit
            | Self::AddressLimit
            | Self::Full
            | Self::ShuttingDown
            | Self::TooManyDialects => true,
            Self::Invalid { .. }
            | Self::MisspeltParameter { .. }
            | Self::RepeatedParameter(_)
            | Self::TooManyTopics { .. }
            | Self::HeadersOnly
            | Self::Method
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::CrossSite(_)
            | Self::Banned => false,
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. }
            | Self::MisspeltParameter { .. }
            | Self::RepeatedParameter(_)
            | Self::TooManyTopics { .. } => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) | Self::CrossSite(_) => 403,
            Self::UserLimit | Self::AddressLimit | Self::RateLimit => 429,
            Self::Full
            | Self::ShuttingDown
            | Self::Starting
            | Self::TooManyDialects
            | Self::Unavailable => 503,
            Self::Banned => 204,
            Self::HeadersOnly => 200,
            Self::Method => 405,
        }
    }
}

/// The names that [`ConnectErrorKind::as_str`] returns.
pub(crate) const CAUSE_NAMES: [&str; 15] = [
    "invalid",
    "unauthenticated",
    "forbidden",
    "user_limit",
    "address_limit",
    "full",
    "draining",
    "stay_away",
    "too_many_dialects",
    "headers_only",
    "method",
    "cross_site",
    "unavailable",
    "rate_limit",
    "starting",
];

/// An HTTP response to a rejected stream, independent of any framework.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Response body.
    pub body: Bytes,
}

/// Headers of every stream: the content type (WHATWG HTML, section 9.2.2), and headers that keep
/// caches and proxies from delaying events.
pub const STREAM_HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
];

impl ConnectError {
    /// Creates an error whose response has the status for the cause.
    #[must_use]
    pub fn new(cause: ConnectErrorKind) -> Self {
        Self {
            cause,
            retry_after: None,
            soft: false,
        }
    }

    pub(crate) fn with_retry_after(mut self, delay: Duration) -> Self {
        if self.cause.is_temporary() {
            self.retry_after = Some(delay);
        }
        self
    }

    /// Requests the soft form, see [`ConnectError::response`].
    pub(crate) fn softly(mut self, soft: bool) -> Self {
        self.soft = soft;
        self
    }

    /// Returns the cause.
    #[must_use]
    pub fn cause(&self) -> &ConnectErrorKind {
        &self.cause
    }

    /// Returns the time that the client should wait before it reconnects. `None` if the cause is
    /// not [temporary](ConnectErrorKind::is_temporary), or if [`ConnectError::new`] created the
    /// error: a [`Manager`](crate::Manager) sets the time.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the response for an adapter to send.
    ///
    /// The response to a [temporary](ConnectErrorKind::is_temporary) cause is 429 or 503, with
    /// [`ConnectError::retry_after`] as `Retry-After` in whole seconds, at least one. A browser's
    /// `EventSource` never reconnects after a status other than 200 (WHATWG HTML, section 9.2.3).
    /// The soft form is therefore a 200 whose stream has a `retry:` field and a comment with the
    /// cause, and then ends. [`RejectionStyle`](crate::config::RejectionStyle) selects the clients
    /// that receive the soft form.
    ///
    /// The responses to the other causes are 200 without a body for a HEAD request, 204 without a
    /// body for a banned client, and 400, 401, 403 or 405 with the cause as text. An `EventSource`
    /// does not reconnect after a 204 or a 4xx.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let status = self.cause.status();
        match (status, self.retry_after) {
            (_, Some(delay)) if self.soft => HttpResponse::stream(
                Event::empty()
                    .with_comment(self.to_string())
                    .with_retry(delay)
                    .encode(),
            ),
            (200, _) => HttpResponse::stream(Bytes::new()),
            (204, _) => HttpResponse {
                status,
                headers: Vec::new(),
                body: Bytes::new(),
            },
            (_, delay) => {
                let text = ("content-type", "text/plain; charset=utf-8".into());
                let allow = (status == 405).then(|| ("allow", "GET, HEAD".into()));
                // RFC 9110, section 15.5.2, requires this header. Browsers show no password prompt
                // for this scheme.
                let scheme = (status == 401).then(|| ("www-authenticate", "Bearer".into()));
                let retry =
                    delay.map(|delay| ("retry-after", delay.as_secs().max(1).to_string().into()));
                let headers = [Some(text), allow, scheme, retry]
                    .into_iter()
                    .flatten()
                    .collect();
                HttpResponse {
                    status,
                    headers,
                    body: Bytes::from(format!("{self}\n")),
                }
            }
        }
    }
}

impl HttpResponse {
    /// Returns `true` if this is the response to a HEAD request. Such a response must not state a
    /// length, because a stream has none (RFC 9110, section 8.6).
    #[must_use]
    pub fn is_headers_only(&self) -> bool {
        self.status == 200 && self.body.is_empty()
    }

    fn stream(body: Bytes) -> Self {
        let headers = STREAM_HEADERS.map(|(name, value)| (name, value.into()));
        Self {
            status: 200,
            headers: headers.into(),
            body,
        }
    }
}

impl From<ConnectErrorKind> for ConnectError {
    fn from(cause: ConnectErrorKind) -> Self {
        Self::new(cause)
    }
}
