//! One connection of HTTP/2.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;
use tracing::debug;

use crate::{
    arrival::BoxError,
    rewound::Rewound,
    shutdown::{Phase, PhaseListener},
    side::Side,
    watching::Watching,
};

/// How much of a stream hyper holds for a client that does not take it. Its default of 400 KiB would let a client with a hundred streams
/// keep 40 MiB, beside the queues that are there for it.
const SEND_BUFFER: usize = 64 << 10;

/// Bytes of one request body that may arrive before they are read.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same of all request bodies of a connection, of which hyper allows 1 MiB by default.
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Serves one connection to its end.
///
/// A peer that answers no ping is given up. That is all that ends a connection here before its streams do: a client that takes nothing of one
/// stream may take others, so the manager ends the stream, and releases it though hyper still holds its body.
pub(crate) async fn connection<S, B, I>(
    io: Rewound<I>,
    service: Watching<S>,
    ping_timeout: Duration,
    mut listener: PhaseListener,
    side: Arc<Side>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let http = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(ping_timeout)
        .keep_alive_timeout(ping_timeout)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let mut draining = false;
    poll_fn(|cx| {
        match listener.poll_phase(cx) {
            Phase::Serving => {}
            Phase::Draining if draining => {}
            Phase::Draining => {
                draining = true;
                http.as_mut().graceful_shutdown();
            }
            Phase::Aborting => {
                side.abort();
                return Poll::Ready(());
            }
        }
        http.as_mut().poll(cx).map(|result| {
            if let Err(error) = result {
                debug!(%error, "connection ended");
            }
        })
    })
    .await;
}
