//! Errors of the app's own code.

use std::{error::Error, sync::Arc};

/// An error of the app's own code, such as that of its database.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error of the app's own code, shared by all callers that waited for one result.
pub type SharedError = Arc<dyn Error + Send + Sync>;
