//! An answer, in no framework's terms.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use sse_core::{STREAM_HEADERS, Session};

use crate::{
    error::Error,
    outcome::Outcome,
    wire::{batch_stream::BatchStream, envelope, transformer::Transformer},
};

/// An answer, in no framework's terms.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Content,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// Answers to the calls of a batch, as they come: a stream of bytes.
    Lines(BatchStream),
    /// A subscription: a live stream of the manager, to be answered like any other, with the
    /// headers of the answer in place of the usual ones.
    Events(Session),
}

impl Response {
    /// The answer to a single call.
    pub(crate) fn single(outcome: &Outcome, transformer: Transformer) -> Self {
        let text = envelope::of(outcome, transformer);
        match &outcome.result {
            Ok(_) => Self::json(200, None, text),
            Err(error) => {
                Self::json(error.code().status(), error.allowed(), text).retry_after(error.delay())
            }
        }
    }

    /// The answer to a batch: in order, with the status that all agree on.
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

    /// The answer to a request in which no call was found.
    pub(crate) fn failure(error: &Error, transformer: Transformer) -> Self {
        Self::json(
            error.code().status(),
            error.allowed(),
            envelope::failure(error, None, transformer),
        )
        .retry_after(error.delay())
    }

    /// The answer to a batch, as its answers come.
    pub(crate) fn lines(lines: BatchStream) -> Self {
        let mut headers = headers(lines.vary());
        headers.push(("content-type", "application/json".into()));
        // Nothing is to wait for more of it.
        headers.push(("x-accel-buffering", "no".into()));
        Self {
            status: 200,
            headers,
            body: Content::Lines(lines),
        }
    }

    /// The answer to a subscription. What is wrong with one is told in the stream as well, since an
    /// `EventSource` does not tell what else it was answered.
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

    /// The answer to a `HEAD`.
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

    /// In whole seconds, as the header has it (RFC 9110, section 10.2.3), and never too early.
    fn retry_after(mut self, delay: Option<Duration>) -> Self {
        let seconds = delay.map(|delay| delay.as_millis().div_ceil(1000).max(1).to_string());
        self.headers
            .extend(seconds.map(|seconds| ("retry-after", seconds.into())));
        self
    }
}

const VARY: &str = "trpc-accept, accept";

/// Answers depend on the moment and on who asks; `vary` is what a tRPC server says, whose form of
/// answer depends on these.
fn headers(vary: &'static str) -> Vec<(&'static str, Cow<'static, str>)> {
    vec![("vary", vary.into()), ("cache-control", "no-store".into())]
}
