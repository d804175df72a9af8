//! One connection of a server.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
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
    io::{Abort, ClientSocket},
    mark::StreamMark,
    shutdown::{Phase, PhaseListener},
};

/// What a server serves with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// To send a request head.
    pub(crate) header: Duration,
    /// To take what is left of a stream that was ended.
    pub(crate) linger: Duration,
}

/// Serves one connection to its end.
///
/// Not an `async fn`: that would keep its arguments beside what is made of them, for each connection.
pub(crate) fn connection<S, B>(
    socket: TcpStream,
    peer: SocketAddr,
    service: S,
    timeouts: Timeouts,
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
    let abort = Abort::default();
    let watched = Watched::default();
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.header)
        .serve_connection(
            TokioIo::new(ClientSocket::new(socket, abort.clone())),
            Watching { service, peer, watched: watched.clone() },
        )
        .with_upgrades();
    let stream = Carried::default();
    Supervised { http, peer, listener, watched, stream, linger: timeouts.linger, abort, draining: false }
}

/// The stream that a connection carries, on its way from the service to the connection.
#[derive(Debug, Clone, Default)]
struct Watched(Arc<Mutex<Option<Ending>>>);

impl Watched {
    fn put(&self, ending: Option<Ending>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }

    fn take(&self) -> Option<Ending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The service of one connection: looks for streams among the answers.
#[derive(Debug, Clone)]
struct Watching<S> {
    service: S,
    peer: SocketAddr,
    watched: Watched,
}

impl<S, B> HyperService<Request<Incoming>> for Watching<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Answering<S, S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(PeerAddr(self.peer));
        Answering {
            state: AnsweringState::Waiting { service: self.service.clone(), request: Some(request) },
            watched: self.watched.clone(),
        }
    }
}

pin_project! {
    struct Answering<S, F> {
        #[pin]
        state: AnsweringState<S, F>,
        watched: Watched,
    }
}

pin_project! {
    #[project = AnsweringStateProjection]
    enum AnsweringState<S, F> {
        // A service is called once it says that it is ready.
        Waiting { service: S, request: Option<Request<Incoming>> },
        Called { #[pin] future: F },
    }
}

impl<S, B> Future for Answering<S, S::Future>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                AnsweringStateProjection::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    let future = service.call(request);
                    this.state.set(AnsweringState::Called { future });
                }
                AnsweringStateProjection::Called { future } => {
                    let response = ready!(future.poll(cx))?;
                    if let Some(mark) = response.extensions().get::<StreamMark>() {
                        this.watched.put(mark.take());
                    }
                    return Poll::Ready(Ok(response));
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
        peer: SocketAddr,
        listener: PhaseListener,
        watched: Watched,
        stream: Carried,
        linger: Duration,
        abort: Abort,
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
                this.abort.set();
                return Poll::Ready(());
            }
        }
        if let Poll::Ready(result) = this.http.poll(cx) {
            if let Err(error) = result {
                debug!(peer = %this.peer, %error, "connection ended");
            }
            return Poll::Ready(());
        }
        let grace = this.stream.watch(this.watched, *this.linger, cx);
        if let Some(mut grace) = grace {
            ready!(grace.as_mut().poll(cx));
            this.abort.set();
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
    fn watch(
        &mut self,
        watched: &Watched,
        linger: Duration,
        cx: &mut Context<'_>,
    ) -> Option<Pin<&mut Sleep>> {
        if self.ending.as_ref().is_some_and(Ending::is_released) {
            *self = Self::default();
        }
        if self.ending.is_none() {
            self.ending = watched.take();
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
