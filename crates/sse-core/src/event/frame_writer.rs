//! Encoding of several events into one frame.

use crate::event::{Event, chunk::ChunkFraming, event_id::EventId, frame::Frame};

/// A writer that encodes one or more events into one frame. A [`Dialect`](crate::dialect::Dialect)
/// writes to it.
///
/// ```
/// use sse_core::{Event, dialect::FrameWriter};
///
/// let mut writer = FrameWriter::new();
/// writer.event(&Event::text("one"));
/// writer.event(&Event::text("two"));
/// let frame = writer.finish();
/// assert_eq!(frame.event(), "data: one\n\ndata: two\n\n");
/// ```
#[derive(Debug, Default)]
pub struct FrameWriter {
    buffer: Vec<u8>,
    last_id: Option<EventId>,
}

impl FrameWriter {
    /// Creates an empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an event.
    pub fn event(&mut self, event: &Event) {
        event.encode_to(&mut self.buffer);
        if let Some(id) = event.id() {
            self.last_id = Some(id.clone());
        }
    }

    /// Returns the frame.
    #[must_use]
    pub fn finish(self) -> Frame {
        let event = self.buffer.len();
        let head = ChunkFraming::Chunk.head_length(event);
        let mut chunk = Vec::with_capacity(head + event + 2);
        ChunkFraming::Chunk.put_head(&mut chunk, event);
        chunk.extend_from_slice(&self.buffer);
        ChunkFraming::Chunk.put_tail(&mut chunk, event);
        Frame::new(chunk.into(), head..head + event).with_last_id(self.last_id)
    }
}
