//! The observation of a phase while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::driver::latency::Latency;
use crate::driver::receiver::Receiver;
use crate::driver::stall::Stall;

/// A receiver's progress against the deliveries that are due.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) latency: Latency,
    pub(crate) stall: Stall,
    published: Arc<AtomicU32>,
    published_before: u32,
    deliveries_before: u64,
}

impl Watch {
    /// Starts to count now; `published` is the total number of publishes that were sent.
    pub(crate) fn new(receiver: &Receiver, published: Arc<AtomicU32>) -> Self {
        Self {
            latency: Latency::default(),
            stall: Stall::default(),
            published_before: published.load(Relaxed),
            deliveries_before: receiver.deliveries(),
            published,
        }
    }

    /// Reads data that arrives within 10 ms, and records the progress.
    pub(crate) fn pump(&mut self, receiver: &mut Receiver) -> anyhow::Result<()> {
        receiver.pump(Duration::from_millis(10), &mut self.latency)?;
        self.stall.look(
            Instant::now(),
            self.deliveries(receiver),
            self.due(receiver),
        );
        Ok(())
    }

    /// Receives until everything is delivered, or until nothing arrives for `timeout`.
    pub(crate) fn drain(
        &mut self,
        receiver: &mut Receiver,
        timeout: Duration,
    ) -> anyhow::Result<()> {
        let mut last = Instant::now();
        while self.deliveries(receiver) < self.due(receiver) && last.elapsed() < timeout {
            let before = receiver.deliveries();
            self.pump(receiver)?;
            if receiver.deliveries() > before {
                last = Instant::now();
            }
        }
        Ok(())
    }

    fn deliveries(&self, receiver: &Receiver) -> u64 {
        receiver.deliveries() - self.deliveries_before
    }

    fn due(&self, receiver: &Receiver) -> u64 {
        u64::from(self.published.load(Relaxed) - self.published_before) * receiver.live() as u64
    }
}
