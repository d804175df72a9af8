//! Leadership: the right of one runtime to follow the log.

use std::{
    future::poll_fn,
    sync::{Arc, Weak, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use tokio::time::{self, MissedTickBehavior};

use crate::{
    backplane::leadership_state::Part,
    manager::inner::Inner,
    sequencer::{Sequencer, fanout::Tx},
};

/// Interval at which a task of the leader reports that it runs, whatever its backplane does.
const BEAT: Duration = Duration::from_secs(1);

/// The manager was dropped, or another runtime follows its log.
#[derive(Debug)]
pub(crate) struct Gone;

/// The leadership of one runtime.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    manager: Weak<Inner>,
    generation: u64,
}

impl Leader {
    pub(crate) fn new(manager: Weak<Inner>, generation: u64) -> Self {
        Self {
            manager,
            generation,
        }
    }

    /// Returns the number of leaderships so far, this leadership included.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the manager, as long as the leadership lasts.
    pub(crate) fn manager(&self) -> Result<Arc<Inner>, Gone> {
        self.manager
            .upgrade()
            .filter(|inner| inner.following.is_turn_of(self.generation))
            .ok_or(Gone)
    }

    /// Runs `act` under the manager's lock, if this leadership is current.
    pub(crate) fn hold<T>(
        &self,
        inner: &Inner,
        act: impl FnOnce(&mut Sequencer, &mut Tx<'_>) -> T,
    ) -> Result<T, Gone> {
        inner.with_sequencer(|order, hold| {
            if inner.following.is_turn_of(self.generation) {
                Ok(act(order, hold))
            } else {
                Err(Gone)
            }
        })
    }

    /// Runs the work of a task and reports its heartbeats, until the work or the leadership is
    /// over.
    pub(crate) async fn beating(self, part: Part, work: impl Future<Output = ()>) {
        let mut ticks = time::interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| {
            // Checked first, so that a task whose leadership ended long ago does nothing more.
            while ticks.poll_tick(cx).is_ready() {
                let Ok(inner) = self.manager() else {
                    return Poll::Ready(());
                };
                inner.following.heartbeats[part as usize].fetch_add(1, Ordering::SeqCst);
            }
            work.as_mut().poll(cx)
        })
        .await;
    }
}

/// Notices when the leadership ends with its runtime, so that another runtime can take over.
pub(crate) struct LeaderGuard(pub(crate) Leader);

impl Drop for LeaderGuard {
    fn drop(&mut self) {
        if let Some(inner) = self.0.manager.upgrade() {
            inner.following.end(self.0.generation);
        }
    }
}
