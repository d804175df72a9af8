//! Streams that were ended and whose transport has not let go of them.

use std::{collections::VecDeque, sync::Arc, task::Waker, time::Duration};

use tracing::debug;

use crate::{
    clock::Millis,
    dialect::reason::Reason,
    manager::inner::Inner,
    stream::{hooks::Departure, queue::Closed, shared::Shared},
};

/// Fewer than this many are not sorted.
const FEW: usize = 64;

/// Streams that were ended and whose transport may hold them still.
///
/// A transport that is blocked polls nothing, so it may never learn of the end: hyper's and Actix's poll no body while a client's
/// socket, or its HTTP/2 window, is full. After a while the manager releases such a stream itself.
#[derive(Debug, Default)]
pub(crate) struct Leavers {
    /// They had their time before they were ended.
    stalled: Vec<Arc<Shared>>,
    /// With the time of their end, in its order.
    others: VecDeque<(Millis, Arc<Shared>)>,
    /// At this many, those that are gone are sorted out, so that no more are kept than twice as many as there are.
    many: usize,
}

impl Leavers {
    pub(crate) fn add(&mut self, stream: Arc<Shared>, reason: Reason, now: Millis) {
        if reason == Reason::Stalled {
            self.stalled.push(stream);
            return;
        }
        if self.others.len() >= self.many.max(FEW) {
            self.others.retain(|(_, stream)| !stream.queue.is_closed());
            self.many = 2 * self.others.len();
        }
        self.others.push_back((now, stream));
    }

    /// Takes those that were given long enough.
    fn take_due(&mut self, now: Millis, timeout: Duration) -> Vec<Arc<Shared>> {
        let mut due = std::mem::take(&mut self.stalled);
        while let Some((ended, stream)) = self.others.front() {
            if now.since(*ended) < timeout && !stream.queue.is_closed() {
                break;
            }
            due.extend(self.others.pop_front().map(|(_, stream)| stream));
        }
        if self.others.is_empty() {
            self.others = VecDeque::new();
        }
        due
    }
}

impl Inner {
    /// Gives up on the transports that had long enough to let go.
    pub(crate) fn release_leavers(&self) {
        let timeout = self.config.connection_timeout;
        let due = self.with_order(|order, hold| order.leavers.take_due(hold.now, timeout));
        for stream in due {
            if let Some(closed) = stream.queue.abandon() {
                self.released(&stream, closed);
            }
        }
    }

    /// Sees to everything that follows when a transport lets go of a stream, or is given up. Not under any lock.
    pub(crate) fn released(&self, stream: &Shared, closed: Closed) {
        self.with_order(|order, hold| {
            order.remove(stream.place, stream.id, hold);
            order.counts.ended[closed.reason.index()] += 1;
        });
        closed.wake.into_iter().for_each(Waker::wake);
        self.closed();
        let lifetime_ms = self.clock.uptime_ms().saturating_sub(stream.opened_ms);
        let departure = Departure {
            reason: closed.reason,
            lifetime: Duration::from_millis(lifetime_ms),
            delivered: closed.delivered,
            bytes: stream.bytes_taken(),
        };
        debug!(
            client_id = %stream.id,
            reason = departure.reason.as_str(),
            lifetime_ms,
            delivered = departure.delivered,
            "stream ended"
        );
        self.hooks.disconnected(&stream.info(), &departure);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        id::target::Target,
        manager::{Manager, disconnect::Disconnect, handshake::Handshake},
    };

    #[tokio::test]
    async fn those_that_left_are_not_kept_beside_one_that_stays() {
        let manager = Manager::builder().build().unwrap();
        let connect = || manager.connect(Handshake::new()).unwrap();
        let _stays = connect();
        manager.disconnect(Target::All, Disconnect::new()).await;
        for _ in 0..10 * FEW {
            let leaves = connect();
            manager.disconnect(Target::Client(leaves.client_id()), Disconnect::new()).await;
        }
        let kept = manager.inner.order.lock().leavers.others.len();
        assert!((1..=FEW).contains(&kept), "{kept}");
        assert_eq!(manager.stats().ending, 1);
    }
}
