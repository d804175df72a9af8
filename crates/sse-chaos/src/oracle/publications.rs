//! The events that were published, or whose publish was attempted.

use std::collections::{HashMap, hash_map::Entry};

use sse_core::{Target, backplane::Cursor};
use tokio::time::Instant;

/// An event that a publisher tried to append to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Unique number in the event's data.
    pub number: u64,
    /// Target of the event.
    pub target: Target,
    /// Number of attempts, all with the same key if more than one.
    pub tries: u32,
    /// Receipt of the event; `None` if none arrived.
    pub acknowledged: Option<Acknowledgement>,
}

/// The receipt of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Id in the receipt.
    pub id: Cursor,
    /// Time at which the receipt arrived.
    pub at: Instant,
}

/// All publications, and their targets.
#[derive(Debug)]
pub(crate) struct Publications {
    pub(crate) all: Vec<Publication>,
    pub(crate) by_number: HashMap<u64, usize>,
    /// All distinct targets.
    pub(crate) targets: Vec<Target>,
    /// Index of each publication's target in `targets`.
    pub(crate) target_of: Vec<usize>,
}

/// The reason why publications cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// Two publications have the same number.
    #[error("two publications have number {0}")]
    SameNumber(u64),
}

impl Publication {
    /// Creates an event that was sent once, without an answer so far.
    #[must_use]
    pub fn new(number: u64, target: Target) -> Self {
        Self {
            number,
            target,
            tries: 1,
            acknowledged: None,
        }
    }

    /// Records the receipt's id.
    pub fn acknowledge(&mut self, id: Cursor) {
        self.acknowledged = Some(Acknowledgement {
            id,
            at: Instant::now(),
        });
    }
}

impl Publications {
    /// Collects publications, each of which must have a unique number.
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
