//! Publishing: what others need of a manager for it, and how it is done.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{runtime::Handle, task::yield_now, time::Instant};

use crate::{
    client_id::ClientId,
    delivery::Job,
    event::Event,
    event_type::EventType,
    field::FieldError,
    inner::Inner,
    into_event::IntoEvent,
    manager::Manager,
    message::Message,
    name::{Topic, UserId},
    order::Placed,
    receipt::{PublishError, Receipt},
    system,
    target::Target,
};

/// So many streams get an event while the manager's lock is held once.
const STEP: usize = 128;

/// After so long a publish lets other tasks of its thread run.
const TURN: Duration = Duration::from_millis(1);

/// What sends events, as notifications need it: a [`Manager`], or a double in tests.
#[async_trait]
pub trait Publish: Send + Sync + 'static {
    /// Sends an event to a target, except to some streams. See [`Manager::publish`] for what a caller may rely on.
    ///
    /// # Errors
    /// [`PublishError`] when the event or the target is not allowed; nothing was sent then.
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

/// A publish that has its target, and may get exceptions; made by [`Manager::user`] and its like.
#[derive(Debug)]
#[must_use = "nothing is sent until publish is called"]
pub struct Addressed<'a> {
    pub(crate) manager: &'a Manager,
    pub(crate) target: Result<Target, PublishError>,
    pub(crate) except: Vec<ClientId>,
}

impl Addressed<'_> {
    /// Leaves a stream out, for example the one that caused the event.
    pub fn except(mut self, client: ClientId) -> Self {
        self.except.push(client);
        self
    }

    /// Sends an event. See [`Manager::publish`].
    ///
    /// # Errors
    /// [`PublishError`] when the event or the target is not allowed; nothing was sent then.
    pub async fn publish(self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        let target = self.target?;
        publish(&self.manager.inner, target, &self.except, event.into_event()?).await
    }
}

impl Manager {
    /// Addresses every stream.
    pub fn all(&self) -> Addressed<'_> {
        self.to(Target::All)
    }

    /// Addresses all streams of a user. A name that cannot be one is told by `publish`.
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(&self, user: N) -> Addressed<'_> {
        self.addressed("user", user.try_into().map(Target::User).map_err(Into::into))
    }

    /// Addresses all streams that joined a topic. A name that cannot be one is told by `publish`.
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(&self, topic: N) -> Addressed<'_> {
        self.addressed("topic", topic.try_into().map(Target::Topic).map_err(Into::into))
    }

    /// Addresses one stream.
    pub fn client(&self, client: ClientId) -> Addressed<'_> {
        self.to(Target::Client(client))
    }

    /// Addresses a target.
    pub fn to(&self, target: impl Into<Target>) -> Addressed<'_> {
        Addressed { manager: self, target: Ok(target.into()), except: Vec::new() }
    }

    /// Sends an event to a target.
    ///
    /// *Order.* All publishes of a manager have one total order, and every stream sees its events in it, whatever their target;
    /// connecting, joining and leaving have a place in the same order. Of two publishes that one task awaits in turn, the first
    /// comes first. When this returns, the event is in the queue of every stream that it matched.
    ///
    /// *Slow clients.* It never waits for a client; a full queue is its stream's [`Overflow`](crate::Overflow).
    ///
    /// *Long lists.* An event for very many streams is put into their queues in steps, between which other tasks of the thread
    /// run; other publishes do not wait for it to finish.
    ///
    /// *Cancel safety.* Dropping the future before its first poll publishes nothing. Dropped later, the event is still delivered to all its
    /// streams: by a task on the current runtime, or, where there is none, before the drop returns.
    ///
    /// # Errors
    /// [`PublishError`] when the event or the target is not allowed; nothing was sent then.
    pub async fn publish(
        &self,
        target: impl Into<Target>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        publish(&self.inner, target.into(), &[], event.into_event()?).await
    }

    fn addressed(&self, field: &'static str, target: Result<Target, FieldError>) -> Addressed<'_> {
        let target = target.map_err(|source| PublishError::Target { field, source });
        Addressed { manager: self, target, except: Vec::new() }
    }
}

async fn publish(
    inner: &Arc<Inner>,
    target: Target,
    except: &[ClientId],
    event: Event,
) -> Result<Receipt, PublishError> {
    match place(inner, &target, except, event)? {
        Placed::Done(receipt) => Ok(receipt),
        Placed::Sweeping(job, receipt) => {
            let mut sweep =
                Sweep { inner: Arc::clone(inner), job, cursor: 0, done: false, handed_over: false };
            while !sweep.turn() {
                yield_now().await;
            }
            Ok(receipt)
        }
    }
}

/// What a publish does at once; not in the future, which would keep the event.
fn place(inner: &Inner, target: &Target, except: &[ClientId], event: Event) -> Result<Placed, PublishError> {
    check(inner, target, &event)?;
    let collapse = inner.collapse(&event);
    let message = Message::new(event, collapse);
    check_size(inner, message.plain().len())?;
    Ok(inner.with_order(|order, hold| order.publish(target, except, message, hold)))
}

fn check(inner: &Inner, target: &Target, event: &Event) -> Result<(), PublishError> {
    let limits = inner.config.limits;
    let name = match target {
        Target::User(user) => Some(("user", user.as_str(), limits.user)),
        Target::Topic(topic) => Some(("topic", topic.as_str(), limits.topic)),
        Target::All | Target::Client(_) => None,
    };
    if let Some((field, name, limit)) = name {
        FieldError::check_length(name, limit).map_err(|source| PublishError::Target { field, source })?;
    }
    if let Some(event_type) = event.event_type_ref() {
        check_event_type(event_type, limits.event_type)?;
    }
    match system::reserved_name(event) {
        Some(name) => Err(PublishError::Reserved { kind: "system event", name: name.to_owned() }),
        None => Ok(()),
    }
}

fn check_event_type(event_type: &EventType, limit: usize) -> Result<(), PublishError> {
    FieldError::check_length(event_type.as_str(), limit).map_err(PublishError::EventType)?;
    if event_type.is_reserved() {
        return Err(PublishError::Reserved { kind: "event type", name: event_type.to_string() });
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

/// A publish under way. Dropped before its end, somebody else brings it to its end.
struct Sweep {
    inner: Arc<Inner>,
    job: Arc<Job>,
    cursor: u32,
    done: bool,
    /// Whether it is in a task of its own. A runtime that shuts down drops the tasks that are spawned on it at once,
    /// so there is not another one.
    handed_over: bool,
}

impl Sweep {
    /// Reaches streams until the turn is over; `true` when there are no more.
    fn turn(&mut self) -> bool {
        let start = Instant::now();
        while !self.done {
            let Self { inner, job, cursor, .. } = self;
            self.done = inner.with_order(|order, hold| order.sweep(job, cursor, STEP, hold));
            if start.elapsed() >= TURN {
                break;
            }
        }
        self.done
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut rest = Self {
            inner: Arc::clone(&self.inner),
            job: Arc::clone(&self.job),
            cursor: self.cursor,
            done: std::mem::replace(&mut self.done, true),
            handed_over: true,
        };
        match Handle::try_current() {
            Ok(runtime) if !self.handed_over && !std::thread::panicking() => {
                runtime.spawn(async move {
                    while !rest.turn() {
                        yield_now().await;
                    }
                });
            }
            _ => while !rest.turn() {},
        }
    }
}
