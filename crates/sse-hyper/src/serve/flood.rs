//! Detection of endless cancelled requests.

use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of requests that a client can cancel at once.
const BURST: u32 = 1000;

/// Interval after which a client can cancel one more request.
const INTERVAL: Duration = Duration::from_millis(5);

/// Counts the cancelled requests of a connection. A client is allowed to cancel every request that
/// it has opened, and to open as many again. The rate distinguishes such a client from an attacker
/// that does nothing else (CVE-2023-44487).
#[derive(Debug)]
pub(crate) struct Flood {
    count: u32,
    /// Time up to which cancelled requests were forgotten.
    forgotten: Instant,
}

impl Default for Flood {
    fn default() -> Self {
        Self {
            count: 0,
            forgotten: Instant::now(),
        }
    }
}

impl Flood {
    /// Counts one more cancelled request. Returns `true` if there are too many.
    pub(crate) fn count(&mut self) -> bool {
        let intervals = self.forgotten.elapsed().as_nanos() / INTERVAL.as_nanos();
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.forgotten += INTERVAL * intervals;
        self.count = self.count.saturating_sub(intervals) + 1;
        self.count > BURST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bursts_are_not_a_flood_and_a_high_rate_is() {
        for (burst, pause, rounds, is_flood) in [
            (BURST, 0, 1, false),
            (BURST + 1, 0, 1, true),
            (200, 1000, 1000, false),
            (400, 2000, 1000, false),
            (1, 5, 10_000, false),
            (1, 4, 10_000, true),
            (400, 1000, 10, true),
        ] {
            let mut flood = Flood::default();
            let mut seen = false;
            for _ in 0..rounds {
                seen |= (0..burst).any(|_| flood.count());
                tokio::time::advance(Duration::from_millis(pause)).await;
            }
            assert_eq!(seen, is_flood, "{burst} each {pause} ms");
        }
    }
}
