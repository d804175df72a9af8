//! One connection of HTTP/1.1.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use sse_core::{Closed, DisconnectReason};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep},
};
use tracing::debug;

use crate::{
    handoff::{
        ParkedResponse,
        state::{HandoffStep, Read},
    },
    serve::{
        app::HttpApp,
        conn_state::ConnState,
        phase_listener::PhaseListener,
        rewind::Rewind,
        service::StreamService,
        shutdown::ServerPhase,
        watchdog::{AwaitedEvent, Watchdog},
    },
};

/// Maximum size of a request head, including the address and the fields. The same maximum applies
/// to HTTP/2.
pub(crate) const MAX_HEAD: usize = 64 << 10;

/// Maximum number of bytes that are read ahead of a body, or wait to be written. With hyper's
/// default, a client could hold 400 KiB on each of its connections.
const BUFFER: usize = MAX_HEAD;

/// Serves one connection until it ends. The first request must arrive before the deadline.
///
/// This function is not an `async fn`. An `async fn` would keep its arguments in addition to the
/// values made from them, for each connection.
pub(crate) fn connection<S, I>(
    io: Rewind<I>,
    service: StreamService<S>,
    deadline: Instant,
    listener: PhaseListener,
) -> impl Future<Output = ()> + Send + 'static
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpApp,
{
    let http = http1::Builder::new()
        .max_buf_size(BUFFER)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let conn_state = Arc::clone(listener.conn_state());
    let watchdog = Watchdog::until(deadline);
    SupervisedConnection {
        http: Some(http),
        listener,
        conn_state,
        stream: Carried::default(),
        watchdog,
        draining: false,
    }
}

type Http<S, I> = http1::UpgradeableConnection<TokioIo<Rewind<I>>, StreamService<S>>;

pin_project! {
    /// A connection that ends when its stream or its server ends, even while a write is blocked.
    /// hyper polls no body while a write is blocked, so hyper alone would never learn of the end.
    struct SupervisedConnection<S, I>
    where
        S: HttpApp,
        I: AsyncRead,
        I: AsyncWrite,
        I: Unpin,
    {
        #[pin]
        http: Option<Http<S, I>>,
        listener: PhaseListener,
        conn_state: Arc<ConnState>,
        stream: Carried,
        watchdog: Watchdog,
        draining: bool,
    }
}

impl<S, I> Future for SupervisedConnection<S, I>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpApp,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        match this.listener.poll_phase(cx) {
            ServerPhase::Serving => {}
            ServerPhase::Draining if *this.draining => {}
            ServerPhase::Draining => {
                *this.draining = true;
                if let Some(http) = this.http.as_mut().as_pin_mut() {
                    http.graceful_shutdown();
                }
            }
            ServerPhase::Aborting => {
                this.conn_state.abort();
                return Poll::Ready(());
            }
        }
        // An evicted connection that has opened a stream in the meantime stays.
        let is_evicted = this.conn_state.is_evicted() && this.conn_state.streams() == 0;
        if is_evicted && let Some(http) = this.http.as_mut().as_pin_mut() {
            http.graceful_shutdown();
        }
        loop {
            let Some(http) = this.http.as_mut().as_pin_mut() else {
                return Poll::Ready(());
            };
            if let Poll::Ready(result) = http.poll(cx) {
                if let Err(error) = result {
                    debug!(%error, "failed to serve a connection");
                }
                return Poll::Ready(());
            }
            match this.conn_state.handoff().next() {
                HandoffStep::Wait => break,
                HandoffStep::PollAgain => {}
                HandoffStep::DropHyper => {
                    this.http.set(None);
                    hand_over::<S::Body>(this.conn_state, this.listener);
                    return Poll::Ready(());
                }
            }
        }
        if is_evicted {
            debug!("closed a connection without a stream to make room");
            return Poll::Ready(());
        }
        let grace = this
            .stream
            .watch(this.conn_state, this.conn_state.timeouts().linger, cx);
        if let Some(mut grace) = grace {
            ready!(grace.as_mut().poll(cx));
            this.conn_state.abort();
            return Poll::Ready(());
        }
        let wait = ready!(this.watchdog.poll(
            wait(this.conn_state),
            this.conn_state.timeouts(),
            cx
        ));
        debug!(?wait, "closed a connection that waited too long");
        match wait {
            AwaitedEvent::Request(_) => {
                // No request is in flight, so one poll closes the connection. Over TLS, the poll
                // also sends the closing alert.
                if let Some(mut http) = this.http.as_mut().as_pin_mut() {
                    http.as_mut().graceful_shutdown();
                    let _ = http.poll(cx);
                }
            }
            AwaitedEvent::Reader(_) => this.conn_state.abort(),
            _ => {}
        }
        Poll::Ready(())
    }
}

/// Returns the event that a connection waits for.
fn wait(conn_state: &ConnState) -> AwaitedEvent {
    let requests = conn_state.requests();
    // The manager has its own timeout for the clients of its streams.
    if conn_state.is_blocked() && conn_state.streams() == 0 {
        AwaitedEvent::Reader(conn_state.stalls())
    } else if conn_state.in_flight() > 0 {
        AwaitedEvent::Service
    } else if requests == 0 {
        AwaitedEvent::FirstRequest
    } else if conn_state.handoff().read() == Read::Something {
        AwaitedEvent::Head(requests)
    } else {
        AwaitedEvent::Request(requests)
    }
}

/// Hands a parked response over to the reactor, after hyper has left the socket.
fn hand_over<B: Body + Send + 'static>(conn_state: &ConnState, listener: &PhaseListener) {
    let Some((response, socket)) = conn_state.handoff().take() else {
        return;
    };
    if let Ok(response) = response.downcast::<ParkedResponse<B>>() {
        response.complete(socket, listener);
    }
}

/// The stream that a connection carries, if any.
#[derive(Debug, Default)]
struct Carried {
    ending: Option<Closed>,
    /// Runs after the stream was ended, until the connection releases the stream.
    grace: Option<Pin<Box<Sleep>>>,
}

impl Carried {
    /// Returns the time that the connection has left, once its stream was ended.
    ///
    /// While no write is blocked, hyper polls the body and learns of its end, so no check is
    /// needed.
    fn watch(
        &mut self,
        conn_state: &ConnState,
        linger: Duration,
        cx: &mut Context<'_>,
    ) -> Option<Pin<&mut Sleep>> {
        if self.grace.is_none() && !conn_state.is_blocked() {
            return None;
        }
        if let Some(latest) = conn_state.take() {
            *self = Self {
                ending: Some(latest),
                grace: None,
            };
        }
        // After the session is released, the rest of the stream can still be in hyper's buffer if
        // the client takes nothing.
        let is_over =
            self.ending.as_ref().is_some_and(Closed::is_released) && !conn_state.is_blocked();
        if is_over {
            *self = Self::default();
        }
        let ending = self.ending.as_mut()?;
        if self.grace.is_none()
            && let Poll::Ready(reason) = Pin::new(ending).poll(cx)
        {
            self.grace = Some(Box::pin(sleep(if reason == DisconnectReason::Stalled {
                Duration::ZERO
            } else {
                linger
            })));
        }
        self.grace.as_mut().map(|grace| grace.as_mut())
    }
}
