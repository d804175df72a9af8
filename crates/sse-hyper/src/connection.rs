//! One connection of a server.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::Service as HyperService};
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use sse_core::{Ending, Reason};
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep},
};
use tower_service::Service;
use tracing::debug;

use crate::{
    handshake::PeerAddr,
    io::ClientSocket,
    mark::StreamMark,
    shutdown::{Phase, PhaseListener},
    side::Side,
};

/// What a server serves with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection to its end.
///
/// Not an `async fn`: that would keep its arguments beside what is made of them, for each connection.
pub(crate) fn connection<S, B>(
    socket: TcpStream,
    peer: SocketAddr,
    service: S,
    header_timeout: Duration,
    listener: PhaseListener,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let side = Arc::new(Side::default());
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(
            TokioIo::new(ClientSocket::new(socket, Arc::clone(&side))),
            Watching { service, peer, side: Arc::clone(&side) },
        )
        .with_upgrades();
    Supervised { http, listener, side, stream: Carried::default(), draining: false }
}

/// The service of one connection: looks for streams among the answers.
#[derive(Debug, Clone)]
struct Watching<S> {
    service: S,
    peer: SocketAddr,
    side: Arc<Side>,
}

impl<S, B> HyperService<Request<Incoming>> for Watching<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Answering<S, S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(PeerAddr(self.peer));
        let mut service = self.service.clone();
        // Most services are always ready; only for the others is the request kept until they are.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Answer::Called { future: service.call(request) },
            Poll::Ready(Err(error)) => Answer::Failed { error: Some(error.into()) },
            Poll::Pending => Answer::Waiting { service: Box::new((service, Some(request))) },
        };
        Answering { state, side: Arc::clone(&self.side) }
    }
}

pin_project! {
    struct Answering<S, F> {
        #[pin]
        state: Answer<S, F>,
        side: Arc<Side>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<S, F> {
        Waiting { service: Box<(S, Option<Request<Incoming>>)> },
        Called { #[pin] future: F },
        Failed { error: Option<BoxError> },
    }
}

impl<S, B> Future for Answering<S, S::Future>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<B>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                AnswerProjection::Waiting { service } => {
                    let (service, request) = &mut **service;
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    let future = service.call(request);
                    this.state.set(Answer::Called { future });
                }
                AnswerProjection::Called { future } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    if let Some(mark) = response.extensions().get::<StreamMark>() {
                        this.side.put(mark.take());
                    }
                    return Poll::Ready(Ok(response));
                }
                AnswerProjection::Failed { error } => {
                    return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
            }
        }
    }
}

type Http<S> = http1::UpgradeableConnection<TokioIo<ClientSocket>, Watching<S>>;

pin_project! {
    /// A connection that ends when its stream or its server does, also while it is blocked in a write: hyper polls no body then,
    /// so it would never learn that there is nothing more to wait for.
    struct Supervised<S, B>
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        S: Clone,
        S::Error: Into<BoxError>,
        B: Body,
        B: 'static,
    {
        #[pin]
        http: Http<S>,
        listener: PhaseListener,
        side: Arc<Side>,
        stream: Carried,
        draining: bool,
    }
}

impl<S, B> Future for Supervised<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        match this.listener.poll_phase(cx) {
            Phase::Serving => {}
            Phase::Draining if *this.draining => {}
            Phase::Draining => {
                *this.draining = true;
                this.http.as_mut().graceful_shutdown();
            }
            Phase::Aborting => {
                this.side.abort();
                return Poll::Ready(());
            }
        }
        if let Poll::Ready(result) = this.http.poll(cx) {
            if let Err(error) = result {
                debug!(%error, "connection ended");
            }
            return Poll::Ready(());
        }
        let grace = this.stream.watch(this.side, this.listener.linger(), cx);
        if let Some(mut grace) = grace {
            ready!(grace.as_mut().poll(cx));
            this.side.abort();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The stream that a connection carries, if it carries one.
#[derive(Debug, Default)]
struct Carried {
    ending: Option<Ending>,
    /// Runs once the stream was ended, while the connection has not let go of it.
    grace: Option<Pin<Box<Sleep>>>,
}

impl Carried {
    /// Gives the time that the connection has left, once its stream was ended.
    fn watch(&mut self, side: &Side, linger: Duration, cx: &mut Context<'_>) -> Option<Pin<&mut Sleep>> {
        // Released, the rest of the stream may still be in hyper's buffer before a client that takes nothing.
        let is_over = self.ending.as_ref().is_some_and(Ending::is_released) && !side.is_blocked();
        if is_over {
            *self = Self::default();
        }
        if self.ending.is_none() {
            self.ending = side.take();
        }
        let ending = self.ending.as_mut()?;
        if self.grace.is_none()
            && let Poll::Ready(reason) = Pin::new(ending).poll(cx)
        {
            self.grace =
                Some(Box::pin(sleep(if reason == Reason::Stalled { Duration::ZERO } else { linger })));
        }
        self.grace.as_mut().map(|grace| grace.as_mut())
    }
}
