//! The manager of streams: accepts connections and delivers events.

pub(crate) mod append_times;
pub(crate) mod broadcast;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod disconnect;
pub(crate) mod driver;
pub(crate) mod handshake;
pub(crate) mod inner;
pub(crate) mod log_stats;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod release;
pub(crate) mod renew;
pub(crate) mod session;
pub(crate) mod shutdown;
pub(crate) mod signals;
pub(crate) mod stats;
pub(crate) mod timer;
pub(crate) mod topics;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64},
    },
    time::Duration,
};

use smallvec::SmallVec;
use tracing::debug;

use crate::{
    clock::unix_ms,
    dialect::{
        DialectIndex,
        connect_error::{ConnectError, ConnectErrorKind},
        farewell::Farewell,
        hello::Hello,
        reason::DisconnectReason,
    },
    id::{
        access::Access,
        names::{Topic, UserId},
        validate::FieldError,
    },
    jitter::Jitter,
    manager::{
        config::{Config, LimitPolicy, RejectionStyle},
        handshake::{Handshake, REQUESTED_TOPIC, SET_TOPIC, USER},
        inner::Inner,
        session::Session,
        stats::{Counters, Stats},
    },
    registry::{Registry, groups::GroupKind},
    sequencer::{Sequencer, fanout::Tx},
    stream::{queue::Queue, shared::StreamState},
};

/// The centre of a server: accepts streams, and delivers events to them. A clone is cheap and
/// refers to the same manager.
///
/// A manager is not bound to a runtime: any number of runtimes can hold its streams and publish.
/// One runtime has its [background work](crate::ManagerBuilder::runtime).
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager};
///
/// let manager = Manager::builder().build()?;
/// let mut stream = manager.connect(Handshake::new().user("42").topic("news"))?;
///
/// let receipt = manager.user("42").publish(Event::text("hello")).await?;
/// assert_eq!(receipt.matched, 1);
///
/// stream.next().await; // `connection`
/// assert_eq!(stream.next().await.unwrap(), "data: hello\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Manager {
    pub(crate) inner: Arc<Inner>,
}

impl Manager {
    /// Returns the settings that the manager was built with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns the access rules for callers.
    #[must_use]
    pub fn access(&self) -> &dyn Access {
        &*self.inner.access
    }

    /// Accepts a stream. The stream takes its position in the order of publishes during this call,
    /// and receives every later event whose target includes it.
    ///
    /// # Errors
    /// [`ConnectError`] with the cause, which the statistics also count. Respond to the client with
    /// [`ConnectError::response`].
    pub fn connect(&self, handshake: impl Into<Handshake>) -> Result<Session, ConnectError> {
        let handshake = handshake.into();
        let user = handshake.caller.user.clone();
        let is_soft = match self.inner.config.refusal {
            RejectionStyle::Auto => handshake.accepts_streams_only,
            RejectionStyle::Status => false,
            RejectionStyle::Soft => true,
        };
        let accepted = self
            .accept(handshake)
            .map_err(|cause| self.refuse(cause, is_soft));
        match &accepted {
            Ok(session) => {
                debug!(client_id = %session.client_id(), user_id = user.as_ref().map(UserId::as_str), "stream accepted");
            }
            Err(refused) => {
                debug!(
                    cause = refused.cause().as_str(),
                    user_id = user.as_ref().map(UserId::as_str),
                    "stream rejected"
                );
            }
        }
        accepted
    }

