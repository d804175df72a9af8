//! The body of a request.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use sse_core::event::replace_lone_surrogates;
use tokio::time::timeout;

use crate::{bodies::BodyShare, error::Error, error_code::Code, wire::input};

/// Size of the first allocation for a body; later allocations double.
const FIRST: usize = 4096;

/// A body in memory: a [`Stream`] of at most one chunk.
///
/// Adapters pass the stream of their framework instead, so that a body is read only for a caller
/// that may make the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(Option<Bytes>);

impl<T: Into<Bytes>> From<T> for Body {
    fn from(body: T) -> Self {
        Self(Some(body.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// The reason for which a body was not read to its end.
#[derive(Debug)]
pub(crate) enum Problem {
    /// An error that each call reports.
    Refused(Error),
    /// A lost connection; the request as a whole fails.
    BrokenOff,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Reads a body of at most `limit` bytes within a time. The share grows before memory is allocated.
/// Halves of surrogate pairs are replaced, so that every reader of the body sees the same text.
pub(crate) async fn read<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    declared: Option<usize>,
    limit: usize,
    time: Duration,
    share: &mut BodyShare,
) -> Result<Bytes, Problem> {
    if declared.is_some_and(|length| length > limit) {
        return Err(input::too_large().into());
    }
    share.grow(declared.unwrap_or(0))?;
    match timeout(time, collect(body, declared.unwrap_or(limit), limit, share)).await {
        Ok(collected) => collected,
        Err(_) => Err(input::too_slow().into()),
    }
}

async fn collect<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    expected: usize,
    limit: usize,
    share: &mut BodyShare,
) -> Result<Bytes, Problem> {
    let mut body = pin!(body);
    let mut collected: Vec<u8> = Vec::new();
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let chunk = chunk.map_err(|_| Problem::BrokenOff)?;
        let length = collected.len() + chunk.len();
        if length > limit {
            return Err(input::too_large().into());
        }
        if length > collected.capacity() {
            let doubled = (2 * collected.capacity()).max(FIRST).min(expected);
            let capacity = doubled.max(length);
            share.grow(capacity)?;
            collected.reserve_exact(capacity - collected.len());
        }
        collected.extend_from_slice(&chunk);
    }
    replace_lone_surrogates(&mut collected);
    Ok(collected.into())
}

/// Returns the error for a request whose body could not be read.
pub(crate) fn broken_off() -> Error {
    Error::new(Code::BadRequest, "the body ended early")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        bodies::{Bodies, Holder},
        limits::CallLimits,
    };

    const TIME: Duration = Duration::from_secs(30);

    fn share() -> BodyShare {
        Arc::new(Bodies::new(&CallLimits::default())).share(Holder::Manager)
    }

    fn code(problem: &Problem) -> Code {
        match problem {
            Problem::Refused(error) => error.code(),
            Problem::BrokenOff => Code::BadRequest,
        }
    }

    proptest! {
        /// Holds for all chunks, with and without a declared length.
        #[test]
        fn a_body_is_read_up_to_the_limit(
            chunks in prop::collection::vec(0..5000_usize, 0..20),
            declares in any::<bool>(),
            limit in 0..60_000_usize,
        ) {
            let parts: Vec<_> = (b'a'..).zip(&chunks).map(|(byte, length)| vec![byte; *length]).collect();
            let whole = parts.concat();
            let parts = parts.into_iter().map(|part| Ok::<_, ()>(Bytes::from(part)));
            let declared = declares.then_some(whole.len());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let mut share = share();
            let read = runtime.block_on(read(stream::iter(parts), declared, limit, TIME, &mut share));
            match read {
                Ok(bytes) => prop_assert!(bytes == whole && whole.len() <= limit),
                Err(problem) => prop_assert!(code(&problem) == Code::PayloadTooLarge && whole.len() > limit),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_declared_length_over_the_limit_is_refused_unread() {
        let body = stream::poll_fn(|_| -> Poll<Option<Result<Bytes, ()>>> {
            panic!("the body was polled")
        });
        let problem = read(body, Some(11), 10, TIME, &mut share())
            .await
            .unwrap_err();
        assert_eq!(code(&problem), Code::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        for sent in [None, Some(Ok::<_, ()>(Bytes::from_static(b"{")))] {
            let body = futures_util::StreamExt::chain(stream::iter(sent), stream::pending());
            let problem = read(body, None, 10, TIME, &mut share()).await.unwrap_err();
            assert_eq!(code(&problem), Code::Timeout);
        }
    }

    #[tokio::test]
    async fn a_body_that_fails_has_broken_off() {
        let parts = [Ok(Bytes::from_static(b"{")), Err(())];
        let problem = read(stream::iter(parts), None, 10, TIME, &mut share())
            .await
            .unwrap_err();
        assert!(matches!(problem, Problem::BrokenOff));
    }
}
