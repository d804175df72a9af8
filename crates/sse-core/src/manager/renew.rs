//! Expiry of a stream's authentication, and its renewal.

use std::{sync::atomic::Ordering, time::Duration};

use thiserror::Error;

use crate::{
    id::{caller::Caller, client_id::ClientId},
    jitter::Jitter,
    manager::Manager,
    stream::shared::StreamState,
};

/// Error of [`Manager::renew`].
///
/// ```
/// use sse_core::{Caller, Handshake, Manager, RenewError, UserId};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42"))?;
///
/// let other = Caller::user(UserId::new("43")?);
/// assert_eq!(manager.renew(session.client_id(), &other), Err(RenewError::OtherUser));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenewError {
    /// The stream is not live on this node.
    #[error("no open stream has this client id")]
    NotLive,
    /// The stream belongs to another user or is anonymous, or the caller is anonymous.
    #[error("the stream belongs to another user")]
    OtherUser,
    /// The authentication of the caller has expired as well.
    #[error("the authentication of the caller has expired")]
    Expired,
}

impl Manager {
    /// Lets a stream live until the authentication of `caller` expires, in place of the
    /// authentication that the stream connected with. A caller without an expiry removes the end.
    ///
    /// The caller must be the user of the stream. The topics of the stream stay as they are: the
    /// new claims apply at the next `connect`.
    ///
    /// # Errors
    /// [`RenewError`]; the stream keeps its earlier expiry.
    pub fn renew(&self, client: ClientId, caller: &Caller) -> Result<(), RenewError> {
        let left = caller.time_left();
        let (uptime_ms, round) = (self.inner.clock.uptime_ms(), self.inner.round);
        self.inner.with_sequencer(|sequencer, _| {
            let place = sequencer
                .registry
                .place(client)
                .ok_or(RenewError::NotLive)?;
            let slot = sequencer.registry.streams.get(place);
            let stream = &slot.ok_or(RenewError::NotLive)?.stream;
            if caller.user.is_none() || stream.user != caller.user {
                return Err(RenewError::OtherUser);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(RenewError::Expired);
            }
            stream.expires_in(left, uptime_ms, round, &self.inner.jitter);
            // The sign-in that the client would reconnect with now.
            if let Some(login) = caller.login {
                sequencer.registry.set_login(place, login);
            }
            Ok(())
        })
    }
}

impl StreamState {
    /// Sets the end of the stream to a random 80 to 100 % of the time left. So streams whose tokens
    /// were issued together do not end together.
    pub(crate) fn expires_in(
        &self,
        left: Option<Duration>,
        uptime_ms: u64,
        round: Duration,
        jitter: &Jitter,
    ) {
        let age = Duration::from_millis(uptime_ms.saturating_sub(self.opened_ms));
        let after = left.map_or(0, |left| age_at_end(age, left, round, jitter));
        self.expires_after_ms.store(after, Ordering::Relaxed);
    }
}

/// Returns the age in milliseconds at which a stream of this age ends that has `left` remaining.
/// Never zero, which stands for no end.
///
/// A check of a stream can come a round too early, but never too late. An age beyond the range ends
/// the stream early, which is safe.
fn age_at_end(age: Duration, left: Duration, round: Duration, jitter: &Jitter) -> u32 {
    let earliest = (left / 5 * 4).saturating_add(round).min(left);
    let end = age.saturating_add(jitter.between(earliest, left));
    u32::try_from(end.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ends_in_last_fifth_of_its_remaining_life() {
        let [age, round] = [1000, 6].map(Duration::from_secs);
        for left in [30, 60, 3600].map(Duration::from_secs) {
            for _ in 0..200 {
                let end =
                    Duration::from_millis(age_at_end(age, left, round, &Jitter::default()).into());
                assert!(end - round >= age + left * 4 / 5, "{end:?}");
                assert!(end <= age + left, "{end:?}");
            }
        }
    }

    #[test]
    fn very_short_and_very_long_lives_are_clamped() {
        let (round, jitter) = (Duration::from_secs(6), &Jitter::default());
        assert_eq!(
            age_at_end(Duration::ZERO, Duration::from_secs(2), round, jitter),
            2000
        );
        assert_eq!(age_at_end(Duration::ZERO, Duration::ZERO, round, jitter), 1);
        assert_eq!(
            age_at_end(Duration::ZERO, Duration::MAX, round, jitter),
            u32::MAX
        );
    }
}
