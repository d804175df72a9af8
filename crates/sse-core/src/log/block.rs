//! Packed records of the window.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::{
    dialect::message::{Message, Packed},
    event::cursor::{LogPosition, Position},
    id::client_id::ClientId,
    log::{
        records::RecordRef,
        target_index::{TargetKey, TargetKind},
    },
};

/// Number of records in a block.
pub(crate) const RECORDS: usize = 128;

/// Memory that a record takes in addition to its bytes: the entry, its share of an index, and the
/// message that is created on request.
const RECORD_BYTES: usize = 320;

/// A block of records, with their bytes one after the other. A publish appends to the block and
/// allocates nothing. The message that streams receive is created when the first returning client
/// needs it.
#[derive(Debug, Default)]
pub(crate) struct Block {
    entries: Vec<BlockEntry>,
    /// For each record the name of its target and, if the record is packed, its event.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct BlockEntry {
    position: Position,
    /// Time at which the record was appended, as a [log time](crate::clock::log_time).
    at_ms: u64,
    /// Memory that the record takes, in bytes.
    size: u32,
    start: u32,
    name_length: u16,
    kind: TargetKind,
    packed: Option<Packed>,
    except: Box<[ClientId]>,
    message: OnceLock<Arc<Message>>,
}

impl Block {
    /// Creates a block with about the capacity of another block.
    pub(crate) fn like(other: &Self) -> Self {
        Self {
            entries: Vec::with_capacity(RECORDS),
            bytes: Vec::with_capacity(other.bytes.len()),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= RECORDS
    }

    /// Removes all records and keeps the memory, up to a limit.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(RECORDS * 512);
    }

    /// Appends a record. Returns the memory that it takes, in bytes.
    pub(crate) fn push(
        &mut self,
        position: Position,
        key: TargetKey<'_>,
        except: &[ClientId],
        message: &Message,
        at_ms: u64,
    ) -> usize {
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let chunk = message.plain().chunk();
        let packed = message.packed();
        self.bytes.extend_from_slice(key.name);
        if packed.is_some() {
            self.bytes.extend_from_slice(chunk);
        }
        let size = RECORD_BYTES + chunk.len() + 16 * except.len();
        self.entries.push(BlockEntry {
            position,
            at_ms,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            start,
            name_length: u16::try_from(key.name.len()).unwrap_or(u16::MAX),
            kind: key.kind,
            packed,
            except: except.into(),
            message: OnceLock::new(),
        });
        size
    }

    /// Keeps a message that already exists, for returning clients.
    pub(crate) fn keep(&mut self, at: usize, message: Arc<Message>) {
        if let Some(entry) = self.entries.get(at) {
            // A message that is already set is the same.
            entry.message.set(message).ok();
        }
    }

    pub(crate) fn position(&self, at: usize) -> Option<Position> {
        Some(self.entries.get(at)?.position)
    }

    pub(crate) fn last(&self) -> Option<Position> {
        Some(self.entries.last()?.position)
    }

    /// Returns the number of records up to and including a position.
    pub(crate) fn up_to(&self, position: Position) -> usize {
        self.entries
            .partition_point(|entry| entry.position <= position)
    }

    pub(crate) fn at_ms(&self, at: usize) -> Option<u64> {
        Some(self.entries.get(at)?.at_ms)
    }

    pub(crate) fn key(&self, at: usize) -> Option<TargetKey<'_>> {
        let entry = self.entries.get(at)?;
        let start = entry.start as usize;
        let name = self
            .bytes
            .get(start..start + usize::from(entry.name_length))?;
        Some(TargetKey {
            kind: entry.kind,
            name,
        })
    }

    /// Returns a record. `log` is the number of the log that the record belongs to.
    pub(crate) fn get(&self, at: usize, log: u32) -> Option<RecordRef<'_>> {
        let entry = self.entries.get(at)?;
        let message = match entry.message.get() {
            Some(message) => message,
            None => {
                let packed = entry.packed?;
                let start = entry.start as usize + usize::from(entry.name_length);
                let chunk = self.bytes.get(start..start + packed.length())?;
                entry.message.get_or_init(|| {
                    let place = LogPosition {
                        log,
                        position: entry.position,
                    };
                    Arc::new(Message::unpack(
                        Bytes::copy_from_slice(chunk),
                        packed,
                        place,
                    ))
                })
            }
        };
        Some(RecordRef {
            position: entry.position,
            except: &entry.except,
            message,
        })
    }

    /// Releases what a record holds outside the block. Returns the record's position and the memory
    /// that it took.
    pub(crate) fn forget(&mut self, at: usize) -> Option<(Position, usize)> {
        let entry = self.entries.get_mut(at)?;
        entry.message.take();
        if !entry.except.is_empty() {
            entry.except = Box::default();
        }
        Some((entry.position, entry.size as usize))
    }
}
