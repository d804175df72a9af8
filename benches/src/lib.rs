//! Benchmarks: the code that the criterion benches share.

pub mod lines;
pub mod scale;
