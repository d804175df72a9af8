//! The runtime of a manager's background work.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tracing::error;

use crate::{manager::inner::Inner, sync::Mutex};

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
/// outlives the runtime that it was built on.
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
    /// task again if its runtime shuts down. `work` also receives whether the task ran before.
    pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
        &self,
        inner: &Arc<Inner>,
        task: Task,
        start: fn(&Arc<Inner>),
        work: impl FnOnce(Weak<Inner>, bool) -> F,
    ) {
        let is_running = &self.is_running[task as usize];
        if is_running.load(Ordering::SeqCst) || is_running.swap(true, Ordering::SeqCst) {
            return;
        }
        let runtime = match self.runtime.lock().handle() {
            Ok(runtime) => runtime,
            Err(error) => {
                is_running.store(false, Ordering::SeqCst);
                error!(?task, %error, "failed to start the manager's thread");
                return;
            }
        };
        let was_started = self.was_started[task as usize].swap(true, Ordering::SeqCst);
        let manager = Arc::downgrade(inner);
        let work = work(Weak::clone(&manager), was_started);
        let guard = Guard {
            manager,
            task,
            start,
            runtime: runtime.clone(),
            is_done: false,
        };
        // A runtime that has shut down drops the task here, and with it the guard.
        runtime.spawn(async move {
            work.await;
            guard.finish();
        });
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
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let handle = runtime.handle().clone();
                thread::Builder::new()
                    .name("sse-manager".to_owned())
                    .spawn(move || drop(runtime.block_on(ended)))?;
                *self = Self::OwnThread(handle.clone(), ends);
                Ok(handle)
            }
        }
    }
}

/// Notices that a task ends early, because its runtime shuts down or the task panics.
struct Guard {
    manager: Weak<Inner>,
    task: Task,
    start: fn(&Arc<Inner>),
    runtime: Handle,
    is_done: bool,
}

impl Guard {
    fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(inner) = self.manager.upgrade().filter(|_| !self.is_done) else {
            return;
        };
        let driver = &inner.driver;
        driver.is_running[self.task as usize].store(false, Ordering::SeqCst);
        // After a panic, the next stream, publish or tick starts the task again.
        if thread::panicking() {
            return;
        }
        {
            let mut runtime = driver.runtime.lock();
            if matches!(&*runtime, Runtime::OfApp(handle) if handle.id() == self.runtime.id()) {
                *runtime = Runtime::None;
            }
        }
        (self.start)(&inner);
    }
}
