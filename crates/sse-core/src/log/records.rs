//! Access to records of the log, wherever they are.

use std::sync::Arc;

use crate::{
    dialect::message::Message,
    event::cursor::Position,
    id::{client_id::ClientId, target::Target},
};

/// A logged event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordRef<'a> {
    pub(crate) position: Position,
    pub(crate) except: &'a [ClientId],
    pub(crate) message: &'a Arc<Message>,
}

/// Records that follow each other in the log: those of the window, or those of a page that was read
/// from the backplane.
///
/// A position in the log says where a stream is. A number only names a record among these records,
/// between two calls.
pub(crate) trait Records {
    /// Returns the numbers of a target's records after one position and up to another, in order.
    fn numbers(
        &self,
        target: &Target,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = u64>;

    fn get(&self, number: u64) -> Option<RecordRef<'_>>;

    /// Returns the position of the record before another record, whatever its target.
    fn before(&self, number: u64) -> Option<Position>;
}
