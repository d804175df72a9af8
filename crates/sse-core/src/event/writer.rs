//! An event's data, written in pieces.

use std::{fmt, io};

use crate::event::{Event, EventError, HEADROOM, buffer, data_lines::DataLines};

/// Takes an event's data in pieces, through [`fmt::Write`] or [`io::Write`].
///
/// ```
/// use std::fmt::Write;
///
/// let mut writer = sse_core::Event::writer();
/// write!(writer, "two\r").unwrap();
/// write!(writer, "\nlines").unwrap();
/// assert_eq!(writer.finish()?.encode(), "data: two\ndata: lines\n\n");
/// # Ok::<(), sse_core::EventError>(())
/// ```
#[derive(Debug)]
pub struct EventWriter {
    lines: DataLines,
}

impl Event {
    /// A writer for data that is made in pieces.
    #[must_use]
    pub fn writer() -> EventWriter {
        EventWriter::new(buffer(256))
    }
}

impl EventWriter {
    /// Writes behind the headroom that the buffer has.
    pub(crate) fn new(buffer: Vec<u8>) -> Self {
        Self {
            lines: DataLines::new(buffer),
        }
    }

    /// The event with what was written; nothing written is empty data, which clients do dispatch.
    ///
    /// # Errors
    /// [`EventError::Utf8`] when bytes were written that are not UTF-8.
    pub fn finish(self) -> Result<Event, EventError> {
        let buffer = self.lines.finish();
        // Line ends and prefixes are ASCII, so they cannot repair or break a character of the
        // caller's.
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
