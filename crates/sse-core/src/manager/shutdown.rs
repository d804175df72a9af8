//! Shutting down.

use std::{ops::RangeInclusive, time::Duration};

use tokio::{task::yield_now, time};
use tracing::info;

use crate::{
    dialect::{farewell::Farewell, reason::DisconnectReason},
    manager::Manager,
};

/// How a manager shuts down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ShutdownOptions {
    delay: Duration,
    deadline: Duration,
    retry: RangeInclusive<Duration>,
}

/// What a shutdown left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Streams that were ended.
    pub ended: usize,
    /// Streams whose transport had not let go of them at the deadline.
    pub left: usize,
}

impl Default for ShutdownOptions {
    /// Without a delay, within 10 s; clients come back after 1 to 10 s.
    fn default() -> Self {
        let retry = Duration::from_secs(1)..=Duration::from_secs(10);
        Self {
            delay: Duration::ZERO,
            deadline: Duration::from_secs(10),
            retry,
        }
    }
}

impl ShutdownOptions {
    /// Waits at most so long for transports to let go.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }

    /// Accepts and serves for this long after the shutdown was announced, so that load balancers,
    /// which learn from a readiness check that the node leaves, have stopped sending before anybody
    /// is rejected. The deadline counts from the end of the delay.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Tells each client to come back after a random time in a range.
    pub fn retry(mut self, range: RangeInclusive<Duration>) -> Self {
        self.retry = range;
        self
    }

    /// At most how long it waits.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns the time between the announcement and the rejection of newcomers.
    #[must_use]
    pub fn delay_before(&self) -> Duration {
        self.delay
    }
}

/// Longer than any process lives, and short enough to be added to a point in time.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// So many streams are ended while the manager's lock is held once.
const STEP: usize = 128;

impl Manager {
    /// Announces a shutdown: [`is_shutting_down`](Self::is_shutting_down) is true from here on, and
    /// nothing else changes. There is no way back.
    pub fn announce_shutdown(&self) {
        self.inner.order.lock().shutting_down = true;
    }

    /// Returns whether a shutdown was announced or has begun: load balancers should send nobody
    /// here. For readiness checks.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.inner.order.lock().shutting_down
    }

    /// Shuts down: waits for the delay of the [`ShutdownOptions`], refuses newcomers, lets every
    /// stream end with a `shutdown` event and a random `retry:` of its own, and waits until all
    /// transports have let go of theirs, or the deadline.
    ///
    /// What waits for a stream still leaves before its end. Streams left over at the deadline are
    /// ended, but blocked in their transport: a server should abort their connections. Calling it
    /// again is harmless. Dropping the future during the delay leaves the manager as
    /// [`announce_shutdown`](Self::announce_shutdown) does; later, it stops neither the refusal nor
    /// the streams that were ended.
    pub async fn shutdown(&self, drain: ShutdownOptions) -> ShutdownReport {
        self.announce_shutdown();
        if !drain.delay.is_zero() {
            time::sleep(drain.delay.min(FOREVER)).await;
        }
        let deadline = time::Instant::now() + drain.deadline.min(FOREVER);
        self.inner.order.lock().draining = true;
        let ended = self.end_all(&drain).await;
        let left = match time::timeout_at(deadline, self.all_closed()).await {
            Ok(()) => 0,
            Err(_) => self.inner.open(),
        };
        info!(ended, left, "drained");
        ShutdownReport { ended, left }
    }

    async fn end_all(&self, drain: &ShutdownOptions) -> usize {
        let mut ended = 0;
        loop {
            let places: Vec<u32> = {
                let order = self.inner.order.lock();
                order.some_places(STEP)
            };
            if places.is_empty() {
                return ended;
            }
            self.inner.with_sequencer(|order, hold| {
                for place in places {
                    let mut farewell = Farewell::new(DisconnectReason::Shutdown);
                    farewell.retry = Some(
                        self.inner
                            .jitter
                            .between(*drain.retry.start(), *drain.retry.end()),
                    );
                    ended += usize::from(order.end(place, farewell, hold));
                }
            });
            yield_now().await;
        }
    }

    /// Resolves when no transport holds a stream.
    async fn all_closed(&self) {
        loop {
            let closed = self.inner.all_closed.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            if self.inner.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}
