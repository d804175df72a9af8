//! A part of the log, as it was read from a backplane.

use crate::{
    cursor::{Cursor, Position},
    window::Record,
};

/// A part of the log: everything that stands behind `after`, up to and including `last`, apart from what cannot be read.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) after: Cursor,
    pub(crate) last: Position,
    records: Vec<Record>,
}

impl Segment {
    pub(crate) fn new(after: Cursor, last: Position, records: Vec<Record>) -> Self {
        Self { after, last, records }
    }

    /// Whether it begins with what follows a position.
    pub(crate) fn follows(&self, cursor: &Cursor) -> bool {
        self.after.epoch == cursor.epoch
            && self.after.position <= cursor.position
            && cursor.position < self.last
    }

    /// Its records behind a position.
    pub(crate) fn behind(&self, position: Position) -> impl Iterator<Item = &Record> {
        let from = self.records.partition_point(|record| record.position <= position);
        self.records[from..].iter()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.iter().map(Record::bytes).sum()
    }
}
