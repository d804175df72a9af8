//! Which runtimes have a timer task.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Id;

use crate::sync::Mutex;

/// Runs on every runtime that streams come from. One of its tasks does the work of a tick; the
/// others stand by, so that a runtime whose thread is busy, as a worker of Actix may be, delays
/// nothing for the streams of the others.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The runtimes that have a task.
    pub(crate) runtimes: Mutex<Vec<Id>>,
    /// How many turns were taken.
    pub(crate) turns: AtomicU32,
}

impl Timers {
    /// Ends the task of a runtime if nobody is there, so that an idle manager costs nothing; the
    /// next stream starts it again.
    ///
    /// Streams are counted before they ask for the task, so either the stream is seen here, or it
    /// sees no task there.
    pub(crate) fn rests(&self, runtime: Id, open: impl FnOnce() -> usize) -> bool {
        let mut runtimes = self.runtimes.lock();
        let rests = open() == 0;
        if rests {
            runtimes.retain(|known| *known != runtime);
        }
        rests
    }

    /// The next turn, unless another task took one since this one looked last.
    pub(crate) fn turn(&self, seen: &mut u32) -> Option<u32> {
        let next = seen.wrapping_add(1);
        match self
            .turns
            .compare_exchange(*seen, next, Ordering::SeqCst, Ordering::SeqCst)
        {
            Ok(_) => {
                *seen = next;
                Some(next)
            }
            Err(turns) => {
                *seen = turns;
                None
            }
        }
    }
}
