//! Server-sent events.

pub(crate) mod chunk;
pub(crate) mod cursor;
pub(crate) mod data_lines;
pub(crate) mod event_id;
pub(crate) mod event_type;
pub(crate) mod frame;
pub(crate) mod frame_writer;
pub(crate) mod into_event;
pub(crate) mod lone_surrogates;
pub(crate) mod publish_options;
pub(crate) mod publishing;
pub(crate) mod system;
pub(crate) mod writer;

pub use self::{
    event_id::EventId,
    into_event::Payload,
    lone_surrogates::replace_lone_surrogates,
    system::{RESERVED_SYSTEM_EVENTS, SystemEvent},
    writer::EventWriter,
};

use std::{borrow::Cow, fmt, time::Duration};

use bytes::{Buf as _, BufMut, Bytes};
use memchr::memchr2;
use serde::Serialize;
use thiserror::Error;

use crate::event::{
    chunk::ChunkFraming, data_lines::DataLines, event_type::EventType, frame::Frame,
    publish_options::PublishOptions,
};

/// Number of bytes that a buffer reserves in front of its data. The head (chunk size, id, type) is
/// written there when the event is sent, so that no data is copied.
pub(crate) const HEADROOM: usize = 96;

/// Number of bytes after the data: the line end of the data and the blank line. The two bytes that
/// end a chunk are not counted, so that a full buffer becomes `Bytes` without another allocation.
/// The buffer of a frame grows in place.
const TAIL: usize = 2;

/// A server-sent event.
///
/// Encoding cannot fail, because all checks are made when the event is created. The order of the
/// encoded fields is comment, `retry`, `id`, `event`, `data` (WHATWG HTML, section 9.2.5).
///
/// ```
/// use sse_core::{Event, EventType};
///
/// let event = Event::json(&[1, 2])?.with_event_type(EventType::from_static("numbers"));
/// assert_eq!(event.encode(), "event: numbers\ndata: [1,2]\n\n");
/// # Ok::<(), sse_core::event::EventError>(())
/// ```
#[derive(Clone, Default)]
pub struct Event {
    head: EventFields,
    body: DataBuffer,
}

/// The error for data that cannot become an event.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EventError {
    /// `Serialize` failed, or a map key cannot be written as a string.
    #[error("data does not serialize to JSON")]
    Json(#[source] serde_json::Error),
    /// Bytes written through [`io::Write`](std::io::Write) are not UTF-8.
    #[error("data is not UTF-8")]
    Utf8(#[source] std::str::Utf8Error),
    /// A field of the event is invalid.
    #[error("{field} {source}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Reason why the field is invalid.
        source: crate::id::FieldError,
    },
}

#[derive(Clone, Default)]
struct EventFields {
    event_type: Option<EventType>,
    id: Option<EventId>,
    retry: Option<u32>,
    /// Comment, encoded as one `: line\n` for each line.
    comment: Option<Box<str>>,
    collapse_key: Option<Box<str>>,
    is_json: bool,
    /// Options that are rarely set, boxed so that an event stays small.
    logging: Option<Box<PublishOptions>>,
}

/// The `data:` lines of an event, each with its line end.
#[derive(Clone, Default)]
enum DataBuffer {
    #[default]
    None,
    /// The lines, after `HEADROOM` unused bytes.
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl DataBuffer {
    #[inline]
    fn lines(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Owned(buffer) => &buffer[HEADROOM..],
            Self::Shared(lines) => lines,
        }
    }
}

impl Event {
    /// Creates an event without data. Clients dispatch no event, but apply its `id` and `retry`.
    #[must_use]
    #[inline]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates an event whose data is text. CRLF, CR and LF all arrive as LF.
    #[must_use]
    #[inline]
    pub fn text(data: impl AsRef<str>) -> Self {
        Self::owned(lines_of(data.as_ref().as_bytes()))
    }

