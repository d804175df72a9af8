//! The runtime of a manager's background work.

use std::{
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::sleep,
};
use tracing::error;

use crate::sync::Mutex;

/// A task of a manager.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    Timer,
    Follower,
    Listener,
    Prober,
    Reader,
}

impl Task {
    const COUNT: usize = 5;
}

/// The runtime of a manager's background work: the app's runtime, or a thread of the manager's own.
///
/// A task whose runtime shuts down continues on the manager's own thread, so that a manager
/// outlives the runtime that it was built on. A task that panics continues there too, because a
/// runtime without a timer is one of the causes.
#[derive(Debug, Default)]
pub(crate) struct Driver {
    runtime: Mutex<Runtime>,
    is_running: [AtomicBool; Task::COUNT],
    was_started: [AtomicBool; Task::COUNT],
}

#[derive(Debug, Default)]
enum Runtime {
    /// No runtime yet: a thread is started for the first task.
    #[default]
    None,
    OfApp(Handle),
    /// The thread ends when the manager drops the sender.
    OwnThread(
        Handle,
        #[expect(dead_code, reason = "held until it is dropped")] oneshot::Sender<()>,
    ),
}

impl Driver {
    pub(crate) fn new(runtime: Option<Handle>) -> Self {
        Self {
            runtime: Mutex::new(runtime.map_or(Runtime::None, Runtime::OfApp)),
            ..Self::default()
        }
    }

    /// Starts a task unless it runs. `start` is the function that calls this method: it starts the
    /// task again if its runtime shuts down, or after a panic. `work` also receives whether the
    /// task ran before.
    pub(crate) fn run<M, F>(
        manager: &Arc<M>,
        task: Task,
        start: fn(&Arc<M>),
        work: impl FnOnce(Weak<M>, bool) -> F,
    ) where
        M: AsRef<Self> + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let this = (**manager).as_ref();
        let is_running = &this.is_running[task as usize];
        if is_running.load(Ordering::SeqCst) || is_running.swap(true, Ordering::SeqCst) {
            return;
        }
        let runtime = this.runtime.lock().handle();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                is_running.store(false, Ordering::SeqCst);
                error!(?task, %error, "failed to start the manager's thread");
                return;
            }
        };
        let was_started = this.was_started[task as usize].swap(true, Ordering::SeqCst);
        let manager = Arc::downgrade(manager);
        let work = work(Weak::clone(&manager), was_started);
        let guard = Guard {
            manager,
            task,
            start,
            runtime: runtime.clone(),
            end: TaskEnd::Dropped,
        };
        // A runtime that has shut down drops the task here, and with it the guard.
        runtime.spawn(guard.run(work));
    }

    /// Marks a task as ended, unless `has_work` holds afterwards. Returns `true` if the task ends.
    ///
    /// Work is added before its task is started. So either the task finds the work, or the task is
    /// started again.
    pub(crate) fn rest(&self, task: Task, has_work: impl FnOnce() -> bool) -> bool {
        let is_running = &self.is_running[task as usize];
        is_running.store(false, Ordering::SeqCst);
        !has_work() || is_running.swap(true, Ordering::SeqCst)
    }
}

impl Runtime {
    fn handle(&mut self) -> io::Result<Handle> {
        match self {
            Self::OfApp(handle) | Self::OwnThread(handle, _) => Ok(handle.clone()),
            Self::None => {
                let (ends, ended) = oneshot::channel();
                let handle = start_thread(ended)?;
                *self = Self::OwnThread(handle.clone(), ends);
                Ok(handle)
            }
        }
    }
}

/// Starts a thread that runs a runtime until `ended` resolves.
///
/// The thread creates the runtime, because a runtime must not be dropped where it could block.
fn start_thread(ended: oneshot::Receiver<()>) -> io::Result<Handle> {
    let (started, handle) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("sse-manager".to_owned())
        .spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(runtime.handle().clone())));
            drop(runtime.block_on(ended));
        })?;
    handle.recv().map_err(io::Error::other)?
}

/// Delay before a task of the manager's own thread starts again after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// The way in which a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskEnd {
    /// The runtime dropped the task.
    Dropped,
    Panicked,
    Done,
}

/// Starts a task again that ends early, because its runtime shuts down or the task panics.
struct Guard<M: AsRef<Driver>> {
    manager: Weak<M>,
    task: Task,
    start: fn(&Arc<M>),
    runtime: Handle,
    end: TaskEnd,
}

impl<M: AsRef<Driver>> Guard<M> {
    fn is_on_own_thread(&self) -> bool {
        self.manager.upgrade().is_some_and(|manager| {
            let runtime = (*manager).as_ref().runtime.lock();
            matches!(&*runtime, Runtime::OwnThread(..))
        })
    }

    async fn run(mut self, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        let ended = poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).map_or_else(
                |_| Poll::Ready(TaskEnd::Panicked),
                |poll| poll.map(|()| TaskEnd::Done),
            )
        });
        self.end = ended.await;
        if self.end == TaskEnd::Panicked {
            error!(task = ?self.task, "a task of the manager panicked; it starts again");
            if self.is_on_own_thread() {
                sleep(AFTER_PANIC).await;
            }
        }
    }
}

impl<M: AsRef<Driver>> Drop for Guard<M> {
    fn drop(&mut self) {
        let is_over = self.end == TaskEnd::Done;
        let Some(manager) = self.manager.upgrade().filter(|_| !is_over) else {
            return;
        };
        let driver = (*manager).as_ref();
        driver.is_running[self.task as usize].store(false, Ordering::SeqCst);
        {
            let mut runtime = driver.runtime.lock();
            if matches!(&*runtime, Runtime::OfApp(handle) if handle.id() == self.runtime.id()) {
                *runtime = Runtime::None;
            }
        }
        (self.start)(&manager);
    }
}
