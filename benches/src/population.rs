//! A manager with many streams.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::Stream as _;
use sse_core::{Event, Handshake, Manager, ManagerBuilder, Session, Target, Topic, UserId};

/// Number of topics in the largest population.
const TOPICS: usize = 10_000;

/// Number of streams in a topic.
pub(crate) const TOPIC_SIZE: usize = 100;

/// A manager with many streams. Each stream has its own user and one topic, which about
/// [`TOPIC_SIZE`] streams share, and waits for its first event.
///
/// Runs outside of a runtime, so heartbeats and tasks do not disturb the measurement.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) manager: Manager,
    pub(crate) sessions: Vec<Session>,
}

impl Population {
    /// Creates a population of `size` streams, at a manager with some settings.
    pub(crate) fn new(manager: ManagerBuilder, size: usize) -> Self {
        let mut population = Self::empty(manager, size);
        (0..size).for_each(|number| population.add(number));
        population
    }

    /// Creates an empty population, with room for `size` streams.
    pub(crate) fn empty(manager: ManagerBuilder, size: usize) -> Self {
        let manager = manager
            .max_connections(size + 1000)
            .build()
            .expect("the settings are valid");
        Self {
            manager,
            sessions: Vec::with_capacity(size),
        }
    }

    /// Connects a stream, which stays.
    pub(crate) fn add(&mut self, number: usize) {
        let mut session = self.connect(number);
        drain(&mut session);
        self.sessions.push(session);
    }

    fn connect(&self, number: usize) -> Session {
        let handshake = Handshake::new()
            .user(user(number))
            .topic(topic(number % self.topics()));
        self.manager
            .connect(handshake)
            .expect("the manager has room")
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Returns the number of topics. Users and topics are spread over the memory: the streams of a
    /// topic did not connect one after the other.
    pub(crate) fn topics(&self) -> usize {
        TOPICS.min(self.sessions.capacity() / TOPIC_SIZE).max(1)
    }

    /// Publishes, and returns the number of streams that matched.
    pub(crate) fn publish(&self, target: Target, event: Event) -> usize {
        self.publish_by(target, event, |poll| poll())
    }

    /// Publishes, and lets `each` make every poll of the publish, to measure it.
    pub(crate) fn publish_by(
        &self,
        target: Target,
        event: Event,
        mut each: impl FnMut(&mut dyn FnMut() -> Poll<usize>) -> Poll<usize>,
    ) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let mut publish = pin!(self.manager.publish(target, event));
        let mut poll = || {
            publish
                .as_mut()
                .poll(&mut context)
                .map(|receipt| receipt.expect("the event is allowed").matched)
        };
        loop {
            if let Poll::Ready(matched) = each(&mut poll) {
                return matched;
            }
        }
    }

    /// Polls every stream once. Returns the number of streams that had an event.
    pub(crate) fn poll_each(&mut self) -> usize {
        self.sessions.iter_mut().filter_map(poll).count()
    }

    /// Polls every stream until it waits with a waker.
    pub(crate) fn drain(&mut self) {
        self.sessions.iter_mut().for_each(drain);
    }
}

pub(crate) fn user(number: usize) -> UserId {
    UserId::new(format!("user-{number}")).expect("the name is valid")
}

pub(crate) fn topic(number: usize) -> Topic {
    Topic::new(format!("topic-{number}")).expect("the name is valid")
}

/// Returns the next bytes of a stream for its transport, if any. The waker does nothing, so a wake
/// costs one call.
pub(crate) fn poll(session: &mut Session) -> Option<Bytes> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(session).poll_next(&mut context) {
        Poll::Ready(Some(bytes)) => Some(bytes),
        Poll::Ready(None) => panic!("a stream ended"),
        Poll::Pending => None,
    }
}

/// Polls a stream until it waits with a waker.
pub(crate) fn drain(session: &mut Session) {
    while poll(session).is_some() {}
}
