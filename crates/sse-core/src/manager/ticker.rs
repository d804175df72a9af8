//! Timer tasks of runtimes.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Id;

use crate::sync::Mutex;

/// The timer tasks, one on every runtime that streams come from. One task does the work of a tick,
/// and the others stand by. So a busy runtime thread, for example of an Actix worker, delays
/// nothing for the streams of other runtimes.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The runtimes that have a task.
    pub(crate) runtimes: Mutex<Vec<Id>>,
    /// Number of ticks so far.
    pub(crate) turns: AtomicU32,
}

impl Timers {
    /// Ends the task of a runtime if the manager has no streams, so that an idle manager costs
    /// nothing. The next stream starts the task again.
    ///
    /// Streams are counted before they ask for the task. So either the task counts the stream, or
    /// the stream finds no task.
    pub(crate) fn rests(&self, runtime: Id, open: impl FnOnce() -> usize) -> bool {
        let mut runtimes = self.runtimes.lock();
        let rests = open() == 0;
        if rests {
            runtimes.retain(|known| *known != runtime);
        }
        rests
    }

    /// Takes the next tick, unless another task took a tick since this task last checked.
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
