//! What the fuzz targets of this workspace need beside the API.

use bytes::Bytes;

use crate::messages::{self, Envelope, Summary};

/// Reads a message of a node and writes it anew.
#[must_use]
pub fn rewrite_message(bytes: &[u8]) -> Option<Bytes> {
    messages::read::<Envelope>(bytes)?
        .ok()
        .map(|message| messages::write(&message))
}

/// Reads what a lease says and writes it anew.
#[must_use]
pub fn rewrite_summary(bytes: &[u8]) -> Option<Bytes> {
    messages::read::<Summary>(bytes)?
        .ok()
        .map(|summary| messages::write(&summary))
}
