//! Streams through Actix and our server, judged from a bare socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "browser")]
mod browser;
mod half_closed;
mod layers;
mod suite;
#[cfg(feature = "trpc")]
mod trpc;
mod workers;
