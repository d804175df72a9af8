//! Publishes that wait for an unavailable backplane.

use crate::sync::Mutex;

/// Budget of bytes that can wait for an unavailable backplane.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    left: Mutex<usize>,
}

/// Reserved bytes of one publish, returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    spool: &'a RetryBudget,
    bytes: usize,
}

impl RetryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            left: Mutex::new(bytes),
        }
    }

    /// Reserves `bytes`, if the budget allows.
    pub(crate) fn room(&self, bytes: usize) -> Option<Permit<'_>> {
        let mut left = self.left.lock();
        *left = left.checked_sub(bytes)?;
        Some(Permit { spool: self, bytes })
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.spool.left.lock() += self.bytes;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn budget_is_bounded_and_released() {
        let spool = RetryBudget::new(10);
        let room = spool.room(8).unwrap();
        assert!(spool.room(3).is_none());
        drop(room);
        assert!(spool.room(10).is_some());
    }
}
