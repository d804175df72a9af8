//! `data:` lines, written in pieces.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use crate::event::lone_surrogates;

pub(crate) const PREFIX: &[u8] = b"data: ";

/// Writes text as `data:` lines at the end of a buffer.
///
/// CRLF, CR and LF each end a line, even if CR and LF arrive in different pieces. Each colon is
/// followed by one space, because clients remove one (WHATWG HTML, section 9.2.6). A leading space
/// of the text is therefore preserved.
#[derive(Debug)]
pub(crate) struct DataLines {
    buffer: Vec<u8>,
    after_cr: bool,
}

impl DataLines {
    pub(crate) fn new(mut buffer: Vec<u8>) -> Self {
        buffer.extend_from_slice(PREFIX);
        Self {
            buffer,
            after_cr: false,
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = memchr2(b'\r', b'\n', rest) {
            self.buffer.extend_from_slice(&rest[..at]);
            self.buffer.extend_from_slice(b"\ndata: ");
            let is_cr = rest[at] == b'\r';
            rest = &rest[at + 1..];
            if is_cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
        self.buffer.extend_from_slice(rest);
    }

    /// Ends the last line and returns the buffer.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.buffer.push(b'\n');
        self.buffer
    }
}

/// Replaces line breaks in JSON with spaces, and lone surrogates with `\ufffd`. A line break
/// outside strings is white space, and a string cannot contain one (RFC 8259, sections 2 and 7), so
/// the meaning does not change.
pub(crate) fn clean_json(json: &mut [u8]) {
    let mut from = 0;
    while let Some(offset) = json
        .get(from..)
        .and_then(|rest| memchr3(b'\r', b'\n', b'\\', rest))
    {
        let at = from + offset;
        from = if json[at] == b'\\' {
            lone_surrogates::replace_at(json, at)
        } else {
            json[at] = b' ';
            at + 1
        };
    }
}

pub(crate) fn joined(lines: &str) -> Cow<'_, str> {
    let body = lines.strip_suffix('\n').unwrap_or(lines);
    let strip = |line| str::strip_prefix(line, "data: ").unwrap_or(line);
    if body.contains('\n') {
        return Cow::Owned(body.split('\n').map(strip).collect::<Vec<_>>().join("\n"));
    }
    Cow::Borrowed(strip(body))
}

/// Returns `true` if the text consists of whole lines of one field in wire format, and nothing
/// else.
pub(crate) fn all_begin_with(prefix: &[u8], text: &[u8]) -> bool {
    let are_lines = |text: &[u8]| {
        !text.contains(&b'\r')
            && text
                .split(|byte| *byte == b'\n')
                .all(|line| line.starts_with(prefix))
    };
    text.is_empty() || text.strip_suffix(b"\n").is_some_and(are_lines)
}

/// Splits text at CRLF, CR and LF, as clients do.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr2(b'\r', b'\n', text.as_bytes()) else {
            rest = None;
            return Some(text);
        };
        let after = &text[at + 1..];
        let is_crlf = text.as_bytes()[at] == b'\r' && after.starts_with('\n');
        rest = Some(if is_crlf { &after[1..] } else { after });
        Some(&text[..at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&str]) -> String {
        let mut lines = DataLines::new(Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece.as_bytes()));
        String::from_utf8(lines.finish()).unwrap()
    }

    #[test]
    fn every_line_end_makes_one_line() {
        assert_eq!(
            written(&["a\r\nb\rc\nd"]),
            "data: a\ndata: b\ndata: c\ndata: d\n"
        );
        assert_eq!(written(&["a\n"]), "data: a\ndata: \n");
        assert_eq!(written(&[""]), "data: \n");
    }

    #[test]
    fn crlf_split_across_two_pieces_is_one_line_end() {
        assert_eq!(written(&["a\r", "\nb"]), "data: a\ndata: b\n");
        assert_eq!(written(&["a\r", "", "\nb"]), "data: a\ndata: b\n");
        assert_eq!(written(&["a\r", "b"]), "data: a\ndata: b\n");
        assert_eq!(written(&["\r", "\r", "\n"]), "data: \ndata: \ndata: \n");
    }

    #[test]
    fn split_agrees_with_the_writer() {
        let lines: Vec<_> = split("a\r\nb\rc\n").collect();
        assert_eq!(lines, ["a", "b", "c", ""]);
    }
}
