//! Detection of the end of the runtime.

use std::{convert::Infallible, sync::Arc};

use tokio::{runtime::Handle, sync::mpsc};

use crate::{end::ThreadEnd, mailbox::Mailbox};

/// A guard in a task of the runtime in which a reactor was started. When the runtime drops the
/// task, the guard ends the streams, as streams in tasks end.
struct RuntimeGuard(Vec<Arc<Mailbox>>);

impl Drop for RuntimeGuard {
    fn drop(&mut self) {
        self.0
            .iter()
            .for_each(|mailbox| mailbox.end(ThreadEnd::Close));
    }
}

/// Spawns the guard's task, which lives until the last thread that holds a sender has ended.
pub(crate) fn spawn(
    runtime: &Handle,
    mailboxes: Vec<Arc<Mailbox>>,
    mut threads: mpsc::Receiver<Infallible>,
) {
    let guard = RuntimeGuard(mailboxes);
    runtime.spawn(async move {
        threads.recv().await;
        drop(guard);
    });
}