    /// Creates an event whose data is JSON on one line.
    ///
    /// A `RawValue` passes through with its digits, the order of its members and its escapes. Only
    /// its line breaks become spaces, and its [lone surrogates](replace_lone_surrogates) become
    /// `\ufffd`.
    ///
    /// # Errors
    /// [`EventError::Json`] if the value does not serialize.
    #[inline]
    pub fn json<T: Serialize + ?Sized>(data: &T) -> Result<Self, EventError> {
        let mut buffer = buffer(384);
        buffer.extend_from_slice(data_lines::PREFIX);
        serde_json::to_writer(&mut buffer, data).map_err(EventError::Json)?;
        data_lines::clean_json(&mut buffer[HEADROOM..]);
        buffer.push(b'\n');
        let mut event = Self::owned(buffer);
        event.head.is_json = true;
        Ok(event)
    }

    /// Sets the `event` field. Without the field, clients dispatch a `message` event.
    #[must_use]
    #[inline]
    pub fn with_event_type(mut self, event_type: EventType) -> Self {
        self.head.event_type = Some(event_type);
        self
    }

    /// Sets the `id` field. An empty id resets the client's last event id. A manager with an [event
    /// log](crate::ManagerBuilder::log) assigns the ids and rejects an event with an id.
    #[must_use]
    #[inline]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.head.id = Some(id);
        self
    }

    /// Sets the `retry` field, the time that clients wait before they reconnect. The field has
    /// whole milliseconds, at most `u32::MAX`.
    #[must_use]
    #[inline]
    pub fn with_retry(mut self, delay: Duration) -> Self {
        self.head.retry = Some(u32::try_from(delay.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Adds a comment, which clients ignore. An event that consists of comments alone ends without
    /// a blank line.
    #[must_use]
    pub fn with_comment(mut self, comment: impl AsRef<str>) -> Self {
        let mut text = self
            .head
            .comment
            .take()
            .map_or_else(String::new, String::from);
        for line in data_lines::split(comment.as_ref()) {
            text.push_str(": ");
            text.push_str(line);
            text.push('\n');
        }
        self.head.comment = Some(text.into_boxed_str());
        self
    }

    /// Sets the key by which [`Overflow::KeepLatest`](crate::config::Overflow::KeepLatest) replaces
    /// older events. The key is not sent.
    #[must_use]
    pub fn with_collapse_key(mut self, key: impl Into<Box<str>>) -> Self {
        self.head.collapse_key = Some(key.into());
        self
    }

    /// Returns the `event` field.
    #[must_use]
    pub fn event_type(&self) -> Option<&EventType> {
        self.head.event_type.as_ref()
    }

    /// Returns the `id` field.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.head.id.as_ref()
    }

    /// Returns the key set by [`Event::with_collapse_key`].
    #[must_use]
    pub fn collapse_key(&self) -> Option<&str> {
        self.head.collapse_key.as_deref()
    }

    /// Returns the `retry` field.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.head
            .retry
            .map(|retry| Duration::from_millis(retry.into()))
    }

    /// Returns `true` if the data is JSON created by [`Event::json`]. JSON passed to
    /// [`Event::text`] counts as text.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.head.is_json
    }

    /// Returns the data as a client receives it, or `None` if a client dispatches no event.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, str>> {
        let lines = String::from_utf8_lossy(self.body.lines());
        match lines {
            Cow::Borrowed("") => None,
            Cow::Borrowed(lines) => Some(data_lines::joined(lines)),
            Cow::Owned(lines) => Some(Cow::Owned(data_lines::joined(&lines).into_owned())),
        }
    }

    /// Encodes the event in wire format.
    #[must_use]
    #[inline]
    pub fn encode(self) -> Bytes {
        match self {
            Self {
                head:
                    EventFields {
                        event_type,
                        id: None,
                        retry: None,
                        comment: None,
                        ..
                    },
                body: DataBuffer::Owned(buffer),
            } => typed(buffer, event_type.as_ref().map_or("", |it| it.as_str())),
            mut other => other.take_bytes(ChunkFraming::None).bytes,
        }
    }

    /// Encodes the event as a frame, for sharing.
    #[must_use]
    #[inline]
    pub fn into_frame(mut self) -> Frame {
        self.take_frame().0
    }

    /// Encodes the event as a frame, and returns the range of the `data:` lines within the frame's
    /// chunk. The remaining event has no data until [`Event::with_lines`].
    #[inline]
    pub(crate) fn take_frame(&mut self) -> (Frame, std::ops::Range<usize>) {
        let encoded = self.take_bytes(ChunkFraming::Chunk);
        (Frame::new(encoded.bytes, encoded.event), encoded.lines)
    }

    /// Appends the event in wire format.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        let lines = self.body.lines();
        let blank = self.ends_with_blank_line(lines);
        out.reserve(self.head.length() + lines.len() + 1);
        self.head.put(out);
        out.extend_from_slice(lines);
        if blank {
            out.push(b'\n');
        }
    }

    /// Returns the length of the event in wire format, in bytes.
    pub(crate) fn encoded_len(&self) -> usize {
        let lines = self.body.lines();
        self.head.length() + lines.len() + usize::from(self.ends_with_blank_line(lines))
    }

    /// Returns the `data:` lines and the comment lines in wire format.
    pub(crate) fn raw(&self) -> (&[u8], Option<&str>) {
        (self.body.lines(), self.head.comment.as_deref())
    }

    /// Creates an event from [raw](Self::raw) lines. Returns `None` if the lines are malformed.
    pub(crate) fn from_raw(lines: Bytes, comment: Option<&str>, is_json: bool) -> Option<Self> {
        let comments = comment.unwrap_or_default().as_bytes();
        let is_text = std::str::from_utf8(&lines).is_ok();
        if !is_text
            || !data_lines::all_begin_with(data_lines::PREFIX, &lines)
            || !data_lines::all_begin_with(b": ", comments)
        {
            return None;
        }
        let mut event = Self::default().with_lines(lines);
        event.head.comment = comment.map(Box::from);
        event.head.is_json = is_json;
        Some(event)
    }

    /// Returns `true` if [`Event::of_type_and_data`] can restore everything that is sent from the
    /// event's id, type and lines.
    pub(crate) fn is_type_and_data(&self) -> bool {
        let EventFields {
            event_type: _,
            id,
            retry,
            comment,
            collapse_key,
            is_json: _,
            logging: _,
        } = &self.head;
        id.is_some() && retry.is_none() && comment.is_none() && collapse_key.is_none()
    }

    /// Creates an event with an id, a type unless it is empty, and encoded data lines. The texts
    /// are from another event.
    pub(crate) fn of_type_and_data(id: &[u8], name: &[u8], lines: Bytes, is_json: bool) -> Self {
        let mut event = Self::default().with_lines(lines);
        event.head.is_json = is_json;
        event.head.id = EventId::new(String::from_utf8_lossy(id)).ok();
        if !name.is_empty() {
            event.head.event_type = EventType::new(String::from_utf8_lossy(name)).ok();
        }
        event
    }

    pub(crate) fn into_id(self) -> Option<EventId> {
        self.head.id
    }

    pub(crate) fn logging_mut(&mut self) -> &mut PublishOptions {
        self.head.logging.get_or_insert_default()
    }

    pub(crate) fn logging(&self) -> Option<&PublishOptions> {
        self.head.logging.as_deref()
    }

    pub(crate) fn with_lines(mut self, lines: Bytes) -> Self {
        self.body = if lines.is_empty() {
            DataBuffer::None
        } else {
            DataBuffer::Shared(lines)
        };
        self
    }

    #[inline]
    pub(crate) fn owned(buffer: Vec<u8>) -> Self {
        Self {
            head: EventFields::default(),
            body: DataBuffer::Owned(buffer),
        }
    }

    /// Returns `true` if the encoded event ends with a blank line. A comment alone does not,
    /// because some clients take every blank line for a message.
    #[inline]
    fn ends_with_blank_line(&self, lines: &[u8]) -> bool {
        !lines.is_empty() || self.head.has_fields()
    }

    #[inline]
    fn take_bytes(&mut self, framing: ChunkFraming) -> Encoded {
        let body = std::mem::take(&mut self.body);
        let lines = body.lines();
        let lines_length = lines.len();
        let blank = self.ends_with_blank_line(lines);
        let head = self.head.length();
        let event = head + lines_length + usize::from(blank);
        let chunk_head = framing.head_length(event);
        let before = chunk_head + head;

        let (mut buffer, start) = match body {
            DataBuffer::Owned(buffer) if before <= HEADROOM => (buffer, HEADROOM - before),
            ref body => (copied(before, body.lines()), 0),
        };
        let mut space = &mut buffer[start..start + before];
        framing.put_head(&mut space, event);
        self.head.put(&mut space);
        if blank {
            buffer.push(b'\n');
        }
        framing.put_tail(&mut buffer, event);
        let mut bytes = Bytes::from(buffer);
        bytes.advance(start);
        Encoded {
            bytes,
            event: chunk_head..chunk_head + event,
            lines: before..before + lines_length,
        }
    }
}

