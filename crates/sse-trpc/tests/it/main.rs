//! Tests of the management API through requests alone.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod access;
mod api;
mod batch;
mod bodies;
mod capture;
mod captures;
mod cluster;
mod disconnect;
mod golden;
mod listener;
mod log;
mod membership;
mod metrics;
mod notify;
mod own;
mod passing;
mod publish;
mod queries;
mod random;
mod subscription;
mod surrogates;
mod system;
mod tickets;
mod validation;
mod wire;
