//! Waiting for what must become so. Nothing is judged by how long it took.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Far longer than anything here takes, on a machine that is ten times slower than any.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Waits until something is so. Gives how long that took.
pub(crate) async fn until(
    what: &str,
    limit: Duration,
    mut is_so: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<Duration, Error> {
    let start = Instant::now();
    while !is_so().await? {
        if start.elapsed() > limit {
            return Err(Error::new(format!("waited {limit:?} in vain for {what}")));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(start.elapsed())
}
