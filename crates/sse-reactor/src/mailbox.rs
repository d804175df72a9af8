//! What others tell a thread.

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
    end::{self, End},
    stats::Counters,
};

/// Told of each stream that is gone.
pub(crate) type Departed = Arc<dyn Fn() + Send + Sync>;

/// What others tell a thread, and what it tells of itself.
///
/// Bounded: streams with a common waker are in it once, and an adoption is a connection that the system has let in. Nothing foreign runs while its lock is
/// held, and a waker's wake takes no other lock.
pub(crate) struct Mailbox {
    post: Mutex<Post>,
    waker: Waker,
    /// Streams that are here or on their way.
    load: AtomicUsize,
    departed: Option<Departed>,
    pub(crate) counters: Counters,
}

#[derive(Debug, Default)]
struct Post {
    /// Of [`Wakers`](crate::waker::Wakers).
    woken: Vec<u32>,
    adoptions: Vec<Adoption>,
    /// Whether the thread will look here without being told.
    awake: bool,
    /// Whether nobody can send adoptions any more.
    retired: bool,
    end: Option<End>,
}

/// What a thread found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) adoptions: Vec<Adoption>,
    pub(crate) end: Option<End>,
    pub(crate) retired: bool,
    /// Whether it found nothing and may sleep: it will be told.
    pub(crate) nothing: bool,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker, departed: Option<Departed>) -> Self {
        let (post, load) = (Mutex::default(), AtomicUsize::new(0));
        Self { post, waker, load, departed, counters: Counters::default() }
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    /// Notes that a stream is gone. Whoever sees it in the number sees what became of the stream, too.
    pub(crate) fn unload(&self) {
        self.load.fetch_sub(1, Ordering::AcqRel);
        self.departed.iter().for_each(|departed| departed());
    }

    pub(crate) fn adopt(&self, adoption: Adoption) {
        self.load.fetch_add(1, Ordering::Relaxed);
        let mut adoption = Some(adoption);
        let end = self.tell(|post| {
            if post.end.is_none() {
                post.adoptions.extend(adoption.take());
            }
            post.end
        });
        if let (Some(end), Some(adoption)) = (end, adoption) {
            self.unload();
            end::dismiss(adoption, end);
        }
    }

    /// There is something to do where a waker is for.
    pub(crate) fn wake(&self, neighbourhood: u32) {
        self.tell(|post| {
            if post.end.is_none() {
                post.woken.push(neighbourhood);
            }
        });
    }

    /// Nobody will send adoptions any more.
    pub(crate) fn retire(&self) {
        self.tell(|post| post.retired = true);
    }

    /// Ends the thread.
    pub(crate) fn end(&self, end: End) {
        self.tell(|post| {
            post.end.get_or_insert(end);
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.post.lock().end.is_some()
    }

    fn tell<T>(&self, tell: impl FnOnce(&mut Post) -> T) -> T {
        let mut post = self.post.lock();
        let told = tell(&mut post);
        let sleeps = !std::mem::replace(&mut post.awake, true);
        drop(post);
        if sleeps && let Err(error) = self.waker.wake() {
            // An eventfd that is open can always be written to.
            error!(%error, "a thread of the reactor cannot be woken");
        }
        told
    }

    /// Takes what there is; `woken` is empty before. If there is nothing and the thread is not `busy`, the next one who tells something wakes it.
    pub(crate) fn collect(&self, woken: &mut Vec<u32>, busy: bool) -> Found {
        let mut post = self.post.lock();
        std::mem::swap(&mut post.woken, woken);
        let adoptions = std::mem::take(&mut post.adoptions);
        let (end, retired) = (post.end, post.retired);
        let nothing = !busy && woken.is_empty() && adoptions.is_empty() && end.is_none();
        post.awake = !nothing;
        Found { adoptions, end, retired, nothing }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("load", &self.load).finish_non_exhaustive()
    }
}
