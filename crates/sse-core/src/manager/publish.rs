//! Publishing of events.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    backplane::{
        Appended, Backplane, BackplaneError, NewEntry, RESPONSE_TIMEOUT,
        acceptance::Duty,
        envelope::Envelope,
        receipt::{PublishError, Receipt},
        within,
    },
    clock::FOREVER,
    dialect::message::Message,
    event::{
        Event,
        cursor::{LogPosition, Mark},
        event_type::EventType,
        into_event::IntoEvent,
        system,
    },
    id::{
        caller::Caller,
        client_id::ClientId,
        key_scope::KeyScope,
        names::{Topic, UserId},
        target::Target,
        validate::FieldError,
    },
    log::{
        entry_key::{EntryKey, IdempotencyKeyError},
        is_logged,
    },
    manager::{Manager, inner::Inner},
    sequencer::Sequenced,
};

/// Retry delay while the backplane accepts nothing.
const BLOCKED: Duration = Duration::from_secs(5);

/// Retry delay of a publish that was not confirmed.
const UNCONFIRMED_RETRY: Duration = Duration::from_secs(1);

/// A publisher of events, as notifications need it: a [`Manager`], or a double in tests.
///
/// ```
/// use std::sync::Mutex;
///
/// use sse_core::{ClientId, Event, Publish, PublishError, Receipt, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// A double that records targets, for tests.
/// #[derive(Default)]
/// struct Recorder(Mutex<Vec<Target>>);
///
/// #[async_trait::async_trait]
/// impl Publish for Recorder {
///     async fn publish(
///         &self,
///         target: Target,
///         _except: &[ClientId],
///         _event: Event,
///     ) -> Result<Receipt, PublishError> {
///         self.0.lock().unwrap().push(target);
///         Ok(Receipt::default())
///     }
/// }
///
/// let recorder = Recorder::default();
/// recorder.publish(Target::All, &[], Event::text("hello")).await?;
/// assert_eq!(*recorder.0.lock().unwrap(), [Target::All]);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Publish: Send + Sync + 'static {
    /// Sends an event to a target, except to some streams. [`Manager::publish`] describes the
    /// guarantees.
    ///
    /// # Errors
    /// [`PublishError`]; see [`Manager::publish`].
    async fn publish(
        &self,
        target: Target,
        except: &[ClientId],
        event: Event,
    ) -> Result<Receipt, PublishError>;
}

#[async_trait]
impl Publish for Manager {
    async fn publish(
        &self,
        target: Target,
        except: &[ClientId],
        event: Event,
    ) -> Result<Receipt, PublishError> {
        publish(&self.inner, target, except, event).await
    }
}

/// A publish with its target set, created by [`Manager::user`], [`Manager::topic`] and the other
/// targeting methods.
///
/// ```
/// use sse_core::{Event, Handshake, Manager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let sender = manager.connect(Handshake::new().topic("chat"))?;
/// let reader = manager.connect(Handshake::new().topic("chat"))?;
///
/// let message = Event::text("hello");
/// let receipt = manager.topic("chat").except(sender.client_id()).publish(message).await?;
/// assert_eq!(receipt.matched, 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until publish is called"]
pub struct PublishTo<'a> {
    pub(crate) manager: &'a Manager,
    pub(crate) target: Result<Target, PublishError>,
    pub(crate) except: Vec<ClientId>,
}

impl PublishTo<'_> {
    /// Excludes a stream, for example the stream that caused the event.
    pub fn except(mut self, client: ClientId) -> Self {
        self.except.push(client);
        self
    }

    /// Sends an event. See [`Manager::publish`].
    ///
    /// # Errors
    /// [`PublishError`]; see [`Manager::publish`].
    pub async fn publish(self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        let target = self.target?;
        publish(
            &self.manager.inner,
            target,
            &self.except,
            event.into_event()?,
        )
        .await
    }
}

