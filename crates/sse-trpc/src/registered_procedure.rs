//! A procedure of an API.

use std::sync::Arc;

use crate::{call_stats::CallStats, procedure::Procedure};

/// A procedure of an API, and the counts of its calls.
#[derive(Clone)]
pub(crate) struct RegisteredProcedure {
    pub(crate) procedure: Procedure,
    pub(crate) tally: Arc<CallStats>,
}

impl From<Procedure> for RegisteredProcedure {
    fn from(procedure: Procedure) -> Self {
        Self {
            procedure,
            tally: Arc::default(),
        }
    }
}
