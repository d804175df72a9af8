//! Failures to load published keys.

use std::time::Duration;

use thiserror::Error;

use crate::{app_error::BoxError, jwt::key_error::KeyError};

/// The reason for which published keys could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The fetch failed.
    #[error("failed to fetch the key set")]
    Fetch(#[source] BoxError),
    /// The fetch took too long.
    #[error("the fetch of the key set took longer than {0:?}")]
    Timeout(Duration),
    /// The fetched text is not a set of public keys.
    #[error("the fetched text is not a set of public keys")]
    Set(#[source] KeyError),
    /// The task of the fetch ended early: it panicked, or its runtime was shut down.
    #[error("the fetch of the key set was aborted")]
    BrokenOff,
}
