//! Correct histories, drawn at random, and each with one change.

use proptest::prelude::*;
use sse_chaos::{GapReason, Loss, Observation, OffenceKind};
use sse_core::Target;

use crate::story::{Story, connected, event, gap, topic, user};

/// A step of a history.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// An event is published; some are acknowledged.
    Publish {
        target: usize,
        is_acknowledged: bool,
    },
    Heartbeat,
    Cut,
    /// The client reconnects, with the last event id or an earlier one.
    Return {
        steps_back: usize,
    },
    /// The log trims all but the last entries.
    Trim {
        keeps: usize,
    },
    /// The log is replaced by another one.
    Replace,
}

/// A log, and a client that is served by it without a fault.
struct World {
    story: Story,
    epoch: usize,
    /// Entries of the log: position, number, and `true` if the entry is for the client.
    log: Vec<(usize, u64, bool)>,
    head: usize,
    trimmed: usize,
    numbers: u64,
    /// Ids of this log that the client has received and may reconnect with, in order, with their
    /// epoch.
    had: Vec<(usize, usize)>,
    is_connected: bool,
}

fn at(epoch: usize, position: usize) -> String {
    format!("e{epoch}-{position}")
}

impl World {
    fn new() -> Self {
        let mut story = Story::new();
        story.observe(connected(&at(0, 0)));
        Self {
            story,
            epoch: 0,
            log: Vec::new(),
            head: 0,
            trimmed: 0,
            numbers: 0,
            had: vec![(0, 0)],
            is_connected: true,
        }
    }

    fn go_through(happenings: &[Happening]) -> Story {
        let mut world = Self::new();
        happenings
            .iter()
            .for_each(|happening| world.go_on(*happening));
        world.go_on(Happening::Return { steps_back: 0 });
        world.story
    }

    fn go_on(&mut self, happening: Happening) {
        match happening {
            Happening::Publish {
                target,
                is_acknowledged,
            } => self.publish(target, is_acknowledged),
            Happening::Heartbeat if self.is_connected => {
                self.story.observe(Observation::Moved {
                    id: at(self.epoch, self.head).parse().unwrap(),
                });
                self.had.push((self.epoch, self.head));
            }
            Happening::Cut if self.is_connected => {
                self.story.observe(Observation::Lost(Loss::Broken));
                self.is_connected = false;
            }
            Happening::Return { steps_back } if !self.is_connected => self.come_back(steps_back),
            Happening::Trim { keeps } => {
                let first = self.log.len().saturating_sub(keeps);
                if let Some((last, ..)) = self.log.drain(..first).next_back() {
                    self.trimmed = last;
                }
            }
            Happening::Replace => self.replace(),
            Happening::Heartbeat | Happening::Cut | Happening::Return { .. } => {}
        }
    }

    fn publish(&mut self, target: usize, is_acknowledged: bool) {
        let targets = [
            Target::All,
            user("ann"),
            topic("news"),
            user("bob"),
            topic("sports"),
        ];
        let number = self.numbers;
        self.numbers += 1;
        // Entries that do not belong to the story leave holes.
        self.head += 1 + target % 2;
        if is_acknowledged {
            self.story
                .publish(number, targets[target].clone(), &at(self.epoch, self.head));
        } else {
            self.story.try_to_publish(number, targets[target].clone());
        }
        self.log.push((self.head, number, target < 3));
        if self.is_connected && target < 3 {
            self.give(self.head, number);
        }
    }

    fn give(&mut self, position: usize, number: u64) {
        self.story.observe(event(number, &at(self.epoch, position)));
        self.had.push((self.epoch, position));
    }

    fn replace(&mut self) {
        (self.epoch, self.head, self.trimmed) = (self.epoch + 1, self.epoch * 7, self.epoch * 7);
        self.log.clear();
        if self.is_connected {
            self.continue_in_another_log();
        }
    }

    fn continue_in_another_log(&mut self) {
        let (epoch, position) = *self.had.last().unwrap();
        let to = at(self.epoch, self.head);
        self.story
            .observe(gap(GapReason::Epoch, Some(&at(epoch, position)), Some(&to)));
        self.had.push((self.epoch, self.head));
    }