    /// Returns statistics about the manager at this moment. The cost does not depend on the number
    /// of streams.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (delivered, bytes) = (self.inner.delivered.sum(), self.inner.bytes.sum());
        let sequencer = self.inner.sequencer.lock();
        let live = sequencer.registry.streams.len();
        Stats {
            total_connections: live,
            unique_users: sequencer.registry.groups.users(),
            ending: self.inner.open().saturating_sub(live),
            counters: Counters::new(&sequencer.counts, delivered, bytes),
        }
    }

    /// Returns `true` once [`Manager::shutdown`] was called and its delay is over: new streams are
    /// rejected.
    #[must_use]
    pub fn rejects_streams(&self) -> bool {
        self.inner.sequencer.lock().draining
    }

    fn accept(&self, handshake: Handshake) -> Result<Session, ConnectErrorKind> {
        let (handshake, dialect) = self.check(handshake)?;
        let inner = &self.inner;
        let left = handshake.caller.time_left();
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ConnectErrorKind::Unauthenticated);
        }
        inner.follow();
        let (shared, start) = inner.with_sequencer(|sequencer, tx| {
            self.make_room(sequencer, &handshake, tx)?;
            let shared = self
                .register(sequencer, &handshake, dialect, tx)
                .ok_or(ConnectErrorKind::Full)?;
            let start = sequencer.start(
                &shared,
                handshake.last_event_id.as_deref(),
                &inner.rules.dialects,
                tx,
            );
            Ok((shared, start))
        })?;
        shared.expires_in(left, shared.opened_ms, inner.round, &inner.jitter);
        timer::ensure(inner);
        let hello = Hello {
            client_id: shared.id,
            user_id: shared.user.clone(),
            resumed: start.resumed,
            heartbeat: inner
                .heartbeat
                .as_ref()
                .map(|_| inner.config.heartbeat_interval),
            retry: inner
                .jitter
                .between(inner.config.retry * 3 / 4, inner.config.retry * 5 / 4),
            id: start.id,
            timestamp: shared.connected_at,
        };
        let info = shared.info();
        let session = Session::new(
            shared,
            Arc::clone(inner),
            hello,
            handshake.last_event_id,
            start.catching,
        );
        inner.hooks.connected(&info);
        Ok(session)
    }

    /// Runs all checks that do not need the lock.
    fn check(
        &self,
        mut handshake: Handshake,
    ) -> Result<(Handshake, DialectIndex), ConnectErrorKind> {
        let inner = &self.inner;
        if let Some(problem) = handshake.problem.take() {
            return Err(problem);
        }
        let limits = inner.config.limits;
        if let Some(user) = &handshake.caller.user {
            check_length(USER, user.as_str(), limits.user)?;
        }
        let mut topics = std::mem::take(&mut handshake.topics);
        check_lengths(SET_TOPIC, &topics, limits.topic)?;
        check_lengths(REQUESTED_TOPIC, &handshake.requested_topics, limits.topic)?;
        topics.append(&mut handshake.requested_topics.clone());
        topics.sort_unstable();
        topics.dedup();
        if topics.len() > limits.topics {
            let mut requested = handshake.requested_topics;
            requested.sort_unstable();
            requested.dedup();
            return Err(ConnectErrorKind::TooManyTopics {
                count: topics.len(),
                requested: requested.len(),
                limit: limits.topics,
            });
        }
        let may_join = |topic: &&Topic| inner.access.may_join(&handshake.caller, topic);
        if let Some(forbidden) = handshake
            .requested_topics
            .iter()
            .find(|topic| !may_join(topic))
        {
            return Err(ConnectErrorKind::Forbidden(forbidden.clone()));
        }
        handshake.topics = topics;
        let dialect = match &handshake.dialect {
            Some(dialect) => inner
                .rules
                .dialects
                .index(dialect)
                .ok_or(ConnectErrorKind::TooManyDialects)?,
            None => DialectIndex::PLAIN,
        };
        inner.note_overflow(handshake.overflow.unwrap_or(inner.config.overflow));
        Ok((handshake, dialect))
    }

    /// Enforces the limits. Ends older streams if the policy says so, but no stream if the new
    /// stream is rejected after all.
    fn make_room(
        &self,
        sequencer: &mut Sequencer,
        handshake: &Handshake,
        tx: &mut Tx<'_>,
    ) -> Result<(), ConnectErrorKind> {
        let config = &self.inner.config;
        if sequencer.draining {
            return Err(ConnectErrorKind::ShuttingDown);
        }
        if sequencer.log.as_ref().is_some_and(|log| !log.is_started()) {
            return Err(ConnectErrorKind::Starting);
        }
        let mut replaced = Replaced::new();
        if sequencer
            .bans
            .is_banned(&handshake.caller, self.inner.clock.uptime_ms())
        {
            return Err(ConnectErrorKind::Banned);
        }
        if let (Some(user), Some(most)) = (&handshake.caller.user, config.max_connections_per_user)
        {
            let group = (GroupKind::User, user.as_str());
            find_room(sequencer, group, most, config.when_user_full, &mut replaced)
                .ok_or(ConnectErrorKind::UserLimit)?;
        }
        if let (Some(address), Some(most)) = (handshake.address, config.max_connections_per_address)
        {
            let name = Registry::address_name(address);
            let group = (GroupKind::Address, &*name);
            find_room(
                sequencer,
                group,
                most,
                config.when_address_full,
                &mut replaced,
            )
            .ok_or(ConnectErrorKind::AddressLimit)?;
        }
        if let (None, Some(address), Some(most)) = (
            &handshake.caller.user,
            handshake.address,
            config.max_anonymous_connections_per_address,
        ) {
            let name = Registry::address_name(address);
            let group = (GroupKind::Anonymous, &*name);
            find_room(sequencer, group, most, LimitPolicy::Refuse, &mut replaced)
                .ok_or(ConnectErrorKind::AddressLimit)?;
        }
        self.find_room_in_all(sequencer, &mut replaced)?;
        for place in replaced {
            sequencer.end(place, Farewell::new(DisconnectReason::Replaced), tx);
        }
        Ok(())
    }

    fn find_room_in_all(
        &self,
        sequencer: &mut Sequencer,
        replaced: &mut Replaced,
    ) -> Result<(), ConnectErrorKind> {
        let config = &self.inner.config;
        let replace = config.when_full == LimitPolicy::ReplaceOldest;
        // Ending streams still hold a connection. If new streams replace old streams, live and
        // ending streams together are at most twice the limit.
        let open = self.inner.open();
        let most = if replace {
            2 * config.max_connections
        } else {
            config.max_connections
        };
        if open >= most {
            return Err(ConnectErrorKind::Full);
        }
        if sequencer.registry.streams.len() - replaced.len() >= config.max_connections {
            replaced.push(sequencer.registry.oldest().ok_or(ConnectErrorKind::Full)?);
        }
        Ok(())
    }

    fn register(
        &self,
        sequencer: &mut Sequencer,
        handshake: &Handshake,
        dialect: DialectIndex,
        tx: &mut Tx<'_>,
    ) -> Option<Arc<StreamState>> {
        let inner = &self.inner;
        let config = &inner.config;
        let seq = sequencer.next();
        if let Some(user) = &handshake.caller.user {
            sequencer.deliver_pending_only_of(user, tx);
        }
        let user = handshake
            .caller
            .user
            .as_ref()
            .map(|user| sequencer.registry.shared_user(user));
        let shared = sequencer.registry.insert(|place, id| StreamState {
            id,
            user,
            address: handshake.address,
            connected_at: unix_ms(),
            opened_ms: inner.clock.uptime_ms(),
            arrival: seq,
            ends_after_ms: config
                .max_age
                .map_or(0, |age| random_age_ms(&inner.jitter, age)),
            expires_after_ms: AtomicU32::new(0),
            place,
            dialect,
            overflow: handshake.overflow.unwrap_or(config.overflow),
            queue: Queue::new(seq, tx.now),
            bytes: AtomicU64::new(0),
        })?;
        inner.opened();
        sequencer.counts.connected += 1;
        let place = shared.place;
        if let Some(user) = &shared.user {
            sequencer.registry.join(place, GroupKind::User, user.text());
        }
        if let Some(login) = handshake.caller.login {
            sequencer.registry.set_login(place, login);
        }
        if let (Some(address), Some(_)) = (shared.address, config.max_connections_per_address) {
            sequencer
                .registry
                .join(place, GroupKind::Address, &Registry::address_name(address));
        }
        if let (None, Some(address), Some(_)) = (
            &shared.user,
            shared.address,
            config.max_anonymous_connections_per_address,
        ) {
            sequencer.registry.join(
                place,
                GroupKind::Anonymous,
                &Registry::address_name(address),
            );
        }
        for topic in &handshake.topics {
            sequencer
                .registry
                .join(place, GroupKind::Topic, topic.text());
        }
        Some(shared)
    }

    /// Returns the delay after which a client should retry that was rejected for a temporary cause.
    /// The delay is a random one to five times [`Config::retry`], or one to five seconds if `retry`
    /// is shorter than a second, so that rejected clients do not return together.
    #[must_use]
    pub fn retry_delay(&self) -> Duration {
        let least = self.inner.config.retry.max(Duration::from_secs(1));
        self.inner.jitter.between(least, least * 5)
    }

    fn refuse(&self, cause: ConnectErrorKind, is_soft: bool) -> ConnectError {
        self.inner.sequencer.lock().counts.refused[cause.index()] += 1;
        ConnectError::new(cause)
            .with_retry_after(self.retry_delay())
            .softly(is_soft)
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// Indexes of the streams that a new stream replaces; at most one for each limit.
type Replaced = SmallVec<[u32; 3]>;

/// Finds room in a group, counting the streams that are replaced anyway as gone.
fn find_room(
    sequencer: &Sequencer,
    (kind, name): (GroupKind, &str),
    most: usize,
    policy: LimitPolicy,
    replaced: &mut Replaced,
) -> Option<()> {
    let members = sequencer.registry.members(kind, name);
    let leaving = replaced
        .iter()
        .filter(|place| sequencer.registry.membership(**place, kind, name).is_some())
        .count();
    if members.len() - leaving < most {
        return Some(());
    }
    match policy {
        LimitPolicy::Refuse => None,
        LimitPolicy::ReplaceOldest => {
            replaced.push(sequencer.registry.oldest_of(kind, name)?);
            Some(())
        }
    }
}

fn check_length(field: &'static str, name: &str, limit: usize) -> Result<(), ConnectErrorKind> {
    FieldError::check_length(name, limit)
        .map_err(|source| ConnectErrorKind::Invalid { field, source })
}

fn check_lengths(
    field: &'static str,
    topics: &[Topic],
    limit: usize,
) -> Result<(), ConnectErrorKind> {
    topics
        .iter()
        .try_for_each(|topic| check_length(field, topic.as_str(), limit))
}

/// Returns a random 85 to 100 % of the age, so that streams that connected together do not end
/// together. A check can end a stream 5 % too early (see `Schedule`), which makes it 80 to 100 %.
fn random_age_ms(jitter: &Jitter, age: Duration) -> u32 {
    u32::try_from(jitter.between(age * 17 / 20, age).as_millis()).unwrap_or(u32::MAX)
}
