//! What became of a call.

use crate::{error::Error, procedure::Output};

/// What became of a call.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The procedure's name, as the caller wrote it.
    pub(crate) path: String,
    pub(crate) result: Result<Output, Error>,
}
