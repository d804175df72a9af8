//! Bytes that a client has not taken yet.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use bytes::Bytes;
use sse_core::Closed;

use crate::writer::{self, Written};

/// Bytes that a client has not taken yet. A stream has a write buffer only while it waits for its
/// client. Meanwhile the stream takes no events, so the buffer holds at most one batch.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    pieces: VecDeque<Bytes>,
    /// Number of bytes of the first piece that were written.
    skip: usize,
    /// Set while the system reports when the socket has room.
    pub(crate) is_watched: bool,
    /// Set when the system reported room.
    pub(crate) has_room: bool,
    /// Resolves when the stream is over. The session itself does not report its end while its
    /// events are not taken.
    pub(crate) ending: Option<Closed>,
}

impl WriteBuffer {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// Returns `true` if the stream waits for room that the system has not reported. If the system
    /// has made a little room since, a stream that was ended as stalled would otherwise be mistaken
    /// for a moving stream.
    pub(crate) fn waits(&mut self) -> bool {
        self.is_watched && !std::mem::take(&mut self.has_room)
    }

    /// Drops the written bytes.
    pub(crate) fn advance(&mut self, written: usize) {
        self.skip += written;
        while let Some(first) = self.pieces.front()
            && self.skip >= first.len()
        {
            self.skip -= first.len();
            self.pieces.pop_front();
        }
    }

    /// Writes as many bytes as fit. Returns their number, and `true` if everything was written.
    pub(crate) fn write(&mut self, socket: &mut impl Write) -> io::Result<(usize, bool)> {
        let length = self.pieces.iter().map(Bytes::len).sum::<usize>() - self.skip;
        match writer::write_all(
            socket,
            self.pieces.iter().map(|piece| &piece[..]),
            self.skip,
        )? {
            Written::All => Ok((length, true)),
            Written::Part(written) => {
                self.advance(written);
                Ok((written, false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_bytes_are_dropped_in_pieces() {
        let mut write_buffer = WriteBuffer::default();
        ["abc", "", "de", "f"]
            .iter()
            .for_each(|piece| write_buffer.push(Bytes::from_static(piece.as_bytes())));
        let mut rest = Vec::new();
        write_buffer.advance(1);
        write_buffer.advance(2);
        assert_eq!((write_buffer.pieces.len(), write_buffer.skip), (2, 0));
        write_buffer.advance(1);
        assert_eq!(write_buffer.write(&mut rest).unwrap(), (2, true));
        assert_eq!(rest, b"ef");
    }
}