struct Encoded {
    bytes: Bytes,
    event: std::ops::Range<usize>,
    lines: std::ops::Range<usize>,
}

fn lines_of(data: &[u8]) -> Vec<u8> {
    let Some(first) = memchr2(b'\r', b'\n', data) else {
        let mut buffer = buffer(data.len());
        buffer.extend_from_slice(data_lines::PREFIX);
        buffer.extend_from_slice(data);
        buffer.push(b'\n');
        return buffer;
    };
    let expected_breaks = data.len() / (first + 1) + 1;
    let mut lines = DataLines::new(buffer(
        data.len() + 6 * expected_breaks.min(data.len() / 16 + 8),
    ));
    lines.push(data);
    lines.finish()
}

/// Encodes the usual event, which has only a type and data.
fn typed(mut buffer: Vec<u8>, event_type: &str) -> Bytes {
    let head = if event_type.is_empty() {
        0
    } else {
        event_type.len() + 8
    };
    let Some(start) = HEADROOM.checked_sub(head) else {
        return long_typed(&buffer[HEADROOM..], event_type);
    };
    if head > 0 {
        let mut space = &mut buffer[start..HEADROOM];
        put_field(&mut space, b"event: ", event_type);
    }
    buffer.push(b'\n');
    let mut bytes = Bytes::from(buffer);
    bytes.advance(start);
    bytes
}

