//! Results of calls.

use crate::{error::Error, procedure::Output};

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Name of the procedure, as the caller wrote it.
    pub(crate) path: String,
    pub(crate) result: Result<Output, Error>,
}
