//! Streams through Axum and our server, judged from a bare socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod disconnects;
mod requests;
mod shutdown;
mod slow;
#[cfg(feature = "trpc")]
mod trpc;
