//! A live stream in the registry.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{registry::membership::Membership, stream::shared::Shared};

/// A live stream and what it belongs to.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) stream: Arc<Shared>,
    pub(crate) memberships: SmallVec<[Membership; 2]>,
}
