//! The hub's routes.

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use sse_axum::{Refusal, SseHandshake, SseResponse};
use sse_core::Manager;
use sse_trpc::{Management, Transformer};

use crate::{health, metrics, page, requests, visitor};

/// The hub's routes in demo mode.
pub(crate) fn router(manager: Manager, management: Management, transformer: Transformer) -> Router {
    let metrics = get(metrics::scrape).with_state(metrics::of(manager.clone(), management.clone()));
    let identified = from_fn_with_state(manager.clone(), visitor::identify);
    let management = sse_axum::trpc(management).layer(identified);
    Router::new()
        .route("/api/sse", any(stream))
        .route("/", get(page::to_page))
        .route(page::PATH, get(async move || page::page(transformer)))
        .route("/sse/app-router.d.ts", get(page::types))
        .route("/favicon.ico", get(StatusCode::NO_CONTENT))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(manager)
        .route("/metrics", metrics)
        .nest("/api/trpc", management)
        .layer(from_fn(requests::log))
}

/// A stream, for whom the visitor says to be.
async fn stream(
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
