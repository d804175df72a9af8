//! Encodes entries as messages, each with a mark that distinguishes it from all others.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The header that identifies the node that appended an entry, and the entry's number on that node.
/// With it, a different entry in the place of a known one is detected even if both have the same
/// content.
const MARK: &str = "Sse-Entry";

const MARK_HEADER: HeaderName = HeaderName::from_static(MARK);

/// The header for deduplication: the server takes a second message with the same value for a
/// duplicate.
const KEY_HEADER: HeaderName = HeaderName::from_static("Nats-Msg-Id");

/// The header that names the expected stream: the server rejects the message in any other stream.
const STREAM_HEADER: HeaderName = HeaderName::from_static("Nats-Expected-Stream");

/// Maximum number of bytes of an entry's subject and headers, which count towards the server's
/// limit for a message. A key can become three times as long.
pub(crate) const HEADER_BYTES: usize = 640;

/// The mark that distinguishes an entry from every other one that can stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

/// Assigns marks to entries.
#[derive(Debug)]
pub(crate) struct FingerprintWriter {
    us: u64,
    next: AtomicU64,
}

impl FingerprintWriter {
    pub(crate) fn new() -> Self {
        Self {
            us: rand::random(),
            next: AtomicU64::new(0),
        }
    }

    /// Returns the headers of a new entry.
    pub(crate) fn headers(&self, stream: &str, key: Option<&str>) -> (HeaderMap, Fingerprint) {
        let mark = format!(
            "{:x}-{:x}",
            self.us,
            self.next.fetch_add(1, Ordering::Relaxed)
        );
        let fingerprint = Fingerprint::of(mark.as_bytes());
        let mut headers = HeaderMap::new();
        headers.insert(MARK_HEADER, HeaderValue::from(mark));
        headers.insert(STREAM_HEADER, HeaderValue::from(stream));
        if let Some(key) = key {
            // Keys can contain any text, headers cannot.
            let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
            headers.insert(KEY_HEADER, HeaderValue::from(encoded));
        }
        (headers, fingerprint)
    }
}

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the fingerprint of a delivered message. A foreign message has no mark.
    pub(crate) fn of_message(headers: Option<&HeaderMap>, payload: &[u8]) -> Self {
        let mark = headers.and_then(|headers| headers.get(MARK_HEADER));
        mark.map_or_else(
            || Self::of(payload),
            |mark| Self::of(mark.as_str().as_bytes()),
        )
    }

    /// Returns the fingerprint of a requested message, with headers as they were sent.
    pub(crate) fn of_stored(headers: &[u8], payload: &[u8]) -> Self {
        let mark = headers.split(|byte| *byte == b'\n').find_map(|line| {
            let value = line.strip_prefix(MARK.as_bytes())?.strip_prefix(b":")?;
            Some(value.trim_ascii())
        });
        Self::of(mark.unwrap_or(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_distinct_fingerprints() {
        let marker = FingerprintWriter::new();
        let (headers, fingerprint) = marker.headers("s", None);
        assert_eq!(Fingerprint::of_message(Some(&headers), b"x"), fingerprint);
        let mark = headers.get(MARK_HEADER).unwrap();
        let sent = format!(
            "NATS/1.0\r\nNats-Expected-Stream: s\r\nSse-Entry: {}\r\n\r\n",
            mark.as_str()
        );
        assert_eq!(Fingerprint::of_stored(sent.as_bytes(), b"x"), fingerprint);
        assert_ne!(marker.headers("s", None).1, fingerprint);
        assert_ne!(FingerprintWriter::new().headers("s", None).1, fingerprint);
    }

    #[test]
    fn foreign_message_has_fingerprint() {
        let foreign = Fingerprint::of_message(None, b"x");
        assert_eq!(Fingerprint::of_stored(b"", b"x"), foreign);
        assert_ne!(Fingerprint::of_stored(b"", b"y"), foreign);
    }

    #[test]
    fn any_key_becomes_bounded_header() {
        let key = "\r\n ä%".repeat(21);
        assert_eq!(key.len(), 126);
        let (headers, _) = FingerprintWriter::new().headers(&"s".repeat(70), Some(&key));
        let bytes: usize = headers
            .iter()
            .map(|(name, values)| name.to_string().len() + values[0].as_str().len() + 4)
            .sum();
        assert!(bytes + 12 + 70 < HEADER_BYTES, "{bytes}");
        let value = headers.get(KEY_HEADER).unwrap().as_str().to_owned();
        assert!(
            value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'%')
        );
    }
}
