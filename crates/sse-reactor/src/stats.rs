//! Numbers about a reactor.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering},
};

/// Numbers about a reactor. Gauges are of now, counters since it was started; cheap to read, and
/// not of one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReactorStats {
    /// Threads that serve.
    pub threads: usize,
    /// Streams on them, those on their way included.
    pub streams: usize,
    /// Counter: streams that were adopted.
    pub adopted: u64,
    /// Counter: streams that could not be served, since the system would not watch their socket,
    /// and were closed.
    pub failed: u64,
    /// Counter: how often a client's socket was full, so that a stream had to wait.
    pub write_stalls: u64,
    /// Streams that wait now because a client's socket is full.
    pub blocked: u64,
    /// Counter: bytes written to sockets, heads and framing included.
    pub bytes: u64,
    /// Counter: connections broken off (RST), since their client took nothing or the server
    /// stopped.
    pub resets: u64,
    /// Counter: streams that ended because something foreign panicked (a dialect, a hook, a guard);
    /// it is a bug there.
    pub panics: u64,
}

/// What one thread counts. It alone writes, so that nothing is locked on the bus.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) adopted: Counter,
    pub(crate) failed: Counter,
    pub(crate) write_stalls: Counter,
    pub(crate) blocked: Counter,
    pub(crate) bytes: Counter,
    pub(crate) resets: Counter,
    pub(crate) panics: Counter,
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0
            .store(self.get().wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, amount: u64) {
        self.0
            .store(self.get().wrapping_sub(amount), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The numbers of several reactors together.
impl AddAssign for ReactorStats {
    fn add_assign(&mut self, other: Self) {
        self.threads += other.threads;
        self.streams += other.streams;
        self.adopted += other.adopted;
        self.failed += other.failed;
        self.write_stalls += other.write_stalls;
        self.blocked += other.blocked;
        self.bytes += other.bytes;
        self.resets += other.resets;
        self.panics += other.panics;
    }
}

impl ReactorStats {
    /// Of a thread, with the streams that are on it or on their way to it.
    pub(crate) fn of_thread(is_alive: bool, streams: usize, counters: &Counters) -> Self {
        Self {
            threads: usize::from(is_alive),
            streams,
            adopted: counters.adopted.get(),
            failed: counters.failed.get(),
            write_stalls: counters.write_stalls.get(),
            blocked: counters.blocked.get(),
            bytes: counters.bytes.get(),
            resets: counters.resets.get(),
            panics: counters.panics.get(),
        }
    }
}
