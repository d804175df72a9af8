//! Which segments are too old.

use std::time::Duration;

use sse_core::Retention;

use crate::segment::Segment;

/// Whether the oldest segment of a log may go.
///
/// Of the entries what is asked for is kept, and up to a segment more; of the bytes never more than
/// was asked for.
pub(crate) fn is_over(retention: &Retention, size: LogSize, oldest: &Segment, now_ms: u64) -> bool {
    let (entries, _, last_ms) = oldest.size();
    size.entries - entries >= retention.entries as u64
        || size.bytes > retention.bytes
        || is_older(last_ms, retention.age, now_ms)
}

/// What a log holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSize {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn is_older(unix_ms: u64, age: Duration, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(unix_ms)) >= age.as_millis()
}
