//! A target of a stream that catches up, and the records for which it is valid.

use crate::{
    event::cursor::{LogPosition, Position},
    id::target::Target,
};

/// A subscription of the stream, valid for the records after one place and up to another.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) target: Target,
    pub(super) after: LogPosition,
    /// `None` for a subscription without an end.
    pub(super) up_to: Option<LogPosition>,
}

impl Subscription {
    /// Creates a subscription for the records after a place, without an end.
    pub(super) fn new(target: Target, after: LogPosition) -> Self {
        Self {
            target,
            after,
            up_to: None,
        }
    }

    /// Returns the positions of the log `log`, the current one, to which the subscription applies.
    pub(super) fn range(&self, log: u32) -> (Position, Position) {
        let within = |place: LogPosition| {
            if place.log < log {
                Position::ZERO
            } else {
                place.position
            }
        };
        (within(self.after), self.up_to.map_or(Position::MAX, within))
    }
}
