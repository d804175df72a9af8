//! The entries that a node saw, by which it checks that a server still has the log.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use sse_core::backplane::{Epoch, Position};

/// The last entry that each connection of a node received.
///
/// A single latest entry for the whole node would not do. After a failover, one connection may
/// already receive new entries from the new server. Another connection may have received an entry
/// from the old server that the new one lacks. The newer entry would hide that loss. Therefore the
/// mark of an ended connection is kept until a new connection has found the entry on its server.
#[derive(Debug, Default)]
pub(crate) struct HighWaterMarks(Mutex<MarksState>);

#[derive(Debug, Default)]
struct MarksState {
    epoch: Option<Epoch>,
    /// A mark for each open connection, and for those that ended since a connection was last made.
    marks: Vec<HighWaterMark>,
}

/// A copy of what the node saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct MarksSnapshot {
    /// The epoch that the node is in.
    pub(crate) epoch: Option<Epoch>,
    /// The entries that the node saw of that epoch.
    pub(crate) marks: Vec<HighWaterMark>,
}

/// The last entry that a connection received.
#[derive(Debug, Clone)]
pub(crate) struct HighWaterMark {
    link: u64,
    over: bool,
    pub(crate) position: Position,
    /// The content of the entry, if known. A server whose clock was set back can assign a position
    /// a second time.
    pub(crate) payload: Option<Bytes>,
    /// The server's run and history.
    pub(crate) server: Arc<str>,
}

impl HighWaterMarks {
    /// Returns the epoch that the node is in, and the entries that the node saw of it.
    pub(crate) fn snapshot(&self) -> MarksSnapshot {
        let MarksState { epoch, marks } = &*self.0.lock();
        let marks = marks.iter().filter(|mark| mark.position != Position::ZERO);
        MarksSnapshot {
            epoch: epoch.clone(),
            marks: marks.cloned().collect(),
        }
    }

    /// Returns `true` if the node is in this epoch.
    pub(crate) fn is_in(&self, epoch: &Epoch) -> bool {
        self.0.lock().epoch.as_ref() == Some(epoch)
    }

    /// Records that a connection was made to a server that is in `epoch`. If the epoch is the one
    /// of the snapshot, the server has all entries of the snapshot. Returns `false` if the snapshot
    /// is outdated: then the server must be checked again.
    pub(crate) fn confirmed(
        &self,
        link: u64,
        server: &Arc<str>,
        epoch: &Epoch,
        snapshot: &MarksSnapshot,
    ) -> bool {
        let mut state = self.0.lock();
        if state.epoch != snapshot.epoch {
            return false;
        }
        let mut seen: &[HighWaterMark] = &snapshot.marks;
        if state.epoch.as_ref() != Some(epoch) {
            if let Some(old) = state.epoch.replace(epoch.clone()) {
                tracing::warn!(%old, new = %epoch, "detected a new epoch of the event log");
            }
            state.marks.clear();
            seen = &[];
        }
        // Entries seen since the snapshot still have to be found on a server.
        state.marks.retain(|mark| {
            let found = seen
                .iter()
                .any(|seen| seen.link == mark.link && seen.position == mark.position);
            !(mark.over && found)
        });
        let last = seen.iter().max_by_key(|seen| seen.position);
        state.marks.push(HighWaterMark {
            link,
            over: false,
            position: last.map_or(Position::ZERO, |seen| seen.position),
            payload: last.and_then(|seen| seen.payload.clone()),
            server: Arc::clone(server),
        });
        true
    }

    /// Records an entry that a connection received.
    pub(crate) fn saw(&self, link: u64, epoch: &Epoch, position: Position, payload: Option<Bytes>) {
        let mut state = self.0.lock();
        if state.epoch.as_ref() != Some(epoch) {
            return;
        }
        let Some(own) = state.marks.iter_mut().find(|mark| mark.link == link) else {
            return;
        };
        if position > own.position {
            (own.position, own.payload) = (position, payload);
        }
    }

    /// Records the end of a connection.
    pub(crate) fn ended(&self, link: u64) {
        let mut state = self.0.lock();
        state
            .marks
            .iter_mut()
            .filter(|mark| mark.link == link)
            .for_each(|own| own.over = true);
        // The mark of a connection that saw nothing need not be kept.
        state
            .marks
            .retain(|mark| !(mark.over && mark.position == Position::ZERO));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(high_water_marks: &HighWaterMarks) -> Vec<u64> {
        high_water_marks
            .snapshot()
            .marks
            .iter()
            .map(|seen| seen.position.minor())
            .collect()
    }

    #[test]
    fn marks_outlive_connection_until_confirmed() {
        let (high_water_marks, server) = (HighWaterMarks::default(), Arc::from("s"));
        let epoch = Epoch::new("e").unwrap();
        assert!(high_water_marks.confirmed(1, &server, &epoch, &high_water_marks.snapshot()));
        assert!(high_water_marks.confirmed(2, &server, &epoch, &high_water_marks.snapshot()));
        high_water_marks.saw(1, &epoch, 5.into(), None);
        high_water_marks.saw(2, &epoch, 9.into(), None);
        high_water_marks.saw(2, &epoch, 8.into(), None);
        high_water_marks.ended(1);
        assert_eq!(positions(&high_water_marks), [5, 9]);
        assert!(high_water_marks.confirmed(3, &server, &epoch, &high_water_marks.snapshot()));
        assert_eq!(
            positions(&high_water_marks),
            [9, 9],
            "the new connection inherits the latest mark"
        );
    }

    #[test]
    fn new_epoch_clears_marks() {
        let (high_water_marks, server) = (HighWaterMarks::default(), Arc::from("s"));
        let [old, new] = ["old", "new"].map(|epoch| Epoch::new(epoch).unwrap());
        assert!(high_water_marks.confirmed(1, &server, &old, &high_water_marks.snapshot()));
        high_water_marks.saw(1, &old, 5.into(), None);
        assert!(high_water_marks.confirmed(2, &server, &new, &high_water_marks.snapshot()));
        assert!(high_water_marks.is_in(&new));
        high_water_marks.saw(1, &old, 6.into(), None);
        high_water_marks.saw(1, &new, 6.into(), None);
        assert_eq!(
            positions(&high_water_marks),
            [0; 0],
            "the first connection is outdated"
        );
        let stale = high_water_marks.snapshot();
        high_water_marks.saw(2, &new, 3.into(), None);
        assert_eq!(positions(&high_water_marks), [3]);
        assert!(high_water_marks.confirmed(3, &server, &old, &high_water_marks.snapshot()));
        assert!(
            !high_water_marks.confirmed(4, &server, &new, &stale),
            "another connection found another epoch"
        );
    }

    #[test]
    fn unused_connections_leave_no_marks() {
        let (high_water_marks, server) = (HighWaterMarks::default(), Arc::from("s"));
        let epoch = Epoch::new("e").unwrap();
        for link in 0..100 {
            assert!(high_water_marks.confirmed(
                link,
                &server,
                &epoch,
                &high_water_marks.snapshot()
            ));
            high_water_marks.ended(link);
        }
        assert_eq!(positions(&high_water_marks), [0; 0]);
    }
}
