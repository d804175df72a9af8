//! The memory of the process.

use std::fs;

use stats_alloc::INSTRUMENTED_SYSTEM;

/// Returns the number of allocated bytes, as requested.
pub(crate) fn allocated() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Returns the number of allocations so far.
pub(crate) fn allocations() -> usize {
    INSTRUMENTED_SYSTEM.stats().allocations
}

/// Returns the bytes in memory, with all overhead of the allocator; `None` if the system does not
/// report them.
pub(crate) fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
