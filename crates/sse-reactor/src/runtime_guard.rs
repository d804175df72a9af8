//! What notices the end of the runtime.

use std::{convert::Infallible, sync::Arc};

use tokio::{runtime::Handle, sync::mpsc};

use crate::{end::End, mailbox::Mailbox};

/// In a task of the runtime that a reactor was started in: dropped with it, it ends the streams, as
/// those in tasks end.
struct RuntimeGuard(Vec<Arc<Mailbox>>);

impl Drop for RuntimeGuard {
    fn drop(&mut self) {
        self.0.iter().for_each(|mailbox| mailbox.end(End::Close));
    }
}

/// Lives until the last thread that holds a sender has ended.
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
