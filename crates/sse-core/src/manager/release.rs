//! Streams that were ended and that their transports have not released.

use std::{task::Waker, time::Duration};

use tracing::debug;

use crate::{
    manager::inner::Inner,
    stream::{hooks::Disconnection, queue::QueueClosed, shared::StreamState},
};

impl Inner {
    /// Abandons the transports that did not release their streams in time.
    pub(crate) fn release_leavers(&self) {
        let timeout = self.config.connection_timeout;
        let due = self.with_sequencer(|sequencer, tx| sequencer.leavers.take_due(tx.now, timeout));
        for stream in due {
            if let Some(closed) = stream.queue.abandon() {
                self.released(&stream, closed);
            }
        }
    }

    /// Completes the end of a stream after its transport released it or was abandoned. Must be
    /// called without a lock.
    pub(crate) fn released(&self, stream: &StreamState, closed: QueueClosed) {
        self.with_sequencer(|sequencer, tx| {
            sequencer.remove(stream.place, stream.id, tx);
            sequencer.counts.ended[closed.reason.index()] += 1;
        });
        closed.wake.into_iter().for_each(Waker::wake);
        self.closed();
        let lifetime_ms = self.clock.uptime_ms().saturating_sub(stream.opened_ms);
        let departure = Disconnection {
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
    use crate::{
        id::target::Target,
        manager::{Manager, disconnect::DisconnectOptions, handshake::Handshake},
        registry::closing::FEW,
    };

    #[tokio::test]
    async fn departed_streams_are_removed_while_one_stays() {
        let manager = Manager::builder().build().unwrap();
        let connect = || manager.connect(Handshake::new()).unwrap();
        let _stays = connect();
        manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await;
        for _ in 0..10 * FEW {
            let leaves = connect();
            manager
                .disconnect(Target::Client(leaves.client_id()), DisconnectOptions::new())
                .await;
        }
        let kept = manager.inner.sequencer.lock().leavers.others.len();
        assert!((1..=FEW).contains(&kept), "{kept}");
        assert_eq!(manager.stats().ending, 1);
    }
}
