//! Threads that serve streams.

use std::{
    convert::Infallible,
    fmt, io,
    num::NonZeroUsize,
    sync::Arc,
    thread::{self, available_parallelism},
    time::Duration,
};

use mio::{Poll, Waker};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    adoption::Adoption,
    end::{self, End},
    mailbox::{Departed, Mailbox},
    runtime_guard,
    stats::ReactorStats,
    worker::{WAKE, Worker},
};

/// After its stream was ended a client has so long to take what is left.
const LINGER: Duration = Duration::from_secs(5);

/// Longer than any process lives, and short enough to be added to a point in time.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Threads that serve streams on bare sockets; a cheap clone.
///
/// Each thread sleeps until one of its streams has something to write or one of its clients goes.
/// Streams are spread over the threads and stay where they are. The hooks of a manager and the
/// guards of its streams run on these threads, in the context of the tokio runtime that the reactor
/// was started in, if there was one; they must not block.
///
/// The threads end when the last clone is dropped and their last stream has ended; at once after
/// [`Reactor::abort`], and when that runtime shuts down, which closes all connections, as it would
/// close those in its tasks.
#[derive(Clone)]
pub struct Reactor(Arc<Threads>);

struct Threads(Vec<Arc<Mailbox>>);

/// Settings of a [`Reactor`].
#[derive(Clone)]
#[must_use = "a reactor does nothing until it is started"]
pub struct Builder {
    threads: Option<NonZeroUsize>,
    linger: Duration,
    departed: Option<Departed>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            threads: None,
            linger: LINGER,
            departed: None,
        }
    }
}

impl Builder {
    /// How many threads; by default as many as there are processors for this process.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// After its stream was ended a client that is behind has so long to take what is left, then
    /// its connection is broken off; 5 s by default. One that was ended as stalled had its time
    /// already.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger.min(FOREVER);
        self
    }

    /// Called for each stream that was adopted once nothing is left of it, its guard included: for
    /// who counts connections. On a thread of the reactor, or on that of an
    /// [`adopt`](Reactor::adopt) after an [`abort`](Reactor::abort); it must not block.
    pub fn departed(mut self, departed: impl Fn() + Send + Sync + 'static) -> Self {
        self.departed = Some(Arc::new(departed));
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// What the operating system says: there are too many files open (each thread needs two), or
    /// too many threads.
    pub fn start(self) -> io::Result<Reactor> {
        let runtime = Handle::try_current().ok();
        let count = self
            .threads
            .or_else(|| available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        let (alive, ended) = mpsc::channel::<Infallible>(1);
        let mut threads = Threads(Vec::with_capacity(count));
        for number in 0..count {
            let poll = Poll::new()?;
            let mailbox = Arc::new(Mailbox::new(
                Waker::new(poll.registry(), WAKE)?,
                self.departed.clone(),
            ));
            let worker = Worker::new(poll, Arc::clone(&mailbox), self.linger);
            let (runtime, alive) = (runtime.clone(), alive.clone());
            thread::Builder::new()
                .name(format!("sse-reactor-{number}"))
                .spawn(move || {
                    let _entered = runtime.as_ref().map(Handle::enter);
                    worker.run();
                    drop(alive);
                })?;
            // If another thread cannot be started, this one ends when it is dropped here.
            threads.0.push(mailbox);
        }
        if let Some(runtime) = runtime {
            runtime_guard::spawn(&runtime, threads.0.clone(), ended);
        }
        Ok(Reactor(Arc::new(threads)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threads, linger, ..
        } = self;
        f.debug_struct("Builder")
            .field("threads", threads)
            .field("linger", linger)
            .finish_non_exhaustive()
    }
}

impl Reactor {
    /// Settings for one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Serves a stream to its end: on the thread with the fewest, from the head on.
    ///
    /// Does not wait, and cannot fail for the caller: a connection that cannot be served, since the
    /// reactor was aborted or the system does not watch its socket, is closed, and its session and
    /// guard are dropped. The socket may block or not; it does not from here on.
    pub fn adopt(&self, adoption: Adoption) {
        // Where it fails the socket is gone, which the thread finds out.
        let _ = adoption.socket.set_nonblocking(true);
        let alive = self.0.0.iter().filter(|mailbox| !mailbox.has_ended());
        match alive
            .min_by_key(|mailbox| mailbox.load())
            .or(self.0.0.first())
        {
            Some(mailbox) => mailbox.adopt(adoption),
            None => end::dismiss(adoption, End::Close),
        }
    }

    /// Breaks off (RST) what is left, and whatever is adopted from here on. The threads end; this
    /// does not wait for them.
    pub fn abort(&self) {
        self.0.0.iter().for_each(|mailbox| mailbox.end(End::Reset));
    }

    /// Numbers about it.
    #[must_use]
    pub fn stats(&self) -> ReactorStats {
        let mut stats = ReactorStats::default();
        for mailbox in &self.0.0 {
            stats +=
                ReactorStats::of_thread(!mailbox.has_ended(), mailbox.load(), &mailbox.counters);
        }
        stats
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.iter().for_each(|mailbox| mailbox.retire());
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("stats", &self.stats())
            .finish()
    }
}
