//! Who is let in, and who is not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
