//! Writing to a client's socket.

use std::io::{self, ErrorKind, IoSlice, Write};

use bytes::Bytes;
use sse_core::dialect::Frame;

use crate::adoption::Framing;

/// Maximum number of pieces in one system call.
const PIECES: usize = 64;

/// The progress of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// A part, with its number of bytes. The client must take some before more can be written.
    Part(usize),
}

/// Writes pieces, the first without its first `skip` bytes, until all are written or the socket is
/// full.
pub(crate) fn write_all<'a>(
    socket: &mut impl Write,
    pieces: impl ExactSizeIterator<Item = &'a [u8]>,
    mut skip: usize,
) -> io::Result<Written> {
    let mut pieces = pieces.peekable();
    let mut total = 0;
    while pieces.peek().is_some() {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let (mut count, mut length) = (0, 0);
        for (slice, piece) in slices.iter_mut().zip(&mut pieces) {
            let piece = piece.get(std::mem::take(&mut skip)..).unwrap_or_default();
            *slice = IoSlice::new(piece);
            count += 1;
            length += piece.len();
        }
        let written = write_once(socket, &slices[..count], length)?;
        total += written;
        if written < length {
            return Ok(Written::Part(total));
        }
    }
    Ok(Written::All)
}

/// Writes one piece, which is the most common case.
pub(crate) fn write_one(socket: &mut impl Write, piece: &[u8]) -> io::Result<Written> {
    let written = write_once(socket, &[IoSlice::new(piece)], piece.len())?;
    Ok(if written == piece.len() {
        Written::All
    } else {
        Written::Part(written)
    })
}

/// Makes one system call. Returns zero if the socket is full.
fn write_once(socket: &mut impl Write, slices: &[IoSlice<'_>], length: usize) -> io::Result<usize> {
    if length == 0 {
        return Ok(0);
    }
    loop {
        let result = match slices {
            [one] => socket.write(one),
            many => socket.write_vectored(many),
        };
        match result {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => return Ok(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Framing {
    pub(crate) fn bytes(self, frame: &Frame) -> &[u8] {
        match self {
            Self::Chunked => frame.chunk(),
            Self::UntilClose => frame.as_event(),
        }
    }

    /// Returns the same bytes as a shared buffer.
    pub(crate) fn shared(self, frame: &Frame) -> Bytes {
        match self {
            Self::Chunked => frame.chunk().clone(),
            Self::UntilClose => frame.event(),
        }
    }

    /// Returns the bytes that follow the last event.
    pub(crate) fn end(self) -> &'static [u8] {
        match self {
            Self::Chunked => b"0\r\n\r\n",
            Self::UntilClose => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that takes at once as many bytes as the next script entry says. Zero is a full
    /// socket.
    struct ScriptedSocket {
        script: Vec<usize>,
        taken: Vec<u8>,
    }

    impl Write for ScriptedSocket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let Some(room) = self.script.pop() else {
                return Err(ErrorKind::BrokenPipe.into());
            };
            if room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let all: Vec<u8> = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            let count = room.min(all.len());
            self.taken.extend_from_slice(&all[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(pieces: &[&[u8]], skip: usize, script: &[usize]) -> (io::Result<Written>, Vec<u8>) {
        let script = script.iter().rev().copied().collect();
        let mut socket = ScriptedSocket {
            script,
            taken: Vec::new(),
        };
        (
            write_all(&mut socket, pieces.iter().copied(), skip),
            socket.taken,
        )
    }

    #[test]
    fn everything_is_written_in_several_calls() {
        let (result, taken) = written(&[b"abc", b"", b"def"], 1, &[100]);
        assert_eq!((result.unwrap(), taken), (Written::All, b"bcdef".to_vec()));
        let many: Vec<&[u8]> = vec![b"x"; 3 * PIECES + 1];
        let (result, taken) = written(&many, 0, &[1000; 4]);
        assert_eq!(
            (result.unwrap(), taken.len()),
            (Written::All, 3 * PIECES + 1)
        );
    }

    #[test]
    fn a_full_socket_is_a_part_and_so_is_a_short_write() {
        assert_eq!(written(&[b"abc"], 0, &[0]).0.unwrap(), Written::Part(0));
        assert_eq!(
            written(&[b"abc", b"def"], 0, &[4]).0.unwrap(),
            Written::Part(4)
        );
        let many: Vec<&[u8]> = vec![b"x"; PIECES + 5];
        assert_eq!(
            written(&many, 0, &[PIECES, 0]).0.unwrap(),
            Written::Part(PIECES)
        );
    }

    #[test]
    fn empty_write_does_nothing() {
        assert_eq!(written(&[], 0, &[]).0.unwrap(), Written::All);
        assert_eq!(written(&[b"", b""], 0, &[]).0.unwrap(), Written::All);
        assert_eq!(written(&[b"abc"], 3, &[]).0.unwrap(), Written::All);
    }

    #[test]
    fn write_errors_are_returned() {
        assert_eq!(
            written(&[b"abc"], 0, &[]).0.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        struct Zero;
        impl Write for Zero {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Ok(0)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = write_all(&mut Zero, [&b"abc"[..]].into_iter(), 0).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::WriteZero,
            "an empty write counted as progress"
        );
    }
}
