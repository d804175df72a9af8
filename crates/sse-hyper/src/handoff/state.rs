//! The states of a connection on the way from hyper to a reactor.

use std::{
    any::Any,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::net::TcpStream;

/// A parked response. The type of its body is known to the connection and to its service.
pub(crate) type AnyResponse = Box<dyn Any + Send>;

/// The state of a connection's handover.
///
/// ```text
///                    park                 flush              begin               socket                take
/// Serving(Nothing) ────────► Parked ─────────────► Flushed ─────────► Releasing ─────────► Released ─────────► Over
///        ▲                     │  the client sends more │
///        │      take_back      ▼                        │
///        └──────────────── Returning ◄──────────────────┘
/// ```
///
/// The rule: a stream leaves hyper if nothing can be lost on the way. hyper could hold two things
/// that a reactor does not know: bytes from the client after the request, and bytes for the client
/// from before the stream. The socket reveals both, because hyper has to use it.
///
/// - From the client: while a request is being answered, hyper reads to detect the end of the
///   connection, but only if it has no unread bytes (`Conn::mid_message_detect_eof`). So a read
///   that finds nothing shows that nothing is unread ([`Read::Nothing`]), and only then is a
///   response parked. If a later read finds bytes, hyper has them, and hyper must send the
///   response.
/// - For the client: hyper flushes the socket when it has written everything. So the first flush
///   after the response was parked shows that earlier responses are written.
///
/// Three parties act on the state. The service parks the response and takes it back. The socket
/// reports what hyper does with it, and is left here when hyper is dropped. The connection begins
/// the handover, drops hyper, and takes both. One task polls all three, so the lock is never
/// contended; over HTTP/2, where other tasks poll the requests, nothing is ever parked.
#[derive(Debug, Default)]
pub(crate) struct HandoffState(Mutex<HandoffStage>);

#[derive(Debug)]
enum HandoffStage {
    /// hyper serves the connection.
    Serving(Read),
    /// A response waits until hyper has written everything.
    Parked(AnyResponse),
    /// A response waits, and a reactor can send it.
    Flushed(AnyResponse),
    /// A response waits for hyper, which must send it.
    Returning(AnyResponse),
    /// hyper is being dropped, and leaves its socket here.
    Releasing(AnyResponse),
    Released(AnyResponse, TcpStream),
    /// The connection is no longer hyper's.
    Over,
}

/// The result of hyper's reads since the latest request began, or since it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Read {
    /// hyper has not read, so unread bytes are possible.
    #[default]
    Unknown,
    Nothing,
    Something,
}

/// The next step of a connection, after hyper was polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandoffStep {
    /// hyper continues when it is woken.
    Wait,
    /// hyper must be polled again, to send the response.
    PollAgain,
    /// hyper must be dropped. It leaves its socket for the reactor.
    DropHyper,
}

impl Default for HandoffStage {
    fn default() -> Self {
        Self::Serving(Read::Unknown)
    }
}

impl HandoffState {
    /// Notes that a request begins or ends. Earlier reads were for its head or its body.
    pub(crate) fn forget_reads(&self) {
        if let HandoffStage::Serving(read) = &mut *self.state() {
            *read = Read::Unknown;
        }
    }

    /// Notes the result of a read.
    pub(crate) fn found(&self, found: Read) {
        let mut state = self.state();
        *state = match mem::take(&mut *state) {
            // Bytes that follow the request stay unread until the request has been answered.
            HandoffStage::Serving(Read::Something) => HandoffStage::Serving(Read::Something),
            HandoffStage::Serving(_) => HandoffStage::Serving(found),
            HandoffStage::Parked(response) | HandoffStage::Flushed(response)
                if found == Read::Something =>
            {
                HandoffStage::Returning(response)
            }
            other => other,
        };
    }

    pub(crate) fn read(&self) -> Read {
        match &*self.state() {
            HandoffStage::Serving(read) => *read,
            HandoffStage::Returning(_) => Read::Something,
            _ => Read::Nothing,
        }
    }

    /// Notes that hyper flushes the socket.
    pub(crate) fn flushes(&self) {
        let mut state = self.state();
        *state = match mem::take(&mut *state) {
            HandoffStage::Parked(response) => HandoffStage::Flushed(response),
            other => other,
        };
    }

