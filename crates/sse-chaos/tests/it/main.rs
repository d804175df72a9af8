//! The parts for chaos: clients that come back, judged by a scripted server, and the oracle, judged
//! by made histories.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod clients;
mod faulty;
mod histories;
mod server;
mod story;
mod together;
