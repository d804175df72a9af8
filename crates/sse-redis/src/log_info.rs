//! The extent of a log, as its server reports it.

use redis::{RedisError, Value};
use sse_core::backplane::{BackplaneError, Bounds, Cursor, Epoch, Position};

use crate::{
    entry_id,
    reply::{self, unexpected},
};

/// The extent of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogInfo {
    pub(crate) epoch: Epoch,
    pub(crate) trimmed: Position,
    pub(crate) head: Position,
    /// Number of entries in the log.
    pub(crate) length: u64,
}

impl LogInfo {
    /// Parses the reply of a script. Returns `None` if the log does not exist.
    pub(crate) fn read(value: Value) -> Result<Option<Self>, RedisError> {
        match reply::checked(value)? {
            Value::Nil => Ok(None),
            Value::Array(facts) => Self::from_facts(&facts)
                .map(Some)
                .ok_or_else(|| unexpected("invalid description of the log")),
            _ => Err(unexpected("invalid description of the log")),
        }
    }

    fn from_facts(facts: &[Value]) -> Option<Self> {
        let [
            epoch,
            aged,
            aged_count,
            removed_count,
            length,
            first,
            head,
            deleted,
            ..,
        ] = facts
        else {
            return None;
        };
        let (aged, head) = (reply::position(aged)?, reply::position(head)?);
        let length = reply::number(length)?;
        let trimmed = if reply::number(aged_count)? == reply::number(removed_count)? {
            // No entry was removed since `aged` was recorded, so `aged` is exact.
            aged
        } else if length == 0 {
            head
        } else {
            // The position of the last removed entry is not known: the next position after it may
            // be unused.
            entry_id::before(reply::position(first)?).max(aged)
        };
        // Deleting entries from the middle of the log leaves a hole, so entries before the hole
        // cannot be read without a gap.
        let trimmed = trimmed.max(reply::position(deleted)?);
        Some(Self {
            epoch: reply::epoch(epoch)?,
            trimmed,
            head,
            length,
        })
    }

    /// Checks that the log can be read from a cursor.
    pub(crate) fn check(&self, after: &Cursor) -> Result<(), BackplaneError> {
        if after.epoch != self.epoch {
            return Err(self.other_log());
        }
        if after.position < self.trimmed {
            return Err(BackplaneError::Trimmed {
                trimmed: self.trimmed,
            });
        }
        if after.position > self.head {
            return Err(BackplaneError::Future { head: self.head });
        }
        Ok(())
    }

    /// Returns `true` if this log assigned the position, given that the log can be read from there.
    pub(crate) fn gave(&self, position: Position, exists: EntryExists) -> bool {
        exists == EntryExists::Yes || position == self.trimmed || position == self.head
    }

    pub(crate) fn other_log(&self) -> BackplaneError {
        BackplaneError::Epoch {
            current: self.epoch.clone(),
        }
    }
}

/// The presence of an entry at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryExists {
    Yes,
    No,
}

impl From<bool> for EntryExists {
    fn from(exists: bool) -> Self {
        if exists { Self::Yes } else { Self::No }
    }
}

impl From<LogInfo> for Bounds {
    fn from(
        LogInfo {
            epoch,
            trimmed,
            head,
            ..
        }: LogInfo,
    ) -> Self {
        Self {
            epoch,
            trimmed,
            head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    /// Arguments: the entries removed by age, the number removed, the number left, and the ids of
    /// the first entry, the last entry and the last deleted one.
    fn trimmed(
        aged: (&str, i64),
        removed_count: i64,
        length: i64,
        ids: [&str; 3],
    ) -> (Position, Position) {
        let [first, head, deleted] = ids.map(text);
        let numbers = [aged.1, removed_count, length].map(Value::Int);
        let [aged_count, removed_count, length] = numbers;
        let facts = vec![
            text("e"),
            text(aged.0),
            aged_count,
            removed_count,
            length,
            first,
            head,
            deleted,
        ];
        let info = LogInfo::read(Value::Array(facts)).unwrap().unwrap();
        (info.trimmed, info.head)
    }

    #[test]
    fn trimmed_position_is_known() {
        let at = |major, minor| Position::new(major, minor);
        assert_eq!(
            trimmed(("0-0", 0), 0, 0, ["0-0", "0-0", "0-0"]),
            (Position::ZERO, Position::ZERO)
        );
        assert_eq!(
            trimmed(("0-0", 0), 0, 3, ["5-0", "7-0", "0-0"]),
            (Position::ZERO, at(7, 0))
        );
        assert_eq!(
            trimmed(("4-2", 9), 9, 3, ["6-0", "7-0", "0-0"]),
            (at(4, 2), at(7, 0)),
            "trimmed by age"
        );
        assert_eq!(
            trimmed(("4-2", 9), 12, 3, ["6-1", "7-0", "0-0"]),
            (at(6, 0), at(7, 0)),
            "trimmed by number"
        );
        assert_eq!(
            trimmed(("0-0", 0), 12, 0, ["0-0", "7-0", "0-0"]),
            (at(7, 0), at(7, 0)),
            "trimmed completely"
        );
        assert_eq!(
            trimmed(("0-0", 0), 1, 3, ["5-0", "7-0", "6-0"]),
            (at(6, 0), at(7, 0)),
            "trimmed with a hole"
        );
    }

    #[test]
    fn cursor_is_checked_against_log() {
        let info = LogInfo {
            epoch: Epoch::new("e").unwrap(),
            trimmed: Position::new(3, 0),
            head: Position::new(9, 0),
            length: 4,
        };
        let check = |position| info.check(&Cursor::new(info.epoch.clone(), position));
        assert!(matches!(
            check(Position::new(2, 0)),
            Err(BackplaneError::Trimmed { .. })
        ));
        assert!(check(Position::new(3, 0)).is_ok() && check(Position::new(9, 0)).is_ok());
        assert!(matches!(
            check(Position::new(9, 1)),
            Err(BackplaneError::Future { .. })
        ));
        for (position, exists, gave) in [
            (3, EntryExists::No, true),
            (5, EntryExists::No, false),
            (5, EntryExists::Yes, true),
        ] {
            assert_eq!(info.gave(Position::new(position, 0), exists), gave);
        }
    }
}
