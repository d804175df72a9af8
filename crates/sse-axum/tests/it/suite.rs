//! The rules that every adapter keeps.

use std::{io, net::TcpListener};

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{any, get},
};
use sse_axum::{Rejection, Serve, SseHandshake, SseResponse};
use sse_testkit::adapter::{Adapter, Stop, TestApp};
use tower_http::compression::CompressionLayer;

/// The default: a reactor serves the streams.
struct Axum;

/// Streams stay with hyper.
struct Bodies;

async fn events(
    handshake: SseHandshake,
    RawQuery(query): RawQuery,
    State(app): State<TestApp>,
) -> Result<SseResponse, Rejection> {
    Ok(app.connect(handshake, query.as_deref())?.into())
}

async fn tokens(State(app): State<TestApp>) -> Response {
    sse_axum::event_stream(app.tokens())
}

/// A stand-in for an app's authentication.
async fn identify(State(app): State<TestApp>, mut request: Request, next: Next) -> Response {
    let caller = app.caller(request.uri().query());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn routes(app: TestApp) -> Router {
    let compressed = Router::new()
        .route("/prose", get(async || TestApp::PROSE))
        .route("/events", any(events))
        .layer(CompressionLayer::new());
    let router = Router::new()
        .route("/events", any(events))
        .route("/tokens", get(tokens))
        .route("/ping", get(async || "pong"))
        .nest("/compressed", compressed);
    #[cfg(feature = "trpc")]
    let router = router.nest("/api/trpc", sse_axum::trpc(app.management()));
    router
        .layer(middleware::from_fn_with_state(app.clone(), identify))
        .with_state(app)
}

fn serve(
    listener: TcpListener,
    app: &TestApp,
    stop: Stop,
    settings: fn(Serve) -> Serve,
) -> io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        settings(sse_axum::serve(listener, routes(app.clone())))
            .manager(app.manager())
            .shutdown_options(app.drain())
            .with_graceful_shutdown(stop)
            .await
    })
}

impl Adapter for Axum {
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
        serve(listener, &app, stop, |serve| serve)
    }
}

impl Adapter for Bodies {
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
        serve(listener, &app, stop, Serve::without_reactor)
    }
}

mod bodies {
    use super::Bodies;

    sse_testkit::adapter_suite!(Bodies, [compression]);
}

#[cfg(all(feature = "trpc", feature = "http2"))]
sse_testkit::adapter_suite!(Axum, [compression, management, http2]);

#[cfg(not(all(feature = "trpc", feature = "http2")))]
sse_testkit::adapter_suite!(Axum, [compression]);
