//! A manager with many streams.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::Stream as _;
use sse_core::{Event, Handshake, Manager, ManagerBuilder, Session, Target, Topic, UserId};

/// How many topics the largest population has.
const TOPICS: usize = 10_000;

/// How many streams are in a topic.
pub(crate) const TOPIC_SIZE: usize = 100;

/// A manager with many streams, each with a user and a topic of its own choosing, and each waiting
/// for its first event.
///
/// No runtime is there, so no heartbeat and no task disturbs what is measured.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) manager: Manager,
    pub(crate) sessions: Vec<Session>,
}

impl Population {
    /// So many streams, at a manager with some settings.
    pub(crate) fn new(manager: ManagerBuilder, size: usize) -> Self {
        let mut population = Self::empty(manager, size);
        (0..size).for_each(|number| population.add(number));
        population
    }

    /// Nobody yet, with room for so many.
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

    /// Users and topics are spread over the memory: those of a topic did not come one after the
    /// other.
    pub(crate) fn topics(&self) -> usize {
        TOPICS.min(self.sessions.capacity() / TOPIC_SIZE).max(1)
    }

    /// Publishes, and gives how many streams matched.
    pub(crate) fn publish(&self, target: Target, event: Event) -> usize {
        self.publish_by(target, event, |poll| poll())
    }

    /// Publishes by polls that somebody else makes, to look at each.
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

    /// Polls every stream once. Gives how many had something.
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

/// What a stream has for its transport, if anything. The waker does nothing, so waking costs a
/// call.
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
