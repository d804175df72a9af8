//! Tests of the public interface.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod damage;
mod keeping;
mod kill;
mod suite;
mod support;
mod written;
