//! State that a stream's transport and its manager share.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{
    dialect::DialectIndex,
    id::{client_id::ClientId, names::UserId},
    stream::{hooks::StreamInfo, overflow::Overflow, queue::Queue},
};

/// A live stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    pub(crate) id: ClientId,
    pub(crate) user: Option<UserId>,
    pub(crate) address: Option<IpAddr>,
    /// Unix milliseconds.
    pub(crate) connected_at: u64,
    /// Uptime of the manager when the stream connected, in milliseconds.
    pub(crate) opened_ms: u64,
    /// Number of the stream in the manager's order: the lowest is the oldest.
    pub(crate) arrival: u64,
    /// Age at which `max_age` ends the stream, in milliseconds; zero for never.
    pub(crate) ends_after_ms: u32,
    /// Age at which the authentication of the stream expires, in milliseconds; zero for never.
    /// Written under the manager's lock.
    pub(crate) expires_after_ms: AtomicU32,
    /// Index in the table of streams.
    pub(crate) place: u32,
    pub(crate) dialect: DialectIndex,
    pub(crate) overflow: Overflow,
    pub(crate) queue: Queue,
    /// Number of bytes that the transport took. Only the session writes it.
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
    fn stream_and_its_counts_occupy_192_bytes() {
        assert_eq!(size_of::<StreamState>() + 2 * size_of::<usize>(), 192);
    }
}
