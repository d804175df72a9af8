//! Encoded events that streams share.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use crate::event::{cursor::LogPosition, event_id::EventId};

/// An encoded event. A clone shares the bytes and costs one atomic increment.
///
/// The bytes were framed as an HTTP/1.1 chunk when the frame was created. A transport that writes
/// to sockets itself uses [`Frame::chunk`]. All other transports use the part inside the chunk,
/// [`Frame::event`].
///
/// ```
/// use sse_core::Event;
///
/// let frame = Event::text("hello").into_frame();
/// assert_eq!(frame.event(), "data: hello\n\n");
/// assert_eq!(*frame.chunk(), "d\r\ndata: hello\n\n\r\n");
/// ```
#[derive(Debug, Clone)]
pub struct Frame(Arc<FrameInner>);

#[derive(Debug, Clone)]
struct FrameInner {
    chunk: Bytes,
    event: Range<usize>,
    collapse: Collapse,
    kind: FrameKind,
    /// The client's last event id after this frame, or `None` if the frame leaves it unchanged. Set
    /// only in frames of a [`FrameWriter`](crate::dialect::FrameWriter).
    last_id: Option<EventId>,
    /// Position of the event in the log, if the event is logged.
    place: Option<LogPosition>,
}

/// The values that [`Overflow::KeepLatest`](crate::config::Overflow::KeepLatest) compares, hashed
/// under a secret of the manager. Set only if a stream with this overflow policy can exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Collapse {
    pub(crate) event_type: Option<u64>,
    pub(crate) key: Option<u64>,
}

/// The origin of a frame. Only the loss of a published event is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// The event was published.
    Event,
    /// The event is the manager's own: hello, heartbeat, gap or farewell.
    Own,
}

impl Frame {
    pub(crate) fn new(chunk: Bytes, event: Range<usize>) -> Self {
        Self(Arc::new(FrameInner {
            chunk,
            event,
            collapse: Collapse::default(),
            kind: FrameKind::Event,
            last_id: None,
            place: None,
        }))
    }

    pub(crate) fn collapsing(self, collapse: Collapse) -> Self {
        self.map(|inner| inner.collapse = collapse)
    }

    pub(crate) fn of_kind(self, kind: FrameKind) -> Self {
        self.map(|inner| inner.kind = kind)
    }

    pub(crate) fn logged_at(self, place: LogPosition) -> Self {
        self.map(|inner| inner.place = Some(place))
    }

    pub(crate) fn with_last_id(self, id: Option<EventId>) -> Self {
        self.map(|inner| inner.last_id = id)
    }

    fn map(mut self, change: impl FnOnce(&mut FrameInner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Returns the event's bytes without a copy.
    #[must_use]
    pub fn event(&self) -> Bytes {
        self.0.chunk.slice(self.0.event.clone())
    }

    /// Returns the event's bytes, borrowed.
    #[must_use]
    pub fn as_event(&self) -> &[u8] {
        &self.0.chunk[self.0.event.clone()]
    }

    /// Returns the event as one HTTP/1.1 chunk: size, CRLF, event, CRLF (RFC 9112, section 7.1). An
    /// empty event has an empty chunk without bytes.
    #[must_use]
    pub fn chunk(&self) -> &Bytes {
        &self.0.chunk
    }

    /// Returns the length of the event in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.event.len()
    }

    /// Returns `true` if the frame has no bytes to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.event.is_empty()
    }

    pub(crate) fn collapse(&self) -> Collapse {
        self.0.collapse
    }

    pub(crate) fn kind(&self) -> FrameKind {
        self.0.kind
    }

    pub(crate) fn place(&self) -> Option<LogPosition> {
        self.0.place
    }

    pub(crate) fn last_id(&self) -> Option<&EventId> {
        self.0.last_id.as_ref()
    }
}
