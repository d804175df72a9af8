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
use pin_project_lite::pin_project;
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
            Poll::Ready(Ok(())) => Answer::Called { future: service.call(request) },
            Poll::Ready(Err(error)) => Answer::Failed { error: Some(error.into()) },
            Poll::Pending => Answer::Waiting { service: Box::new((service, Some(request))) },
        };
        Answering { state, side: Arc::clone(&self.side) }
    }
}

pin_project! {
    pub(crate) struct Answering<S, F> {
        #[pin]
        state: Answer<S, F>,
        side: Arc<Side>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    pub(crate) enum Answer<S, F> {
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
