//! Liveness and readiness checks.

use axum::{extract::State, http::StatusCode};
use sse_core::{Manager, stats::LogState};

/// Responds as long as the process serves requests.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// Reports 503 from the announcement of a shutdown on, so that load balancers stop sending
/// requests. It also reports 503 while the hub cannot deliver all published events to streams, or
/// while its backplane rejects every publish. The state comes from publishes, and from probes while
/// publishes are rejected, so a check costs nothing.
pub(crate) async fn ready(State(manager): State<Manager>) -> (StatusCode, &'static str) {
    let log = manager.log_stats().map(|log| log.state);
    let problem = match log {
        _ if manager.is_shutting_down() => "draining\n",
        Some(LogState::Starting) => "the event log has not been read\n",
        Some(LogState::Away) => "the event log is unavailable\n",
        // The error of the backplane is only in the log of the process, since this route needs no
        // authentication.
        Some(LogState::Rejecting) => "the backplane of the event log rejects publishes\n",
        Some(LogState::NotListening) => {
            "the backplane of the event log does not allow this node to subscribe\n"
        }
        _ => return (StatusCode::OK, "ready\n"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, problem)
}

#[cfg(test)]
mod tests {
    use sse_core::ShutdownOptions;

    use super::*;

    #[tokio::test]
    async fn hub_is_ready_until_it_shuts_down() {
        let manager = Manager::builder().build().unwrap();
        assert_eq!(ready(State(manager.clone())).await.0, StatusCode::OK);
        manager.announce_shutdown();
        assert_eq!(
            ready(State(manager.clone())).await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        manager.shutdown(ShutdownOptions::default()).await;
        assert_eq!(
            ready(State(manager)).await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}
