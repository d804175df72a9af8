//! Tests of the test kit, by tables, by independent readers, and against servers that misbehave.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod client;
mod corpus;
mod decoder;
mod peers;
mod pieces;
mod proxy;
mod server;
