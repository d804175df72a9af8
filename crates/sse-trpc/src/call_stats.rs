//! Counts of the results of calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sse_metrics::DurationHistogram;

use crate::{error::Error, error_code::Code};

/// The codes with which this crate's own procedures fail.
const USUAL: [Code; 9] = [
    Code::BadRequest,
    Code::Unauthorized,
    Code::Forbidden,
    Code::MethodNotSupported,
    Code::PayloadTooLarge,
    Code::TooManyRequests,
    Code::ClientClosedRequest,
    Code::InternalServerError,
    Code::ServiceUnavailable,
];

/// Counts and durations of the calls of a procedure.
#[derive(Debug, Default)]
pub(crate) struct CallStats {
    succeeded: AtomicU64,
    failed: Failures,
    pub(crate) durations: DurationHistogram,
}

/// Counts of failures by code.
#[derive(Debug, Default)]
pub(crate) struct Failures([AtomicU64; Code::ALL.len()]);

/// A call in flight. If it is dropped before its end, the client has disconnected, and the call is
/// counted accordingly.
#[derive(Debug)]
pub(crate) struct CallTimer {
    tally: Arc<CallStats>,
    start: Instant,
    is_over: bool,
}

impl CallStats {
    /// Returns codes and counts, the success first.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        std::iter::once(("OK", self.succeeded.load(Ordering::Relaxed)))
            .chain(self.failed.counts(&USUAL))
    }
}

impl Failures {
    pub(crate) fn add(&self, code: Code) {
        self.0[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns codes and counts of all failures that have occurred, and of the usual ones. The
    /// usual ones start at 0, because a rate registers a first failure only after a 0.
    pub(crate) fn counts(
        &self,
        usual: &'static [Code],
    ) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        let counts = Code::ALL.into_iter().zip(counts);
        counts
            .filter(|(code, count)| *count > 0 || usual.contains(code))
            .map(|(code, count)| (code.as_str(), count))
    }
}

impl CallTimer {
    pub(crate) fn begin(tally: &Arc<CallStats>) -> Self {
        Self {
            tally: Arc::clone(tally),
            start: Instant::now(),
            is_over: false,
        }
    }

    /// Counts the result of the call, and returns its duration.
    pub(crate) fn end(mut self, error: Option<&Error>) -> Duration {
        self.count(error.map(Error::code))
    }

    fn count(&mut self, code: Option<Code>) -> Duration {
        self.is_over = true;
        match code {
            None => drop(self.tally.succeeded.fetch_add(1, Ordering::Relaxed)),
            Some(code) => self.tally.failed.add(code),
        }
        let elapsed = self.start.elapsed();
        self.tally.durations.record(elapsed);
        elapsed
    }
}

impl Drop for CallTimer {
    fn drop(&mut self) {
        if !self.is_over {
            self.count(Some(Code::ClientClosedRequest));
        }
    }
}
