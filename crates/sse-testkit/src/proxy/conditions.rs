//! What becomes of bytes and connections, and when that changes.

use tokio::sync::watch;

/// What goes through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Flow {
    #[default]
    All,
    /// What clients send.
    Requests,
    Nothing,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// What happens to a connection in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Cut,
    Stranded,
}

/// The state of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    flow: Flow,
    /// How often all connections were cut.
    cuts: u64,
    /// How often all were stranded.
    strands: u64,
}

/// A network, as who makes its weather sees it.
#[derive(Debug, Default)]
pub(super) struct Weather(watch::Sender<State>);

/// The same, as a connection sees it.
#[derive(Debug, Clone)]
pub(super) struct Forecast {
    state: watch::Receiver<State>,
    /// How it was when the connection was made.
    since: State,
}

impl Weather {
    pub(super) fn set(&self, flow: Flow) {
        self.0.send_modify(|state| state.flow = flow);
    }

    pub(super) fn cut(&self) {
        self.0.send_modify(|state| state.cuts += 1);
    }

    pub(super) fn strand(&self) {
        self.0.send_modify(|state| state.strands += 1);
    }

    pub(super) fn forecast(&self) -> Forecast {
        let state = self.0.subscribe();
        let since = *state.borrow();
        Forecast { state, since }
    }
}

impl State {
    fn fate(&self, since: &Self) -> Option<Fate> {
        if self.cuts != since.cuts {
            Some(Fate::Cut)
        } else if self.strands != since.strands {
            Some(Fate::Stranded)
        } else {
            None
        }
    }

    fn lets_through(&self, way: Way, since: &Self) -> bool {
        let is_open = match self.flow {
            Flow::All => true,
            Flow::Requests => way == Way::ToServer,
            Flow::Nothing => false,
        };
        is_open && self.fate(since).is_none()
    }
}

impl Forecast {
    /// Does something if bytes go this way; the weather does not change meanwhile.
    pub(super) fn while_open<T>(&self, way: Way, act: impl FnOnce() -> T) -> Option<T> {
        let state = self.state.borrow();
        state.lets_through(way, &self.since).then(act)
    }

    /// Waits until bytes go this way.
    pub(super) async fn open(&mut self, way: Way) {
        let since = self.since;
        let is_over = self.state.wait_for(|state| state.lets_through(way, &since)).await.is_err();
        if is_over {
            // Nobody makes weather any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until bytes do not go this way.
    pub(super) async fn closed(&mut self, way: Way) {
        let since = self.since;
        // Nobody makes weather any more: no bytes go, either.
        _ = self.state.wait_for(|state| !state.lets_through(way, &since)).await;
    }

    /// Waits until the connection is cut or stranded.
    pub(super) async fn fate(&mut self) -> Fate {
        let since = self.since;
        let state = self.state.wait_for(|state| state.fate(&since).is_some()).await;
        state.ok().and_then(|state| state.fate(&since)).unwrap_or(Fate::Cut)
    }

    /// Waits until the connection is cut.
    pub(super) async fn cut(&mut self) {
        let since = self.since;
        // Nobody makes weather any more: that is the end of everything.
        _ = self.state.wait_for(|state| state.cuts != since.cuts).await;
    }
}
