//! Published events with their frame in every dialect that a recipient uses.

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;

use crate::{
    dialect::{DialectIndex, Dialects, MAX_DIALECTS},
    event::{
        Event,
        cursor::{LogPosition, Mark},
        event_id::EventId,
        frame::{Collapse, Frame, FrameKind},
    },
};

/// Maximum length of a packed chunk in bytes. Larger events are shared instead of copied.
const PACKED_BYTES: usize = 1024;

/// Parts of a logged event within its encoded chunk: `id: …\n`, `event: …\n` if the event has a
/// type, and the data lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Length of the chunk.
    length: u16,
    /// Offset of the data lines.
    lines: u16,
    /// Offset of the event.
    event: u8,
    /// Length of the id.
    id: u8,
    is_json: bool,
}

impl Packed {
    pub(crate) fn length(self) -> usize {
        usize::from(self.length)
    }

    fn id(self) -> Range<usize> {
        let start = usize::from(self.event) + "id: ".len();
        start..start + usize::from(self.id)
    }

    /// Returns the event's type, which is empty for an event without a type.
    fn event_type(self) -> Range<usize> {
        let (start, end) = (self.id().end + 1, usize::from(self.lines));
        if start == end {
            return start..end;
        }
        start + "event: ".len()..end - 1
    }
}

/// An event that is being delivered to its recipients.
///
/// The plain frame is created at once, in the event's own buffer. The frame of another dialect is
/// created when the first recipient needs it.
#[derive(Debug)]
pub(crate) struct Message {
    head: MessageHead,
    plain: Frame,
    lines: Range<usize>,
    pub(crate) mark: Mark,
    others: OnceLock<Box<[OnceLock<Frame>; MAX_DIALECTS]>>,
}

/// The parts of a message other than its data lines.
#[derive(Debug)]
enum MessageHead {
    /// The event without its data.
    Event(Event),
    Packed(Packed),
}

impl Message {
    /// Creates a message. A logged event must already have its id.
    pub(crate) fn new(mut event: Event, collapse: Option<Collapse>, mark: Mark) -> Self {
        let (mut plain, lines) = event.take_frame();
        if let Some(place) = mark.place() {
            plain = plain.logged_at(place);
        }
        if let Some(collapse) = collapse {
            plain = plain.collapsing(collapse);
        }
        Self {
            head: MessageHead::Event(event),
            plain,
            lines,
            mark,
            others: OnceLock::new(),
        }
    }

    /// Returns the offsets that [`Message::unpack`] needs to restore the message from the chunk of
    /// its plain frame. Returns `None` if the chunk does not determine the whole message, or if a
    /// copy of the bytes would cost more than sharing them.
    pub(crate) fn packed(&self) -> Option<Packed> {
        let chunk = self.plain.chunk();
        let MessageHead::Event(head) = &self.head else {
            return None;
        };
        if chunk.len() > PACKED_BYTES || !head.is_type_and_data() || self.mark.place().is_none() {
            return None;
        }
        Some(Packed {
            length: u16::try_from(chunk.len()).ok()?,
            lines: u16::try_from(self.lines.start).ok()?,
            event: u8::try_from(chunk.len() - self.plain.len() - 2).ok()?,
            id: u8::try_from(head.id()?.as_str().len()).ok()?,
            is_json: head.is_json(),
        })
    }

    /// Restores a logged message from its chunk.
    pub(crate) fn unpack(chunk: Bytes, packed: Packed, place: LogPosition) -> Self {
        let end = chunk.len() - 2;
        let plain = Frame::new(chunk, usize::from(packed.event)..end).logged_at(place);
        // The line end of the event follows the lines.
        let lines = usize::from(packed.lines)..end - 1;
        Self {
            head: MessageHead::Packed(packed),
            plain,
            lines,
            mark: Mark::Logged(place),
            others: OnceLock::new(),
        }
    }

    /// Returns `true` if the message was encoded in a dialect other than the plain one.
    pub(crate) fn is_in_other_dialects(&self) -> bool {
        self.others.get().is_some()
    }

    pub(crate) fn id(&self) -> Option<&EventId> {
        match &self.head {
            MessageHead::Event(head) => head.id(),
            MessageHead::Packed(_) => None,
        }
    }

    pub(crate) fn into_id(self) -> Option<EventId> {
        match self.head {
            MessageHead::Event(head) => head.into_id(),
            MessageHead::Packed(_) => None,
        }
    }

    pub(crate) fn plain(&self) -> &Frame {
        &self.plain
    }

    pub(crate) fn frame(&self, dialects: &Dialects, index: DialectIndex) -> &Frame {
        if index == DialectIndex::PLAIN {
            return &self.plain;
        }
        let others = self
            .others
            .get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        others[index.get()].get_or_init(|| self.encode(dialects, index))
    }

    fn encode(&self, dialects: &Dialects, index: DialectIndex) -> Frame {
        let event = self.event();
        let frame = dialects
            .encode(index, |dialect, out| dialect.event(&event, out))
            .of_kind(FrameKind::Event);
        let frame = match self.mark.place() {
            Some(place) => frame.logged_at(place),
            None => frame,
        };
        match self.plain.collapse() {
            Collapse {
                event_type: None,
                key: None,
            } => frame,
            collapse => frame.collapsing(collapse),
        }
    }

    /// Returns the event, which shares its data with the message.
    pub(crate) fn event(&self) -> Event {
        let chunk = self.plain.chunk();
        let lines = chunk.slice(self.lines.clone());
        match &self.head {
            MessageHead::Event(head) => head.clone().with_lines(lines),
            MessageHead::Packed(packed) => {
                let (id, name) = (&chunk[packed.id()], &chunk[packed.event_type()]);
                Event::of_type_and_data(id, name, lines, packed.is_json)
            }
        }
    }
}
