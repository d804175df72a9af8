//! What an app hears of its users.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use sse_core::UserId;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};
use tracing::error;

use crate::{presence::News, shared::Shared};

/// What an app hears of its users.
///
/// A user is on-line with the first stream on any node, and off-line when there has been none on any node for the
/// [grace](crate::ClusterConfig::grace). Every node hears each of both, in this order, once each time, by way of what it knows: about as fast as
/// reports are [gathered](crate::ClusterConfig::batch), and after a crash of the node that the user was on when that node's lease has ended and then the
/// grace. A node that starts hears of the users that are on-line elsewhere as if they came. One that ends tells nothing of those who were.
///
/// While a node is cut off from the others it goes by what it knew of them.
///
/// Called one after the other, without any lock held, on a task of the cluster's, so an implementation must not block: hand work to a task.
pub trait PresenceHooks: Send + Sync + 'static {
    /// A user has come on-line.
    fn online(&self, user: &UserId) {
        let _ = user;
    }

    /// A user has gone off-line.
    fn offline(&self, user: &UserId) {
        let _ = user;
    }
}

/// So many are told before other tasks of the thread run.
const TURN: usize = 64;

/// Tells the app who comes and goes.
pub(crate) async fn tell(shared: Arc<Shared>, hooks: Arc<dyn PresenceHooks>) {
    loop {
        let mut told = 0;
        while let Some(news) = shared.next_news() {
            let call = || match &news {
                News::Online(user) => hooks.online(user),
                News::Offline(user) => hooks.offline(user),
            };
            // The panic itself was told by the panic hook; one user's must not silence those of all others.
            if catch_unwind(AssertUnwindSafe(call)).is_err() {
                error!(?news, "a presence hook has panicked");
            }
            told += 1;
            if told % TURN == 0 {
                yield_now().await;
            }
        }
        let due = shared.state.lock().crowd.next_due();
        let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            () = shared.moved.notified() => {}
            () = sleep_until(due) => {}
        }
    }
}
