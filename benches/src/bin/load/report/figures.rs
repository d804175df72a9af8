//! Single numbers of a report.

use crate::report::Report;

/// Returns the server's microseconds for a delivery, when paced.
pub(crate) fn paced_cpu(report: &Report) -> f64 {
    report.paced.cpu_us_per_delivery.unwrap_or(f64::NAN)
}

/// Returns the deliveries per second of a burst.
pub(crate) fn burst_rate(report: &Report) -> f64 {
    report.burst.deliveries_per_second
}

/// Returns the deliveries per second of CPU in a burst.
pub(crate) fn burst_per_cpu(report: &Report) -> f64 {
    report
        .burst
        .cpu_us_per_delivery
        .map_or(f64::NAN, |microseconds| 1e6 / microseconds)
}

/// Returns the server's microseconds for the start of a stream.
pub(crate) fn connect_cpu(report: &Report) -> f64 {
    report.connect_cpu_us.unwrap_or(f64::NAN)
}

/// Returns the milliseconds within which 99 of 100 events arrived, when paced.
pub(crate) fn p99(report: &Report) -> f64 {
    report.paced.latency_us.p99 / 1000.0
}

/// Returns the milliseconds of the longest stall of all phases.
pub(crate) fn longest_stall(report: &Report) -> f64 {
    report
        .paced
        .longest_stall_ms
        .max(report.burst.longest_stall_ms)
}

/// Returns the server's KiB for an idle stream.
pub(crate) fn idle_kib(report: &Report) -> f64 {
    report
        .memory
        .map_or(f64::NAN, |memory| memory.per_idle_stream / 1024.0)
}

/// Returns the server's KiB for a stream after all phases.
pub(crate) fn after_kib(report: &Report) -> f64 {
    report
        .memory
        .map_or(f64::NAN, |memory| memory.per_stream_after_traffic / 1024.0)
}

/// Returns the median; not a number if there are no numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.len() % 2, numbers.get(middle)) {
        (1, Some(number)) => *number,
        (_, Some(number)) => f64::midpoint(numbers[middle - 1], *number),
        (_, None) => f64::NAN,
    }
}
