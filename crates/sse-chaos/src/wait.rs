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

/// Waits until servers answer that a condition holds. Servers that start or change roles refuse or
/// break off connections, so a failed question is asked again. The error of a timeout has the last
/// failure.
pub(crate) async fn until_answered(
    what: &str,
    limit: Duration,
    mut asks: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut failure = None;
    let asked = until(what, limit, async || match asks().await {
        Ok(is_so) => Ok(is_so),
        Err(error) => {
            failure = Some(error);
            Ok(false)
        }
    })
    .await;
    match (asked, failure) {
        (Err(timeout), Some(failure)) => Err(Error::new(format!("{timeout}; last: {failure}"))),
        (asked, _) => asked.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failed_question_is_asked_again() {
        let mut answers = [Err(Error::new("reset")), Ok(false), Ok(true)].into_iter();
        let asks = async || answers.next().unwrap_or(Ok(true));
        until_answered("an answer", LONG, asks).await.unwrap();
        assert_eq!(answers.count(), 0);

        let asks = async || Err(Error::new("reset"));
        let error = until_answered("an answer", LONG, asks).await.unwrap_err();
        assert!(error.to_string().ends_with("; last: reset"), "{error}");
    }
}
