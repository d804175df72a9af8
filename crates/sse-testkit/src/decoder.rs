//! The event-stream decoder.

mod lines;

use std::collections::VecDeque;
use std::mem;

use lines::Lines;

/// The bytes of U+FEFF. One U+FEFF at the beginning of a stream is not part of the text.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Maximum number of comments that a decoder keeps.
const COMMENTS_KEPT: usize = 1024;

/// An event as a browser would dispatch it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decoded {
    /// Type of the event; `message` if the stream named none.
    pub event_type: String,
    /// Data lines, joined by LF.
    pub data: String,
    /// Last event id at this event: its own, or an id that an earlier block set.
    pub id: String,
}

/// An item of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// An event was dispatched.
    Event(Decoded),
    /// A comment line was read; the text after the colon, unchanged.
    Comment(String),
}

/// An incremental decoder of event streams, written from the text of the WHATWG HTML standard
/// (section 9.2.6).
///
/// The decoder takes bytes in pieces of any size. An event is dispatched exactly at the byte that
/// ends its blank line; the boundaries of the pieces make no difference. Bytes that are not UTF-8
/// become U+FFFD.
///
/// Lines may be of any length, since the streams under test come from servers that the test
/// controls.
///
/// ```
/// use sse_testkit::Decoder;
///
/// let mut decoder = Decoder::new();
/// assert!(decoder.feed(b"id: 7\ndata: hel").is_empty());
/// let events = decoder.feed(b"lo\n\n");
/// assert_eq!((events[0].data.as_str(), events[0].id.as_str()), ("hello", "7"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    lines: Lines,
    started: bool,
    data: String,
    event_type: String,
    id_buffer: String,
    last_event_id: String,
    retry: Option<u64>,
    comments: VecDeque<String>,
}

impl Decoder {
    /// Creates a decoder at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a whole stream. Returns its events, without a block that the end cut off.
    #[must_use]
    pub fn decode(stream: &[u8]) -> Vec<Decoded> {
        Self::new().feed(stream)
    }

    /// Takes the next bytes of the stream and returns the events that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Decoded> {
        let items = self.feed_items(bytes).into_iter();
        items
            .filter_map(|item| {
                if let Item::Event(event) = item {
                    Some(event)
                } else {
                    None
                }
            })
            .collect()
    }

    /// Like [`feed`](Self::feed), with the comments among the events.
    pub fn feed_items(&mut self, mut bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some(line) = self.lines.take(&mut bytes) {
            items.extend(self.first_or_later_line(&line));
        }
        items
    }

    /// Ends this stream and begins another, as a reconnecting browser does. An unfinished block is
    /// discarded together with its id; the last event id and the reconnection time stay.
    pub fn reconnect(&mut self) {
        self.lines = Lines::default();
        self.started = false;
        self.data.clear();
        self.event_type.clear();
        // Browsers hand the last id to the parser of the next stream, so that events without an id
        // inherit it.
        self.id_buffer.clone_from(&self.last_event_id);
    }

    /// Returns the id that a browser would send as `Last-Event-ID` if the stream ended now; empty
    /// for none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns the reconnection time in milliseconds, if the stream has set one. A number beyond 64
    /// bits counts as the largest.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Returns the comments, oldest first; the last 1,024 are kept.
    pub fn comments(&self) -> impl Iterator<Item = &str> {
        self.comments.iter().map(String::as_str)
    }

    /// Returns `true` if the end of the stream would discard an unfinished block.
    #[must_use]
    pub fn is_mid_block(&self) -> bool {
        self.lines.is_mid_line()
            || !self.data.is_empty()
            || !self.event_type.is_empty()
            || self.id_buffer != self.last_event_id
    }

    fn first_or_later_line(&mut self, line: &[u8]) -> Option<Item> {
        let is_first = !mem::replace(&mut self.started, true);
        let text = if is_first {
            line.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(line)
        } else {
            line
        };
        // CR and LF are never part of a longer sequence, so decoding by line equals decoding the
        // whole.
        self.line(&String::from_utf8_lossy(text))
    }

    fn line(&mut self, line: &str) -> Option<Item> {
        if line.is_empty() {
            return self.dispatch().map(Item::Event);
        }
        match line.split_once(':') {
            Some(("", comment)) => return Some(self.comment(comment)),
            Some((name, value)) => self.field(name, value.strip_prefix(' ').unwrap_or(value)),
            None => self.field(line, ""),
        }
        None
    }

    fn comment(&mut self, text: &str) -> Item {
        if self.comments.len() == COMMENTS_KEPT {
            self.comments.pop_front();
        }
        self.comments.push_back(text.to_owned());
        Item::Comment(text.to_owned())
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.event_type),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id_buffer),
            "retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Decoded> {
        self.last_event_id.clone_from(&self.id_buffer);
        let event_type = mem::take(&mut self.event_type);
        let mut data = mem::take(&mut self.data);
        // One LF follows every data line: no LF means that the block had no data line.
        data.pop()?;
        let event_type = if event_type.is_empty() {
            "message".to_owned()
        } else {
            event_type
        };
        Some(Decoded {
            event_type,
            data,
            id: self.last_event_id.clone(),
        })
    }
}

/// Returns the number in a `retry` field, if the value is a number.
fn milliseconds(value: &str) -> Option<u64> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(value.parse().unwrap_or(u64::MAX))
}