    fn come_back(&mut self, steps_back: usize) {
        // Only within the current log: the id never goes back to another log.
        let (epoch, _) = *self.had.last().unwrap();
        let known: Vec<_> = self.had.iter().filter(|it| it.0 == epoch).collect();
        let (_, mut position) = *known[known.len().saturating_sub(1 + steps_back)];
        if position < self.trimmed {
            // So that no gap covers events that the client received.
            (_, position) = *known[known.len() - 1];
        }
        self.story.observe(connected(&at(epoch, position)));
        self.is_connected = true;
        if epoch != self.epoch {
            return self.continue_in_another_log();
        }
        let mut after = position;
        if position < self.trimmed {
            let (from, to) = (at(epoch, position), at(epoch, self.trimmed));
            self.story
                .observe(gap(GapReason::Trimmed, Some(&from), Some(&to)));
            self.had.push((epoch, self.trimmed));
            after = self.trimmed;
        }
        let missed = self
            .log
            .iter()
            .copied()
            .filter(|(at, _, is_meant)| *is_meant && *at > after);
        for (position, number, _) in missed.collect::<Vec<_>>() {
            self.give(position, number);
        }
    }
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        12 => (0..5_usize, prop::bool::weighted(0.8))
            .prop_map(|(target, is_acknowledged)| Happening::Publish { target, is_acknowledged }),
        1 => Just(Happening::Heartbeat),
        3 => Just(Happening::Cut),
        3 => (0..3_usize).prop_map(|steps_back| Happening::Return { steps_back }),
        1 => (0..6_usize).prop_map(|keeps| Happening::Trim { keeps }),
        1 => Just(Happening::Replace),
    ];
    prop::collection::vec(happening, 1..80)
}

/// Returns the indices of all events in a story that arrived once and were acknowledged.
fn single_deliveries(story: &Story) -> Vec<usize> {
    let number = |observation: &Observation| {
        if let Observation::Event { number, .. } = observation {
            *number
        } else {
            None
        }
    };
    let is_acknowledged = |number: u64| {
        story
            .published
            .iter()
            .any(|it| it.number == number && it.acknowledged.is_some())
    };
    let count = |target| {
        story
            .observations
            .iter()
            .filter(|(_, observation)| number(observation) == Some(target))
            .count()
    };
    let is_single = |observation| {
        number(observation).is_some_and(|number| is_acknowledged(number) && count(number) == 1)
    };
    (0..story.observations.len())
        .filter(|index| is_single(&story.observations[*index].1))
        .collect()
}

proptest! {
    #[test]
    fn correct_histories_are_clean(happenings in happenings()) {
        let story = World::go_through(&happenings);
        prop_assert!(story.judgment().is_clean(), "{:#?}", story.judgment());
    }

    #[test]
    fn removed_events_are_detected(happenings in happenings()) {
        let story = World::go_through(&happenings);
        for index in single_deliveries(&story) {
            let mut faulty = story.clone();
            let taken = faulty.observations.remove(index);
            let judgment = faulty.judgment();
            prop_assert_eq!(judgment.lost + judgment.undelivered, 1, "without {:?}: {:#?}", taken, judgment);
            prop_assert_eq!(judgment.due, story.judgment().due);
        }
    }

    #[test]
    fn repeated_events_are_detected(happenings in happenings()) {
        let story = World::go_through(&happenings);
        for index in single_deliveries(&story) {
            let mut faulty = story.clone();
            faulty.observations.insert(index + 1, faulty.observations[index].clone());
            prop_assert_eq!(faulty.offences(), [(OffenceKind::Doubled, 1)]);
        }
    }

    #[test]
    fn swapped_events_are_detected(happenings in happenings()) {
        let story = World::go_through(&happenings);
        let singles = single_deliveries(&story);
        for pair in singles.windows(2).filter(|pair| pair[0] + 1 == pair[1]) {
            let mut faulty = story.clone();
            faulty.observations.swap(pair[0], pair[1]);
            prop_assert!(faulty.judgment().out_of_order > 0, "{:#?}", faulty.judgment());
        }
    }

    #[test]
    fn misdirected_events_are_detected(happenings in happenings()) {
        let mut story = World::go_through(&happenings);
        // Another user, without the topic: of the events for the first user, only those for all are
        // this user's.
        let misdirected = story.observations.iter().filter(|(_, observation)| {
            let Observation::Event { number: Some(number), .. } = observation else { return false };
            story.published.iter().any(|it| it.number == *number && it.target != Target::All)
        });
        let misdirected = misdirected.count() as u64;
        story.subscriber.user = None;
        story.subscriber.topics.clear();
        prop_assert_eq!(story.judgment().misdirected, misdirected);
    }
}
