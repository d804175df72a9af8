//! A value that several tasks share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that is locked for moments only.
#[derive(Debug, Default)]
pub(crate) struct SharedMutex<T>(Mutex<T>);

impl<T> SharedMutex<T> {
    /// Calls a function, which must be quick, with the value.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        // A task that panicked in the middle ends the run with its own error.
        let mut value: MutexGuard<'_, T> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut value)
    }
}
