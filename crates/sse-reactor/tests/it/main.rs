//! Streams on bare sockets, judged from their other ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocked;
mod clients;
mod ends;
mod many;
mod panics;
mod site;
mod wakes;
mod wire;
