//! Publishes to many streams, in steps.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::yield_now, time::Instant};

use crate::{
    backplane::receipt::Receipt,
    manager::inner::Inner,
    sequencer::{Sequenced, fanout::PendingBroadcast},
};

/// A publish under way. Dropped before its end, somebody else brings it to its end.
pub(crate) struct Sweep {
    inner: Arc<Inner>,
    job: Arc<PendingBroadcast>,
    cursor: u32,
    done: bool,
    /// Whether it is in a task of its own. A runtime that shuts down drops the tasks that are
    /// spawned on it at once, so there is not another one.
    handed_over: bool,
}

impl Sweep {
    pub(crate) fn new(inner: &Arc<Inner>, job: Arc<PendingBroadcast>) -> Self {
        Self {
            inner: Arc::clone(inner),
            job,
            cursor: 0,
            done: false,
            handed_over: false,
        }
    }

    /// Reaches all streams, turn by turn.
    pub(crate) async fn finish(mut self) {
        while !self.turn() {
            yield_now().await;
        }
    }

    /// Reaches streams until the turn is over; `true` when there are no more.
    fn turn(&mut self) -> bool {
        let start = Instant::now();
        while !self.done {
            let Self {
                inner, job, cursor, ..
            } = self;
            self.done = inner.with_sequencer(|order, hold| order.sweep(job, cursor, STEP, hold));
            if start.elapsed() >= TURN {
                break;
            }
        }
        self.done
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut rest = Self {
            inner: Arc::clone(&self.inner),
            job: Arc::clone(&self.job),
            cursor: self.cursor,
            done: std::mem::replace(&mut self.done, true),
            handed_over: true,
        };
        match Handle::try_current() {
            Ok(runtime) if !self.handed_over && !std::thread::panicking() => {
                runtime.spawn(async move {
                    while !rest.turn() {
                        yield_now().await;
                    }
                });
            }
            _ => while !rest.turn() {},
        }
    }
}

impl Sequenced {
    /// Brings it to all its streams.
    pub(crate) async fn finish(self, inner: &Arc<Inner>) -> Receipt {
        match self {
            Self::Done(receipt) => receipt,
            Self::Sweeping(job, receipt) => {
                Sweep::new(inner, job).finish().await;
                receipt
            }
        }
    }
}

/// So many streams get an event while the manager's lock is held once.
const STEP: usize = 128;

/// After so long a publish lets other tasks of its thread run.
const TURN: Duration = Duration::from_millis(1);
