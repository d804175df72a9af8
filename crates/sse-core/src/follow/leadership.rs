//! Whose turn it is to follow the log.

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

/// A task that follows the log shows this often that it runs, whatever its backplane does.
const BEAT: Duration = Duration::from_secs(1);

/// The manager is gone, or somebody else follows its log.
#[derive(Debug)]
pub(crate) struct Gone;

/// The turn of one runtime.
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

    /// How many turns there were, this one included.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The manager, as long as the turn lasts.
    pub(crate) fn manager(&self) -> Result<Arc<Inner>, Gone> {
        self.manager
            .upgrade()
            .filter(|inner| inner.following.is_turn_of(self.generation))
            .ok_or(Gone)
    }

    /// Does something under the manager's lock, if it is this turn's to do.
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

    /// Does the work of a part, and shows that it runs, until either is over.
    pub(crate) async fn beating(self, part: Part, work: impl Future<Output = ()>) {
        let mut beats = time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| {
            // First, so that one that was out of turn for long does nothing more.
            while beats.poll_tick(cx).is_ready() {
                let Ok(inner) = self.manager() else {
                    return Poll::Ready(());
                };
                inner.following.beats[part as usize].fetch_add(1, Ordering::SeqCst);
            }
            work.as_mut().poll(cx)
        })
        .await;
    }
}

/// Notices when a turn ends with its runtime, so that another one may take over.
pub(crate) struct LeaderGuard(pub(crate) Leader);

impl Drop for LeaderGuard {
    fn drop(&mut self) {
        if let Some(inner) = self.0.manager.upgrade() {
            inner.following.end(self.0.generation);
        }
    }
}
