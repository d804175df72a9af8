//! What the fuzz targets of this workspace need beside the API.

use bytes::Bytes;

use crate::wire::{self, Message, Summary};

/// Reads a message of a node and writes it anew.
#[must_use]
pub fn rewrite_message(bytes: &[u8]) -> Option<Bytes> {
    wire::read::<Message>(bytes)?.ok().map(|message| wire::write(&message))
}

/// Reads what a lease says and writes it anew.
#[must_use]
pub fn rewrite_summary(bytes: &[u8]) -> Option<Bytes> {
    wire::read::<Summary>(bytes)?.ok().map(|summary| wire::write(&summary))
}
