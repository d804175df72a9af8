//! Histograms of durations.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of [`DurationHistogram`], in seconds.
pub const UP_TO_SECONDS: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
];

const BOUNDS: usize = UP_TO_SECONDS.len();

/// A histogram of durations: counts by duration, from 50 µs to 2.5 s and more, and the sum.
/// Recording is two atomic additions.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use sse_metrics::{Collector, DurationHistogram, Histogram, Metrics};
///
/// const WAITED: Histogram = Histogram::new("app_wait_seconds", "Time until a lock was free.");
///
/// let waits = Arc::new(DurationHistogram::new());
/// let recorded = Arc::clone(&waits);
/// let metrics = Metrics::new().source(move |families: &mut Collector| {
///     families.put_durations(&WAITED, [], &recorded);
/// });
/// waits.record(Duration::from_millis(3));
/// assert!(metrics.scrape(None).body.contains("\napp_wait_seconds_count 1\n"));
/// ```
#[derive(Debug, Default)]
pub struct DurationHistogram {
    /// Counts by bound. The last count is for durations above all bounds.
    counts: [AtomicU64; BOUNDS + 1],
    nanos: AtomicU64,
}

/// A snapshot of the recorded durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) counts: [u64; BOUNDS + 1],
    pub(crate) nanos: u64,
}

impl DurationHistogram {
    /// Creates an empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a duration.
    pub fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bound = UP_TO_SECONDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS);
        self.counts[bound].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn recorded(&self) -> Recorded {
        Recorded {
            counts: std::array::from_fn(|bound| self.counts[bound].load(Ordering::Relaxed)),
            nanos: self.nanos.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive() {
        let durations = DurationHistogram::new();
        for nanos in [0, 50_000, 50_001, 2_500_000_000, 2_500_000_001] {
            durations.record(Duration::from_nanos(nanos));
        }
        durations.record(Duration::MAX);
        let recorded = durations.recorded();
        assert_eq!(recorded.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn bounds_increase() {
        assert!(UP_TO_SECONDS.is_sorted_by(|one, next| one < next));
    }
}
