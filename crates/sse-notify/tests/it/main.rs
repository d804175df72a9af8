//! Notifications and system events on the wire, and their recipients.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod double;
mod notifications;
mod passing;
mod refusals;
mod wire;
