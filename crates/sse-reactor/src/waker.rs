//! What wakes a stream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Wake,
};

use crate::{key::Key, mailbox::Mailbox};

/// Tells a stream's thread that there is something to do for it, once until the thread has looked.
///
/// The one allocation that every stream has here, so it is small: the lowest bit of the tag is whether the thread was told, the others are
/// the serial number.
#[derive(Debug)]
pub(crate) struct StreamWaker {
    mailbox: Arc<Mailbox>,
    place: u32,
    tag: AtomicU32,
}

const TOLD: u32 = 1;

impl StreamWaker {
    pub(crate) fn new(mailbox: Arc<Mailbox>, key: Key) -> Self {
        Self { mailbox, place: key.place, tag: AtomicU32::new(key.serial << 1) }
    }

    /// From here on the next wake counts again. What happened before the wakes so far is seen by whoever looks after this.
    pub(crate) fn listen(&self) {
        // Both are read-modify-writes, so this one sees what came before the wake that it takes back.
        self.tag.fetch_and(!TOLD, Ordering::AcqRel);
    }
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let tag = self.tag.fetch_or(TOLD, Ordering::AcqRel);
        if tag & TOLD == 0 {
            self.mailbox.wake(Key { place: self.place, serial: tag >> 1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use mio::Poll;

    use super::*;

    fn woken(mailbox: &Mailbox) -> Vec<Key> {
        let mut woken = Vec::new();
        mailbox.collect(&mut woken, false);
        woken
    }

    #[test]
    fn a_thread_is_told_once_until_it_has_looked() {
        let poll = Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()));
        let key = Key { place: 7, serial: u32::MAX >> 1 };
        let stream = Arc::new(StreamWaker::new(Arc::clone(&mailbox), key));
        let waker = Waker::from(Arc::clone(&stream));
        (0..3).for_each(|_| waker.wake_by_ref());
        assert_eq!(woken(&mailbox), [key]);
        waker.wake_by_ref();
        assert_eq!(woken(&mailbox), [], "it was told, and has not looked yet");
        stream.listen();
        waker.wake();
        assert_eq!(woken(&mailbox), [key]);
    }

    #[test]
    fn a_thread_that_has_ended_is_told_nothing() {
        let poll = Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()));
        mailbox.end(crate::mailbox::End::Close);
        mailbox.wake(Key { place: 0, serial: 0 });
        assert_eq!(woken(&mailbox), []);
    }
}
