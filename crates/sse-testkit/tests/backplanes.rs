//! The suite for backplanes, played by the one in memory.

use std::sync::Arc;

use sse_core::{Backplane, MemoryBackplane, Retention};
use sse_testkit::backplane::{Broker, Wipe};

struct Memory(MemoryBackplane);

impl Broker for Memory {
    async fn start(retention: Retention) -> Option<Self> {
        Some(Self(MemoryBackplane::new(retention)))
    }

    async fn node(&self) -> Arc<dyn Backplane> {
        Arc::new(self.0.clone())
    }
}

impl Wipe for Memory {
    async fn wipe(&mut self) {
        self.0.clear();
    }
}

sse_testkit::backplane_suite!(Memory, [retention_by_bytes, retention_by_age, wipe, wipe_in_use]);
