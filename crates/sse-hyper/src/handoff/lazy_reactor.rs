//! Where streams go from a connection that is fit for it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use sse_reactor::{Builder, Reactor};
use tracing::warn;

use crate::{
    handoff::fallback::{Counts, Fallback},
    transport_stats::TransportStats,
};

/// Where a server's streams go from connections that are fit for it: to a reactor, which is started
/// for the first of them.
#[derive(Debug, Clone)]
pub(crate) struct LazyReactor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    bodies: Counts,
    /// Whether it was told that bodies are wrapped.
    warned: AtomicBool,
}

#[derive(Debug)]
enum State {
    Off,
    NotStarted {
        builder: Builder,
        /// Whether it was tried, and told.
        failed: bool,
    },
    Started(Reactor),
    /// The server is over. What was started is kept for its numbers.
    Closed(Option<Reactor>),
}

impl Default for LazyReactor {
    fn default() -> Self {
        let state = Mutex::new(State::NotStarted {
            builder: Reactor::builder(),
            failed: false,
        });
        Self(Arc::new(Shared {
            state,
            bodies: Counts::default(),
            warned: AtomicBool::new(false),
        }))
    }
}

impl LazyReactor {
    /// Streams stay bodies.
    pub(crate) fn switch_off(&self) {
        *self.state() = State::Off;
    }

    pub(crate) fn is_off(&self) -> bool {
        matches!(*self.state(), State::Off)
    }

    /// Changes how the reactor is started.
    pub(crate) fn configure(&self, change: impl FnOnce(Builder) -> Builder) {
        if let State::NotStarted { builder, .. } = &mut *self.state() {
            *builder = change(std::mem::take(builder));
        }
    }

    /// The reactor, unless it cannot be started now: a later stream tries again.
    pub(crate) fn reactor(&self) -> Result<Reactor, Fallback> {
        let mut state = self.state();
        match &mut *state {
            State::Off => Err(Fallback::Off),
            State::Closed(_) => Err(Fallback::Unavailable),
            State::Started(reactor) => Ok(reactor.clone()),
            State::NotStarted { builder, failed } => match builder.clone().start() {
                Ok(reactor) => {
                    *state = State::Started(reactor.clone());
                    Ok(reactor)
                }
                Err(error) => {
                    if !std::mem::replace(failed, true) {
                        warn!(%error, "the reactor cannot be started yet; streams stay with hyper");
                    }
                    Err(Fallback::Unavailable)
                }
            },
        }
    }

    /// Breaks off what is with the reactor, and lets nobody in any more.
    pub(crate) fn abort(&self) {
        let mut state = self.state();
        let reactor = if let State::Started(reactor) = &*state {
            Some(reactor.clone())
        } else {
            None
        };
        if let Some(reactor) = &reactor {
            reactor.abort();
        }
        if !matches!(*state, State::Off) {
            *state = State::Closed(reactor);
        }
    }

    /// Says so once.
    pub(crate) fn warn_of_wrapped(&self) {
        if !self.0.warned.swap(true, Ordering::Relaxed) {
            warn!(
                "a layer puts bodies of its own around streams, so they stay with hyper, at twenty times the memory: \
                 see `Fallback::Wrapped`, and `KeepBody` to say that it is meant"
            );
        }
    }

    /// Notes that a stream stays a body.
    pub(crate) fn stays(&self, why: Fallback) {
        self.0.bodies.add(why);
    }

    pub(crate) fn stats(&self) -> TransportStats {
        let reactor = match &*self.state() {
            State::Started(reactor) | State::Closed(Some(reactor)) => reactor.stats(),
            _ => sse_reactor::ReactorStats::default(),
        };
        TransportStats {
            reactor,
            bodies: self.0.bodies.read(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
