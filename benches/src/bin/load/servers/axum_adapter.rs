//! The server that an axum user writes with `sse-axum`.

use std::net::TcpListener as StdListener;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use sse_axum::{Rejection, SseHandshake, SseResponse};
use sse_core::Manager;
use tokio::net::TcpListener;

use crate::servers::manager::{self, manager};
use crate::servers::serving::{Serving, Switch};

/// Serves until it fails.
pub(crate) fn serve(listener: StdListener, serving: &Serving) -> anyhow::Result<()> {
    let sse = manager(serving)?;
    serving.runtime()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let server = sse_axum::serve(listener, app(sse.clone())).manager(&sse);
        let server = match serving.reactor {
            Switch::On => server.reactor_threads(serving.reactor_threads()),
            Switch::Off => server.without_reactor(),
        };
        server.await.context("serving")
    })
}

fn app(sse: Manager) -> Router {
    Router::new()
        .route("/sse", get(stream))
        .route("/publish", post(publish))
        .with_state(sse)
}

async fn stream(
    handshake: SseHandshake,
    State(sse): State<Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

async fn publish(
    State(sse): State<Manager>,
    data: String,
) -> Result<StatusCode, (StatusCode, String)> {
    match manager::publish(&sse, &data).await {
        Ok(_) => Ok(StatusCode::OK),
        Err(error) => Err((StatusCode::BAD_REQUEST, error.to_string())),
    }
}
