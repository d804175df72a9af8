//! HTTP/1.1 chunks.

use crate::error::Error;

/// Maximum number of hexadecimal digits in a chunk's size.
const SIZE_DIGITS: u32 = 8;

/// A strict decoder of the chunked transfer coding (RFC 9112, section 7.1).
///
/// The decoder rejects everything that a server of event streams has no reason to send: bare LF,
/// spaces around the size, sizes of more than eight digits (so chunks of 4 GiB or more), extensions
/// and trailers are errors.
#[derive(Debug, Clone)]
pub struct Dechunker {
    expects: Expects,
    chunks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Size { value: u64, digits: u32 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    LastCr,
    LastLf,
    Nothing,
}

const NEXT_CHUNK: Expects = Expects::Size {
    value: 0,
    digits: 0,
};

impl Default for Dechunker {
    fn default() -> Self {
        Self::new()
    }
}

impl Dechunker {
    /// Creates a decoder at the beginning of a body.
    #[must_use]
    pub fn new() -> Self {
        Self {
            expects: NEXT_CHUNK,
            chunks: 0,
        }
    }

    /// Takes the next bytes, appends the content to `content`, and returns how many bytes were
    /// used: all, unless the body ended before them.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] at the first byte that breaks the coding.
    pub fn feed(&mut self, bytes: &[u8], content: &mut Vec<u8>) -> Result<usize, Error> {
        let mut used = 0;
        while used < bytes.len() && !self.is_complete() {
            used += match self.expects {
                Expects::Data { left } => self.data(left, &bytes[used..], content),
                _ => self.framing(bytes[used])?,
            };
        }
        Ok(used)
    }

    /// Returns `true` if the end of the body, `0\r\n\r\n`, was read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.expects == Expects::Nothing
    }

    /// Returns the number of completed chunks with content.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    fn data(&mut self, left: u64, bytes: &[u8], content: &mut Vec<u8>) -> usize {
        let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        content.extend_from_slice(&bytes[..taken]);
        let left = left - taken as u64;
        self.expects = if left == 0 {
            Expects::DataCr
        } else {
            Expects::Data { left }
        };
        taken
    }

    fn framing(&mut self, byte: u8) -> Result<usize, Error> {
        self.expects = match (self.expects, byte) {
            (Expects::Size { value, digits }, _) => after_size_byte(value, digits, byte)?,
            (Expects::SizeLf { value: 0 }, b'\n') => Expects::LastCr,
            (Expects::SizeLf { value }, b'\n') => Expects::Data { left: value },
            (Expects::DataCr, b'\r') => Expects::DataLf,
            (Expects::DataLf, b'\n') => {
                self.chunks += 1;
                NEXT_CHUNK
            }
            (Expects::LastCr, b'\r') => Expects::LastLf,
            (Expects::LastLf, b'\n') => Expects::Nothing,
            (expected, _) => return Err(unexpected(expected, byte)),
        };
        Ok(1)
    }
}

fn after_size_byte(value: u64, digits: u32, byte: u8) -> Result<Expects, Error> {
    match char::from(byte).to_digit(16) {
        Some(digit) if digits < SIZE_DIGITS => Ok(Expects::Size {
            value: value * 16 + u64::from(digit),
            digits: digits + 1,
        }),
        None if byte == b'\r' && digits > 0 => Ok(Expects::SizeLf { value }),
        _ => Err(unexpected(Expects::Size { value, digits }, byte)),
    }
}

fn unexpected(expected: Expects, byte: u8) -> Error {
    let place = match expected {
        Expects::Size { .. } => "in the size of a chunk",
        Expects::SizeLf { .. } => "after the CR of a chunk's size",
        Expects::Data { .. } | Expects::DataCr | Expects::DataLf => {
            "where the CRLF after a chunk's data belongs"
        }
        Expects::LastCr | Expects::LastLf | Expects::Nothing => "after the last chunk",
    };
    Error::Protocol(format!("byte {:?} {place}", char::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<(String, usize, bool), String> {
        let (mut dechunker, mut content) = (Dechunker::new(), Vec::new());
        let used = dechunker
            .feed(bytes, &mut content)
            .map_err(|error| error.to_string())?;
        Ok((
            String::from_utf8(content).unwrap(),
            used,
            dechunker.is_complete(),
        ))
    }

    #[test]
    fn chunks_are_joined_up_to_the_last_one() {
        assert_eq!(
            decoded(b"5\r\nhello\r\n00A\r\n, world...\r\n0\r\n\r\n"),
            Ok(("hello, world...".into(), 32, true))
        );
        assert_eq!(decoded(b"0\r\n\r\nHTTP/1.1"), Ok((String::new(), 5, true)));
    }

    #[test]
    fn a_cut_body_is_not_complete() {
        let whole = b"3\r\nabc\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            assert!(!decoded(&whole[..cut]).unwrap().2, "cut at {cut}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let (mut dechunker, mut content) = (Dechunker::new(), Vec::new());
        for byte in b"1a\r\nabcdefghijklmnopqrstuvwxyz\r\n2\r\n\r\n\r\n0\r\n\r\n" {
            assert_eq!(dechunker.feed(&[*byte], &mut content).unwrap(), 1);
        }
        assert_eq!(content, b"abcdefghijklmnopqrstuvwxyz\r\n");
        assert!(dechunker.is_complete());
        assert_eq!(dechunker.chunks(), 2);
    }

    #[test]
    fn broken_chunked_coding_is_rejected() {
        let broken: [(&[u8], &str); 11] = [
            (b"\r\nabc", "in the size"),
            (b" 3\r\nabc\r\n", "in the size"),
            (b"3 \r\nabc\r\n", "in the size"),
            (b"3\nabc\r\n", "in the size"),
            (b"3;name=value\r\nabc\r\n", "in the size"),
            (b"-3\r\nabc\r\n", "in the size"),
            (b"000000003\r\nabc\r\n", "in the size"),
            (b"3\r\rabc\r\n", "after the CR"),
            (b"3\r\nabcd\r\n", "where the CRLF"),
            (b"3\r\nabc\n", "where the CRLF"),
            (b"0\r\ntrailer: x\r\n\r\n", "after the last chunk"),
        ];
        for (bytes, place) in broken {
            let error = decoded(bytes).unwrap_err();
            assert!(error.contains(place), "{bytes:?}: {error}");
        }
    }
}
