//! Bounds of the appends under way.

use std::sync::Arc;

use parking_lot::Mutex;
use sse_core::{BackplaneError, EntryKey, IdempotencyKeys};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{config::NatsConfig, fingerprint::FingerprintWriter};

/// Marks entries, and bounds how many are under way.
#[derive(Debug)]
pub(crate) struct Appends {
    pub(super) marker: FingerprintWriter,
    count: Semaphore,
    kibibytes: Semaphore,
    /// Keys that this node has sent lately. The server remembers keys without a bound.
    keys: Mutex<IdempotencyKeys<()>>,
}

/// Bytes that may be under way.
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

    /// Counts a key. One that is not stored in the end counts all the same: nobody knows whether it
    /// was.
    pub(super) fn count(&self, key: &EntryKey) -> Result<(), BackplaneError> {
        let mut keys = self.keys.lock();
        if keys.get(key.text()).is_none() {
            keys.check_room(key)?;
            keys.insert(Arc::clone(key.text()), ());
        }
        Ok(())
    }

    pub(super) fn begin(&self, size: usize) -> Result<[SemaphorePermit<'_>; 2], BackplaneError> {
        // One that is larger than all that may be under way goes alone.
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
