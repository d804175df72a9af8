//! The relevant part of an event stream: the payloads in `data:` lines.

use crate::driver::payload::{Payload, Reading, Stamp};

/// Maximum length of a line, beyond any payload with its field name.
const LONGEST_LINE: usize = 128 * 1024;

/// Finds payloads in the text of one event stream, which may arrive in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Unfinished line at the end of the last piece.
    partial: Vec<u8>,
    /// Payload that counts when its event ends, as in a browser.
    waiting: Option<Stamp>,
    damaged: u64,
}

impl Events {
    /// Returns the number of payloads that differ from those that were sent.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    pub(crate) fn feed(&mut self, text: &[u8], payload: Payload, mut found: impl FnMut(Stamp)) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            self.piece(&text[start..end], payload, &mut found);
            start = end + 1;
        }
        self.keep(&text[start..]);
    }

    fn keep(&mut self, rest: &[u8]) {
        if self.partial.len() + rest.len() > LONGEST_LINE {
            self.partial = Vec::new();
            self.damaged += 1;
            return;
        }
        self.partial.extend_from_slice(rest);
    }

    fn piece(&mut self, end_of_line: &[u8], payload: Payload, found: &mut impl FnMut(Stamp)) {
        if self.partial.is_empty() {
            return self.line(end_of_line, payload, found);
        }
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(end_of_line);
        self.line(&line, payload, found);
    }

    fn line(&mut self, line: &[u8], payload: Payload, found: &mut impl FnMut(Stamp)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.waiting.take().into_iter().for_each(found);
            return;
        }
        let Some(value) = line.strip_prefix(b"data:") else {
            return;
        };
        match payload.read(value.strip_prefix(b" ").unwrap_or(value)) {
            Reading::Foreign => {}
            Reading::Damaged => self.damaged += 1,
            Reading::Stamp(stamp) => self.waiting = Some(stamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str =
        "retry: 3000\nevent: connection\ndata: {\"status\":\"connected\"}\n\n: quiet\n\n";

    fn event(payload: Payload, sequence: u32) -> String {
        format!(
            "event: tick\ndata: {}\n\n",
            payload.encode(Stamp { sequence, sent: 5 })
        )
    }

    #[test]
    fn finds_payloads_across_any_chunk_boundaries() {
        let payload = Payload::new(64).unwrap();
        let text = format!(
            "{HELLO}{}{HELLO}{}",
            event(payload, 0),
            event(payload, 1).replace('\n', "\r\n")
        );
        for piece in 1..=text.len() {
            let (mut events, mut seen) = (Events::default(), Vec::new());
            for piece in text.as_bytes().chunks(piece) {
                events.feed(piece, payload, |stamp| seen.push(stamp.sequence));
            }
            assert_eq!((seen, events.damaged()), (vec![0, 1], 0));
        }
    }

    #[test]
    fn an_event_counts_only_when_it_has_ended() {
        let payload = Payload::new(64).unwrap();
        let (mut events, mut seen) = (Events::default(), 0);
        events.feed(event(payload, 0).trim_end().as_bytes(), payload, |_| {
            seen += 1;
        });
        assert_eq!(seen, 0);
    }

    #[test]
    fn counts_damage() {
        let payload = Payload::new(64).unwrap();
        let mut events = Events::default();
        events.feed(
            event(payload, 0).replace("xx\"", "x\"").as_bytes(),
            payload,
            |_| (),
        );
        assert_eq!(events.damaged(), 1);
    }
}
