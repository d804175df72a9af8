//! Bounds of the appends in flight.

use std::sync::Arc;

use parking_lot::Mutex;
use sse_core::backplane::{BackplaneError, EntryKey, IdempotencyKeys};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{config::NatsConfig, fingerprint::FingerprintWriter};

/// Marks entries, and bounds the number of appends in flight.
#[derive(Debug)]
pub(crate) struct Appends {
    pub(super) marker: FingerprintWriter,
    count: Semaphore,
    kibibytes: Semaphore,
    /// Keys that this node sent recently. The server remembers keys without a bound.
    keys: Mutex<IdempotencyKeys<()>>,
}

/// Maximum number of KiB in flight.
const KIBIBYTES: usize = 64 << 10;

impl Appends {
    pub(crate) fn new(config: &NatsConfig) -> Self {
        let (count, kibibytes) = (
            Semaphore::new(config.appends_under_way),
            Semaphore::new(KIBIBYTES),
        );
        Self {
            marker: FingerprintWriter::new(),
            count,
            kibibytes,
            keys: Mutex::default(),
        }
    }

    /// Counts a key. A key whose entry is not stored in the end also counts, because nobody knows
    /// whether the entry was stored.
    pub(super) fn count(&self, key: &EntryKey) -> Result<(), BackplaneError> {
        let mut keys = self.keys.lock();
        if keys.get(key.text()).is_none() {
            keys.check_room(key)?;
            keys.insert(Arc::clone(key.text()), ());
        }
        Ok(())
    }

    pub(super) fn begin(&self, size: usize) -> Result<[SemaphorePermit<'_>; 2], BackplaneError> {
        // An append that exceeds the maximum is sent while no other append is in flight.
        let kibibytes = u32::try_from(size.div_ceil(1024).clamp(1, KIBIBYTES)).unwrap_or(1);
        let permits = [
            self.count.try_acquire(),
            self.kibibytes.try_acquire_many(kibibytes),
        ];
        let [Ok(count), Ok(bytes)] = permits else {
            return Err(BackplaneError::Busy);
        };
        Ok([count, bytes])
    }
}
