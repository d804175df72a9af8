//! Waits for conditions. No result depends on the time that a wait took.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Timeout far beyond the duration of any wait here, even on a machine that is ten times slower.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Waits until a condition holds. Returns the time that it took.
pub(crate) async fn until(
    what: &str,
    limit: Duration,
    mut is_so: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<Duration, Error> {
    let start = Instant::now();
    while !is_so().await? {
        if start.elapsed() > limit {
            return Err(Error::new(format!(
                "timed out after {limit:?} while waiting for {what}"
            )));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(start.elapsed())
}
