//! The parts of logs that gaps cover.

use sse_core::backplane::Position;

use crate::journal::JournalPosition;

/// The last position that a log can have.
const LAST: Position = Position::new(u64::MAX, u64::MAX);

/// The position up to which a client was served in each log.
#[derive(Debug, Default)]
pub(crate) struct Served(Vec<JournalPosition>);

/// The parts of logs that gaps reported to a client as possibly incomplete.
#[derive(Debug, Default)]
pub(crate) struct GapCoverage(Vec<CoveredRange>);

/// The positions after one position of a log, up to another.
#[derive(Debug, Clone, Copy)]
struct CoveredRange {
    epoch: u32,
    after: Position,
    up_to: Position,
}

impl Served {
    /// Returns the position up to which the client was served in this log; the position before all
    /// others if the client was not served at all.
    pub(crate) fn in_epoch(&self, epoch: u32) -> Position {
        self.0
            .iter()
            .find(|it| it.epoch == epoch)
            .map_or(Position::ZERO, |it| it.position)
    }

    /// Records that the client was served up to a place, if not further already.
    pub(crate) fn reach(&mut self, place: JournalPosition) {
        match self.0.iter_mut().find(|it| it.epoch == place.epoch) {
            Some(it) => it.position = it.position.max(place.position),
            None => self.0.push(place),
        }
    }

    /// Discards everything that the client was served beyond a place.
    pub(crate) fn fall_back(&mut self, place: JournalPosition) {
        self.0.retain(|it| it.epoch != place.epoch);
        self.0.push(place);
    }
}

impl GapCoverage {
    /// Adds the parts that a gap covers for a client that had been served up to `served`.
    pub(crate) fn add(
        &mut self,
        from: Option<JournalPosition>,
        to: JournalPosition,
        served: &Served,
    ) {
        // The client continues in this log: the events that follow are due again, even if the
        // client had left the log once.
        let left = self
            .0
            .iter_mut()
            .filter(|part| part.epoch == to.epoch && part.up_to == LAST);
        left.for_each(|part| part.up_to = to.position);
        let begun = |epoch| CoveredRange {
            epoch,
            after: served.in_epoch(epoch),
            up_to: LAST,
        };
        match from {
            Some(from) if from.epoch == to.epoch => {
                self.0.push(CoveredRange {
                    epoch: to.epoch,
                    after: from.position,
                    up_to: to.position,
                });
            }
            from => {
                if let Some(from) = from {
                    self.0.push(CoveredRange {
                        after: from.position,
                        ..begun(from.epoch)
                    });
                    self.0.extend((from.epoch + 1..to.epoch).map(begun));
                }
                self.0.push(CoveredRange {
                    up_to: to.position,
                    ..begun(to.epoch)
                });
            }
        }
    }

    pub(crate) fn covers(&self, place: JournalPosition) -> bool {
        self.0.iter().any(|part| {
            part.epoch == place.epoch && part.after < place.position && place.position <= part.up_to
        })
    }
}
