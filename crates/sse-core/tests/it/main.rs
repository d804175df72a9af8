//! What `sse-core` promises, tested from outside.
#![cfg(not(loom))]

mod age;
mod bytes_on_the_wire;
mod config;
mod dialects;
mod encoding;
mod fields;
mod handshake;
mod heartbeat;
mod lifecycle;
mod limits;
mod publish;
mod queue;
mod readers;
mod runtimes;
mod shutdown;
mod stalled;
mod stress;
mod support;