impl Manager {
    /// Targets every stream.
    pub fn all(&self) -> PublishTo<'_> {
        self.to(Target::All)
    }

    /// Targets all streams of a user. `publish` reports an invalid name.
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(&self, user: N) -> PublishTo<'_> {
        self.addressed(
            "user",
            user.try_into().map(Target::User).map_err(Into::into),
        )
    }

    /// Targets all streams that joined a topic. `publish` reports an invalid name.
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(&self, topic: N) -> PublishTo<'_> {
        self.addressed(
            "topic",
            topic.try_into().map(Target::Topic).map_err(Into::into),
        )
    }

    /// Targets one stream.
    pub fn client(&self, client: ClientId) -> PublishTo<'_> {
        self.to(Target::Client(client))
    }

    /// Targets a [`Target`].
    pub fn to(&self, target: impl Into<Target>) -> PublishTo<'_> {
        PublishTo {
            manager: self,
            target: Ok(target.into()),
            except: Vec::new(),
        }
    }

    /// Sends an event to a target.
    ///
    /// *Order.* All publishes of a manager have one total order. Every stream receives its events
    /// in that order, whatever their target; connecting, joining and leaving have a position in the
    /// same order. If one task awaits two publishes in turn, the first precedes the second. When
    /// this method returns, the event is in the queue of every stream that it matched.
    ///
    /// *Slow clients.* A publish never waits for a client; the
    /// [`Overflow`](crate::config::Overflow) of a stream applies if its queue is full.
    ///
    /// *Large targets.* An event for very many streams is queued in steps, between which other
    /// tasks of the thread run. Other publishes do not wait for it to finish.
    ///
    /// *Cancel safety.* Dropping the future before its first poll publishes nothing. If it is
    /// dropped later, the event is still delivered to all its streams: by a task on the current
    /// runtime, or, without a runtime, before the drop returns.
    ///
    /// *With a [backplane](crate::ManagerBuilder::backplane)*, the method returns when this node
    /// has received the event from the log. A dropped future can have published the event. An event
    /// that is not logged reaches the other nodes at most once, and has no order relative to the
    /// logged events there. If the log acknowledged the event but this node does not receive it
    /// from there within 10 s, the publish fails with [`PublishError::Unconfirmed`]: a receipt is
    /// never a guess.
    ///
    /// # Errors
    /// [`PublishError`] if the event or the target is invalid, or if a limit is reached; the event
    /// was not sent then. After [`PublishError::Unavailable`] the event can have been sent, and
    /// after [`PublishError::Unconfirmed`] the log has it. An [idempotency
    /// key](crate::Event::with_idempotency_key) makes a retry safe in both cases.
    pub async fn publish(
        &self,
        target: impl Into<Target>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        publish(&self.inner, target.into(), &[], event.into_event()?).await
    }

    /// Returns the scope of a caller's keys.
    ///
    /// Every user has its own scope, including an admin. A caller that is not a user and [may
    /// manage](crate::access::Access::may_manage) is a backend, which shares the app's scope. Every
    /// other caller is anonymous.
    #[must_use]
    pub fn key_scope(&self, caller: &Caller) -> KeyScope {
        match &caller.user {
            Some(user) => KeyScope::User(user.clone()),
            None if self.access().may_manage(caller) => KeyScope::App,
            None => KeyScope::Anonymous,
        }
    }

    fn addressed(&self, field: &'static str, target: Result<Target, FieldError>) -> PublishTo<'_> {
        let target = target.map_err(|source| PublishError::Target { field, source });
        PublishTo {
            manager: self,
            target,
            except: Vec::new(),
        }
    }
}

async fn publish(
    inner: &Arc<Inner>,
    target: Target,
    except: &[ClientId],
    event: Event,
) -> Result<Receipt, PublishError> {
    let placed = match &inner.backplane {
        None => place(inner, &target, except, event)?,
        Some(backplane) => {
            check(inner, &target, &event)?;
            check_size(inner, event.encoded_len())?;
            inner.follow();
            if is_logged(&target, &event) {
                return append(inner, &**backplane, &target, except, &event).await;
            }
            publish_unlogged(inner, &target, except, event).await?
        }
    };
    Ok(placed.finish(inner).await)
}

/// Runs the synchronous part of a publish. It is not part of the future, which would hold the
/// event.
fn place(
    inner: &Inner,
    target: &Target,
    except: &[ClientId],
    event: Event,
) -> Result<Sequenced, PublishError> {
    check(inner, target, &event)?;
    let collapse = inner.collapse(&event);
    if inner.config.log.is_some() {
        check_size(inner, event.encoded_len())?;
        let key = entry_key(inner, &event)?;
        let placed = inner.with_sequencer(|sequencer, tx| {
            sequencer.publish_and_log((target, except), (event, collapse), key, tx)
        });
        return Ok(placed?);
    }
    let message = Message::new(event, collapse, Mark::Unlogged(LogPosition::default()));
    check_size(inner, message.plain().len())?;
    Ok(inner.with_sequencer(|sequencer, tx| sequencer.publish(target, except, message, tx)))
}

