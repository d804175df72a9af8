//! What goes wrong, in the backplane's words.

use std::{error::Error, time::Duration};

use sse_core::BackplaneError;

/// When to try again what got no answer.
const SOON: Duration = Duration::from_millis(500);

/// Nobody answered, or not what was expected.
pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> BackplaneError {
    BackplaneError::unavailable(SOON, source)
}

/// Refused, with what the driver said.
pub(crate) fn refused(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Rejected {
        reason: reason.into(),
        source: Some(source.into()),
    }
}

/// Rejected for the moment, with what the driver said.
pub(crate) fn blocked(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Blocked {
        reason: reason.into(),
        source: Some(source.into()),
    }
}
