//! What notifications and system events are on the wire, and whom they reach.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod double;
mod notifications;
mod refusals;
mod wire;
