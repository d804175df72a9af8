//! Streams that were ended and that their transports have not released.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{clock::Millis, dialect::reason::DisconnectReason, stream::shared::StreamState};

/// Length below which the list is never pruned.
pub(crate) const FEW: usize = 64;

/// Streams that were ended and that their transports can still hold.
///
/// A blocked transport polls nothing, so it can miss the end of its stream: the transports of hyper
/// and Actix do not poll the body while the client's socket or its HTTP/2 window is full. After a
/// timeout the manager itself releases the stream.
#[derive(Debug, Default)]
pub(crate) struct Leavers {
    /// Streams that were ended as stalled. They get no further timeout.
    stalled: Vec<Arc<StreamState>>,
    /// Other ended streams with the time of their end, in the order of their ends.
    pub(crate) others: VecDeque<(Millis, Arc<StreamState>)>,
    /// Length at which released streams are pruned from `others`. It keeps the list below twice the
    /// number of unreleased streams.
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

    /// Removes the streams whose timeout has passed.
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
