//! The state of the log.

use sse_core::backplane::{BackplaneError, Bounds, Cursor, Entry, Epoch, Position};

use crate::connection::Generation;

/// The state of the log at the time of an inspection.
#[derive(Debug, Clone)]
pub(crate) struct LogInfo {
    pub(crate) epoch: Epoch,
    pub(crate) generation: Generation,
    pub(crate) trimmed: u64,
    pub(crate) head: u64,
    /// Number of missing sequences between the first and the last.
    pub(crate) holes: u64,
}

impl LogInfo {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            epoch: self.epoch.clone(),
            trimmed: self.trimmed.into(),
            head: self.head.into(),
        }
    }

    pub(crate) fn cursor(&self, sequence: u64) -> Cursor {
        Cursor::new(self.epoch.clone(), sequence.into())
    }

    /// Returns the sequence of a cursor, if the log can be read after it.
    pub(crate) fn sequence(&self, after: &Cursor) -> Result<u64, BackplaneError> {
        if after.epoch != self.epoch {
            return Err(BackplaneError::Epoch {
                current: self.epoch.clone(),
            });
        }
        let (trimmed, head) = (Position::from(self.trimmed), Position::from(self.head));
        if after.position < trimmed {
            return Err(BackplaneError::Trimmed { trimmed });
        }
        if after.position > head {
            return Err(BackplaneError::Future { head });
        }
        Ok(after.position.minor())
    }

    /// Checks the entries that followed a sequence. Fails if an entry may be missing because it was
    /// trimmed before it was read. Any other hole is an entry that was deleted on purpose.
    pub(crate) fn check_holes(&self, after: u64, entries: &[Entry]) -> Result<(), BackplaneError> {
        let first_missing = first_missing(after, entries);
        match entries.last() {
            Some(last) if last.position.minor() < first_missing => Ok(()),
            _ if first_missing > self.trimmed => Ok(()),
            _ => Err(BackplaneError::Trimmed {
                trimmed: self.trimmed.into(),
            }),
        }
    }
}

/// Returns the first sequence after another one that is not among the entries. No sequence follows
/// the maximum.
pub(crate) fn first_missing(after: u64, entries: &[Entry]) -> u64 {
    let following =
        |next: u64, entry: &Entry| next.saturating_add((entry.position.minor() == next).into());
    entries.iter().fold(after.saturating_add(1), following)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn found(trimmed: u64) -> LogInfo {
        let epoch = Epoch::new("e").unwrap();
        LogInfo {
            epoch,
            generation: Generation::NONE,
            trimmed,
            head: 20,
            holes: 0,
        }
    }

    fn entries(sequences: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        sequences
            .into_iter()
            .map(|sequence| Entry {
                position: sequence.into(),
                payload: Bytes::new(),
            })
            .collect()
    }

    #[test]
    fn trimmed_hole_is_reported() {
        for (trimmed, after, sequences, is_reported) in [
            (0, 5, vec![6, 7], false),
            (7, 5, vec![6, 7], false),
            (6, 5, vec![8, 9], true),
            (7, 5, vec![6, 8], true),
            (6, 5, vec![6, 8], false),
            (5, 5, vec![8], false),
            (5, 5, vec![], false),
            (6, 5, vec![], true),
        ] {
            let reported = found(trimmed)
                .check_holes(after, &entries(sequences.clone()))
                .is_err();
            assert_eq!(reported, is_reported, "{trimmed} {after} {sequences:?}");
        }
    }

    #[test]
    fn sequences_end_at_maximum() {
        const LAST: u64 = u64::MAX;
        for (after, sequences) in [
            (LAST, vec![]),
            (LAST, vec![LAST]),
            (LAST - 1, vec![LAST]),
            (LAST - 2, vec![LAST - 1, LAST]),
        ] {
            assert_eq!(
                first_missing(after, &entries(sequences.clone())),
                LAST,
                "{after} {sequences:?}"
            );
        }
    }

    #[test]
    fn cursor_is_checked_against_log() {
        let found = found(5);
        let sequence = |position| found.sequence(&Cursor::new(Epoch::new("e").unwrap(), position));
        assert!(
            matches!(sequence(4.into()), Err(BackplaneError::Trimmed { trimmed }) if trimmed == 5.into())
        );
        assert_eq!(sequence(5.into()).unwrap(), 5);
        assert_eq!(sequence(20.into()).unwrap(), 20);
        for beyond in [21.into(), u64::MAX.into(), Position::new(1, 6)] {
            assert!(
                matches!(sequence(beyond), Err(BackplaneError::Future { head }) if head == 20.into())
            );
        }
        let other = Cursor::new(Epoch::new("f").unwrap(), 5.into());
        assert!(matches!(
            found.sequence(&other),
            Err(BackplaneError::Epoch { .. })
        ));
    }
}
