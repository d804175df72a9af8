//! A reactor that is started for the first stream.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use sse_reactor::{Builder, Reactor};
use tracing::warn;

use crate::{
    handoff::fallback::{Fallback, FallbackCounts},
    transport_stats::TransportStats,
};

/// The reactor for a server's streams, started for the first stream whose connection is fit for a
/// reactor.
#[derive(Debug, Clone)]
pub(crate) struct LazyReactor(Arc<ReactorCell>);

#[derive(Debug)]
struct ReactorCell {
    state: Mutex<LazyState>,
    bodies: FallbackCounts,
    /// Set once the warning about wrapped bodies was logged.
    warned: AtomicBool,
}

#[derive(Debug)]
enum LazyState {
    Off,
    NotStarted {
        builder: Builder,
        /// Set once a start of the reactor failed and the failure was logged.
        failed: bool,
    },
    Started(Reactor),
    /// The server has ended. A started reactor is kept for its statistics.
    Closed(Option<Reactor>),
}

impl Default for LazyReactor {
    fn default() -> Self {
        let state = Mutex::new(LazyState::NotStarted {
            builder: Reactor::builder(),
            failed: false,
        });
        Self(Arc::new(ReactorCell {
            state,
            bodies: FallbackCounts::default(),
            warned: AtomicBool::new(false),
        }))
    }
}

impl LazyReactor {
    /// Keeps all streams with hyper.
    pub(crate) fn switch_off(&self) {
        *self.state() = LazyState::Off;
    }

    pub(crate) fn is_off(&self) -> bool {
        matches!(*self.state(), LazyState::Off)
    }

    /// Changes the configuration of the reactor, if the reactor is not started yet.
    pub(crate) fn configure(&self, change: impl FnOnce(Builder) -> Builder) {
        if let LazyState::NotStarted { builder, .. } = &mut *self.state() {
            *builder = change(std::mem::take(builder));
        }
    }

    /// Returns the reactor, starting it if necessary. After a failed start, a later stream tries
    /// again.
    pub(crate) fn reactor(&self) -> Result<Reactor, Fallback> {
        let mut state = self.state();
        match &mut *state {
            LazyState::Off => Err(Fallback::Off),
            LazyState::Closed(_) => Err(Fallback::Unavailable),
            LazyState::Started(reactor) => Ok(reactor.clone()),
            LazyState::NotStarted { builder, failed } => match builder.clone().start() {
                Ok(reactor) => {
                    *state = LazyState::Started(reactor.clone());
                    Ok(reactor)
                }
                Err(error) => {
                    if !std::mem::replace(failed, true) {
                        warn!(%error, "failed to start the reactor; hyper serves the streams until it starts");
                    }
                    Err(Fallback::Unavailable)
                }
            },
        }
    }

    /// Breaks off all streams of the reactor, and accepts no more streams.
    pub(crate) fn abort(&self) {
        let mut state = self.state();
        let reactor = if let LazyState::Started(reactor) = &*state {
            Some(reactor.clone())
        } else {
            None
        };
        if let Some(reactor) = &reactor {
            reactor.abort();
        }
        if !matches!(*state, LazyState::Off) {
            *state = LazyState::Closed(reactor);
        }
    }

    /// Logs, once per server, that a layer wraps the bodies of streams.
    pub(crate) fn warn_of_wrapped(&self) {
        if !self.0.warned.swap(true, Ordering::Relaxed) {
            warn!(
                "stream bodies wrapped by a layer: the streams stay with hyper, at twenty times the memory; \
                 see `Fallback::Wrapped`, or allow the layer with `KeepBody`"
            );
        }
    }

    /// Counts a stream that stays a body.
    pub(crate) fn stays(&self, why: Fallback) {
        self.0.bodies.add(why);
    }

    pub(crate) fn stats(&self) -> TransportStats {
        let reactor = match &*self.state() {
            LazyState::Started(reactor) | LazyState::Closed(Some(reactor)) => reactor.stats(),
            _ => sse_reactor::ReactorStats::default(),
        };
        TransportStats {
            reactor,
            bodies: self.0.bodies.read(),
        }
    }

    fn state(&self) -> MutexGuard<'_, LazyState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
