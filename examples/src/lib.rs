//! Constants for the tests of several examples; the examples themselves are in `src/bin`.

/// Secret of the tokens for the examples.
pub const SECRET: &str = "an example's secret of 32 bytes or more";

/// Value of `Authorization` for alice, whose token is valid until 2100.
pub const ALICE: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.\
                         3xzQvVW7ZCoJzcCI9UHp-rWeOq_Uzh7PZLolpU5vXcc";

/// The Rust blocks of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
