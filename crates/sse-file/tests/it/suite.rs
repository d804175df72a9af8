//! The test suite of every backplane, with restarts also for a log without syncing.

use std::{fs, sync::Arc};

use sse_core::{Retention, backplane::Backplane};
use sse_file::{FileBackplane, FileConfig, SyncPolicy};
use sse_testkit::backplane::{Broker, Restart, Wipe};
use tempfile::TempDir;

use crate::support::{copy, directory, open};

/// A log that syncs before each acknowledgement, or never.
struct File<const SYNCS: bool> {
    dir: TempDir,
    config: FileConfig,
    log: Option<FileBackplane>,
}

impl<const SYNCS: bool> File<SYNCS> {
    async fn open(&mut self) {
        self.log = Some(open(self.dir.path(), self.config.clone()).await);
    }

    async fn close(&mut self) {
        if let Some(log) = self.log.take() {
            log.close().await;
        }
    }
}

impl<const SYNCS: bool> Broker for File<SYNCS> {
    async fn start(retention: Retention) -> Option<Self> {
        let sync = if SYNCS {
            SyncPolicy::EveryBatch
        } else {
            SyncPolicy::Never
        };
        // Few entries are kept in memory, so that many are read from disk.
        let config = FileConfig::default()
            .retention(retention)
            .sync(sync)
            .recent_bytes(4 << 10);
        let mut broker = Self {
            dir: directory(),
            config,
            log: None,
        };
        broker.open().await;
        Some(broker)
    }

    async fn node(&self) -> Arc<dyn Backplane> {
        Arc::new(self.log.clone().unwrap())
    }
}

impl<const SYNCS: bool> Wipe for File<SYNCS> {
    async fn wipe(&mut self) {
        self.close().await;
        fs::remove_dir_all(self.dir.path()).unwrap();
        self.open().await;
    }
}

impl<const SYNCS: bool> Restart for File<SYNCS> {
    /// Copies the directory while the log is open, which is the state that `kill -9` leaves.
    async fn stop(&mut self) {
        let left = directory();
        copy(self.dir.path(), left.path());
        self.close().await;
        self.dir = left;
    }

    async fn resume(&mut self) {
        self.open().await;
    }
}

mod every_batch {
    sse_testkit::backplane_suite!(
        super::File<true>,
        [retention_by_bytes, retention_by_age, wipe, restart]
    );
}

mod never {
    sse_testkit::backplane_suite!(super::File<false>, only [retention_by_bytes, wipe, restart]);
}
