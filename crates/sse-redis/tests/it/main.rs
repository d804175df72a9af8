//! Tests with a real Redis, which each test starts for itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod failovers;
mod keys;
mod losses;
mod outages;
mod redis_server;
mod rejections;
mod sentinels;
mod steps;
mod suite;
