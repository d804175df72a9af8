//! The hub as a separate process, seen from outside.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod access;
mod bans;
mod brokers;
mod browser;
mod cdp;
mod cluster;
mod config;
mod cors;
mod credentials;
mod curl;
mod damaged_log;
mod demo_visitors;
mod documents;
mod event_source;
mod hostile;
mod hub;
mod ingress;
mod keys;
mod limits;
mod logs;
mod management;
mod metrics;
mod nodes;
mod pages;
mod prometheus;
mod publishing;
mod rates;
mod rejections;
mod reload;
mod restart;
mod resume;
mod routes;
#[cfg(unix)]
mod secrets;
mod service_links;
mod shutdown;
mod signals;
mod start;
mod strangers;
mod stream;
mod tickets;
mod tokens;
