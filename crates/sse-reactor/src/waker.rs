//! Wakers of streams.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use crate::mailbox::Mailbox;

/// Number of slots that share a waker. With one waker for each slot, an idle stream would need a
/// tenth more memory. A wake for another slot costs a check of a queue, which is a hundredth of a
/// `send`.
pub(crate) const PLACES_PER_WAKER: u32 = 4;

/// Notifies a thread that some of its slots were woken, once until the thread has handled the wake.
#[derive(Debug)]
struct WakerGroup {
    mailbox: Arc<Mailbox>,
    number: u32,
    notified: AtomicBool,
}

impl Wake for WakerGroup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.notified.swap(true, Ordering::AcqRel) {
            self.mailbox.wake(self.number);
        }
    }
}

/// The wakers of a thread's slots.
#[derive(Debug)]
pub(crate) struct Wakers {
    mailbox: Arc<Mailbox>,
    groups: Vec<Arc<WakerGroup>>,
}

impl Wakers {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            mailbox,
            groups: Vec::new(),
        }
    }

    /// Ensures that a slot has a waker.
    pub(crate) fn reach(&mut self, place: u32) {
        for number in (0..=place / PLACES_PER_WAKER).skip(self.groups.len()) {
            let mailbox = Arc::clone(&self.mailbox);
            self.groups.push(Arc::new(WakerGroup {
                mailbox,
                number,
                notified: AtomicBool::new(false),
            }));
        }
    }

    /// Returns the waker of a slot for which `reach` was called.
    pub(crate) fn of(&self, place: u32) -> Waker {
        let group = self.groups.get((place / PLACES_PER_WAKER) as usize);
        group.map_or_else(
            || Waker::noop().clone(),
            |found| Waker::from(Arc::clone(found)),
        )
    }

    /// Returns the slots of a wake. Later wakes are sent again, so a check of these slots after
    /// this call observes everything before the wake.
    pub(crate) fn acknowledge(&self, number: u32) -> std::ops::Range<u32> {
        if let Some(group) = self.groups.get(number as usize) {
            // Both operations are read-modify-writes, so this one observes everything before the
            // wake that it clears.
            group.notified.swap(false, Ordering::AcqRel);
        }
        let first = number.saturating_mul(PLACES_PER_WAKER);
        first..first.saturating_add(PLACES_PER_WAKER)
    }

    /// Releases the memory when no connections are left. A waker that is still held elsewhere wakes
    /// the slots, and thus whichever connections use them then.
    pub(crate) fn forget(&mut self) {
        self.groups = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;

    fn woken(mailbox: &Mailbox) -> Vec<u32> {
        let mut woken = Vec::new();
        mailbox.collect(&mut woken, false);
        woken
    }

    fn wakers(poll: &Poll) -> Wakers {
        Wakers::new(Arc::new(Mailbox::new(
            mio::Waker::new(poll.registry(), mio::Token(0)).unwrap(),
            None,
        )))
    }

    #[test]
    fn thread_is_woken_once_until_it_collects() {
        let poll = Poll::new().unwrap();
        let mut wakers = wakers(&poll);
        wakers.reach(9);
        let (waker, neighbour) = (wakers.of(9), wakers.of(8));
        (0..3).for_each(|_| waker.wake_by_ref());
        neighbour.wake_by_ref();
        assert_eq!(woken(&wakers.mailbox), [2]);
        waker.wake_by_ref();
        assert!(
            woken(&wakers.mailbox).is_empty(),
            "the thread was woken twice"
        );
        assert_eq!(wakers.acknowledge(2), 8..12);
        waker.wake();
        assert_eq!(woken(&wakers.mailbox), [2]);
    }

    #[test]
    fn neighbours_share_a_waker() {
        let poll = Poll::new().unwrap();
        let mut wakers = wakers(&poll);
        wakers.reach(4);
        assert!(wakers.of(0).will_wake(&wakers.of(3)));
        assert!(!wakers.of(3).will_wake(&wakers.of(4)));
    }

    #[test]
    fn old_waker_wakes_the_current_slot() {
        let poll = Poll::new().unwrap();
        let mut wakers = wakers(&poll);
        wakers.reach(0);
        let late = wakers.of(0);
        late.wake_by_ref();
        assert_eq!(woken(&wakers.mailbox), [0]);
        wakers.forget();
        assert_eq!(wakers.acknowledge(0), 0..4, "a late wake fails");
        wakers.reach(0);
        late.wake();
        wakers.of(0).wake();
        assert_eq!(
            woken(&wakers.mailbox),
            [0],
            "the new waker is counted separately"
        );
    }

    #[test]
    fn ended_thread_is_not_woken() {
        let poll = Poll::new().unwrap();
        let wakers = wakers(&poll);
        wakers.mailbox.end(crate::end::ThreadEnd::Close);
        wakers.mailbox.wake(0);
        assert!(woken(&wakers.mailbox).is_empty());
    }
}
