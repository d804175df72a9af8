//! The suite against the backplane in memory, and against scripted connections to it.

use std::sync::{Arc, Mutex};

use sse_core::{
    Retention,
    backplane::{Backplane, MemoryBackplane},
};
use sse_testkit::backplane::{Broker, Restart, ScriptedBackplane, Wipe};

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

/// A broker that crashes with everything on disk.
struct Scripted {
    memory: MemoryBackplane,
    ways: Mutex<Vec<ScriptedBackplane>>,
}

impl Scripted {
    fn set_away(&self, away: bool) {
        self.ways
            .lock()
            .expect("no test panics with it")
            .iter()
            .for_each(|way| way.set_away(away));
    }
}

impl Broker for Scripted {
    async fn start(retention: Retention) -> Option<Self> {
        Some(Self {
            memory: MemoryBackplane::new(retention),
            ways: Mutex::default(),
        })
    }

    async fn node(&self) -> Arc<dyn Backplane> {
        let way = ScriptedBackplane::new(self.memory.clone());
        self.ways
            .lock()
            .expect("no test panics with it")
            .push(way.clone());
        Arc::new(way)
    }
}

impl Restart for Scripted {
    async fn stop(&mut self) {
        self.set_away(true);
    }

    async fn resume(&mut self) {
        self.set_away(false);
    }
}

mod memory {
    sse_testkit::backplane_suite!(
        super::Memory,
        [retention_by_bytes, retention_by_age, wipe, wipe_in_use]
    );
}

mod scripted {
    sse_testkit::backplane_suite!(super::Scripted, only [restart, reconnect]);
}
