//! A service of plain Hyper behind `serve`, judged from bare sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod app;
mod blocked;
mod connection;
mod connections;
mod cycles;
mod readiness;
mod shutdown;
mod socket;
mod suite;
mod upgrade;
