//! The logs of a run, in their order.

use std::collections::HashMap;

use sse_core::backplane::{Cursor, Epoch};
use tokio::time::Instant;

use crate::{
    journal::{Journal, JournalPosition},
    oracle::publications::Acknowledgement,
};

/// Epochs in the order in which they were first seen.
#[derive(Debug)]
pub(crate) struct EpochOrder {
    all: Vec<Epoch>,
    order: HashMap<Epoch, u32>,
}

impl EpochOrder {
    pub(crate) fn seen_in<'a>(
        acknowledged: impl Iterator<Item = &'a Acknowledgement>,
        journals: impl Iterator<Item = &'a Journal>,
    ) -> Self {
        let acknowledged = acknowledged.map(|it| (&it.id.epoch, it.at));
        let mut first: HashMap<&Epoch, Instant> = HashMap::new();
        for (epoch, at) in acknowledged.chain(journals.flat_map(Journal::epochs)) {
            first
                .entry(epoch)
                .and_modify(|known| *known = at.min(*known))
                .or_insert(at);
        }
        let mut all: Vec<_> = first.into_iter().collect();
        all.sort_by_key(|(epoch, at)| (*at, epoch.as_str()));
        let all: Vec<_> = all.into_iter().map(|(epoch, _)| epoch.clone()).collect();
        let order = all.iter().cloned().zip(0..).collect();
        Self { all, order }
    }

    /// Returns a position with the index of its epoch; `None` if the epoch was never seen.
    pub(crate) fn place(&self, cursor: &Cursor) -> Option<JournalPosition> {
        let epoch = *self.order.get(&cursor.epoch)?;
        Some(JournalPosition {
            epoch,
            position: cursor.position,
        })
    }

    pub(crate) fn cursor(&self, place: JournalPosition) -> Cursor {
        Cursor::new(self.all[place.epoch as usize].clone(), place.position)
    }

    /// Returns this list's index of each of a journal's epochs.
    pub(crate) fn of(&self, journal: &Journal) -> Vec<u32> {
        journal
            .epochs()
            .filter_map(|(epoch, _)| self.order.get(epoch).copied())
            .collect()
    }
}
