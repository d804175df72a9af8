//! Tests of the library's parts: reconnecting clients against a scripted server, and the oracle
//! against constructed histories.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod clients;
mod correct;
mod counts;
mod faulty;
mod histories;
mod server;
mod story;
mod together;
