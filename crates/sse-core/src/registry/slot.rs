//! A live stream in the registry.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{registry::membership::GroupMembership, stream::shared::StreamState};

/// A live stream and its memberships.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) stream: Arc<StreamState>,
    pub(crate) memberships: SmallVec<[GroupMembership; 2]>,
}
