//! Several nodes on one backplane.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod alone;
mod faults;
mod hooks;
mod listing;
mod manage;
mod model;
mod numbers;
mod support;