/// Publishes outside the log, to the streams of this node and to the other nodes.
async fn publish_unlogged(
    inner: &Arc<Inner>,
    target: &Target,
    except: &[ClientId],
    event: Event,
) -> Result<Sequenced, PublishError> {
    let is_here = matches!(target, Target::Client(id) if inner.sequencer.lock().registry.place(*id).is_some());
    if !is_here {
        let waiting = inner.tickets.take();
        let envelope = Envelope::write(waiting.ticket, target, except, &event);
        signal_with_retries(inner, &envelope, event.retry_for()).await?;
    }
    let collapse = inner.collapse(&event);
    Ok(inner.with_sequencer(|sequencer, tx| {
        let message = Message::new(event, collapse, sequencer.unlogged_mark());
        sequencer.publish(target, except, message, tx)
    }))
}

/// Publishes through the log. Resolves once this node has delivered the entry from the log.
async fn append(
    inner: &Arc<Inner>,
    backplane: &dyn Backplane,
    target: &Target,
    except: &[ClientId],
    event: &Event,
) -> Result<Receipt, PublishError> {
    let mut waiting = inner.tickets.take();
    let payload = Envelope::write(waiting.ticket, target, except, event);
    // A retry must not append the event twice.
    let key = match (entry_key(inner, event)?, event.retry_for()) {
        (None, Some(_)) => Some(random_key(inner, event)?),
        (key, _) => key,
    };
    let entry = NewEntry { payload, key };
    let (appended, tries) = append_with_retries(inner, backplane, entry, event.retry_for()).await?;
    let id = Some(appended.cursor.to_id());
    // After a retry, the duplicate can be this publish's own entry: then its ticket reports how
    // many streams it reached.
    let limit = if appended.duplicate && tries == 1 {
        Duration::ZERO
    } else {
        RESPONSE_TIMEOUT
    };
    let matched = match timeout(limit, waiting.matched()).await {
        Ok(Some(matched)) => Some(matched),
        _ => None,
    };
    match matched {
        Some(matched) => Ok(Receipt {
            matched,
            id,
            duplicate: false,
        }),
        None if appended.duplicate => {
            if let Some(log) = &mut inner.sequencer.lock().log {
                log.counts.duplicates += 1;
            }
            Ok(Receipt {
                matched: 0,
                id,
                duplicate: true,
            })
        }
        // The number of streams that the entry will reach is unknown.
        None => Err(PublishError::Unconfirmed {
            id: appended.cursor.to_id(),
            retry_after: UNCONFIRMED_RETRY,
        }),
    }
}

async fn append_with_retries(
    inner: &Inner,
    backplane: &dyn Backplane,
    entry: NewEntry,
    retry_for: Option<Duration>,
) -> Result<(Appended, u32), PublishError> {
    let deadline = Instant::now() + retry_for.unwrap_or_default().min(FOREVER);
    let mut room = None;
    let mut tries = 1;
    loop {
        let started = Instant::now();
        let appended = within(RESPONSE_TIMEOUT, backplane.append(entry.clone())).await;
        if let Err(BackplaneError::KeysFull(full)) = appended {
            inner
                .sequencer
                .lock()
                .log
                .iter_mut()
                .for_each(|log| log.counts.keys_refused += 1);
            return Err(full.into());
        }
        inner
            .append_times
            .record(started.elapsed(), appended.is_ok());
        inner
            .acceptance
            .note(Duty::Append, backplane, entry.payload.len(), &appended);
        let error = match appended {
            Ok(appended) => return Ok((appended, tries)),
            // This error concerns only the event; all other errors are temporary.
            Err(error @ BackplaneError::TooLarge { .. }) => {
                return Err(PublishError::Backplane(error));
            }
            Err(error) => error,
        };
        if room.is_none() && retry_for.is_some() {
            room = inner.spool.room(entry.payload.len());
        }
        let wait = inner.jitter.pause(tries);
        if room.is_none() || Instant::now() + wait >= deadline {
            return Err(unavailable(error));
        }
        sleep(wait).await;
        tries += 1;
    }
}

