//! Anything that NATS sends is read or is an error.

use sse_nats::fuzzing::{read_answer, read_headers, read_place};

pub(crate) fn play(input: &[u8]) {
    read_answer(input);
    if let Ok(text) = std::str::from_utf8(input) {
        read_place(text);
    }
    let middle = input
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(input.len(), |at| at + 4);
    let (headers, payload) = input.split_at(middle);
    read_headers(headers, payload);
}
