//! What a stream's transport and its manager have in common.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{
    dialect::DialectIndex,
    id::{client_id::ClientId, names::UserId},
    stream::{hooks::StreamInfo, overflow::Overflow, queue::Queue},
};

/// One live stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    pub(crate) id: ClientId,
    pub(crate) user: Option<UserId>,
    pub(crate) address: Option<IpAddr>,
    /// Unix milliseconds.
    pub(crate) connected_at: u64,
    /// Uptime of the manager when it came, in milliseconds.
    pub(crate) opened_ms: u64,
    /// Its place in the manager's order: the lowest is the oldest.
    pub(crate) arrival: u64,
    /// At which age `max_age` ends it, in milliseconds; zero for never.
    pub(crate) ends_after_ms: u32,
    /// At which age its authentication ends it, in milliseconds; zero for never. Written under the
    /// manager's lock.
    pub(crate) expires_after_ms: AtomicU32,
    /// Its key in the table of streams.
    pub(crate) place: u32,
    pub(crate) dialect: DialectIndex,
    pub(crate) overflow: Overflow,
    pub(crate) queue: Queue,
    /// Bytes that the transport took. Only the session writes.
    pub(crate) bytes: AtomicU64,
}

impl StreamState {
    pub(crate) fn took(&self, bytes: u64) {
        self.bytes
            .store(self.bytes_taken() + bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes_taken(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn info(&self) -> StreamInfo {
        StreamInfo {
            client_id: self.id,
            user_id: self.user.clone(),
            address: self.address,
            connected_at: self.connected_at,
        }
    }
}

#[cfg(all(test, target_pointer_width = "64", not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_its_counts_are_192_bytes() {
        assert_eq!(size_of::<StreamState>() + 2 * size_of::<usize>(), 192);
    }
}
