//! Translates errors into those of the backplane.

use std::{error::Error, time::Duration};

use sse_core::backplane::BackplaneError;

/// Delay before a retry of a request without a reply.
const SOON: Duration = Duration::from_millis(500);

/// Creates the error for a missing or unexpected reply.
pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> BackplaneError {
    BackplaneError::unavailable(SOON, source)
}

/// Creates a rejection with a reason, and with the error that caused it.
pub(crate) fn refused(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Rejected {
        reason: reason.into(),
        source: Some(source.into()),
    }
}

/// Creates the error for a temporary rejection, with the error that caused it.
pub(crate) fn blocked(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Blocked {
        reason: reason.into(),
        source: Some(source.into()),
    }
}
