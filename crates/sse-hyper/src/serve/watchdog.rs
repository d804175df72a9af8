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
    /// For the first request from the connection on, and for the rest of a later head from its
    /// first byte on.
    pub(crate) header: Duration,
    /// For the next request.
    pub(crate) keep_alive: Duration,
    /// For the client to take anything of a response.
    pub(crate) write: Duration,
    /// For the client to take what is left of a stream that was ended, and for a connection to
    /// close.
    pub(crate) linger: Duration,
}

/// The thing that a connection waits for. The numbers tell one wait from the next of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its service, or the clients of its streams.
    Service,
    /// The first request.
    FirstRequest,
    /// A request after so many.
    Request(u32),
    /// The rest of a head after so many requests.
    Head(u32),
    /// The client, which takes nothing of what was written, after so many times.
    Reader(u32),
    /// The end of a connection that was asked to close.
    Close,
}

/// Tells when a connection has waited too long.
#[derive(Debug)]
pub(crate) struct Watchdog {
    wait: Wait,
    /// `None` while there is no limit, which is for the whole life of a stream.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// For a connection that has to send its first request until a deadline.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            wait: Wait::FirstRequest,
            sleep: Some(Box::pin(sleep_until(deadline))),
        }
    }

    /// For a connection that waits for nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            wait: Wait::Service,
            sleep: None,
        }
    }

    /// Resolves when the connection has waited too long for what it waits for now.
    pub(crate) fn poll(
        &mut self,
        wait: Wait,
        timeouts: &Timeouts,
        cx: &mut Context<'_>,
    ) -> Poll<Wait> {
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
    fn of(&self, wait: Wait) -> Option<Duration> {
        match wait {
            Wait::Service => None,
            Wait::FirstRequest | Wait::Head(_) => Some(self.header),
            Wait::Request(_) => Some(self.keep_alive),
            Wait::Reader(_) => Some(self.write),
            Wait::Close => Some(self.linger),
        }
    }
}