#[cold]
fn long_typed(lines: &[u8], event_type: &str) -> Bytes {
    let mut buffer = Vec::with_capacity(event_type.len() + 9 + lines.len());
    put_field(&mut buffer, b"event: ", event_type);
    buffer.extend_from_slice(lines);
    buffer.push(b'\n');
    buffer.into()
}

/// Creates an empty buffer with capacity for `data` bytes of data, and with reserved bytes on both
/// sides of the data.
#[inline]
pub(crate) fn buffer(data: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(HEADROOM + data_lines::PREFIX.len() + data + TAIL);
    buffer.extend_from_slice(&[0; HEADROOM]);
    buffer
}

fn copied(before: usize, lines: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(before + lines.len() + TAIL);
    buffer.resize(before, 0);
    buffer.extend_from_slice(lines);
    buffer
}

impl EventFields {
    #[inline]
    fn has_fields(&self) -> bool {
        self.event_type.is_some() || self.id.is_some() || self.retry.is_some()
    }

    #[inline]
    fn length(&self) -> usize {
        let comment = self.comment.as_ref().map_or(0, |comment| comment.len());
        let id = self.id.as_ref().map_or(0, |id| id.as_str().len() + 5);
        let event = self
            .event_type
            .as_ref()
            .map_or(0, |name| name.as_str().len() + 8);
        let retry = self
            .retry
            .map_or(0, |retry| itoa::Buffer::new().format(retry).len() + 8);
        comment + id + event + retry
    }

    #[inline]
    fn put(&self, out: &mut impl BufMut) {
        if let Some(comment) = &self.comment {
            out.put_slice(comment.as_bytes());
        }
        if let Some(retry) = self.retry {
            put_field(out, b"retry: ", itoa::Buffer::new().format(retry));
        }
        if let Some(id) = &self.id {
            put_field(out, b"id: ", id.as_str());
        }
        if let Some(event_type) = &self.event_type {
            put_field(out, b"event: ", event_type.as_str());
        }
    }
}

#[inline]
fn put_field(out: &mut impl BufMut, name: &[u8], value: &str) {
    out.put_slice(name);
    out.put_slice(value.as_bytes());
    out.put_slice(b"\n");
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.head.event_type)
            .field("id", &self.head.id)
            .field("retry", &self.head.retry)
            .field("data", &self.data())
            .finish_non_exhaustive()
    }
}
