//! A response, independent of a web framework.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use sse_core::{Session, dialect::STREAM_HEADERS};

use crate::{
    error::Error,
    outcome::Outcome,
    wire::{batch_stream::BatchStream, envelope, transformer::Transformer},
};

/// A response, independent of a web framework.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Body.
    pub body: Content,
}

/// The body of a response.
#[derive(Debug)]
pub enum Content {
    /// A complete body.
    Whole(Bytes),
    /// The results of the calls of a batch, as they complete: a stream of bytes.
    Lines(BatchStream),
    /// A subscription: a live stream of the manager. Adapters serve the stream like every other,
    /// but with the headers of this response instead of the usual headers.
    Events(Session),
}

impl Response {
    /// Creates the response to a single call.
    pub(crate) fn single(outcome: &Outcome, transformer: Transformer) -> Self {
        let text = envelope::of(outcome, transformer);
        match &outcome.result {
            Ok(_) => Self::json(200, None, text),
            Err(error) => {
                Self::json(error.code().status(), error.allowed(), text).retry_after(error.delay())
            }
        }
    }

    /// Creates the response to a batch: results in order, with the status that all calls share, or
    /// else 207.
    pub(crate) fn batch(outcomes: &[Outcome], transformer: Transformer) -> Self {
        let status = |outcome: &Outcome| match &outcome.result {
            Ok(_) => 200,
            Err(error) => error.code().status(),
        };
        let first = outcomes.first().map_or(200, status);
        let common = if outcomes.iter().all(|outcome| status(outcome) == first) {
            first
        } else {
            207
        };
        let allow = outcomes
            .iter()
            .find_map(|outcome| outcome.result.as_ref().err()?.allowed());
        let delay = outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().err()?.delay())
            .max();
        let envelopes: Vec<_> = outcomes
            .iter()
            .map(|outcome| envelope::of(outcome, transformer))
            .collect();
        Self::json(
            common,
            allow.filter(|_| common == 405),
            format!("[{}]", envelopes.join(",")),
        )
        .retry_after(delay.filter(|_| common == first && common >= 400))
    }

    /// Creates the response to a request in which no call was found.
    pub(crate) fn failure(error: &Error, transformer: Transformer) -> Self {
        Self::json(
            error.code().status(),
            error.allowed(),
            envelope::failure(error, None, transformer),
        )
        .retry_after(error.delay())
    }

    /// Creates the response to a batch whose results are streamed.
    pub(crate) fn lines(lines: BatchStream) -> Self {
        let mut headers = headers(lines.vary());
        headers.push(("content-type", "application/json".into()));
        // Proxies must not buffer the response.
        headers.push(("x-accel-buffering", "no".into()));
        Self {
            status: 200,
            headers,
            body: Content::Lines(lines),
        }
    }

    /// Creates the response to a subscription. Errors are reported in the stream as well, because
    /// an `EventSource` does not expose an error response.
    pub(crate) fn events(body: Content) -> Self {
        let mut headers: Vec<_> = STREAM_HEADERS
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        headers.push(("vary", VARY.into()));
        Self {
            status: 200,
            headers,
            body,
        }
    }

    /// Creates the response to a `HEAD`.
    pub(crate) fn empty() -> Self {
        Self {
            status: 204,
            headers: headers(VARY),
            body: Content::Whole(Bytes::new()),
        }
    }

    fn json(status: u16, allow: Option<&'static str>, body: String) -> Self {
        let mut headers = headers(VARY);
        headers.push(("content-type", "application/json".into()));
        headers.extend(allow.map(|methods| ("allow", methods.into())));
        Self {
            status,
            headers,
            body: Content::Whole(body.into()),
        }
    }

    /// Sets the header in whole seconds (RFC 9110, section 10.2.3), rounded up so that no client
    /// returns too early.
    fn retry_after(mut self, delay: Option<Duration>) -> Self {
        let seconds = delay.map(|delay| delay.as_millis().div_ceil(1000).max(1).to_string());
        self.headers
            .extend(seconds.map(|seconds| ("retry-after", seconds.into())));
        self
    }
}

const VARY: &str = "trpc-accept, accept";

/// Returns the headers that forbid caching, because a response depends on the time and on the
/// caller. `vary` is that of a tRPC server, whose form of response depends on these header fields.
fn headers(vary: &'static str) -> Vec<(&'static str, Cow<'static, str>)> {
    vec![("vary", vary.into()), ("cache-control", "no-store".into())]
}
