//! Calls the hooks of the app.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};
use tracing::error;

use crate::{cluster_state::ClusterState, hooks::PresenceHooks, presence::PresenceEvent};

/// Maximum number of calls before other tasks of the thread run.
const TURN: usize = 64;

/// Calls the hooks when users come on-line or go off-line.
pub(crate) async fn run(shared: Arc<ClusterState>, hooks: Arc<dyn PresenceHooks>) {
    loop {
        let mut calls = 0;
        while let Some(news) = shared.next_news() {
            let call = || match &news {
                PresenceEvent::Online(user) => hooks.online(user),
                PresenceEvent::Offline(user) => hooks.offline(user),
            };
            // The panic hook has already reported the panic. A panic for one user must not prevent
            // the calls for all others.
            if catch_unwind(AssertUnwindSafe(call)).is_err() {
                error!(?news, "presence hook panicked");
            }
            calls += 1;
            if calls % TURN == 0 {
                yield_now().await;
            }
        }
        let due = shared.membership.lock().presence.next_due();
        let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            () = shared.moved.notified() => {}
            () = sleep_until(due) => {}
        }
    }
}
