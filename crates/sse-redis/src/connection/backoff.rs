//! Delays between attempts to connect.

use std::{error::Error, time::Duration};

use parking_lot::Mutex;
use sse_core::backplane::{Backoff, BackplaneError};
use tokio::time::Instant;

/// Limits attempts to connect: while attempts fail, fewer and fewer are made. All other attempts
/// fail at once. A server that is down causes no busy loop, and nodes that lost it at the same
/// moment do not reconnect at the same moment.
#[derive(Debug, Default)]
pub(crate) struct ConnectBackoff(Mutex<AttemptState>);

#[derive(Debug, Default)]
struct AttemptState {
    failures: u32,
    closed: Option<PausedUntil>,
}

#[derive(Debug)]
struct PausedUntil {
    until: Instant,
    /// The error of the last attempt, which the next attempt would also get.
    reason: String,
    kind: FailureKind,
}

#[derive(Debug, Clone, Copy)]
enum FailureKind {
    Unavailable,
    Blocked,
    Refused,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const CONNECT: Backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);

impl ConnectBackoff {
    /// Checks that an attempt can be made.
    pub(crate) fn pass(&self) -> Result<(), BackplaneError> {
        let state = self.0.lock();
        let Some(closed) = &state.closed else {
            return Ok(());
        };
        let left = closed.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let reason = closed.reason.clone();
        Err(match closed.kind {
            FailureKind::Unavailable => BackplaneError::unavailable(left, reason),
            FailureKind::Blocked => BackplaneError::blocked(reason),
            FailureKind::Refused => BackplaneError::rejected(reason),
        })
    }

    /// Records a successful attempt.
    pub(crate) fn open(&self) {
        *self.0.lock() = AttemptState::default();
    }

    /// Records a failed attempt. Returns the delay until the next attempt.
    pub(crate) fn close(&self, error: &BackplaneError) -> Duration {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        let pause = CONNECT.delay(state.failures);
        state.closed = Some(PausedUntil {
            until: Instant::now() + pause,
            reason: reason(error),
            kind: match error {
                BackplaneError::Blocked { .. } => FailureKind::Blocked,
                BackplaneError::Rejected { .. } => FailureKind::Refused,
                _ => FailureKind::Unavailable,
            },
        });
        pause
    }
}

/// Returns the specific part of an error, without the general text of its kind.
fn reason(error: &BackplaneError) -> String {
    match error {
        BackplaneError::Blocked { reason, .. } | BackplaneError::Rejected { reason, .. } => {
            reason.clone()
        }
        error => error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down() -> BackplaneError {
        BackplaneError::unavailable(Duration::ZERO, "no route")
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_limit_until_success() {
        let backoff = ConnectBackoff::default();
        assert!(backoff.pass().is_ok());
        let pauses: Vec<_> = (0..20).map(|_| backoff.close(&down())).collect();
        assert!(
            pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2,
            "{pauses:?}"
        );
        assert!(
            pauses[10..]
                .iter()
                .all(|pause| (LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(pause)),
            "{pauses:?}"
        );
        let Err(BackplaneError::Unavailable {
            retry_after,
            source,
        }) = backoff.pass()
        else {
            panic!("the circuit is open")
        };
        assert_eq!(
            (retry_after, source.to_string()),
            (pauses[19], "no route".to_owned())
        );
        tokio::time::advance(pauses[19]).await;
        assert!(backoff.pass().is_ok());
        backoff.close(&down());
        backoff.open();
        assert!(backoff.pass().is_ok());
        assert!(backoff.close(&down()) <= FIRST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn rejection_repeats_during_pause() {
        let backoff = ConnectBackoff::default();
        backoff.close(&BackplaneError::rejected("wrong password"));
        assert_eq!(
            backoff.pass().unwrap_err().to_string(),
            "the backplane rejects requests: wrong password"
        );
        backoff.close(&BackplaneError::blocked("no memory"));
        assert_eq!(
            backoff.pass().unwrap_err().to_string(),
            "the backplane rejects requests for now: no memory"
        );
    }
}
