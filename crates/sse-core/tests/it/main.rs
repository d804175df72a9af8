//! What `sse-core` promises, tested from outside.
#![cfg(not(loom))]

mod age;
mod bytes_on_the_wire;
mod dialects;
mod encoding;
mod fields;
mod handshake;
mod heartbeat;
mod publish;
mod queue;
mod readers;
mod runtimes;
mod stalled;
mod support;
