//! Single numbers of a report.

use crate::report::Report;

/// Microseconds of the server for a delivery, when paced.
pub(crate) fn paced_cpu(report: &Report) -> f64 {
    report.paced.cpu_us_per_delivery.unwrap_or(f64::NAN)
}

/// Deliveries per second of a burst.
pub(crate) fn burst_rate(report: &Report) -> f64 {
    report.burst.deliveries_per_second
}

/// Deliveries per second of CPU in a burst.
pub(crate) fn burst_per_cpu(report: &Report) -> f64 {
    report
        .burst
        .cpu_us_per_delivery
        .map_or(f64::NAN, |microseconds| 1e6 / microseconds)
}

/// Microseconds of the server for opening a stream.
pub(crate) fn connect_cpu(report: &Report) -> f64 {
    report.connect_cpu_us.unwrap_or(f64::NAN)
}

/// Milliseconds within which 99 of 100 events came, when paced.
pub(crate) fn p99(report: &Report) -> f64 {
    report.paced.latency_us.p99 / 1000.0
}

/// Milliseconds of the longest stall of all phases.
pub(crate) fn longest_stall(report: &Report) -> f64 {
    report
        .paced
        .longest_stall_ms
        .max(report.burst.longest_stall_ms)
}

/// KiB of the server for an idle stream.
pub(crate) fn idle_kib(report: &Report) -> f64 {
    report
        .memory
        .map_or(f64::NAN, |memory| memory.per_idle_stream / 1024.0)
}

/// KiB of the server for a stream after all phases.
pub(crate) fn after_kib(report: &Report) -> f64 {
    report
        .memory
        .map_or(f64::NAN, |memory| memory.per_stream_after_traffic / 1024.0)
}

/// Not a number if there are none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.len() % 2, numbers.get(middle)) {
        (1, Some(number)) => *number,
        (_, Some(number)) => f64::midpoint(numbers[middle - 1], *number),
        (_, None) => f64::NAN,
    }
}
