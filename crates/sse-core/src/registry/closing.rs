//! Streams that were ended and whose transport has not let go of them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{clock::Millis, dialect::reason::DisconnectReason, stream::shared::StreamState};

/// Fewer than this many are not sorted.
pub(crate) const FEW: usize = 64;

/// Streams that were ended and whose transport may hold them still.
///
/// A transport that is blocked polls nothing, so it may never learn of the end: hyper's and Actix's
/// poll no body while a client's socket, or its HTTP/2 window, is full. After a while the manager
/// releases such a stream itself.
#[derive(Debug, Default)]
pub(crate) struct Leavers {
    /// They had their time before they were ended.
    stalled: Vec<Arc<StreamState>>,
    /// With the time of their end, in its order.
    pub(crate) others: VecDeque<(Millis, Arc<StreamState>)>,
    /// At this many, those that are gone are sorted out, so that no more are kept than twice as
    /// many as there are.
    many: usize,
}

impl Leavers {
    pub(crate) fn add(&mut self, stream: Arc<StreamState>, reason: DisconnectReason, now: Millis) {
        if reason == DisconnectReason::Stalled {
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
    pub(crate) fn take_due(&mut self, now: Millis, timeout: Duration) -> Vec<Arc<StreamState>> {
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
