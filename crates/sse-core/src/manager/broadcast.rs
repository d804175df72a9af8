//! Publishes to many streams, in steps.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::yield_now, time::Instant};

use crate::{
    backplane::{envelope::PublishId, receipt::Receipt},
    manager::inner::Inner,
    sequencer::{Sequenced, fanout::PendingBroadcast},
};

/// A publish in flight. If it is dropped before its end, a new task or the drop itself completes
/// it.
pub(crate) struct Sweep {
    inner: Arc<Inner>,
    job: Arc<PendingBroadcast>,
    /// The publish of this node whose receipt is due at the end, and its number of streams.
    publish: Option<(PublishId, usize)>,
    cursor: u32,
    done: bool,
    /// `true` if the publish already runs in its own task. A runtime that shuts down drops newly
    /// spawned tasks at once, so no second task is spawned.
    handed_over: bool,
}

impl Sweep {
    pub(crate) fn new(inner: &Arc<Inner>, job: Arc<PendingBroadcast>) -> Self {
        Self {
            inner: Arc::clone(inner),
            job,
            publish: None,
            cursor: 0,
            done: false,
            handed_over: false,
        }
    }

    /// Resolves a publish once all its streams have the event.
    pub(crate) fn resolving(mut self, publish: PublishId, matched: usize) -> Self {
        self.publish = Some((publish, matched));
        self
    }

    /// Delivers to all streams, in slices of time.
    pub(crate) async fn finish(mut self) {
        while !self.turn() {
            yield_now().await;
        }
    }

    /// Delivers to streams until the time slice is over. Returns `true` once no streams remain.
    fn turn(&mut self) -> bool {
        let start = Instant::now();
        while !self.done {
            let Self {
                inner, job, cursor, ..
            } = self;
            self.done =
                inner.with_sequencer(|sequencer, tx| sequencer.sweep(job, cursor, STEP, tx));
            if start.elapsed() >= TURN {
                break;
            }
        }
        if self.done
            && let Some((publish, matched)) = self.publish.take()
        {
            self.inner.tickets.resolve(publish, matched);
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
            publish: self.publish.take(),
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
    /// Delivers the publish to all its streams.
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

/// Maximum number of streams that receive an event while the manager's lock is held once.
const STEP: usize = 128;

/// Time slice after which a publish lets other tasks of its thread run.
const TURN: Duration = Duration::from_millis(1);
