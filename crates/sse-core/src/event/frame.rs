//! An encoded event, shared by every stream that it reaches.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use crate::event::{cursor::Place, event_id::EventId};

/// An encoded event. A clone shares the bytes and costs one atomic increment.
///
/// The bytes were framed as an HTTP/1.1 chunk when they were made, so a transport that writes to
/// sockets itself takes [`Frame::chunk`], and everybody else the part inside of it,
/// [`Frame::event`].
#[derive(Debug, Clone)]
pub struct Frame(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    chunk: Bytes,
    event: Range<usize>,
    collapse: Collapse,
    kind: Kind,
    /// What a client takes for its last event id then; `None` where it keeps the one that it has.
    /// Only known of frames of a [`FrameWriter`](crate::FrameWriter).
    last_id: Option<EventId>,
    /// Where it stands in the log, if it does.
    place: Option<Place>,
}

/// What [`Overflow::KeepLatest`](crate::Overflow::KeepLatest) compares, hashed under a secret of
/// the manager; only made where such a stream may exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Collapse {
    pub(crate) event_type: Option<u64>,
    pub(crate) key: Option<u64>,
}

/// Whether losing a frame would be a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody published it.
    Event,
    /// The manager's own: hello, heartbeat, gap, farewell.
    Own,
}

impl Frame {
    pub(crate) fn new(chunk: Bytes, event: Range<usize>) -> Self {
        Self(Arc::new(Inner {
            chunk,
            event,
            collapse: Collapse::default(),
            kind: Kind::Event,
            last_id: None,
            place: None,
        }))
    }

    pub(crate) fn collapsing(self, collapse: Collapse) -> Self {
        self.map(|inner| inner.collapse = collapse)
    }

    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        self.map(|inner| inner.kind = kind)
    }

    pub(crate) fn logged_at(self, place: Place) -> Self {
        self.map(|inner| inner.place = Some(place))
    }

    pub(crate) fn with_last_id(self, id: Option<EventId>) -> Self {
        self.map(|inner| inner.last_id = id)
    }

    fn map(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The event's bytes, without a copy.
    #[must_use]
    pub fn event(&self) -> Bytes {
        self.0.chunk.slice(self.0.event.clone())
    }

    /// The event's bytes, borrowed.
    #[must_use]
    pub fn as_event(&self) -> &[u8] {
        &self.0.chunk[self.0.event.clone()]
    }

    /// The event as one HTTP/1.1 chunk: size, CRLF, event, CRLF (RFC 9112, section 7.1); no bytes
    /// when there is nothing to send.
    #[must_use]
    pub fn chunk(&self) -> &Bytes {
        &self.0.chunk
    }

    /// Length of the event in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.event.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.event.is_empty()
    }

    pub(crate) fn collapse(&self) -> Collapse {
        self.0.collapse
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn place(&self) -> Option<Place> {
        self.0.place
    }

    pub(crate) fn last_id(&self) -> Option<&EventId> {
        self.0.last_id.as_ref()
    }
}
