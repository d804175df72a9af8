//! Writing of event data in pieces.

use std::{fmt, io};

use crate::event::{Event, EventError, HEADROOM, buffer, data_lines::DataLines};

/// A writer that accepts an event's data in pieces, through [`fmt::Write`] or [`io::Write`].
///
/// ```
/// use std::fmt::Write;
///
/// let mut writer = sse_core::Event::writer();
/// write!(writer, "two\r").unwrap();
/// write!(writer, "\nlines").unwrap();
/// assert_eq!(writer.finish()?.encode(), "data: two\ndata: lines\n\n");
/// # Ok::<(), sse_core::event::EventError>(())
/// ```
#[derive(Debug)]
pub struct EventWriter {
    lines: DataLines,
}

impl Event {
    /// Creates a writer for data that is produced in pieces.
    #[must_use]
    pub fn writer() -> EventWriter {
        EventWriter::new(buffer(256))
    }
}

impl EventWriter {
    /// Creates a writer that appends to a buffer after its headroom.
    pub(crate) fn new(buffer: Vec<u8>) -> Self {
        Self {
            lines: DataLines::new(buffer),
        }
    }

    /// Returns the event with the written data. If no data was written, the data is empty, and
    /// clients do dispatch the event.
    ///
    /// # Errors
    /// [`EventError::Utf8`] if bytes were written that are not UTF-8.
    pub fn finish(self) -> Result<Event, EventError> {
        let buffer = self.lines.finish();
        // Line ends and prefixes are ASCII, so they can neither repair nor break a character of the
        // caller.
        std::str::from_utf8(&buffer[HEADROOM..]).map_err(EventError::Utf8)?;
        Ok(Event::owned(buffer))
    }
}

impl fmt::Write for EventWriter {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.lines.push(piece.as_bytes());
        Ok(())
    }
}

impl io::Write for EventWriter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.lines.push(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