    /// Holds a response back from hyper. If bytes follow the request, the response is to be taken
    /// back at once.
    pub(crate) fn park(&self, response: AnyResponse) {
        let mut state = self.state();
        *state = match *state {
            HandoffStage::Serving(Read::Nothing) => HandoffStage::Parked(response),
            _ => HandoffStage::Returning(response),
        };
    }

    /// Takes the response back, if hyper must send it.
    pub(crate) fn take_back(&self) -> Option<AnyResponse> {
        let mut state = self.state();
        match mem::take(&mut *state) {
            HandoffStage::Returning(response) => {
                *state = HandoffStage::Serving(Read::Something);
                Some(response)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    /// Returns the next step of the connection. The handover begins if it can.
    pub(crate) fn next(&self) -> HandoffStep {
        let mut state = self.state();
        match mem::take(&mut *state) {
            HandoffStage::Flushed(response) => {
                *state = HandoffStage::Releasing(response);
                HandoffStep::DropHyper
            }
            returning @ HandoffStage::Returning(_) => {
                *state = returning;
                HandoffStep::PollAgain
            }
            other => {
                *state = other;
                HandoffStep::Wait
            }
        }
    }

    /// Returns `true` from the moment at which hyper is to be dropped for a reactor.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(
            *self.state(),
            HandoffStage::Releasing(_) | HandoffStage::Released(..) | HandoffStage::Over
        )
    }

    /// Leaves the socket of a dropped hyper for the reactor. Outside of a handover, the socket is
    /// closed.
    pub(crate) fn leave(&self, socket: TcpStream) {
        let mut state = self.state();
        *state = match mem::take(&mut *state) {
            HandoffStage::Releasing(response) => HandoffStage::Released(response, socket),
            other => other,
        };
    }

    /// Takes the response and the socket for the reactor, after hyper was dropped.
    pub(crate) fn take(&self) -> Option<(AnyResponse, TcpStream)> {
        match mem::replace(&mut *self.state(), HandoffStage::Over) {
            HandoffStage::Released(response, socket) => Some((response, socket)),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, HandoffStage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked() -> HandoffState {
        let state = HandoffState::default();
        state.found(Read::Nothing);
        state.park(Box::new("response"));
        state
    }

    async fn socket() -> TcpStream {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn flushed_response_leaves_with_socket() {
        let state = parked();
        assert_eq!(
            state.next(),
            HandoffStep::Wait,
            "something may be unwritten"
        );
        state.flushes();
        assert!(!state.has_begun());
        assert_eq!(state.next(), HandoffStep::DropHyper);
        assert!(state.has_begun());
        // A dropped hyper ends its request and drops its socket.
        state.forget_reads();
        state.leave(socket().await);
        let (response, _) = state.take().unwrap();
        assert_eq!(response.downcast_ref(), Some(&"response"));
        assert!(state.has_begun());
        assert!(state.take().is_none());
    }

    #[tokio::test]
    async fn later_bytes_return_response_to_hyper() {
        for is_flushed in [false, true] {
            let state = parked();
            if is_flushed {
                state.flushes();
            }
            assert!(state.take_back().is_none());
            state.found(Read::Nothing);
            state.found(Read::Something);
            state.found(Read::Nothing);
            assert_eq!(state.next(), HandoffStep::PollAgain);
            assert!(state.take_back().is_some());
            assert_eq!(
                (state.next(), state.read()),
                (HandoffStep::Wait, Read::Something)
            );
            state.leave(socket().await);
            assert!(!state.has_begun());
            assert!(state.take().is_none());
        }
    }

    #[test]
    fn response_without_known_reads_returns_at_once() {
        for read in [Read::Unknown, Read::Something] {
            let state = HandoffState::default();
            state.found(read);
            state.park(Box::new(()));
            assert_eq!(state.next(), HandoffStep::PollAgain, "{read:?}");
            assert!(state.take_back().is_some());
        }
    }

    #[test]
    fn reads_count_from_latest_request() {
        let state = HandoffState::default();
        state.found(Read::Something);
        state.found(Read::Nothing);
        assert_eq!(state.read(), Read::Something, "those bytes are unread");
        state.forget_reads();
        assert_eq!(state.read(), Read::Unknown);
        state.found(Read::Nothing);
        assert_eq!(state.read(), Read::Nothing);
    }
}
