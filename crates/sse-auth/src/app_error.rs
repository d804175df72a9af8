//! Errors of the app's own code.

use std::{error::Error, sync::Arc};

/// An error of the app's own code, such as that of its database.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The same, shared by all who waited for one answer.
pub type SharedError = Arc<dyn Error + Send + Sync>;
