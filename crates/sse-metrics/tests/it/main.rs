//! The text of a scrape, through the public API, checked by third-party parsers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod judges;
mod manager;
mod scrape;
