//! The hub's routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use sse_axum::{Refusal, SseHandshake, SseResponse};
use sse_core::Manager;
use sse_metrics::Metrics;
use sse_trpc::Management;

use crate::{configured::Configured, cors, guard, health, metrics, page, requests, visitor};

/// The hub's routes in demo mode, where visitors name themselves.
pub(crate) fn demo(manager: Manager, management: Management, metrics: Metrics) -> Router {
    let metrics = get(metrics::scrape).with_state(metrics);
    let identified = from_fn_with_state(manager.clone(), visitor::identify);
    open_to_all()
        .route("/api/sse", any(visitor_stream))
        .with_state(manager)
        .route("/metrics", metrics)
        .nest("/api/trpc", sse_axum::trpc(management).layer(identified))
        .layer(from_fn(requests::log))
}

/// The hub's routes where it is said who may connect and call.
pub(crate) fn configured(
    manager: Manager,
    management: Management,
    metrics: Metrics,
    configured: Configured,
) -> Router {
    let cors = cors::layer(&configured.origins);
    let configured = Arc::new(configured);
    let metrics = get(metrics::scrape).with_state(metrics);
    let metrics = Router::new().route("/metrics", metrics);
    let streams = Router::new().route("/api/sse", any(stream)).with_state(manager.clone());
    let calls = from_fn_with_state(Arc::clone(&configured), guard::calls);
    // What CORS asks for beforehand is asked without credentials, so it comes before who asks.
    let streams =
        streams.layer(from_fn_with_state(Arc::clone(&configured), guard::streams)).layer(cors.clone());
    let management = sse_axum::trpc(management).layer(calls.clone()).layer(cors);
    let metrics = metrics.layer(from_fn_with_state(manager.clone(), guard::managers)).layer(calls);
    open_to_all()
        .with_state(manager)
        .merge(streams)
        .merge(metrics)
        .nest("/api/trpc", management)
        .layer(from_fn_with_state(configured, guard::locate))
        .layer(from_fn(requests::log))
}

/// What is there for whoever asks: nothing of it tells who is connected, or what is sent.
fn open_to_all() -> Router<Manager> {
    Router::new()
        .route("/", get(page::to_page))
        .route("/favicon.ico", get(StatusCode::NO_CONTENT))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .merge(page::page())
        .nest("/sse", sse_axum::browser())
}

/// A stream, for whom the visitor says to be.
async fn visitor_stream(
    State(manager): State<Manager>,
    RawQuery(query): RawQuery,
    handshake: SseHandshake,
) -> Result<SseResponse, Refusal> {
    let handshake = match visitor::name(query.as_deref()) {
        Some(name) => handshake.user(name),
        None => handshake,
    };
    Ok(manager.connect(handshake)?.into())
}

/// A stream, for whom the guard says it is.
async fn stream(State(manager): State<Manager>, handshake: SseHandshake) -> Result<SseResponse, Refusal> {
    Ok(manager.connect(handshake)?.into())
}
