//! Benchmarks: what the criterion benches share.

pub mod lines;
pub mod scale;
