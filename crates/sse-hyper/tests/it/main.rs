//! A service for plain Hyper, run by `serve`, judged from bare sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod app;
mod blocked;
#[cfg(feature = "http2")]
mod bursts;
mod connection;
mod connections;
mod cycles;
mod handover;
#[cfg(feature = "http2")]
mod http2;
mod limit;
mod phases;
mod readiness;
mod shutdown;
mod socket;
mod suite;
#[cfg(feature = "tls")]
mod tls;
mod upgrade;
