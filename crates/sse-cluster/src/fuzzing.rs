//! Functions for the fuzz targets of this workspace, outside the API.

use bytes::Bytes;

use crate::messages::{self, ClusterEnvelope, Summary};

/// Reads a message of a node and writes it again.
#[must_use]
pub fn rewrite_message(bytes: &[u8]) -> Option<Bytes> {
    messages::read::<ClusterEnvelope>(bytes)?
        .ok()
        .map(|message| messages::write(&message))
}

/// Reads the content of a lease and writes it again.
#[must_use]
pub fn rewrite_summary(bytes: &[u8]) -> Option<Bytes> {
    messages::read::<Summary>(bytes)?
        .ok()
        .map(|summary| messages::write(&summary))
}
