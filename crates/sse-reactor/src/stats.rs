//! Statistics of a reactor.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering},
};

/// Statistics of a reactor. Gauges show the current state, and counters count since the start. The
/// statistics are cheap to read, and are not a consistent snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReactorStats {
    /// Running threads.
    pub threads: usize,
    /// Streams on the threads, including streams on their way to a thread.
    pub streams: usize,
    /// Counter: adopted streams.
    pub adopted: u64,
    /// Counter: streams that were closed because the system could not watch their socket.
    pub failed: u64,
    /// Counter: times that a client's socket was full, so that a stream had to wait.
    pub write_stalls: u64,
    /// Streams that currently wait because a client's socket is full.
    pub blocked: u64,
    /// Counter: bytes written to sockets, heads and framing included.
    pub bytes: u64,
    /// Counter: connections broken off (RST), because the client took nothing or the server
    /// stopped.
    pub resets: u64,
    /// Counter: streams that ended because foreign code panicked (a dialect, a hook or a guard).
    /// Each panic is a bug in that code.
    pub panics: u64,
}

/// Counters of one thread. Only this thread writes them, so that no write locks the bus.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
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

/// Adds the numbers of several reactors.
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
    /// Returns the statistics of a thread. `streams` includes streams on their way to the thread.
    pub(crate) fn of_thread(is_alive: bool, streams: usize, counters: &ThreadCounters) -> Self {
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
