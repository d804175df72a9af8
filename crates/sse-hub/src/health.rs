//! Whether the hub lives, and whether it wants more.

use axum::{extract::State, http::StatusCode};
use sse_core::Manager;

/// Answers as long as there is anybody to answer.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// 503 while it drains, so that load balancers send nobody here.
pub(crate) async fn ready(State(manager): State<Manager>) -> (StatusCode, &'static str) {
    if manager.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

#[cfg(test)]
mod tests {
    use sse_core::Drain;

    use super::*;

    #[tokio::test]
    async fn it_is_ready_until_it_drains() {
        let manager = Manager::builder().build().unwrap();
        assert_eq!(ready(State(manager.clone())).await.0, StatusCode::OK);
        manager.shutdown(Drain::default()).await;
        assert_eq!(ready(State(manager)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
