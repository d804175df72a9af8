//! Reloading of files while the hub runs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread,
};

use async_trait::async_trait;
use sse_auth::{AuthError, Authenticator, Identity, RequestView};
use tracing::{error, info};

use crate::error::Error;

/// The files that the hub reads again on `SIGHUP`.
#[derive(Default)]
pub(crate) struct Reload {
    parts: Vec<ReloadPart>,
    turn: Mutex<()>,
}

/// Files that belong together: the hub applies either all of them or none.
struct ReloadPart {
    what: &'static str,
    read: Box<dyn Fn() -> Result<(), Error> + Send + Sync>,
}

impl Reload {
    /// Adds files that belong together.
    pub(crate) fn add(
        &mut self,
        what: &'static str,
        read: impl Fn() -> Result<(), Error> + Send + Sync + 'static,
    ) {
        self.parts.push(ReloadPart {
            what,
            read: Box::new(read),
        });
    }

    /// Reads all files on a separate thread, so that a hanging disk delays neither a signal nor the
    /// end of the process.
    pub(crate) fn start(reload: &Arc<Self>) {
        let reload = Arc::clone(reload);
        let started = thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || reload.run());
        if let Err(error) = started {
            error!(%error, "failed to reload, since no thread could be started");
        }
    }

    /// Reads all files. If a file is unreadable or invalid, all files of its part keep their
    /// earlier content.
    fn run(&self) {
        // Reloads run one at a time, so that the latest files win.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.parts.is_empty() {
            info!(
                "received SIGHUP; no certificate, secret or key is in a file, so nothing is reloaded"
            );
        }
        for ReloadPart { what, read } in &self.parts {
            match read() {
                Ok(()) => info!(what, "reloaded"),
                Err(error) => {
                    error!(what, %error, "failed to reload; the earlier files stay in use");
                }
            }
        }
    }
}

/// An authenticator that can be replaced at run time. A clone is cheap and shares the
/// authenticator.
#[derive(Clone)]
pub(crate) struct Exchangeable(Arc<RwLock<Arc<dyn Authenticator>>>);

impl Exchangeable {
    pub(crate) fn new(authenticator: impl Authenticator) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(authenticator))))
    }

    /// Sets the authenticator for all later requests.
    pub(crate) fn exchange(&self, authenticator: impl Authenticator) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(authenticator);
    }
}

#[async_trait]
impl Authenticator for Exchangeable {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let current = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        current.authenticate(request).await
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.parts.iter().map(|part| part.what))
            .finish()
    }
}

impl fmt::Debug for Exchangeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchangeable").finish_non_exhaustive()
    }
}
