//! Whether the hub lives, and whether it wants more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{extract::State, http::StatusCode};

/// Whether the hub drains. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it does.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers as long as there is anybody to answer.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// 503 while it drains, so that load balancers send nobody here.
pub(crate) async fn ready(State(draining): State<Draining>) -> (StatusCode, &'static str) {
    if draining.0.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_ready_until_it_drains() {
        let draining = Draining::default();
        assert_eq!(ready(State(draining.clone())).await.0, StatusCode::OK);
        draining.clone().begin();
        assert_eq!(ready(State(draining)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
