//! Limits of messages that strangers can cause.

use std::time::Duration;

use tokio::time::Instant;

/// Interval between two messages of a kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// Limits the messages of a kind: the first is logged, and then a count every minute.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    /// Occurrences since the last message.
    count: u64,
    logged: Option<Instant>,
}

impl LogLimit {
    /// Counts an occurrence. Returns the number of occurrences since the last message, if a message
    /// is due.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.count += 1;
        if self
            .logged
            .is_some_and(|logged| logged.elapsed() < INTERVAL)
        {
            return None;
        }
        self.logged = Some(Instant::now());
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn first_is_logged_and_then_a_count() {
        let mut limit = LogLimit::default();
        let mut logged = Vec::new();
        for _ in 0..1500 {
            logged.extend(limit.count());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(logged, [1, 600, 600]);
    }
}
