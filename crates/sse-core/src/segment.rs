//! A part of the log, as it was read from a backplane.

use std::sync::Arc;

use crate::{
    client_id::ClientId,
    cursor::{Cursor, Position},
    message::Message,
    target::Target,
};

/// What a record takes besides its message: itself, and what allocations cost.
const RECORD_BYTES: usize = 320;

/// A logged event.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) position: Position,
    pub(crate) target: Target,
    pub(crate) except: Box<[ClientId]>,
    pub(crate) message: Arc<Message>,
}

impl Record {
    /// What it takes in memory, with all that is held for it.
    fn bytes(&self) -> usize {
        RECORD_BYTES + self.message.plain().chunk().len() + 16 * self.except.len()
    }
}

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
