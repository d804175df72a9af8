//! What several tasks have in common.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that is changed for moments only.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// Gives it to a function, which must be quick.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        // Whoever panicked in the middle ends the run by its own error.
        let mut value: MutexGuard<'_, T> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut value)
    }
}
