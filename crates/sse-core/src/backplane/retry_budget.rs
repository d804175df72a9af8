//! Publishes that wait for a backplane that is away.

use crate::sync::Mutex;

/// How many bytes may wait for a backplane that is away.
#[derive(Debug)]
pub(crate) struct Spool {
    left: Mutex<usize>,
}

/// Room for one publish, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    spool: &'a Spool,
    bytes: usize,
}

impl Spool {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: Mutex::new(bytes) }
    }

    /// Room for so many bytes, if there is.
    pub(crate) fn room(&self, bytes: usize) -> Option<Room<'_>> {
        let mut left = self.left.lock();
        *left = left.checked_sub(bytes)?;
        Some(Room { spool: self, bytes })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.spool.left.lock() += self.bytes;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let spool = Spool::new(10);
        let room = spool.room(8).unwrap();
        assert!(spool.room(3).is_none());
        drop(room);
        assert!(spool.room(10).is_some());
    }
}
