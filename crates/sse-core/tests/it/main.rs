//! The guarantees of `sse-core`, tested from outside.
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod acceptance;
mod age;
mod bytes_on_the_wire;
mod config;
mod damage;
mod dialects;
mod driver;
mod encoding;
mod event_stream;
mod expiry;
mod fairness;
mod fields;
mod gaps;
mod handshake;
mod heartbeat;
mod keys;
mod leavers;
mod lifecycle;
mod limits;
mod log;
mod logins;
mod nodes;
mod old_parts;
mod publish;
mod queue;
mod readers;
mod shutdown;
mod stalled;
mod stress;
mod support;
mod users;
