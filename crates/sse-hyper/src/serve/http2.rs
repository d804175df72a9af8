//! One connection of HTTP/2.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use sse_core::DisconnectReason;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep},
};
use tracing::debug;

use crate::serve::{
    app::HttpApp,
    conn_state::ConnState,
    exchange::{Exchange, LatestExchange, Progress},
    http1::MAX_HEAD,
    phase_listener::PhaseListener,
    rewind::Rewind,
    service::StreamService,
    shutdown::ServerPhase,
    watchdog::{AwaitedEvent, Watchdog},
};

/// Maximum number of streams that a client can have open on a connection.
const MAX_STREAMS: u32 = 200;

/// Maximum number of streams that a client can cancel before hyper accepts them. More cancelled
/// streams end the connection. A client is allowed to open the maximum number of streams, cancel
/// them, and open as many again in one flight. With h2's default of 20, this would end the other
/// streams of the client. This maximum bounds the memory of a flood, and
/// [`Flood`](crate::serve::flood::Flood) bounds the rate.
const MAX_CANCELLED: usize = 2 * MAX_STREAMS as usize;

/// Maximum number of bytes of a stream that hyper holds for a client that does not take them. With
/// hyper's default of 400 KiB, a client with a hundred streams could keep 40 MiB, in addition to
/// its queues.
const SEND_BUFFER: usize = 64 << 10;

/// Maximum number of bytes of one request body that can arrive before they are read.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same maximum for all request bodies of a connection together. hyper's default is 1 MiB.
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Serves one connection until it ends.
///
/// The connection is closed if the peer answers no ping, or takes no bytes at all. The connection
/// is also closed if the peer has no request for the keep-alive timeout, even if the peer answers
/// pings. A flood of cancelled streams and an abort of the server end the connection with its
/// streams. Nothing else does. A client that takes nothing of one stream can still take others, so
/// only that stream is reset.
pub(crate) async fn connection<S, I>(
    io: Rewind<I>,
    service: StreamService<S>,
    latest: LatestExchange,
    ping_timeout: Duration,
    mut listener: PhaseListener,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpApp,
{
    let conn_state = Arc::clone(listener.conn_state());
    let http = http2::Builder::new(Executor(latest))
        .timer(TokioTimer::new())
        .keep_alive_interval(ping_timeout)
        .keep_alive_timeout(ping_timeout)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_CANCELLED)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let mut watchdog = Watchdog::new();
    let (mut draining, mut closing) = (false, false);
    poll_fn(|cx| {
        match listener.poll_phase(cx) {
            ServerPhase::Serving => {}
            ServerPhase::Draining if draining => {}
            ServerPhase::Draining => {
                draining = true;
                http.as_mut().graceful_shutdown();
            }
            ServerPhase::Aborting => {
                conn_state.abort();
                return Poll::Ready(());
            }
        }
        // An evicted connection that has opened a stream in the meantime stays.
        let is_evicted = conn_state.is_evicted() && conn_state.streams() == 0;
        let is_over = is_evicted || conn_state.is_flooded();
        if is_over {
            http.as_mut().graceful_shutdown();
        }
        loop {
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                if let Err(error) = result {
                    debug!(%error, "failed to serve a connection");
                }
                return Poll::Ready(());
            }
            if is_over {
                let why = if is_evicted {
                    "without a stream to make room"
                } else {
                    "whose client cancels too many streams"
                };
                debug!("closed a connection {why}");
                return Poll::Ready(());
            }
            let wait = ready!(watchdog.poll(wait(&conn_state, closing), conn_state.timeouts(), cx));
            debug!(?wait, "closed a connection that waited too long");
            match wait {
                // Requests in flight are served.
                AwaitedEvent::Request(_) => {
                    closing = true;
                    http.as_mut().graceful_shutdown();
                }
                AwaitedEvent::Reader(_) => {
                    conn_state.abort();
                    return Poll::Ready(());
                }
                _ => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Returns the event that a connection waits for.
fn wait(conn_state: &ConnState, closing: bool) -> AwaitedEvent {
    if conn_state.is_blocked() {
        AwaitedEvent::Reader(conn_state.stalls())
    } else if conn_state.in_flight() > 0 {
        AwaitedEvent::Service
    } else if closing {
        AwaitedEvent::Close
    } else {
        AwaitedEvent::Request(conn_state.requests())
    }
}

/// Spawns the tasks of a connection's requests.
#[derive(Debug, Clone)]
struct Executor(LatestExchange);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, serving: F) {
        match self.0.take() {
            Some(exchange) => drop(tokio::spawn(SupervisedRequest {
                serving,
                exchange,
                timer: None,
            })),
            None => drop(tokio::spawn(serving)),
        }
    }
}

pin_project! {
    /// The task of one request. If the client takes nothing of the response, the task is dropped
    /// and its stream is reset.
    ///
    /// While a stream lives, its manager applies the timeout.
    struct SupervisedRequest<F> {
        #[pin]
        serving: F,
        exchange: Arc<Exchange>,
        // Runs while the client must act.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future> Future for SupervisedRequest<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.serving.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match this.exchange.progress() {
            Progress::Service => {
                *this.timer = None;
                return Poll::Pending;
            }
            Progress::Client => {
                *this.timer = None;
                this.exchange.set_progress(Progress::ClientStill);
            }
            Progress::ClientStill => {}
        }
        let timer = match this.timer {
            Some(timer) => timer,
            None => this
                .timer
                .insert(Box::pin(sleep(ready!(time_for_client(this.exchange, cx))))),
        };
        ready!(timer.as_mut().poll(cx));
        debug!("reset a response that the client does not read");
        Poll::Ready(())
    }
}

/// Returns the timeout for the client of a response to take any bytes. A stream has a timeout only
/// after it was ended.
fn time_for_client(exchange: &Exchange, cx: &mut Context<'_>) -> Poll<Duration> {
    let timeouts = exchange.conn_state().timeouts();
    if !exchange.is_stream() {
        return Poll::Ready(timeouts.write);
    }
    exchange.poll_ending(cx).map(|reason| {
        if reason == DisconnectReason::Stalled {
            Duration::ZERO
        } else {
            timeouts.linger
        }
    })
}
