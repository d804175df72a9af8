//! Why a stream was not accepted, and what to answer.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use thiserror::Error;

use crate::{
    event::Event,
    id::{names::Topic, validate::FieldError},
};

/// Why a stream was not accepted.
///
/// Adapters answer it with [`ConnectError::answer`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct ConnectError {
    cause: ConnectErrorKind,
    /// How long the client should wait.
    retry_after: Option<Duration>,
    soft: bool,
}

/// Why a stream was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// A parameter of the request is not allowed.
    #[error("{field}: {value:?} {source}")]
    Invalid {
        /// Which parameter.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        source: FieldError,
    },
    /// More topics than a stream may have.
    #[error("topics: {count} asked for, at most {limit} allowed")]
    TooManyTopics {
        /// How many were asked for.
        count: usize,
        /// `limits.topics`.
        limit: usize,
    },
    /// A HEAD request: the headers of a stream, and no stream.
    #[error("only the headers were asked for")]
    HeadersOnly,
    /// A method that opens no stream.
    #[error("a stream is opened with GET")]
    Method,
    /// The caller is not authenticated.
    #[error("not authenticated")]
    Unauthenticated,
    /// The caller may not join the topic.
    #[error("topic \"{0}\" is not for this caller")]
    Forbidden(Topic),
    /// A page that may not makes the request with its visitor's cookies. The text says which page,
    /// and what its maker can do.
    #[error("not for pages of {0}")]
    CrossSite(String),
    /// Credentials cannot be checked now.
    #[error("credentials cannot be checked now")]
    Unavailable,
    /// The caller asks too often.
    #[error("too many requests")]
    RateLimit,
    /// The user has all the streams that one user may have.
    #[error("the user has too many connections")]
    UserLimit,
    /// The address has all the streams that one address may have.
    #[error("the address has too many connections")]
    AddressLimit,
    /// The manager has all the streams it may have.
    #[error("too many connections")]
    Full,
    /// The event log has not been read to its end yet.
    #[error("the event log has not been read yet")]
    Starting,
    /// The manager shuts down.
    #[error("shutting down")]
    Draining,
    /// The client was told to stay away.
    #[error("the client is to stay away")]
    StayAway,
    /// The manager speaks as many dialects as it can.
    #[error("too many dialects")]
    TooManyDialects,
}

impl ConnectErrorKind {
    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        CAUSE_NAMES[self.index()]
    }

    pub(crate) const fn index(&self) -> usize {
        match self {
            Self::Invalid { .. } | Self::TooManyTopics { .. } => 0,
            Self::Unauthenticated => 1,
            Self::Forbidden(_) => 2,
            Self::UserLimit => 3,
            Self::AddressLimit => 4,
            Self::Full => 5,
            Self::Draining => 6,
            Self::StayAway => 7,
            Self::TooManyDialects => 8,
            Self::HeadersOnly => 9,
            Self::Method => 10,
            Self::CrossSite(_) => 11,
            Self::Unavailable => 12,
            Self::RateLimit => 13,
            Self::Starting => 14,
        }
    }

    /// Returns whether the cause passes without the client's doing, so that the same request may
    /// succeed later.
    ///
    /// These are the causes that [`RefusalForm`](crate::RejectionStyle) concerns, and that come
    /// with [`ConnectError::retry_after`].
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        // No wildcard: whoever adds a cause decides whether clients may return.
        match self {
            Self::Unavailable
            | Self::Starting
            | Self::RateLimit
            | Self::UserLimit
            | Self::AddressLimit
            | Self::Full
            | Self::Draining
            | Self::TooManyDialects => true,
            Self::Invalid { .. }
            | Self::TooManyTopics { .. }
            | Self::HeadersOnly
            | Self::Method
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::CrossSite(_)
            | Self::StayAway => false,
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } | Self::TooManyTopics { .. } => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) | Self::CrossSite(_) => 403,
            Self::UserLimit | Self::AddressLimit | Self::RateLimit => 429,
            Self::Full
            | Self::Draining
            | Self::Starting
            | Self::TooManyDialects
            | Self::Unavailable => 503,
            Self::StayAway => 204,
            Self::HeadersOnly => 200,
            Self::Method => 405,
        }
    }
}

/// The words of [`ConnectErrorKind::as_str`].
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

/// An HTTP answer to a refused stream, in no framework's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Bytes,
}

/// The headers of every stream: the type (WHATWG HTML, section 9.2.2), and what keeps caches and
/// proxies from holding events back.
pub const STREAM_HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
];

impl ConnectError {
    /// A refusal with the status that stands for its cause.
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

    /// Asks for the soft form, see [`HttpResponse`].
    pub(crate) fn softly(mut self, soft: bool) -> Self {
        self.soft = soft;
        self
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> &ConnectErrorKind {
        &self.cause
    }

    /// How long the client should wait before it comes back; `None` where it need not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What an adapter answers.
    ///
    /// A [temporary](ConnectErrorKind::is_temporary) cause is answered with 429 or 503 and
    /// `Retry-After`. A browser's `EventSource` never returns after any status but 200 (WHATWG
    /// HTML, section 9.2.3), so the soft form is a 200 whose stream has a `retry:` field and a
    /// comment with the cause, and ends. [`RefusalForm`](crate::RejectionStyle) says who receives
    /// which.
    #[must_use]
    pub fn answer(&self) -> HttpResponse {
        let status = self.cause.status();
        match (status, self.retry_after) {
            (_, Some(delay)) if self.soft => HttpResponse::stream(
                Event::empty()
                    .comment(self.to_string())
                    .retry(delay)
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
                // RFC 9110, section 15.5.2, wants it; browsers ask nobody for a password because of
                // this scheme.
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
    /// Whether it answers a HEAD request: then nothing may be said of a length, since a stream has
    /// none (RFC 9110, section 8.6).
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

/// The first bytes of a value that is quoted in an error.
pub(crate) fn shortened(value: &str) -> String {
    const MOST: usize = 64;
    let end = value
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= MOST)
        .unwrap_or(value.len());
    let mut short = String::from(&value[..end]);
    if end < value.len() {
        short.push('…');
    }
    short
}
