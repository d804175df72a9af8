//! Lines that end in CRLF, LF or CR, from bytes in pieces of any size.

use std::mem;

/// Cuts a stream of bytes into lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    after_cr: bool,
}

impl Lines {
    /// Takes bytes off `input` up to the end of a line and returns that line, or takes them all.
    ///
    /// A CR ends its line at once; should the next byte be an LF, it belongs to that CR.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        self.drop_second_half(input);
        let Some(end) = input.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            self.unfinished.extend_from_slice(input);
            *input = &[];
            return None;
        };
        self.unfinished.extend_from_slice(&input[..end]);
        self.after_cr = input[end] == b'\r';
        *input = &input[end + 1..];
        Some(mem::take(&mut self.unfinished))
    }

    /// Returns `true` if a line was begun.
    pub(super) fn is_mid_line(&self) -> bool {
        !self.unfinished.is_empty()
    }

    fn drop_second_half(&mut self, input: &mut &[u8]) {
        let Some((first, rest)) = input.split_first() else {
            return;
        };
        if mem::take(&mut self.after_cr) && *first == b'\n' {
            *input = rest;
        }
    }
}
