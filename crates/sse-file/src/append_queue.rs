//! Appends that wait for the writer.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use sse_core::backplane::{Appended, BackplaneError, NewEntry, ReadLimit};
use tokio::sync::oneshot;

/// An append that waits for the disk.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) entry: NewEntry,
    pub(crate) reply: oneshot::Sender<Result<Appended, BackplaneError>>,
}

/// Interval between checks whether further appends have arrived.
const STEP: Duration = Duration::from_micros(50);

/// The queue between any number of tasks and the one writer thread, bounded in entries and bytes.
#[derive(Debug)]
pub(crate) struct AppendQueue {
    state: Mutex<AppendQueueState>,
    ready: Condvar,
    limit: ReadLimit,
}

#[derive(Debug, Default)]
struct AppendQueueState {
    pending: VecDeque<Pending>,
    bytes: usize,
    is_closed: bool,
}

/// The reason why an append is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Full,
    Closed,
}

/// Work for the writer.
#[derive(Debug)]
pub(crate) enum Work {
    /// Appends to write, at least one.
    Append(Vec<Pending>),
    /// Periodic checks of the log are due.
    Check,
    /// The queue is closed, and no append is pending.
    End,
}

impl AppendQueue {
    pub(crate) fn new(limit: ReadLimit) -> Self {
        Self {
            state: Mutex::default(),
            ready: Condvar::new(),
            limit,
        }
    }

    pub(crate) fn push(&self, pending: Pending) -> Result<(), NoPlace> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(NoPlace::Closed);
        }
        let bytes = state.bytes + pending.entry.payload.len();
        let fits = state.pending.len() < self.limit.entries && bytes <= self.limit.bytes;
        if !state.pending.is_empty() && !fits {
            return Err(NoPlace::Full);
        }
        state.bytes = bytes;
        state.pending.push_back(pending);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Closes the queue to new appends. Pending appends are still written.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.ready.notify_one();
    }

    /// Waits for further appends, until `entries` are pending or the time is over.
    pub(crate) fn gather(&self, entries: usize, most: Duration) {
        let end = Instant::now() + most;
        let mut before = None;
        loop {
            let pending = self.state.lock().pending.len();
            if pending >= entries || before == Some(pending) || Instant::now() + STEP > end {
                return;
            }
            before = Some(pending);
            thread::sleep(STEP);
        }
    }

    /// Waits for work.
    pub(crate) fn take(&self, limit: ReadLimit, until: Instant) -> Work {
        let mut state = self.state.lock();
        while state.pending.is_empty() && !state.is_closed {
            if self.ready.wait_until(&mut state, until).timed_out() {
                return Work::Check;
            }
        }
        if state.pending.is_empty() {
            return Work::End;
        }
        Work::Append(state.take(limit))
    }
}

impl AppendQueueState {
    fn take(&mut self, limit: ReadLimit) -> Vec<Pending> {
        let mut taken = Vec::with_capacity(self.pending.len().min(limit.entries));
        let mut bytes = 0;
        while let Some(next) = self
            .pending
            .front()
            .filter(|_| taken.is_empty() || taken.len() < limit.entries)
        {
            bytes += next.entry.payload.len();
            if !taken.is_empty() && bytes > limit.bytes {
                break;
            }
            self.bytes -= next.entry.payload.len();
            taken.extend(self.pending.pop_front());
        }
        if self.pending.is_empty() {
            // The memory of a burst is released.
            self.pending.shrink_to(1024);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn pending(bytes: usize) -> Pending {
        let entry = NewEntry {
            payload: Bytes::from(vec![0; bytes]),
            key: None,
        };
        Pending {
            entry,
            reply: oneshot::channel().0,
        }
    }

    fn sizes(work: Work) -> Vec<usize> {
        match work {
            Work::Append(taken) => taken
                .iter()
                .map(|pending| pending.entry.payload.len())
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn queue_is_bounded_and_accepts_one_entry() {
        let queue = AppendQueue::new(ReadLimit {
            entries: 3,
            bytes: 100,
        });
        queue.push(pending(1000)).unwrap();
        assert_eq!(
            queue.push(pending(0)),
            Err(NoPlace::Full),
            "the queue exceeds its bytes"
        );
        let all = ReadLimit {
            entries: 10,
            bytes: 10,
        };
        assert_eq!(sizes(queue.take(all, Instant::now())), [1000]);
        (0..3).for_each(|_| queue.push(pending(1)).unwrap());
        assert_eq!(
            queue.push(pending(0)),
            Err(NoPlace::Full),
            "the queue exceeds its entries"
        );
        assert_eq!(
            sizes(queue.take(
                ReadLimit {
                    entries: 2,
                    bytes: 10
                },
                Instant::now()
            )),
            [1, 1]
        );
        queue.push(pending(9)).unwrap();
        queue.push(pending(9)).unwrap();
        assert_eq!(sizes(queue.take(all, Instant::now())), [1, 9]);
        assert_eq!(sizes(queue.take(all, Instant::now())), [9]);
        assert!(matches!(queue.take(all, Instant::now()), Work::Check));
    }

    #[test]
    fn pending_appends_outlive_close() {
        let queue = AppendQueue::new(ReadLimit {
            entries: 3,
            bytes: 100,
        });
        queue.push(pending(1)).unwrap();
        queue.close();
        assert_eq!(queue.push(pending(1)), Err(NoPlace::Closed));
        let all = ReadLimit {
            entries: 10,
            bytes: 10,
        };
        assert_eq!(sizes(queue.take(all, Instant::now())), [1]);
        assert!(matches!(queue.take(all, Instant::now()), Work::End));
    }

    #[test]
    fn gather_waits_only_while_appends_arrive() {
        const LONG: Duration = Duration::from_secs(600);
        let queue = AppendQueue::new(ReadLimit {
            entries: 1000,
            bytes: 100,
        });
        // The queue is empty, the number is reached, or the time is over. Each case ends the wait;
        // otherwise the test does not end.
        queue.gather(10, LONG);
        queue.push(pending(0)).unwrap();
        queue.gather(1, LONG);
        queue.gather(10, Duration::ZERO);
        assert_eq!(
            sizes(queue.take(
                ReadLimit {
                    entries: 10,
                    bytes: 1
                },
                Instant::now()
            )),
            [0]
        );
    }
}
