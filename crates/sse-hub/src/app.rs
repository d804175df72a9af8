//! The hub's routes.

pub(crate) mod access_log;
pub(crate) mod auth_layer;
pub(crate) mod auth_log;
pub(crate) mod cors;
pub(crate) mod demo_auth;
pub(crate) mod demo_page;
pub(crate) mod health;
pub(crate) mod hosts;
pub(crate) mod metrics;
pub(crate) mod rate_limit;
pub(crate) mod rate_limits;
pub(crate) mod secured;
pub(crate) mod shares;

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use sse_auth::Origins;
use sse_axum::{Rejection, SseHandshake, SseResponse};
use sse_core::Manager;
use sse_metrics::Metrics;
use sse_trpc::Management;

use crate::app::{hosts::Hosts, secured::Secured};

/// Builds the routes of demo mode, where visitors name themselves. The API serves programs, pages
/// of the hub, and pages of these origins.
pub(crate) fn demo(
    manager: Manager,
    management: Management,
    metrics: Metrics,
    origins: Origins,
    hosts: Hosts,
) -> Router {
    let metrics = get(metrics::scrape).with_state(metrics);
    let identified = from_fn_with_state(manager.clone(), demo_auth::identify);
    let origins = Arc::new(origins);
    let modules = cors::allow(sse_axum::browser(), &origins);
    let api = Router::new()
        .route("/api/sse", any(visitor_stream))
        .with_state(manager.clone())
        .route("/metrics", metrics)
        .nest("/api/trpc", sse_axum::trpc(management).layer(identified))
        .layer(from_fn_with_state(
            Arc::clone(&origins),
            demo_auth::check_page,
        ));
    let api = cors::allow(api, &origins);
    let routes = open_to_all(modules).with_state(manager).merge(api);
    named(routes, hosts).layer(from_fn(access_log::log))
}

/// Restricts the routes to requests for the names of the hub.
fn named(routes: Router, hosts: Hosts) -> Router {
    match hosts {
        Hosts::Any => routes,
        hosts => routes.layer(from_fn_with_state(Arc::new(hosts), hosts::check)),
    }
}

/// Builds the routes of configured mode, where settings say who can connect and call.
pub(crate) fn configured(
    manager: Manager,
    management: Management,
    metrics: Metrics,
    configured: Secured,
    hosts: Hosts,
) -> Router {
    let modules = cors::allow(sse_axum::browser(), &configured.origins);
    let configured = Arc::new(configured);
    let metrics = get(metrics::scrape).with_state(metrics);
    let metrics = Router::new().route("/metrics", metrics);
    let streams = Router::new()
        .route("/api/sse", any(stream))
        .with_state(manager.clone());
    let calls = from_fn_with_state(Arc::clone(&configured), auth_layer::calls);
    // Browsers send CORS preflights without credentials, so the CORS layer answers before
    // authentication.
    let streams = streams.layer(from_fn_with_state(
        Arc::clone(&configured),
        auth_layer::streams,
    ));
    let streams = cors::allow(streams, &configured.origins);
    let management = sse_axum::trpc(management).layer(calls.clone());
    let management = cors::allow(management, &configured.origins);
    let metrics = metrics
        .layer(from_fn_with_state(manager.clone(), auth_layer::managers))
        .layer(calls);
    let routes = open_to_all(modules)
        .with_state(manager)
        .merge(streams)
        .merge(metrics)
        .nest("/api/trpc", management)
        .layer(from_fn_with_state(configured, auth_layer::locate));
    named(routes, hosts).layer(from_fn(access_log::log))
}

/// Routes without authentication. They reveal neither who is connected nor what is sent. Pages of
/// other sites import the modules: an import always needs CORS.
fn open_to_all(modules: Router<Manager>) -> Router<Manager> {
    Router::new()
        .route("/", get(demo_page::to_page))
        .route("/favicon.ico", get(StatusCode::NO_CONTENT))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .merge(demo_page::page())
        .nest("/sse", modules)
}

/// Opens a stream for the user that the visitor names.
async fn visitor_stream(
    State(manager): State<Manager>,
    RawQuery(query): RawQuery,
    handshake: SseHandshake,
) -> Result<SseResponse, Rejection> {
    let handshake = match demo_auth::name(query.as_deref()) {
        Some(name) => handshake.user(name),
        None => handshake,
    };
    Ok(manager.connect(handshake)?.into())
}

/// Opens a stream for the caller that [`auth_layer::streams`] recognised.
async fn stream(
    State(manager): State<Manager>,
    handshake: SseHandshake,
) -> Result<SseResponse, Rejection> {
    let connected = manager
        .connect(handshake)
        .inspect_err(|refused| auth_log::stream_refused(refused.cause()));
    Ok(connected?.into())
}
