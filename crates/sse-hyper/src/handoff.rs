//! The handover of a stream from hyper to a reactor.

pub(crate) mod fallback;
pub(crate) mod lazy_reactor;
pub(crate) mod response_head;
pub(crate) mod state;
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

/// Marks a response, in its extensions, whose stream hyper must serve as a body even if a reactor
/// could serve the stream.
///
/// The reactor writes the events themselves, and not the output of layers. Two kinds of layers keep
/// the stream a body automatically:
///
/// - layers that set `Content-Encoding` ([`Fallback::Encoded`]);
/// - layers whose body does not pass on the [size hint](http_body::Body::size_hint) of the inner
///   body ([`Fallback::Wrapped`]): layers that rewrite, cut or add bytes, or limit the length or
///   the time.
///
/// `KeepBody` is for layers that cannot be distinguished from a layer that only holds a guard.
/// Examples are a layer that changes bytes but not their number, and a layer that reads each frame,
/// for instance to count frames.
///
/// ```
/// use sse_core::{Handshake, Manager};
/// use sse_hyper::KeepBody;
///
/// let manager = Manager::builder().build()?;
/// let mut response = sse_hyper::response(manager.connect(Handshake::new())?);
/// response.extensions_mut().insert(KeepBody);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepBody;

/// A response whose stream a reactor is to send.
pub(crate) struct ParkedResponse<B> {
    response: Response<B>,
    slot: SessionSlot,
    framing: Framing,
    reactor: Reactor,
}

/// Returns the framing in which a reactor can send the response, or the reason why the request
/// needs hyper.
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

/// Returns the reactor for a response with a stream, or the reason why hyper must send the
/// response.
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

    /// Returns the response to hyper.
    pub(crate) fn into_response(self) -> Response<B> {
        self.response
    }

    /// Hands the socket, the head and the stream over to the reactor.
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
                debug!(%error, "closed a connection: failed to detach its socket from the runtime");
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

/// Returns the part of a body that must live until the stream is over: the unpolled body, which
/// holds the guards of middlewares. An [`SseBody`] holds no guards, so nothing of it is kept.
fn guard<B: Body + Send + 'static>(body: B) -> Box<dyn Any + Send> {
    if (&body as &dyn Any).is::<SseBody>() {
        return Box::new(());
    }
    // This call makes the innermost body release the slot, whatever bodies wrap it.
    body.size_hint();
    Box::new(body)
}
