//! Selects segments that are too old.

use std::time::Duration;

use sse_core::Retention;

use crate::segment::Segment;

/// Returns `true` if the oldest segment of a log can be removed.
///
/// By number, at least the configured entries are kept, and at most one segment more. The
/// configured number of bytes is never exceeded.
pub(crate) fn is_over(retention: &Retention, size: LogSize, oldest: &Segment, now_ms: u64) -> bool {
    let (entries, _, last_ms) = oldest.size();
    size.entries - entries >= retention.entries as u64
        || size.bytes > retention.bytes
        || is_older(last_ms, retention.age, now_ms)
}

/// The size of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSize {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn is_older(unix_ms: u64, age: Duration, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(unix_ms)) >= age.as_millis()
}
