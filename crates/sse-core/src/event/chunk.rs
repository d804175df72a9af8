//! Framing of an event in its buffer.

use bytes::BufMut;

/// The framing of an event in its buffer. An empty event has no framing, because a chunk without
/// bytes ends a body.
#[derive(Clone, Copy)]
pub(crate) enum ChunkFraming {
    None,
    /// An HTTP/1.1 chunk (RFC 9112, section 7.1).
    Chunk,
}

impl ChunkFraming {
    #[inline]
    pub(crate) fn head_length(self, event: usize) -> usize {
        if self.is_there(event) {
            hex_digits(event) + 2
        } else {
            0
        }
    }

    #[inline]
    pub(crate) fn put_head(self, out: &mut impl BufMut, event: usize) {
        if self.is_there(event) {
            for digit in (0..hex_digits(event)).rev() {
                out.put_u8(b"0123456789abcdef"[event >> (4 * digit) & 15]);
            }
            out.put_slice(b"\r\n");
        }
    }

    pub(crate) fn put_tail(self, out: &mut Vec<u8>, event: usize) {
        if self.is_there(event) {
            out.reserve_exact(2);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn is_there(self, event: usize) -> bool {
        matches!(self, Self::Chunk) && event > 0
    }
}

#[inline]
fn hex_digits(number: usize) -> usize {
    let bits = (usize::BITS - (number | 1).leading_zeros()) as usize;
    bits.div_ceil(4)
}
