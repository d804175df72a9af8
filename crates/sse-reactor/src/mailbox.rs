//! Messages to a thread.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mio::Waker;
use parking_lot::Mutex;
use tracing::error;

use crate::{
    adoption::Adoption,
    end::{self, ThreadEnd},
    stats::ThreadCounters,
};

/// A function that is called for each stream that has departed.
pub(crate) type Departed = Arc<dyn Fn() + Send + Sync>;

/// Messages to a thread from others, and the load and counters that the thread reports.
///
/// The mailbox is bounded: streams with a common waker are in the mailbox once, and each adoption
/// is a connection that the system has accepted. No foreign code runs while the lock is held, and
/// waking takes no other lock.
pub(crate) struct Mailbox {
    inbox: Mutex<Inbox>,
    waker: Waker,
    /// Streams that are on the thread or on their way to it.
    load: AtomicUsize,
    departed: Option<Departed>,
    pub(crate) counters: ThreadCounters,
}

#[derive(Debug, Default)]
struct Inbox {
    /// Numbers of woken groups of [`Wakers`](crate::waker::Wakers).
    woken: Vec<u32>,
    adoptions: Vec<Adoption>,
    /// Set while the thread checks the inbox without being woken.
    awake: bool,
    /// Set if no more adoptions can arrive.
    retired: bool,
    end: Option<ThreadEnd>,
}

/// Messages that a thread found in its mailbox.
#[derive(Debug)]
pub(crate) struct Drained {
    pub(crate) adoptions: Vec<Adoption>,
    pub(crate) end: Option<ThreadEnd>,
    pub(crate) retired: bool,
    /// Set if the thread found nothing and can sleep until woken.
    pub(crate) nothing: bool,
}

/// Notes at its drop that a stream has departed.
struct Unload<'a>(&'a Mailbox);

impl Drop for Unload<'_> {
    fn drop(&mut self) {
        self.0.unload();
    }
}

impl Mailbox {
    pub(crate) fn new(waker: Waker, departed: Option<Departed>) -> Self {
        let (inbox, load) = (Mutex::default(), AtomicUsize::new(0));
        Self {
            inbox,
            waker,
            load,
            departed,
            counters: ThreadCounters::default(),
        }
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    /// Notes that a stream has departed. A reader that observes the new load also observes the
    /// effects of the departure.
    pub(crate) fn unload(&self) {
        self.load.fetch_sub(1, Ordering::AcqRel);
        self.departed.iter().for_each(|departed| departed());
    }

    pub(crate) fn adopt(&self, adoption: Adoption) {
        self.load.fetch_add(1, Ordering::Relaxed);
        let mut adoption = Some(adoption);
        let end = self.notify(|inbox| {
            if inbox.end.is_none() {
                inbox.adoptions.extend(adoption.take());
            }
            inbox.end
        });
        if let (Some(end), Some(adoption)) = (end, adoption) {
            // The stream has departed once its guard is dropped, also if that panics.
            let _unload = Unload(self);
            end::dismiss(adoption, end);
        }
    }

    /// Notes that a group of streams was woken.
    pub(crate) fn wake(&self, group: u32) {
        self.notify(|inbox| {
            if inbox.end.is_none() {
                inbox.woken.push(group);
            }
        });
    }

    /// Notes that no more adoptions will arrive.
    pub(crate) fn retire(&self) {
        self.notify(|inbox| inbox.retired = true);
    }

    /// Ends the thread.
    pub(crate) fn end(&self, end: ThreadEnd) {
        self.notify(|inbox| {
            inbox.end.get_or_insert(end);
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.inbox.lock().end.is_some()
    }

    fn notify<T>(&self, change: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut inbox = self.inbox.lock();
        let output = change(&mut inbox);
        let sleeps = !std::mem::replace(&mut inbox.awake, true);
        drop(inbox);
        if sleeps && let Err(error) = self.waker.wake() {
            // An open eventfd can always be written to.
            error!(%error, "failed to wake a reactor thread");
        }
        output
    }

    /// Takes all messages; `woken` must be empty. If there are no messages and the thread is not
    /// `busy`, the next message wakes the thread.
    pub(crate) fn collect(&self, woken: &mut Vec<u32>, busy: bool) -> Drained {
        let mut inbox = self.inbox.lock();
        std::mem::swap(&mut inbox.woken, woken);
        let adoptions = std::mem::take(&mut inbox.adoptions);
        let (end, retired) = (inbox.end, inbox.retired);
        let nothing = !busy && woken.is_empty() && adoptions.is_empty() && end.is_none();
        inbox.awake = !nothing;
        Drained {
            adoptions,
            end,
            retired,
            nothing,
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("load", &self.load)
            .finish_non_exhaustive()
    }
}
