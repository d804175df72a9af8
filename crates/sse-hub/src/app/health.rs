//! Whether the hub lives, and whether it wants more.

use axum::{extract::State, http::StatusCode};
use sse_core::{LogState, Manager};

/// Answers as long as there is anybody to answer.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// 503 from the announcement of a shutdown on, or while it cannot tell streams everything that is
/// published, or has every publish rejected, so that load balancers send nobody here. The state
/// comes from publishes and from probes while they are rejected; asking costs nothing.
pub(crate) async fn ready(State(manager): State<Manager>) -> (StatusCode, &'static str) {
    let log = manager.log().map(|log| log.state);
    let problem = match log {
        _ if manager.is_shutting_down() => "draining\n",
        Some(LogState::Starting) => "the event log has not been read\n",
        Some(LogState::Away) => "the event log is away\n",
        // What the backplane said is in the log of the process: nobody has to sign in here.
        Some(LogState::Rejecting) => "the backplane of the event log rejects publishes\n",
        Some(LogState::NotListening) => {
            "the backplane of the event log refuses to let this node listen\n"
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
    async fn it_is_ready_until_it_shuts_down() {
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
