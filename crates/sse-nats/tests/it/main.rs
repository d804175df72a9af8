//! Tests with real servers, which the tests start and end. Without `nats-server` in `PATH` they are
//! skipped.
//!
//! A second server in `PATH`, such as a newer one after that of the distribution, runs the suite as
//! well.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cluster;
mod faults;
mod flow;
mod lost_files;
mod rejections;
mod security;
mod server;
mod settings;
mod suite;
