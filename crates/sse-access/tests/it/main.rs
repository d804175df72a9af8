//! Tests of authentication and rights through the public API.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

mod claims;
mod gate;
mod random;
