//! How much memory the process holds.

use std::fs;

use stats_alloc::INSTRUMENTED_SYSTEM;

/// Bytes that are allocated, as they were asked for.
pub(crate) fn allocated() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// How many allocations there have been.
pub(crate) fn allocations() -> usize {
    INSTRUMENTED_SYSTEM.stats().allocations
}

/// Bytes in memory, with all that the allocator adds; where the system tells.
pub(crate) fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
