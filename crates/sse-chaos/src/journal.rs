//! What a client was told, in a few bytes an event.

mod coding;

use std::time::Duration;

use sse_core::{Cursor, Epoch, Position};
use tokio::time::Instant;

use crate::{
    journal::coding::{Packed, What},
    observation::Told,
};

/// All that one client was told and what happened to it, in order.
///
/// An event takes about eight bytes, so three thousand clients may get twenty thousand each.
#[derive(Debug, Clone)]
pub struct Journal {
    origin: Instant,
    records: Packed,
    /// What is too rare to be packed; the records say where each stands.
    notes: Vec<Told>,
    /// The epochs of all positions in it, and when each was first seen, in microseconds.
    epochs: Vec<(Epoch, u64)>,
    events: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, since the journal's [origin](Journal::origin); to the microsecond.
    pub at: Duration,
    /// What.
    pub told: Told,
}

/// A position, with the place of its epoch in a list of epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) position: Position,
}

/// One thing that happened, read without a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Event { number: Option<u64>, at: Option<Place> },
    Moved(Place),
    Note(&'a Told),
}

impl Journal {
    /// An empty journal whose times count from `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin, records: Packed::default(), notes: Vec::new(), epochs: Vec::new(), events: 0 }
    }

    /// Notes what happened at `at`; a time before that of what was noted last counts as that one.
    ///
    /// For journals of other clients, and made ones: a [`Client`](crate::Client) keeps its own.
    pub fn push(&mut self, at: Instant, told: Told) {
        match told {
            Told::Event { number, id } => {
                self.events += 1;
                let place = id.map(|id| self.place(at, &id));
                self.records.push(self.micros(at), What::Event { number, at: place });
            }
            Told::Moved { id } => {
                let place = self.place(at, &id);
                self.records.push(self.micros(at), What::Moved(place));
            }
            note => {
                for id in note.ids() {
                    self.place(at, id);
                }
                self.notes.push(note);
                self.records.push(self.micros(at), What::Note);
            }
        }
    }

    /// When its times begin.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Everything, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.steps().map(|(at, step)| {
            let told = match step {
                Step::Event { number, at } => Told::Event { number, id: at.map(|at| self.cursor(at)) },
                Step::Moved(at) => Told::Moved { id: self.cursor(at) },
                Step::Note(told) => told.clone(),
            };
            Entry { at, told }
        })
    }

    /// How many events of apps there are in it.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.records.size() + self.notes.len() * size_of::<Told>()
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = (Duration, Step<'_>)> {
        let mut notes = self.notes.iter();
        self.records.iter().filter_map(move |record| {
            let step = match record.what {
                What::Event { number, at } => Step::Event { number, at },
                What::Moved(at) => Step::Moved(at),
                What::Note => Step::Note(notes.next()?),
            };
            Some((Duration::from_micros(record.at), step))
        })
    }

    /// The epochs of all positions in it, and when each was first seen.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = (&Epoch, Instant)> {
        self.epochs.iter().map(|(epoch, at)| (epoch, self.origin + Duration::from_micros(*at)))
    }

    fn cursor(&self, place: Place) -> Cursor {
        Cursor::new(self.epochs[place.epoch as usize].0.clone(), place.position)
    }

    fn place(&mut self, at: Instant, id: &Cursor) -> Place {
        // From the end, since the latest epoch is that of most ids.
        let known = self.epochs.iter().rposition(|(epoch, _)| *epoch == id.epoch);
        let epoch = known.unwrap_or_else(|| {
            self.epochs.push((id.epoch.clone(), self.micros(at)));
            self.epochs.len() - 1
        });
        Place { epoch: u32::try_from(epoch).unwrap_or(u32::MAX), position: id.position }
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX)
    }
}
