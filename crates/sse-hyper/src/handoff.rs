//! A stream's way from hyper to a reactor.

pub(crate) mod fallback;
pub(crate) mod lazy_reactor;
pub(crate) mod response_head;
pub(crate) mod stream_marker;

use std::any::Any;

use http::{Method, Request, Response, Version};
use http_body::Body;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use sse_reactor::{Adoption, Framing, Reactor};
use tokio::net::TcpStream;
use tracing::debug;

use crate::{
    body::SseBody,
    handoff::{
        fallback::Fallback,
        lazy_reactor::LazyReactor,
        stream_marker::{SessionSlot, StreamMarker},
    },
    serve::phase_listener::PhaseListener,
};

/// In a response's extensions: its stream is served as the body that it is, by hyper, also where a
/// reactor could serve it.
///
/// The reactor writes the events, and not what layers make of them. A layer that sets
/// `Content-Encoding`, or whose body does not pass on the [size hint](http_body::Body::size_hint)
/// of the body in it, keeps the stream a body by itself ([`Fallback::Encoded`],
/// [`Fallback::Wrapped`]): layers that rewrite, cut, add, or limit the length or the time. This is
/// for those that cannot be told from a layer that only holds a guard: one that changes bytes but
/// not their number, and one that looks at each frame, to count them say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepBody;

/// An answer with a stream that a reactor is to give.
pub(crate) struct ParkedResponse<B> {
    response: Response<B>,
    slot: SessionSlot,
    framing: Framing,
    reactor: Reactor,
}

/// Whether a request can be answered by a reactor, and in which framing.
pub(crate) fn framing_for(request: &Request<Incoming>) -> Result<Framing, Fallback> {
    let is_bare = request.method() == Method::GET
        && request.body().is_end_stream()
        && request.extensions().get::<OnUpgrade>().is_none()
        && matches!(request.version(), Version::HTTP_10 | Version::HTTP_11);
    if is_bare {
        Ok(response_head::framing(request.version()))
    } else {
        Err(Fallback::Request)
    }
}

/// Why a response with a stream is hyper's; the reactor otherwise.
pub(crate) fn reactor_for<B: Body>(
    response: &Response<B>,
    mark: &StreamMarker,
    lazy_reactor: &LazyReactor,
) -> Result<Reactor, Fallback> {
    if response.extensions().get::<KeepBody>().is_some() {
        return Err(Fallback::OptedOut);
    }
    if let Some(why) = response_head::needs_hyper(response) {
        return Err(why);
    }
    if !mark.0.is_waiting() {
        return Err(Fallback::Polled);
    }
    if response.body().size_hint().upper() != Some(mark.0.bound()) {
        lazy_reactor.warn_of_wrapped();
        return Err(Fallback::Wrapped);
    }
    lazy_reactor.reactor()
}

impl<B: Body + Send + 'static> ParkedResponse<B> {
    pub(crate) fn new(
        response: Response<B>,
        mark: StreamMarker,
        framing: Framing,
        reactor: Reactor,
    ) -> Self {
        Self {
            response,
            slot: mark.0,
            framing,
            reactor,
        }
    }

    /// For hyper after all.
    pub(crate) fn into_response(self) -> Response<B> {
        self.response
    }

    /// Gives everything to the reactor.
    pub(crate) fn complete(self, socket: TcpStream, listener: &PhaseListener) {
        let Self {
            response,
            slot,
            framing,
            reactor,
        } = self;
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => {
                debug!(%error, "a socket cannot leave its runtime, and is closed");
                return;
            }
        };
        let Some(session) = slot.take() else { return };
        let (parts, body) = response.into_parts();
        let head = response_head::head(&parts, framing);
        listener.outlive();
        reactor.adopt(Adoption {
            socket,
            head,
            framing,
            session,
            guard: guard(body),
        });
    }
}

/// What is kept of a body until the stream is over, unpolled: the guards of middlewares are in it.
/// Of our own body, which has none, nothing.
fn guard<B: Body + Send + 'static>(body: B) -> Box<dyn Any + Send> {
    if (&body as &dyn Any).is::<SseBody>() {
        return Box::new(());
    }
    // Whatever is around it, the innermost body lets go of the slot when it is asked now.
    body.size_hint();
    Box::new(body)
}
