//! The conditions of a network: whether bytes flow, and which connections are cut or black-holed.

use tokio::sync::watch;

/// The directions in which bytes flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Flow {
    #[default]
    All,
    /// Only bytes from clients flow.
    Requests,
    Nothing,
}

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// The fate of a whole connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Cut,
    BlackHoled,
}

/// The state of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct NetworkState {
    flow: Flow,
    /// Number of times that all connections were cut.
    cuts: u64,
    /// Number of times that all connections were black-holed.
    black_holes: u64,
}

/// The conditions of a network, from the side that sets them.
#[derive(Debug, Default)]
pub(super) struct Conditions(watch::Sender<NetworkState>);

/// The conditions of a network, from the side of a connection.
#[derive(Debug, Clone)]
pub(super) struct ConditionsWatch {
    state: watch::Receiver<NetworkState>,
    /// State at the time the connection was made.
    since: NetworkState,
}

impl Conditions {
    pub(super) fn set(&self, flow: Flow) {
        self.0.send_modify(|state| state.flow = flow);
    }

    pub(super) fn cut(&self) {
        self.0.send_modify(|state| state.cuts += 1);
    }

    pub(super) fn black_hole(&self) {
        self.0.send_modify(|state| state.black_holes += 1);
    }

    pub(super) fn watch(&self) -> ConditionsWatch {
        let state = self.0.subscribe();
        let since = *state.borrow();
        ConditionsWatch { state, since }
    }
}

impl NetworkState {
    fn outcome(&self, since: &Self) -> Option<ConnectionEnd> {
        if self.cuts != since.cuts {
            Some(ConnectionEnd::Cut)
        } else if self.black_holes != since.black_holes {
            Some(ConnectionEnd::BlackHoled)
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
        is_open && self.outcome(since).is_none()
    }
}

impl ConditionsWatch {
    /// Calls `act` if bytes flow in this direction; the conditions do not change meanwhile.
    pub(super) fn while_open<T>(&self, way: Way, act: impl FnOnce() -> T) -> Option<T> {
        let state = self.state.borrow();
        state.lets_through(way, &self.since).then(act)
    }

    /// Waits until bytes flow in this direction.
    pub(super) async fn open(&mut self, way: Way) {
        let since = self.since;
        let is_over = self
            .state
            .wait_for(|state| state.lets_through(way, &since))
            .await
            .is_err();
        if is_over {
            // The sender was dropped, so the conditions never change again.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until bytes do not flow in this direction.
    pub(super) async fn closed(&mut self, way: Way) {
        let since = self.since;
        // An error means that the sender was dropped: then bytes do not flow, either.
        _ = self
            .state
            .wait_for(|state| !state.lets_through(way, &since))
            .await;
    }

    /// Waits until the connection is cut or black-holed.
    pub(super) async fn outcome(&mut self) -> ConnectionEnd {
        let since = self.since;
        let state = self
            .state
            .wait_for(|state| state.outcome(&since).is_some())
            .await;
        state
            .ok()
            .and_then(|state| state.outcome(&since))
            .unwrap_or(ConnectionEnd::Cut)
    }

    /// Waits until the connection is cut.
    pub(super) async fn cut(&mut self) {
        let since = self.since;
        // An error means that the sender was dropped: then every connection counts as cut.
        _ = self.state.wait_for(|state| state.cuts != since.cuts).await;
    }
}
