//! Constructed histories of one client.

use std::time::Duration;

use sse_chaos::{
    Acknowledgement, Gap, GapReason, Journal, Judgment, Observation, OffenceKind, Oracle,
    Publication, StopReason, Subscriber,
};
use sse_core::{Target, Topic, UserId, backplane::Cursor};
use tokio::time::Instant;

/// The publications, and the observations of the client `ann`, who has the topic `news`.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) published: Vec<Publication>,
    pub(crate) observations: Vec<(Instant, Observation)>,
    pub(crate) subscriber: Subscriber,
    origin: Instant,
    now: Instant,
}

pub(crate) fn id(text: &str) -> Cursor {
    text.parse().unwrap()
}

pub(crate) fn user(name: &str) -> Target {
    Target::User(UserId::new(name).unwrap())
}

pub(crate) fn topic(name: &str) -> Target {
    Target::Topic(Topic::new(name).unwrap())
}

pub(crate) fn gap(reason: GapReason, from: Option<&str>, to: Option<&str>) -> Observation {
    Observation::Gap(Gap {
        reason,
        dropped: None,
        from: from.map(id),
        to: to.map(id),
    })
}

pub(crate) fn event(number: u64, at: &str) -> Observation {
    Observation::Event {
        number: Some(number),
        id: Some(id(at)),
    }
}

pub(crate) fn connected(at: &str) -> Observation {
    Observation::Connected {
        id: Some(id(at)),
        resumed: false,
    }
}

impl Story {
    pub(crate) fn new() -> Self {
        let subscriber = Subscriber {
            user: Some(UserId::new("ann").unwrap()),
            topics: vec![Topic::new("news").unwrap()],
            left_early: false,
        };
        let origin = Instant::now();
        Self {
            published: Vec::new(),
            observations: Vec::new(),
            subscriber,
            origin,
            now: origin,
        }
    }

    /// Returns the time, which advances by a millisecond with every call.
    pub(crate) fn now(&mut self) -> Instant {
        self.now += Duration::from_millis(1);
        self.now
    }

    /// Adds an acknowledged publish.
    pub(crate) fn publish(&mut self, number: u64, target: Target, at: &str) {
        let acknowledged = Some(Acknowledgement {
            id: id(at),
            at: self.now(),
        });
        self.published.push(Publication {
            acknowledged,
            ..Publication::new(number, target)
        });
    }

    /// Adds a publish without an answer.
    pub(crate) fn try_to_publish(&mut self, number: u64, target: Target) {
        self.published.push(Publication::new(number, target));
    }

    pub(crate) fn observe(&mut self, observations: Observation) {
        let now = self.now();
        self.observations.push((now, observations));
    }

    pub(crate) fn journal(&self) -> Journal {
        let mut journal = Journal::new(self.origin);
        self.observations
            .iter()
            .for_each(|(at, observations)| journal.push(*at, observations.clone()));
        journal
    }

    pub(crate) fn judgment(&self) -> Judgment {
        let oracle = Oracle::new(self.published.clone()).unwrap();
        oracle.judge([(&self.subscriber, &self.journal())])
    }

    /// Returns the kinds of offences in the judgment, each with its count.
    pub(crate) fn offences(&self) -> Vec<(OffenceKind, u64)> {
        let judgment = self.judgment();
        let counts = OffenceKind::ALL.map(|kind| (kind, judgment.count(kind)));
        let counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(judgment.is_clean(), counts.is_empty());
        assert_eq!(
            judgment.offences.len() as u64,
            counts.iter().map(|(_, count)| count).sum::<u64>(),
            "{judgment:#?}"
        );
        counts
    }

    /// Creates a quiet story: events for all, the user and the topic, and some for others.
    pub(crate) fn quiet() -> Self {
        let mut story = Self::new();
        story.publish(0, Target::All, "e-1");
        story.observe(connected("e-1"));
        story.publish(1, Target::All, "e-2");
        story.publish(2, user("ann"), "e-3");
        story.publish(3, user("bob"), "e-4");
        story.publish(4, topic("news"), "e-5");
        story.publish(5, topic("sports"), "e-6");
        story.try_to_publish(6, Target::All);
        story.publish(7, Target::All, "e-8");
        for (number, at) in [(1, "e-2"), (2, "e-3"), (4, "e-5"), (7, "e-8")] {
            story.observe(event(number, at));
        }
        story.observe(Observation::Moved { id: id("e-8") });
        story.observe(Observation::Stopped(StopReason::Asked));
        story
    }
}
