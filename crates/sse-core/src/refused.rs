//! Why a stream was not accepted, and what to answer.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::{event::Event, field::FieldError, name::Topic};

/// Why a stream was not accepted.
///
/// Adapters answer it with [`Refused::answer`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct Refused {
    cause: Cause,
    /// How long the client should wait.
    retry_after: Option<Duration>,
    soft: bool,
}

/// Why a stream was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
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
    /// The caller is not authenticated.
    #[error("not authenticated")]
    Unauthenticated,
    /// The caller may not join the topic.
    #[error("topic \"{0}\" is not for this caller")]
    Forbidden(Topic),
    /// The user has all the streams that one user may have.
    #[error("the user has too many connections")]
    UserLimit,
    /// The address has all the streams that one address may have.
    #[error("the address has too many connections")]
    AddressLimit,
    /// The manager has all the streams it may have.
    #[error("too many connections")]
    Full,
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

impl Cause {
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
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } | Self::TooManyTopics { .. } => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) => 403,
            Self::UserLimit | Self::AddressLimit => 429,
            Self::Full | Self::Draining | Self::TooManyDialects => 503,
            Self::StayAway => 204,
        }
    }
}

/// The words of [`Cause::as_str`].
pub(crate) const CAUSE_NAMES: [&str; 9] = [
    "invalid",
    "unauthenticated",
    "forbidden",
    "user_limit",
    "address_limit",
    "full",
    "draining",
    "stay_away",
    "too_many_dialects",
];

/// An HTTP answer to a refused stream, in no framework's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Content-Type`; `None` where there is no body.
    pub content_type: Option<&'static str>,
    /// `Retry-After` in whole seconds, at least one.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Refused {
    /// A refusal with the status that stands for its cause.
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        Self { cause, retry_after: None, soft: false }
    }

    pub(crate) fn retry_after(mut self, delay: Duration) -> Self {
        if matches!(self.cause.status(), 429 | 503) {
            self.retry_after = Some(delay);
        }
        self
    }

    /// Asks for the soft form, see [`Answer`].
    pub(crate) fn softly(mut self, soft: bool) -> Self {
        self.soft = soft;
        self
    }

    pub(crate) fn into_cause(self) -> Cause {
        self.cause
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What an adapter answers.
    ///
    /// Where a client may come back later (429, 503) the status comes with `Retry-After`. Since a browser's `EventSource` never returns
    /// after any status but 200 (WHATWG HTML, section 9.2.3), the soft form of these is a 200 whose stream is one `retry:` and then ends.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let status = self.cause.status();
        match self.retry_after {
            Some(delay) if self.soft => Answer {
                status: 200,
                content_type: Some("text/event-stream"),
                retry_after: None,
                body: Event::empty().retry(delay).encode(),
            },
            delay => Answer {
                status,
                content_type: (status != 204).then_some("text/plain; charset=utf-8"),
                retry_after: delay.map(|delay| delay.as_secs().max(1)),
                body: if status == 204 { Bytes::new() } else { Bytes::from(format!("{self}\n")) },
            },
        }
    }
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        Self::new(cause)
    }
}

/// The first bytes of a value that is quoted in an error.
pub(crate) fn shortened(value: &str) -> String {
    const MOST: usize = 64;
    let end = value.char_indices().map(|(at, _)| at).find(|at| *at >= MOST).unwrap_or(value.len());
    let mut short = String::from(&value[..end]);
    if end < value.len() {
        short.push('…');
    }
    short
}
