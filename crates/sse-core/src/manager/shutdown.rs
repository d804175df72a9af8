//! Shutdown of a manager.

use std::{ops::RangeInclusive, time::Duration};

use tokio::{task::yield_now, time};
use tracing::info;

use crate::{
    clock::FOREVER,
    dialect::{farewell::Farewell, reason::DisconnectReason},
    manager::Manager,
};

/// Options of [`Manager::shutdown`].
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Handshake, Manager, ShutdownOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let options = ShutdownOptions::within(Duration::from_secs(5))
///     .with_retry(Duration::from_secs(1)..=Duration::from_secs(30));
///
/// manager.shutdown(options).await;
/// assert!(manager.is_shutting_down());
/// assert!(manager.connect(Handshake::new()).is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ShutdownOptions {
    delay: Duration,
    deadline: Duration,
    retry: RangeInclusive<Duration>,
}

/// Result of a shutdown.
///
/// ```
/// use futures_util::StreamExt;
/// use sse_core::{Handshake, Manager, ShutdownOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new())?;
/// let transport = tokio::spawn(session.collect::<Vec<_>>());
///
/// let report = manager.shutdown(ShutdownOptions::default()).await;
/// assert_eq!((report.ended, report.left), (1, 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Number of streams that were ended.
    pub ended: usize,
    /// Number of streams that their transports had not released at the deadline.
    pub left: usize,
}

impl Default for ShutdownOptions {
    /// No delay, a deadline of 10 s; clients reconnect after 1 to 10 s.
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
    /// Creates options with a maximum time to wait for transports to release their streams, and the
    /// defaults otherwise.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }

    /// Sets the time between the announcement of the shutdown and the rejection of new streams,
    /// during which the manager accepts and serves streams. Load balancers, which learn from a
    /// readiness check that the node leaves, can then stop sending clients before any client is
    /// rejected. The deadline counts from the end of the delay. Default: no delay.
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the range from which each client receives a random reconnection delay. Default: 1 s to
    /// 10 s.
    pub fn with_retry(mut self, range: RangeInclusive<Duration>) -> Self {
        self.retry = range;
        self
    }

    /// Returns the maximum time to wait for transports.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns the time between the announcement and the rejection of new streams.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }
}

/// Maximum number of streams that are ended while the manager's lock is held once.
const STEP: usize = 128;

impl Manager {
    /// Announces a shutdown: from now on [`is_shutting_down`](Self::is_shutting_down) returns
    /// `true`, and nothing else changes. An announcement cannot be withdrawn.
    pub fn announce_shutdown(&self) {
        self.inner.sequencer.lock().shutting_down = true;
    }

    /// Returns `true` once a shutdown was announced or has begun: load balancers should send no
    /// clients to this node. For readiness checks.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.inner.sequencer.lock().shutting_down
    }

    /// Shuts the manager down. Waits for the delay of the [`ShutdownOptions`], then rejects new
    /// streams, and ends every stream with a `shutdown` event and its own random `retry:`. Then
    /// waits until all transports have released their streams or the deadline has passed.
    ///
    /// Each stream still receives its waiting events before its end. Streams that remain at the
    /// deadline are ended, but blocked in their transport: a server should abort their connections.
    /// A second call is harmless. Dropping the future during the delay leaves the manager in the
    /// state of [`announce_shutdown`](Self::announce_shutdown). Dropping it later neither accepts
    /// new streams again nor revives the streams that were ended.
    pub async fn shutdown(&self, drain: ShutdownOptions) -> ShutdownReport {
        self.announce_shutdown();
        if !drain.delay.is_zero() {
            time::sleep(drain.delay.min(FOREVER)).await;
        }
        let deadline = time::Instant::now() + drain.deadline.min(FOREVER);
        self.inner.sequencer.lock().draining = true;
        let ended = self.end_all(&drain).await;
        let left = match time::timeout_at(deadline, self.all_closed()).await {
            Ok(()) => 0,
            Err(_) => self.inner.open(),
        };
        info!(ended, left, "finished the shutdown");
        ShutdownReport { ended, left }
    }

    async fn end_all(&self, drain: &ShutdownOptions) -> usize {
        let mut ended = 0;
        loop {
            let places: Vec<u32> = {
                let sequencer = self.inner.sequencer.lock();
                sequencer.some_places(STEP)
            };
            if places.is_empty() {
                return ended;
            }
            self.inner.with_sequencer(|sequencer, tx| {
                for place in places {
                    let mut farewell = Farewell::new(DisconnectReason::Shutdown);
                    farewell.retry = Some(
                        self.inner
                            .jitter
                            .between(*drain.retry.start(), *drain.retry.end()),
                    );
                    ended += usize::from(sequencer.end(place, farewell, tx));
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
