//! The events that were published, or were to be.

use std::collections::{HashMap, hash_map::Entry};

use sse_core::{Cursor, Target};
use tokio::time::Instant;

/// An event that somebody tried to publish to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The number in its data, which no other has.
    pub number: u64,
    /// For whom.
    pub target: Target,
    /// How often it was sent, always with the same key if more than once.
    pub tries: u32,
    /// What was answered, if anything was.
    pub acknowledged: Option<Acknowledgement>,
}

/// The receipt of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The id in it.
    pub id: Cursor,
    /// When it came.
    pub at: Instant,
}

/// All publications, and their targets.
#[derive(Debug)]
pub(crate) struct Publications {
    pub(crate) all: Vec<Publication>,
    pub(crate) by_number: HashMap<u64, usize>,
    /// All targets, each once.
    pub(crate) targets: Vec<Target>,
    /// The place of each publication's target among them.
    pub(crate) target_of: Vec<usize>,
}

/// Why publications cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// Two publications have the same number.
    #[error("two publications have the number {0}")]
    SameNumber(u64),
}

impl Publication {
    /// An event that was sent once, without an answer yet.
    #[must_use]
    pub fn new(number: u64, target: Target) -> Self {
        Self {
            number,
            target,
            tries: 1,
            acknowledged: None,
        }
    }

    /// Notes the receipt's id.
    pub fn acknowledge(&mut self, id: Cursor) {
        self.acknowledged = Some(Acknowledgement {
            id,
            at: Instant::now(),
        });
    }
}

impl Publications {
    /// Collects publications, each of which must have a number of its own.
    pub(crate) fn new(
        publications: impl IntoIterator<Item = Publication>,
    ) -> Result<Self, OracleError> {
        let all: Vec<_> = publications.into_iter().collect();
        let mut by_number = HashMap::with_capacity(all.len());
        let (mut targets, mut places) = (Vec::new(), HashMap::new());
        let mut target_of = Vec::with_capacity(all.len());
        for (index, publication) in all.iter().enumerate() {
            match by_number.entry(publication.number) {
                Entry::Occupied(_) => return Err(OracleError::SameNumber(publication.number)),
                Entry::Vacant(entry) => entry.insert(index),
            };
            target_of.push(*places.entry(&publication.target).or_insert_with(|| {
                targets.push(publication.target.clone());
                targets.len() - 1
            }));
        }
        Ok(Self {
            all,
            by_number,
            targets,
            target_of,
        })
    }
}
