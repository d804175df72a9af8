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
    end::{self, ThreadEnd},
    mailbox::{Departed, Mailbox},
    runtime_guard,
    stats::ReactorStats,
    worker::{WAKE, Worker},
};

/// Default timeout for a client to take the remaining bytes after its stream was ended.
const LINGER: Duration = Duration::from_secs(5);

/// Maximum timeout: longer than any process lives, and short enough to be added to an instant.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Threads that serve streams on bare sockets. Cloning is cheap.
///
/// Each thread sleeps until one of its streams has bytes to write or one of its clients
/// disconnects. Streams are distributed over the threads, and never move. The hooks of a manager
/// and the guards of its streams run on these threads, and must not block. If the reactor was
/// started in a tokio runtime, they run in the context of that runtime.
///
/// The threads end when the last clone is dropped and their last stream has ended. After
/// [`Reactor::abort`], the threads end at once. When the runtime in which the reactor was started
/// shuts down, the threads end too, and all connections are closed, as connections in the runtime's
/// tasks would be.
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
    /// Sets the number of threads. The default is the number of processors available to this
    /// process.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the timeout for a slow client to take the remaining bytes after its stream was ended;
    /// 5 s by default. After the timeout, the connection is broken off. A connection whose stream
    /// was ended as stalled is broken off at once.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger.min(FOREVER);
        self
    }

    /// Sets a function for counting connections. The function is called for each adopted stream
    /// once nothing of the stream is left, including its guard. The function is called on a thread
    /// of the reactor, and must not block. After the threads have ended, by an
    /// [`abort`](Reactor::abort) or with the runtime, [`adopt`](Reactor::adopt) calls the function
    /// on the caller's thread.
    pub fn departed(mut self, departed: impl Fn() + Send + Sync + 'static) -> Self {
        self.departed = Some(Arc::new(departed));
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// The error of the operating system, for instance if too many files are open (each thread
    /// needs two) or too many threads are running.
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
            // If a later thread cannot be started, this thread ends when its mailbox is dropped
            // here.
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
    /// Returns the default settings of a reactor.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Serves a stream, from its head until it ends, on the thread with the fewest streams.
    ///
    /// This method does not wait, and cannot fail for the caller. A connection that cannot be
    /// served is closed, and its session and guard are dropped. A connection cannot be served after
    /// the reactor was aborted, after its runtime has shut down, or if the system cannot watch the
    /// socket. The socket can be in blocking mode; this method sets it to non-blocking mode.
    pub fn adopt(&self, adoption: Adoption) {
        // If this call fails, the socket is already closed, and the thread detects that.
        let _ = adoption.socket.set_nonblocking(true);
        let alive = self.0.0.iter().filter(|mailbox| !mailbox.has_ended());
        match alive
            .min_by_key(|mailbox| mailbox.load())
            .or(self.0.0.first())
        {
            Some(mailbox) => mailbox.adopt(adoption),
            None => end::dismiss(adoption, ThreadEnd::Close),
        }
    }

    /// Breaks off (RST) all remaining streams, and all streams that are adopted later. The threads
    /// end, and this method does not wait for them.
    pub fn abort(&self) {
        self.0
            .0
            .iter()
            .for_each(|mailbox| mailbox.end(ThreadEnd::Reset));
    }

    /// Returns the statistics of the reactor.
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
