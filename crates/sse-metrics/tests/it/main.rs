//! What a scrape gives, through the public API, judged by others' parsers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod judges;
mod manager;
mod scrape;