/// Sends a signal at most once: only a signal that was certainly not sent is retried.
async fn signal_with_retries(
    inner: &Inner,
    envelope: &[u8],
    retry_for: Option<Duration>,
) -> Result<(), PublishError> {
    let deadline = Instant::now() + retry_for.unwrap_or_default().min(FOREVER);
    let mut room = None;
    let mut tries = 1;
    loop {
        let error = match inner.signal_event(envelope).await {
            Ok(()) => return Ok(()),
            Err(
                error @ (BackplaneError::Blocked { .. }
                | BackplaneError::Rejected { .. }
                | BackplaneError::Busy),
            ) => error,
            Err(error) => return Err(unavailable(error)),
        };
        if room.is_none() && retry_for.is_some() {
            room = inner.spool.room(envelope.len());
        }
        let wait = inner.jitter.pause(tries);
        if room.is_none() || Instant::now() + wait >= deadline {
            return Err(unavailable(error));
        }
        sleep(wait).await;
        tries += 1;
    }
}

fn unavailable(source: BackplaneError) -> PublishError {
    match source {
        BackplaneError::Unavailable { retry_after, .. } => PublishError::Unavailable {
            retry_after,
            source,
        },
        BackplaneError::TooLarge { .. } => PublishError::Backplane(source),
        BackplaneError::Blocked { .. } | BackplaneError::Rejected { .. } => {
            PublishError::Unavailable {
                retry_after: BLOCKED,
                source,
            }
        }
        source => PublishError::Unavailable {
            retry_after: Duration::from_millis(100),
            source,
        },
    }
}

fn check(inner: &Inner, target: &Target, event: &Event) -> Result<(), PublishError> {
    let limits = inner.config.limits;
    let name = match target {
        Target::User(user) => Some(("user", user.as_str(), limits.user)),
        Target::Topic(topic) => Some(("topic", topic.as_str(), limits.topic)),
        Target::All | Target::Client(_) => None,
    };
    if let Some((field, name, limit)) = name {
        FieldError::check_length(name, limit)
            .map_err(|source| PublishError::Target { field, source })?;
    }
    if let Some(event_type) = event.event_type() {
        check_event_type(event_type, limits.event_type)?;
    }
    if inner.has_log() && event.id().is_some() {
        return Err(PublishError::Id);
    }
    if let Some(key) = event.idempotency_key() {
        check_key(key, inner.has_log() && is_logged(target, event)).map_err(PublishError::Key)?;
    }
    match system::reserved_name(event) {
        Some(name) => Err(PublishError::Reserved {
            kind: "system event",
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

fn check_key(key: &str, is_logged: bool) -> Result<(), IdempotencyKeyError> {
    EntryKey::check_length(key)?;
    if is_logged {
        Ok(())
    } else {
        Err(IdempotencyKeyError::NotLogged)
    }
}

/// Returns the event's idempotency key in its scope.
fn entry_key(inner: &Inner, event: &Event) -> Result<Option<EntryKey>, PublishError> {
    let Some(key) = event.idempotency_key() else {
        return Ok(None);
    };
    EntryKey::new(event.key_scope(), key, inner.config.keys)
        .map(Some)
        .map_err(PublishError::Key)
}

/// Creates a key for retries of an event without its own key.
fn random_key(inner: &Inner, event: &Event) -> Result<EntryKey, PublishError> {
    let key = format!("{:032x}", rand::random::<u128>());
    EntryKey::new(event.key_scope(), &key, inner.config.keys).map_err(PublishError::Key)
}

fn check_event_type(event_type: &EventType, limit: usize) -> Result<(), PublishError> {
    FieldError::check_length(event_type.as_str(), limit).map_err(PublishError::EventType)?;
    if event_type.is_reserved() {
        return Err(PublishError::Reserved {
            kind: "event type",
            name: event_type.to_string(),
        });
    }
    Ok(())
}

fn check_size(inner: &Inner, size: usize) -> Result<(), PublishError> {
    let limit = inner.rules.bounds.bytes;
    match size {
        0 => Err(PublishError::Empty),
        size if size > limit => Err(PublishError::TooLarge { size, limit }),
        _ => Ok(()),
    }
}
