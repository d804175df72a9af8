//! Published events with their frame in every dialect that a recipient uses.

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;

use crate::{
    dialect::{DialectIndex, Dialects, MAX_DIALECTS},
    event::{
        Event,
        cursor::{Mark, Place},
        event_id::EventId,
        frame::{Collapse, Frame, Kind},
    },
};

/// Maximum length of a packed chunk in bytes. Larger events are shared instead of copied.
const PACKED_BYTES: usize = 1024;

/// Offsets of the parts of a logged event within its encoded chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    length: u16,
    event: u8,
    lines: u16,
    is_json: bool,
}

impl Packed {
    pub(crate) fn length(self) -> usize {
        usize::from(self.length)
    }
}

/// An event that is being delivered to its recipients.
///
/// The plain frame is created at once, in the event's own buffer. The frame of another dialect is
/// created when the first recipient needs it.
#[derive(Debug)]
pub(crate) struct Message {
    /// Event without its data. `None` if the event must be read from the frame.
    head: Option<Event>,
    is_json: bool,
    plain: Frame,
    lines: Range<usize>,
    pub(crate) mark: Mark,
    others: OnceLock<Box<[OnceLock<Frame>; MAX_DIALECTS]>>,
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
        let is_json = event.is_json();
        Self {
            head: Some(event),
            is_json,
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
        let (length, head) = (u16::try_from(chunk.len()).ok()?, self.head.as_ref()?);
        if usize::from(length) > PACKED_BYTES
            || !head.is_type_and_data()
            || self.mark.place().is_none()
        {
            return None;
        }
        let event = u8::try_from(chunk.len() - self.plain.len() - 2).ok()?;
        let lines = u16::try_from(self.lines.start).ok()?;
        Some(Packed {
            length,
            event,
            lines,
            is_json: self.is_json,
        })
    }

    /// Restores a logged message from its chunk.
    pub(crate) fn unpack(chunk: Bytes, packed: Packed, place: Place) -> Self {
        let end = chunk.len() - 2;
        let plain = Frame::new(chunk, usize::from(packed.event)..end).logged_at(place);
        // The line end of the event follows the lines.
        let lines = usize::from(packed.lines)..end - 1;
        let (is_json, mark) = (packed.is_json, Mark::Logged(place));
        Self {
            head: None,
            is_json,
            plain,
            lines,
            mark,
            others: OnceLock::new(),
        }
    }

    /// Returns `true` if the message was encoded in a dialect other than the plain one.
    pub(crate) fn is_in_other_dialects(&self) -> bool {
        self.others.get().is_some()
    }

    pub(crate) fn id(&self) -> Option<&EventId> {
        self.head.as_ref()?.id_ref()
    }

    pub(crate) fn into_id(self) -> Option<EventId> {
        self.head?.into_id()
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
            .of_kind(Kind::Event);
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
            Some(head) => head.clone().with_lines(lines),
            None => {
                let head = chunk.len() - self.plain.len() - 2..self.lines.start;
                Event::of_type_and_data(&chunk[head], lines, self.is_json)
            }
        }
    }
}
