//! The record of everything that a client received.

use std::time::Duration;

use sse_core::backplane::{Cursor, Epoch, Position};
use tokio::time::Instant;

use crate::observation::Observation;

/// Everything that one client received and that happened to it, in order.
///
/// An event takes less than a hundred bytes.
#[derive(Debug, Clone)]
pub struct Journal {
    origin: Instant,
    steps: Vec<JournalStep>,
    /// Epochs of all positions in the journal, and the time since the origin when each was first
    /// seen.
    epochs: Vec<(Epoch, Duration)>,
    events: u64,
}

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Time of the entry since the journal's [origin](Journal::origin), to the microsecond.
    pub at: Duration,
    /// The observation.
    pub observation: Observation,
}

/// A position, with the index of its epoch in a list of epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct JournalPosition {
    pub(crate) epoch: u32,
    pub(crate) position: Position,
}

/// One entry, as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct JournalStep {
    /// Time since the journal's origin.
    pub(crate) at: Duration,
    pub(crate) kind: StepKind,
}

/// The content of a step; positions share the epochs of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepKind {
    Event {
        number: Option<u64>,
        at: Option<JournalPosition>,
    },
    Moved(JournalPosition),
    /// Any other observation. Such an observation is rare, and larger than the others.
    Note(Box<Observation>),
}

impl Journal {
    /// Creates an empty journal whose times count from `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
            steps: Vec::new(),
            epochs: Vec::new(),
            events: 0,
        }
    }

    /// Records an observation at `at`. A time earlier than the last entry's counts as the last
    /// entry's.
    ///
    /// For journals of other clients, and constructed ones: a [`Client`](crate::Client) keeps its
    /// own.
    pub fn push(&mut self, at: Instant, observation: Observation) {
        let kind = match observation {
            Observation::Event { number, id } => {
                self.events += 1;
                StepKind::Event {
                    number,
                    at: id.map(|id| self.place(at, &id)),
                }
            }
            Observation::Moved { id } => StepKind::Moved(self.place(at, &id)),
            note => {
                for id in note.ids() {
                    self.place(at, id);
                }
                StepKind::Note(Box::new(note))
            }
        };
        let before = self.steps.last().map_or(Duration::ZERO, |step| step.at);
        self.steps.push(JournalStep {
            at: self.since_origin(at).max(before),
            kind,
        });
    }

    /// Returns the moment from which the journal's times count.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Returns all entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = JournalEntry> {
        self.steps.iter().map(|step| {
            let observation = match &step.kind {
                StepKind::Event { number, at } => Observation::Event {
                    number: *number,
                    id: at.map(|at| self.cursor(at)),
                },
                StepKind::Moved(at) => Observation::Moved {
                    id: self.cursor(*at),
                },
                StepKind::Note(observation) => Observation::clone(observation),
            };
            JournalEntry {
                at: step.at,
                observation,
            }
        })
    }

    /// Returns the number of app events in the journal.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns the bytes that the journal's steps take, without the boxed content of the rare ones.
    #[must_use]
    pub fn size(&self) -> usize {
        self.steps.len() * size_of::<JournalStep>()
    }

    pub(crate) fn steps(&self) -> &[JournalStep] {
        &self.steps
    }

    /// Returns the epochs of all positions in the journal, and when each was first seen.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = (&Epoch, Instant)> {
        self.epochs
            .iter()
            .map(|(epoch, at)| (epoch, self.origin + *at))
    }

    fn cursor(&self, place: JournalPosition) -> Cursor {
        Cursor::new(self.epochs[place.epoch as usize].0.clone(), place.position)
    }

    fn place(&mut self, at: Instant, id: &Cursor) -> JournalPosition {
        // From the end, since most ids are of the latest epoch.
        let known = self
            .epochs
            .iter()
            .rposition(|(epoch, _)| *epoch == id.epoch);
        let epoch = known.unwrap_or_else(|| {
            self.epochs.push((id.epoch.clone(), self.since_origin(at)));
            self.epochs.len() - 1
        });
        JournalPosition {
            epoch: u32::try_from(epoch).unwrap_or(u32::MAX),
            position: id.position,
        }
    }

    /// Returns the time since the origin, to the microsecond.
    fn since_origin(&self, at: Instant) -> Duration {
        let micros = at.saturating_duration_since(self.origin).as_micros();
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observation::{Gap, GapReason};

    fn cursors() -> impl Strategy<Value = Cursor> {
        let number = || prop_oneof![0..3_u64, any::<u64>()];
        ("[efg]", number(), number()).prop_map(|(epoch, major, minor)| {
            Cursor::new(
                Epoch::new(epoch.as_str()).unwrap(),
                Position::new(major, minor),
            )
        })
    }

    fn observation() -> impl Strategy<Value = Observation> {
        let cursor = || proptest::option::of(cursors());
        let number = proptest::option::of(prop_oneof![0..100_u64, any::<u64>()]);
        prop_oneof![
            (number, cursor()).prop_map(|(number, id)| Observation::Event { number, id }),
            cursors().prop_map(|id| Observation::Moved { id }),
            (cursor(), cursor()).prop_map(|(from, to)| Observation::Gap(Gap {
                reason: GapReason::Epoch,
                dropped: None,
                from,
                to
            })),
            Just(Observation::Degraded),
        ]
    }

    proptest! {
        #[test]
        fn journal_returns_recorded_observations(all in proptest::collection::vec((0..1_u64 << 40, observation()), 0..50)) {
            let origin = Instant::now();
            let mut journal = Journal::new(origin);
            let (mut at, mut expected) = (Duration::ZERO, Vec::new());
            for (later, observation) in all {
                at += Duration::from_micros(later);
                journal.push(origin + at, observation.clone());
                expected.push(JournalEntry { at, observation });
            }
            prop_assert_eq!(journal.entries().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn an_event_takes_few_bytes() {
        let mut journal = Journal::new(Instant::now());
        for number in 0..1000 {
            journal.push(
                Instant::now(),
                Observation::Event {
                    number: Some(number),
                    id: None,
                },
            );
        }
        assert!(journal.size() <= 80 * 1000, "{}", journal.size());
    }

    #[test]
    fn journal_time_is_monotonic() {
        let origin = Instant::now();
        let mut journal = Journal::new(origin);
        journal.push(origin + Duration::from_micros(7), Observation::Degraded);
        journal.push(origin + Duration::from_micros(3), Observation::Restored);
        let times: Vec<_> = journal
            .entries()
            .map(|entry| entry.at.as_micros())
            .collect();
        assert_eq!(times, [7, 7]);
    }
}
