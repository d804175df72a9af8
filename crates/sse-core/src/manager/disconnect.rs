//! Ending streams on request.

use std::time::Duration;

use tokio::task::yield_now;

use crate::{
    dialect::{farewell::Farewell, reason::DisconnectReason},
    id::target::Target,
    manager::Manager,
    registry::bans::Banned,
};

/// Maximum number of streams that are ended while the manager's lock is held once.
const STEP: usize = 128;

/// Maximum duration of a ban.
const LONGEST: Duration = Duration::from_secs(20 * 24 * 60 * 60);

/// Options of [`Manager::disconnect`].
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{DisconnectOptions, Handshake, Manager, UserId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42"))?;
///
/// let hour = Duration::from_secs(60 * 60);
/// let options = DisconnectOptions::new().with_reason("account closed").with_ban_for(hour);
/// assert_eq!(manager.disconnect(UserId::new("42")?, options).await, 1);
/// assert!(manager.connect(Handshake::new().user("42")).is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct DisconnectOptions {
    reason: Option<String>,
    ban_for: Option<Duration>,
}

impl DisconnectOptions {
    /// Creates options with the reason `kicked`; clients can reconnect.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the reason that the client receives in the `disconnected` event.
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Tells clients not to reconnect, and rejects them with status 204 for `duration` (at most 20
    /// days). An earlier ban that lasts longer stays. Applies only to [`Target::User`] and
    /// [`Target::Client`].
    ///
    /// For a client, the ban applies to its [login](crate::Caller::login), and so to every new
    /// stream of that browser; its other live streams stay until they end. A stream without a login
    /// ([`Connection::login_id`](crate::connections::Connection::login_id)) is ended, and its
    /// client can reconnect.
    pub fn with_ban_for(mut self, duration: Duration) -> Self {
        self.ban_for = Some(duration.min(LONGEST));
        self
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the duration of the ban.
    #[must_use]
    pub fn ban_for(&self) -> Option<Duration> {
        self.ban_for
    }
}

impl Manager {
    /// Rejects a user or a login with status 204 for `duration` from now on (at most 20 days),
    /// without ending streams. An earlier ban that lasts longer stays. At most 10,000 bans exist at
    /// a time; beyond that, the ban that expires first is lifted early.
    pub fn ban(&self, who: impl Into<Banned>, duration: Duration) {
        let uptime_ms = self.inner.clock.uptime_ms();
        let mut sequencer = self.inner.sequencer.lock();
        sequencer
            .bans
            .ban(who.into(), uptime_ms, duration.min(LONGEST));
    }

    /// Returns the bans with their remaining durations.
    #[must_use]
    pub fn bans(&self) -> Vec<(Banned, Duration)> {
        self.inner
            .sequencer
            .lock()
            .bans
            .all(self.inner.clock.uptime_ms())
    }

    /// Ends the streams of a target on this node, each with a `disconnected` event. Returns their
    /// number.
    ///
    /// Streams that connect in the meantime are either ended or kept. Dropping the future leaves
    /// the remaining streams connected.
    pub async fn disconnect(&self, target: impl Into<Target>, how: DisconnectOptions) -> usize {
        let target = target.into();
        let mut farewell = Farewell::new(DisconnectReason::Kicked);
        farewell.note = how.reason.map(Into::into);
        let mut left = {
            let mut sequencer = self.inner.sequencer.lock();
            if let Some((who, duration)) = how
                .ban_for
                .and_then(|time| Some((sequencer.ban_subject(&target)?, time)))
            {
                sequencer
                    .bans
                    .ban(who, self.inner.clock.uptime_ms(), duration);
                farewell.reconnect = false;
            }
            sequencer.size_of(&target)
        };
        let mut ended = 0;
        let mut cursor = 0;
        while left > 0 {
            let found = self.inner.with_sequencer(|sequencer, tx| {
                let places = sequencer.some_in(&target, &mut cursor, STEP.min(left));
                for place in &places {
                    ended += usize::from(sequencer.end(*place, farewell.clone(), tx));
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
