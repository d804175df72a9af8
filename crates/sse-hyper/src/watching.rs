//! The service of one connection.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{Request, Response};
use hyper::{body::Incoming, service::Service as HyperService};
use tower_service::Service;

use crate::{arrival::BoxError, handshake::PeerAddr, mark::StreamMark, side::Side};

/// The service of one connection: looks for streams among the answers.
#[derive(Debug, Clone)]
pub(crate) struct Watching<S> {
    service: S,
    peer: SocketAddr,
    side: Arc<Side>,
}

impl<S> Watching<S> {
    pub(crate) fn new(service: S, peer: SocketAddr, side: Arc<Side>) -> Self {
        Self { service, peer, side }
    }
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
            Poll::Ready(Ok(())) => Answer::Called { future: Box::pin(service.call(request)) },
            Poll::Ready(Err(error)) => Answer::Failed { error: Some(error.into()) },
            Poll::Pending => Answer::Waiting { service: Box::new((service, Some(request))) },
        };
        Answering { state, side: Arc::clone(&self.side) }
    }
}

/// Boxed, since hyper keeps room for the future of a service as long as a connection lives, and streams live long.
pub(crate) struct Answering<S, F> {
    state: Answer<S, F>,
    side: Arc<Side>,
}

enum Answer<S, F> {
    Waiting { service: Box<(S, Option<Request<Incoming>>)> },
    Called { future: Pin<Box<F>> },
    Failed { error: Option<BoxError> },
}

/// What is pinned is in boxes.
impl<S, F> Unpin for Answering<S, F> {}

impl<S, B> Future for Answering<S, S::Future>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<B>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                Answer::Waiting { service } => {
                    let (service, request) = &mut **service;
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    let future = Box::pin(service.call(request));
                    this.state = Answer::Called { future };
                }
                Answer::Called { future } => {
                    let response = ready!(future.as_mut().poll(cx)).map_err(Into::into)?;
                    if let Some(mark) = response.extensions().get::<StreamMark>() {
                        this.side.put(mark.take());
                    }
                    return Poll::Ready(Ok(response));
                }
                Answer::Failed { error } => {
                    return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
            }
        }
    }
}
