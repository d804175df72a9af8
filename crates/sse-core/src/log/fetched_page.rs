//! Pages of the log, read from a backplane.

use std::{collections::HashMap, sync::Arc};

use crate::{
    dialect::message::Message,
    event::cursor::{Cursor, Position},
    id::{client_id::ClientId, target::Target},
    log::records::{RecordRef, Records},
};

/// Memory that a record takes in addition to its message: the record, its share of the index, and
/// allocation overhead.
const RECORD_BYTES: usize = 336;

/// A logged event.
#[derive(Debug, Clone)]
pub(crate) struct FetchedRecord {
    pub(crate) position: Position,
    pub(crate) target: Target,
    pub(crate) except: Box<[ClientId]>,
    pub(crate) message: Arc<Message>,
}

impl FetchedRecord {
    /// Returns the memory that the record takes, with everything that is held for it, in bytes.
    fn bytes(&self) -> usize {
        RECORD_BYTES + self.message.plain().chunk().len() + 16 * self.except.len()
    }
}

/// A page of the log: everything after `after`, up to and including `last`, except what cannot be
/// read.
#[derive(Debug)]
pub(crate) struct FetchedPage {
    pub(crate) after: Cursor,
    pub(crate) last: Position,
    records: Vec<FetchedRecord>,
    /// Numbers of the records of each target, so that a stream can skip records for other targets.
    index: HashMap<Target, Vec<u32>>,
    bytes: usize,
}

impl FetchedPage {
    pub(crate) fn new(after: Cursor, last: Position, records: Vec<FetchedRecord>) -> Self {
        let mut index: HashMap<Target, Vec<u32>> = HashMap::new();
        for (number, record) in (0..).zip(&records) {
            match index.get_mut(&record.target) {
                Some(numbers) => numbers.push(number),
                None => drop(index.insert(record.target.clone(), vec![number])),
            }
        }
        let bytes = records.iter().map(FetchedRecord::bytes).sum();
        Self {
            after,
            last,
            records,
            index,
            bytes,
        }
    }

    /// Returns `true` if the record after a cursor, if the log has one, is in the page.
    pub(crate) fn follows(&self, cursor: &Cursor) -> bool {
        self.after.epoch == cursor.epoch
            && self.after.position <= cursor.position
            && cursor.position < self.last
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Records for FetchedPage {
    fn numbers(
        &self,
        target: &Target,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = u64> {
        let numbers = self.index.get(target).map_or(&[][..], Vec::as_slice);
        let place = |number: u32| self.records[number as usize].position;
        let from = numbers.partition_point(|number| place(*number) <= after);
        let until = numbers.partition_point(|number| place(*number) <= up_to);
        numbers[from..until.max(from)]
            .iter()
            .map(|number| u64::from(*number))
    }

    fn get(&self, number: u64) -> Option<RecordRef<'_>> {
        let record = self.records.get(usize::try_from(number).ok()?)?;
        Some(RecordRef {
            position: record.position,
            except: &record.except,
            message: &record.message,
        })
    }

    fn before(&self, number: u64) -> Option<Position> {
        Some(self.get(number.checked_sub(1)?)?.position)
    }
}
