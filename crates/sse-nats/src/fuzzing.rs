//! Functions for the fuzz targets of this workspace, outside the API.

use bytes::Bytes;
use serde_json::Value;
use sse_core::backplane::{Cursor, Entry, Epoch};

use crate::{
    connection::Generation,
    consumer::AckMetadata,
    fingerprint::Fingerprint,
    jetstream::{self, ConsumerInfo, JetStreamInfo},
    log_info::LogInfo,
};

/// Reads the bytes of a server as the reply to every request.
pub fn read_answer(bytes: &[u8]) {
    let _ = jetstream::read_ack(bytes);
    let _ = jetstream::read::<ConsumerInfo>(bytes);
    let _ = jetstream::read::<Value>(bytes);
    let _ = jetstream::read_message(bytes);
    if let Ok(JetStreamInfo { state, .. }) = jetstream::read(bytes) {
        let (trimmed, head, holes) = (state.trimmed(), state.last_seq, state.num_deleted);
        let found = LogInfo {
            epoch: epoch(),
            generation: Generation::NONE,
            trimmed,
            head,
            holes,
        };
        check(&found, &[trimmed, head]);
    }
}

/// Reads the reply subject of a message, which contains the message's position in its stream.
pub fn read_place(reply: &str) {
    if let Some(place) = AckMetadata::parse(reply) {
        let head = place.sequence.saturating_add(place.pending);
        let found = LogInfo {
            epoch: epoch(),
            generation: Generation::NONE,
            trimmed: 0,
            head,
            holes: 0,
        };
        check(&found, &[place.sequence]);
    }
}

/// Reads the headers of a stored message.
///
/// # Panics
///
/// If two readings of the same message yield different fingerprints.
pub fn read_headers(headers: &[u8], payload: &[u8]) {
    let fingerprint = Fingerprint::of_stored(headers, payload);
    assert_eq!(fingerprint, Fingerprint::of_stored(headers, payload));
}

fn epoch() -> Epoch {
    Epoch::new("e").unwrap_or_else(|_| Epoch::random())
}

/// Runs the checks of readers and tails on a log.
fn check(found: &LogInfo, sequences: &[u64]) {
    let entry = |sequence: &u64| Entry {
        position: (*sequence).into(),
        payload: Bytes::new(),
    };
    let entries: Vec<_> = sequences.iter().map(entry).collect();
    for sequence in sequences {
        let cursor = Cursor::new(epoch(), (*sequence).into());
        if let Ok(after) = found.sequence(&cursor) {
            let _ = found.check_holes(after, &entries);
        }
    }
}
