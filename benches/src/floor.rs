//! The least work that produces the same bytes: no types, no checks of fields, nothing kept for
//! later.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2_iter;
use serde::Serialize;

const HEAD: &[u8] = b"event: notification\ndata: ";
const NEXT: &[u8] = b"\ndata: ";
const END: &[u8] = b"\n\n";

/// Initial capacity for a JSON value of unknown length.
const JSON: usize = 256;

/// Encodes text: one allocation, one scan for line ends, one copy.
pub(crate) fn text(data: &str) -> Bytes {
    let data = data.as_bytes();
    let mut breaks = memchr2_iter(b'\r', b'\n', data).peekable();
    let extra = if breaks.peek().is_some() {
        data.len() / 4
    } else {
        0
    };
    let mut out = BytesMut::with_capacity(HEAD.len() + data.len() + extra + END.len());
    out.put_slice(HEAD);
    let mut from = 0;
    for at in breaks {
        let is_rest_of_crlf = data[at] == b'\n' && at > 0 && data[at - 1] == b'\r';
        if !is_rest_of_crlf {
            out.put_slice(&data[from..at]);
            out.put_slice(NEXT);
        }
        from = at + 1;
    }
    out.put_slice(&data[from..]);
    out.put_slice(END);
    out.freeze()
}

/// Encodes JSON: one allocation, the serializer, one scan for line ends.
pub(crate) fn json<T: Serialize>(data: &T) -> Result<Bytes, serde_json::Error> {
    let mut out = Vec::with_capacity(HEAD.len() + JSON);
    out.extend_from_slice(HEAD);
    serde_json::to_writer(&mut out, data)?;
    let breaks: Vec<_> = memchr2_iter(b'\r', b'\n', &out[HEAD.len()..]).collect();
    breaks
        .into_iter()
        .for_each(|at| out[HEAD.len() + at] = b' ');
    out.extend_from_slice(END);
    Ok(out.into())
}
