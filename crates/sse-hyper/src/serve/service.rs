//! The service of one connection.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service as HyperService};
use sse_reactor::Framing;

use crate::{
    extract::PeerAddr,
    handoff::{
        self, ParkedResponse,
        fallback::Fallback,
        lazy_reactor::LazyReactor,
        state::{HandoffState, Read},
        stream_marker::StreamMarker,
    },
    serve::{
        app::{BoxError, HttpApp},
        conn_state::ConnState,
        exchange::{Exchange, LatestExchange, Tracked},
    },
};

/// The service of one connection. It finds the streams among the responses.
#[derive(Debug, Clone)]
pub(crate) struct StreamService<S> {
    service: S,
    peer: SocketAddr,
    conn_state: Arc<ConnState>,
    /// The slot in which requests of HTTP/2 are left for the tasks that serve them. `None` for
    /// HTTP/1.
    latest: Option<LatestExchange>,
    lazy_reactor: LazyReactor,
    /// The reason why the reactor serves no stream of this connection, or `None`.
    unfit: Option<Fallback>,
}

impl<S> StreamService<S> {
    pub(crate) fn new(
        service: S,
        peer: SocketAddr,
        conn_state: Arc<ConnState>,
        latest: Option<LatestExchange>,
        lazy_reactor: LazyReactor,
        unfit: Option<Fallback>,
    ) -> Self {
        Self {
            service,
            peer,
            conn_state,
            latest,
            lazy_reactor,
            unfit,
        }
    }
}

impl<S: HttpApp> HyperService<Request<Incoming>> for StreamService<S> {
    type Response = Response<Tracked<S::Body>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(PeerAddr(self.peer));
        let exchange = match &self.latest {
            None => Exchange::begin(&self.conn_state),
            Some(latest) => Exchange::begin_multiplexed(&self.conn_state, latest),
        };
        let framing = self
            .unfit
            .map_or_else(|| handoff::framing_for(&request), Err);
        let mut service = self.service.clone();
        // Most services are always ready. For the others, the request is kept until they are ready.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => ResponseState::Called {
                future: Box::pin(service.call(request)),
            },
            Poll::Ready(Err(error)) => ResponseState::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => ResponseState::Waiting {
                service: Box::new((service, Some(request))),
            },
        };
        let handoff = Handoff {
            exchange,
            lazy_reactor: self.lazy_reactor.clone(),
            framing,
        };
        ResponseFuture { state, handoff }
    }
}

/// The future of a response. Its parts are boxed, because hyper keeps room for the future of a
/// service while a connection lives, and streams live long.
pub(crate) struct ResponseFuture<S, F> {
    state: ResponseState<S, F>,
    handoff: Handoff,
}

enum ResponseState<S, F> {
    Waiting {
        service: Box<(S, Option<Request<Incoming>>)>,
    },
    Called {
        future: Pin<Box<F>>,
    },
    Parked,
    Failed {
        error: Option<BoxError>,
    },
}

/// Every pinned value is in a box.
impl<S, F> Unpin for ResponseFuture<S, F> {}

impl<S: HttpApp> Future for ResponseFuture<S, S::Future> {
    type Output = Result<Response<Tracked<S::Body>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                ResponseState::Waiting { service } => {
                    let (service, request) = &mut **service;
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    let future = Box::pin(service.call(request));
                    this.state = ResponseState::Called { future };
                }
                ResponseState::Called { future } => {
                    let response = ready!(future.as_mut().poll(cx)).map_err(Into::into)?;
                    match this.handoff.park(response) {
                        Some(response) => return Poll::Ready(Ok(response)),
                        None => this.state = ResponseState::Parked,
                    }
                    return Poll::Pending;
                }
                // The connection ensures that this future is polled if hyper must send the parked
                // response.
                ResponseState::Parked => {
                    return this
                        .handoff
                        .take_back()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
                ResponseState::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
            }
        }
    }
}

/// Brings a stream to the connection, which can hand the stream over to a reactor.
#[derive(Debug)]
struct Handoff {
    exchange: Arc<Exchange>,
    lazy_reactor: LazyReactor,
    framing: Result<Framing, Fallback>,
}

impl Handoff {
    /// Parks a response that a reactor can send. Returns any other response for hyper.
    fn park<B: Body + Send + 'static>(
        &self,
        response: Response<B>,
    ) -> Option<Response<Tracked<B>>> {
        let Some(mark) = response.extensions().get::<StreamMarker>().cloned() else {
            return Some(self.tracked(response));
        };
        let ending = mark.0.ending();
        // A middleware dropped the body, and the stream with it.
        if ending.is_none() {
            return Some(self.tracked(response));
        }
        self.exchange.becomes_stream(ending);
        match self.fitness(&response, &mark) {
            Ok((framing, reactor)) => {
                self.handoff_state().park(Box::new(ParkedResponse::new(
                    response, mark, framing, reactor,
                )));
                None
            }
            Err(why) => {
                self.lazy_reactor.stays(why);
                Some(self.tracked(response))
            }
        }
    }

    fn fitness<B: Body>(
        &self,
        response: &Response<B>,
        mark: &StreamMarker,
    ) -> Result<(Framing, sse_reactor::Reactor), Fallback> {
        let framing = self.framing?;
        if self.handoff_state().read() != Read::Nothing {
            return Err(Fallback::Pipelined);
        }
        Ok((
            framing,
            handoff::reactor_for(response, mark, &self.lazy_reactor)?,
        ))
    }

    /// Returns the parked response, if hyper must send it.
    fn take_back<B: Body + Send + 'static>(&self) -> Option<Response<Tracked<B>>> {
        let parked = self.handoff_state().take_back()?;
        let parked = parked.downcast::<ParkedResponse<B>>().ok()?;
        self.lazy_reactor.stays(Fallback::Pipelined);
        Some(self.tracked(parked.into_response()))
    }

    fn tracked<B: Body>(&self, response: Response<B>) -> Response<Tracked<B>> {
        response.map(|body| Tracked::new(body, Arc::clone(&self.exchange)))
    }

    fn handoff_state(&self) -> &HandoffState {
        self.exchange.conn_state().handoff()
    }
}
