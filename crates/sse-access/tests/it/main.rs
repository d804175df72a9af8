//! Who comes in and who may do what, tested from outside.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod claims;
mod gate;
mod random;
