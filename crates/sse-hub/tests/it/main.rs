//! The hub as a process of its own, seen from outside.
#![expect(clippy::unwrap_used, reason = "the helpers of tests unwrap as tests do")]

mod access;
mod brokers;
mod browser;
mod cdp;
mod cluster;
mod config;
mod curl;
mod hostile;
mod hub;
mod management;
mod metrics;
mod nodes;
mod prometheus;
mod publishing;
mod rates;
mod resume;
mod routes;
mod shutdown;
mod start;
mod stream;
mod tokens;
