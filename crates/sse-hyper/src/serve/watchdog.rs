//! The time limits of a connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Timeout for the first request, from the connection on, and for the rest of a later head,
    /// from its first byte on.
    pub(crate) header: Duration,
    /// Timeout for the next request.
    pub(crate) keep_alive: Duration,
    /// Timeout for the client to take any bytes of a response.
    pub(crate) write: Duration,
    /// Timeout for the client to take the remaining bytes of an ended stream, and for a connection
    /// to close.
    pub(crate) linger: Duration,
}

/// The event that a connection waits for. The numbers distinguish one wait from the next of its
/// kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwaitedEvent {
    /// The service, or the clients of its streams.
    Service,
    /// The first request.
    FirstRequest,
    /// The next request, with the number of requests before it.
    Request(u32),
    /// The rest of a head, with the number of requests so far.
    Head(u32),
    /// The client, which takes none of the written bytes, with the number of stalls so far.
    Reader(u32),
    /// The end of a connection that was asked to close.
    Close,
}

/// Detects that a connection has waited too long.
#[derive(Debug)]
pub(crate) struct Watchdog {
    wait: AwaitedEvent,
    /// `None` while no limit applies, as for the whole life of a stream.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// Creates the watchdog of a connection that must send its first request before a deadline.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            wait: AwaitedEvent::FirstRequest,
            sleep: Some(Box::pin(sleep_until(deadline))),
        }
    }

    /// Creates the watchdog of a connection that waits for nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            wait: AwaitedEvent::Service,
            sleep: None,
        }
    }

    /// Resolves when the connection has waited too long for the current event.
    pub(crate) fn poll(
        &mut self,
        wait: AwaitedEvent,
        timeouts: &Timeouts,
        cx: &mut Context<'_>,
    ) -> Poll<AwaitedEvent> {
        if wait != self.wait {
            self.wait = wait;
            match (timeouts.of(wait), &mut self.sleep) {
                (None, running) => *running = None,
                (Some(time), Some(running)) => running.as_mut().reset(Instant::now() + time),
                (Some(time), none) => *none = Some(Box::pin(sleep(time))),
            }
        }
        let Some(sleep) = &mut self.sleep else {
            return Poll::Pending;
        };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(wait)
    }
}

impl Timeouts {
    fn of(&self, wait: AwaitedEvent) -> Option<Duration> {
        match wait {
            AwaitedEvent::Service => None,
            AwaitedEvent::FirstRequest | AwaitedEvent::Head(_) => Some(self.header),
            AwaitedEvent::Request(_) => Some(self.keep_alive),
            AwaitedEvent::Reader(_) => Some(self.write),
            AwaitedEvent::Close => Some(self.linger),
        }
    }
}
