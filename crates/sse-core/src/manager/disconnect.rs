//! Ending streams from outside.

use std::time::Duration;

use tokio::task::yield_now;

use crate::{
    dialect::{farewell::Farewell, reason::DisconnectReason},
    id::target::Target,
    manager::Manager,
    registry::bans::Banned,
};

/// So many streams are ended while the manager's lock is held once.
const STEP: usize = 128;

/// Nobody is kept away for longer.
const LONGEST: Duration = Duration::from_secs(20 * 24 * 60 * 60);

/// How streams are ended by [`Manager::disconnect`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DisconnectOptions {
    reason: Option<String>,
    ban_for: Option<Duration>,
}

impl DisconnectOptions {
    /// With the reason `kicked`; clients may come back.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says why, in words that the client gets in the `disconnected` event.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Tells clients not to come back, and refuses them with 204 for so long (at most 20 days).
    /// Only for [`Target::User`] and [`Target::Client`].
    ///
    /// Of a client its [login](crate::Caller::login) is refused, so every stream of that browser's;
    /// those that are live stay until they end. A stream without a login
    /// ([`Connection::login_id`](crate::Connection::login_id)) is ended, and may come back.
    pub fn ban_for(mut self, duration: Duration) -> Self {
        self.ban_for = Some(duration.min(LONGEST));
        self
    }

    /// What was given as reason.
    #[must_use]
    pub fn reason_ref(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// For how long clients are to stay away.
    #[must_use]
    pub fn ban_duration(&self) -> Option<Duration> {
        self.ban_for
    }
}

impl Manager {
    /// Refuses a user or a login with 204 for so long from now on (at most 20 days), or for longer
    /// if that was said before, without ending streams. At most 10,000 are kept away; beyond it the
    /// one whose term ends first may return.
    pub fn ban(&self, who: impl Into<Banned>, duration: Duration) {
        let (who, uptime_ms, duration) = (
            who.into(),
            self.inner.clock.uptime_ms(),
            duration.min(LONGEST),
        );
        let mut order = self.inner.order.lock();
        if order
            .away
            .left(&who, uptime_ms)
            .is_none_or(|left| left < duration)
        {
            order.away.keep(who, uptime_ms, duration);
        }
    }

    /// Who is kept away, and for how much longer.
    #[must_use]
    pub fn bans(&self) -> Vec<(Banned, Duration)> {
        self.inner
            .order
            .lock()
            .away
            .all(self.inner.clock.uptime_ms())
    }

    /// Ends the streams of a target, each with a `disconnected` event. Gives their number.
    ///
    /// Streams that connect while it runs are ended or not. Dropping the future leaves the rest as
    /// they are.
    pub async fn disconnect(&self, target: impl Into<Target>, how: DisconnectOptions) -> usize {
        let target = target.into();
        let mut farewell = Farewell::new(DisconnectReason::Kicked);
        farewell.note = how.reason.map(Into::into);
        let mut left = {
            let mut order = self.inner.order.lock();
            if let Some((who, duration)) = how
                .ban_for
                .and_then(|time| Some((order.absentee(&target)?, time)))
            {
                order.away.keep(who, self.inner.clock.uptime_ms(), duration);
                farewell.reconnect = false;
            }
            order.size_of(&target)
        };
        let mut ended = 0;
        let mut cursor = 0;
        while left > 0 {
            let found = self.inner.with_sequencer(|order, hold| {
                let places = order.some_in(&target, &mut cursor, STEP.min(left));
                for place in &places {
                    ended += usize::from(order.end(*place, farewell.clone(), hold));
                }
                places.len()
            });
            if found == 0 {
                break;
            }
            left -= found;
            yield_now().await;
        }
        ended
    }
}
