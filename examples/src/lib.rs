//! What tests of several examples need; the examples themselves are in `src/bin`.

/// The secret of the tokens that are signed for the examples.
pub const SECRET: &str = "an example's secret of 32 bytes or more";

/// What alice sends as `Authorization`; her token is good until 2100.
pub const ALICE: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.\
                         3xzQvVW7ZCoJzcCI9UHp-rWeOq_Uzh7PZLolpU5vXcc";
