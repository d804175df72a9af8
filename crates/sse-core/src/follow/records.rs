//! Conversion of log entries to records.

use std::sync::Arc;

use tokio::task::yield_now;
use tracing::warn;

use crate::{
    backplane::{
        Entry,
        envelope::{Envelope, PROBE},
    },
    dialect::message::Message,
    event::cursor::{Cursor, Epoch, LogPosition, Mark, Position},
    log::{
        fetched_page::FetchedRecord,
        gap::{Gap, GapReason},
    },
    manager::inner::Inner,
};

/// Converts the entries after a cursor to records. An unreadable entry becomes a gap for every
/// stream.
pub(crate) fn read_records(inner: &Inner, after: &Cursor, entries: &[Entry]) -> Vec<FetchedRecord> {
    let mut at = after.position;
    let records = entries.iter().map(|entry| {
        let previous = std::mem::replace(&mut at, entry.position);
        read_record(inner, &after.epoch, previous, entry)
    });
    records.collect()
}

fn read_record(inner: &Inner, epoch: &Epoch, previous: Position, entry: &Entry) -> FetchedRecord {
    let envelope = read_envelope(inner, epoch, previous, entry);
    let collapse = inner.collapse(&envelope.event);
    let event = envelope.event.with_id(epoch.id_at(entry.position));
    // The record is delivered to streams that catch up, without a queue that could drop it.
    let place = LogPosition {
        log: 0,
        position: entry.position,
    };
    FetchedRecord {
        position: entry.position,
        target: envelope.target,
        except: envelope.except.into(),
        message: Arc::new(Message::new(event, collapse, Mark::Logged(place))),
    }
}

/// Wakes the streams that wait for the log to advance.
pub(crate) async fn wake_for_head(inner: &Inner) {
    let mut left = usize::MAX;
    loop {
        left = inner.with_sequencer(|sequencer, tx| sequencer.wake_for_head(left, tx));
        if left == 0 {
            return;
        }
        yield_now().await;
    }
}

/// Decodes the envelope of an entry after a position. An unreadable entry can have been for any
/// stream, so a gap for every stream replaces it. A probe has no recipients, but clients can still
/// return with its position.
pub(crate) fn read_envelope(
    inner: &Inner,
    epoch: &Epoch,
    previous: Position,
    entry: &Entry,
) -> Envelope {
    if entry.payload.first() == Some(&PROBE) {
        return Envelope::for_nobody();
    }
    Envelope::read(&entry.payload).unwrap_or_else(|error| {
        let after = Cursor::new(epoch.clone(), previous);
        if inner.sequencer.lock().note_unreadable(&after, entry.position) {
            warn!(position = %entry.position, %error, "failed to read an entry of the event log; clients receive a gap event");
        }
        let to = Cursor::new(epoch.clone(), entry.position);
        Envelope::of_own(Gap::new(GapReason::Damaged, Some(after.to_id()), to).to_event())
    })
}
