//! A small, incremental reader of HTTP/1.1 responses, cheap enough for a million chunks a second.

use anyhow::{Context, bail, ensure};

const LONGEST_HEAD: usize = 16 * 1024;

/// The part of a response to which the next byte belongs.
#[derive(Debug)]
enum Place {
    /// In the head, of which these bytes have arrived.
    Head(Vec<u8>),
    /// In the line with a chunk's size; `extension` once past the digits.
    Size {
        size: u64,
        digits: u8,
        extension: bool,
    },
    /// In a chunk with this number of bytes left.
    Chunk(u64),
    /// In the line break after a chunk.
    ChunkEnd,
    /// In the trailer section, after this number of bytes of the current line.
    Trailer(usize),
    /// In a body of known length with this number of bytes left.
    Length(u64),
    /// In a body that lasts until the connection ends.
    Endless,
    End,
}

/// One response, fed with bytes as they arrive.
#[derive(Debug)]
pub(crate) struct Response {
    place: Place,
    status: Option<u16>,
}

impl Response {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Head(Vec::new()),
            status: None,
        }
    }

    /// Returns the status, once the head is complete.
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// Takes bytes of the connection, passes those of the body to `body`, and returns the number of
    /// bytes taken: all, or fewer if the response is complete earlier.
    ///
    /// # Errors
    ///
    /// If the bytes are not an HTTP/1.1 response.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut body: impl FnMut(&[u8]),
    ) -> anyhow::Result<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.is_complete() {
            at += self.step(&bytes[at..], &mut body)?;
        }
        Ok(at)
    }

    fn step(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> anyhow::Result<usize> {
        match &mut self.place {
            Place::Head(_) => self.head(bytes),
            Place::Size { .. } => self.size(bytes),
            Place::Chunk(left) => {
                let taken = take(bytes, left, body);
                if *left == 0 {
                    self.place = Place::ChunkEnd;
                }
                Ok(taken)
            }
            Place::ChunkEnd => self.chunk_end(bytes[0]),
            Place::Trailer(_) => Ok(self.trailer(bytes[0])),
            Place::Length(left) => {
                let taken = take(bytes, left, body);
                if *left == 0 {
                    self.place = Place::End;
                }
                Ok(taken)
            }
            Place::Endless => {
                body(bytes);
                Ok(bytes.len())
            }
            Place::End => Ok(0),
        }
    }

    fn head(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        let Place::Head(head) = &mut self.place else {
            return Ok(0);
        };
        let before = head.len();
        head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else {
            ensure!(
                head.len() <= LONGEST_HEAD,
                "the head of the response is longer than {LONGEST_HEAD} bytes"
            );
            return Ok(bytes.len());
        };
        let text =
            std::str::from_utf8(&head[..end]).context("the head of the response is not text")?;
        let (status, place) = read_head(text)?;
        self.status = Some(status);
        self.place = place;
        Ok(end + 4 - before)
    }

    fn size(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        let Place::Size {
            size,
            digits,
            extension,
        } = &mut self.place
        else {
            return Ok(0);
        };
        for (at, byte) in bytes.iter().enumerate() {
            match (char::from(*byte).to_digit(16), byte) {
                (_, b'\n') => {
                    ensure!(*digits > 0, "a chunk has no size");
                    self.place = if *size == 0 {
                        Place::Trailer(0)
                    } else {
                        Place::Chunk(*size)
                    };
                    return Ok(at + 1);
                }
                (Some(digit), _) if !*extension => {
                    *digits += 1;
                    ensure!(*digits <= 15, "a chunk's size has too many digits");
                    *size = *size * 16 + u64::from(digit);
                }
                (None, b'\r' | b';' | b' ') => *extension = true,
                _ if *extension => {}
                _ => bail!("the size of a chunk contains {:?}", char::from(*byte)),
            }
        }
        Ok(bytes.len())
    }

    fn chunk_end(&mut self, byte: u8) -> anyhow::Result<usize> {
        match byte {
            b'\r' => {}
            b'\n' => {
                self.place = Place::Size {
                    size: 0,
                    digits: 0,
                    extension: false,
                }
            }
            _ => bail!("a chunk is followed by {:?}", char::from(byte)),
        }
        Ok(1)
    }

    fn trailer(&mut self, byte: u8) -> usize {
        self.place = match (byte, &self.place) {
            (b'\n', Place::Trailer(0)) => Place::End,
            (b'\n', _) => Place::Trailer(0),
            (b'\r', Place::Trailer(length)) => Place::Trailer(*length),
            (_, Place::Trailer(length)) => Place::Trailer(length + 1),
            _ => Place::Trailer(1),
        };
        1
    }
}

fn take(bytes: &[u8], left: &mut u64, body: &mut impl FnMut(&[u8])) -> usize {
    let length = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    body(&bytes[..length]);
    *left -= length as u64;
    length
}

fn read_head(head: &str) -> anyhow::Result<(u16, Place)> {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.with_context(|| format!("not an HTTP/1.1 status line: {first:?}"))?;
    let fields = || lines.clone().filter_map(|line| line.split_once(':'));
    let field = |name: &str| {
        fields()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let place = if matches!(status, 204 | 304) {
        Place::End
    } else if field("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        Place::Size {
            size: 0,
            digits: 0,
            extension: false,
        }
    } else if let Some(length) = field("content-length") {
        match length
            .parse()
            .with_context(|| format!("content-length: {length}"))?
        {
            0 => Place::End,
            length => Place::Length(length),
        }
    } else {
        Place::Endless
    };
    Ok((status, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of `piece` bytes. Returns the response, its body, and the number of
    /// bytes taken.
    fn read(bytes: &[u8], piece: usize) -> (Response, Vec<u8>, usize) {
        let (mut response, mut body, mut taken) = (Response::new(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            taken += response
                .feed(piece, |part| body.extend_from_slice(part))
                .unwrap();
        }
        (response, body, taken)
    }

    #[test]
    fn reads_every_kind_of_body_in_any_chunks() {
        let cases: [(&[u8], &[u8], bool); 5] = [
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=f\r\nabc\r\nA\r\n0123456789\r\n",
                b"abc0123456789",
                false,
            ),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n", b"a", true),
            (b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nab", b"ab", true),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b"", true),
            (b"HTTP/1.1 200 OK\r\n\r\nanything", b"anything", false),
        ];
        for (bytes, expected, complete) in cases {
            for piece in 1..=bytes.len() {
                let (response, body, taken) = read(bytes, piece);
                assert_eq!(body, expected);
                assert_eq!(taken, bytes.len());
                assert_eq!(response.is_complete(), complete);
            }
        }
    }

    #[test]
    fn keeps_the_next_response_unread() {
        let (response, body, taken) = read(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 ",
            usize::MAX,
        );
        assert_eq!(
            (response.status(), body.as_slice(), taken),
            (Some(200), b"ab".as_slice(), 40)
        );
    }

    #[test]
    fn rejects_malformed_responses() {
        let feed = |bytes: &[u8]| Response::new().feed(bytes, |_| ()).err();
        assert!(feed(b"SSH-2.0\r\n\r\n").is_some());
        assert!(feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").is_some());
        assert!(feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab").is_some());
    }
}
