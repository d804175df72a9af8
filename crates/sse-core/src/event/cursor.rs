//! Positions in logs.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

use crate::event::event_id::EventId;

/// The identifier of the log that a position belongs to. A log that was lost and created again, or
/// that lost its last entries, has another epoch. Positions of the old epoch are meaningless in the
/// new one.
///
/// An epoch has 1 to 32 ASCII letters and digits. A clone shares the text.
///
/// ```
/// use sse_core::backplane::Epoch;
///
/// assert_eq!(Epoch::new("7f3a")?.as_str(), "7f3a");
/// assert!(Epoch::new("not-an-epoch").is_err());
/// assert_ne!(Epoch::random(), Epoch::random());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

/// A position in a log. Later entries have greater positions. Consecutive entries do not
/// necessarily have consecutive positions; that depends on the backplane.
///
/// A position has two numbers, of which the first is more significant. Redis has a time and a count
/// within that time. Other backplanes have only a sequence number, which is the second number. The
/// text form is `7`, or `1732312345678.0` if the first number is not zero.
///
/// ```
/// use sse_core::backplane::Position;
///
/// assert!(Position::ZERO < Position::from(7));
/// assert_eq!(Position::from(7).to_string(), "7");
/// assert_eq!(Position::new(1_732_312_345_678, 0).to_string(), "1732312345678.0");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    major: u64,
    minor: u64,
}

/// A position in a log, together with the epoch of the log. A client with this cursor has received
/// everything up to and including the position. Clients hold the cursor as their last event id.
///
/// The text form is `<epoch>-<position>`, 3 to 74 bytes. Clients must treat it as opaque.
///
/// ```
/// use sse_core::backplane::{Cursor, Epoch, Position};
///
/// let cursor: Cursor = "7f3a-12".parse()?;
/// assert_eq!(cursor, Cursor::new(Epoch::new("7f3a")?, Position::from(12)));
/// assert_eq!(cursor.to_id().as_str(), "7f3a-12");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Epoch of the log.
    pub epoch: Epoch,
    /// Position within the log.
    pub position: Position,
}

/// The error for text that is not a cursor, an epoch or a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text is not a position in an event log")]
pub struct CursorError;

const MAX_EPOCH_BYTES: usize = 32;

impl Epoch {
    /// Creates an epoch after checking it.
    ///
    /// # Errors
    /// [`CursorError`] if the text is not 1 to 32 ASCII letters and digits.
    pub fn new(epoch: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, CursorError> {
        let text = epoch.as_ref();
        let fits = (1..=MAX_EPOCH_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CursorError);
        }
        Ok(Self(epoch.into()))
    }

    /// Creates a new epoch of 64 random bits, which no other log has.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()).into())
    }

    /// Returns the event id of the entry at a position. The id equals the text of a [`Cursor`], but
    /// is built without one.
    pub(crate) fn id_at(&self, position: Position) -> EventId {
        let mut minor = itoa::Buffer::new();
        let minor = minor.format(position.minor);
        let length = self.0.len() + 1 + minor.len();
        let mut text = String::with_capacity(if position.major == 0 {
            length
        } else {
            length + 21
        });
        text.push_str(&self.0);
        text.push('-');
        if position.major != 0 {
            text.push_str(itoa::Buffer::new().format(position.major));
            text.push('.');
        }
        text.push_str(minor);
        EventId::of_cursor(text.into_boxed_str())
    }

    /// Returns the epoch as it appears in a cursor.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Position {
    /// The position before the first entry of any log.
    pub const ZERO: Self = Self { major: 0, minor: 0 };

    pub(crate) const MAX: Self = Self {
        major: u64::MAX,
        minor: u64::MAX,
    };

    /// Creates a position from two numbers.
    #[must_use]
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }

    /// Returns the distance to a later position, in the more significant number that differs.
    pub(crate) fn distance_to(self, later: Self) -> Self {
        match later.major.saturating_sub(self.major) {
            0 => Self {
                major: 0,
                minor: later.minor.saturating_sub(self.minor),
            },
            major => Self { major, minor: 0 },
        }
    }

    /// Returns `true` if `other` equals this position, or follows it within a
    /// [distance](Self::distance_to).
    pub(crate) fn reaches(self, distance: Self, other: Self) -> bool {
        let covered = self.distance_to(other);
        self <= other
            && covered.major <= distance.major
            && (covered.major > 0 || distance.major > 0 || covered.minor <= distance.minor)
    }

    /// Returns the more significant number.
    #[must_use]
    pub const fn major(self) -> u64 {
        self.major
    }

    /// Returns the less significant number, which is the only one in logs that number their
    /// entries.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.minor
    }
}

impl From<u64> for Position {
    fn from(sequence: u64) -> Self {
        Self {
            major: 0,
            minor: sequence,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = itoa::Buffer::new();
        if self.major != 0 {
            f.write_str(buffer.format(self.major))?;
            f.write_str(".")?;
        }
        f.write_str(buffer.format(self.minor))
    }
}

impl FromStr for Position {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (major, minor) = match text.split_once('.') {
            Some((major, minor)) => (
                number(major)
                    .filter(|major| *major != 0)
                    .ok_or(CursorError)?,
                minor,
            ),
            None => (0, text),
        };
        Ok(Self {
            major,
            minor: number(minor).ok_or(CursorError)?,
        })
    }
}

/// Parses a number in canonical form only, so that a cursor has exactly one text.
fn number(text: &str) -> Option<u64> {
    let is_ours =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_ours)
}

impl Cursor {
    /// Creates a cursor from an epoch and a position in that log.
    #[must_use]
    pub const fn new(epoch: Epoch, position: Position) -> Self {
        Self { epoch, position }
    }

    /// Returns the cursor as the id of an event.
    #[must_use]
    pub fn to_id(&self) -> EventId {
        self.epoch.id_at(self.position)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (epoch, position) = text.split_once('-').ok_or(CursorError)?;
        Ok(Self {
            epoch: Epoch::new(epoch)?,
            position: position.parse()?,
        })
    }
}

/// A position in one of the logs that a manager has followed, one after the other. Places in later
/// logs are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct LogPosition {
    /// Number of logs that the manager followed before this one.
    pub(crate) log: u32,
    pub(crate) position: Position,
}

/// The relation of an event to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The event is a record of the log.
    Logged(LogPosition),
    /// The event reports that the log continues here, after a gap. A stream that catches up detects
    /// the gap itself.
    Jump(LogPosition),
    /// Not logged; ordered after the record at this place, and before the next record. The default
    /// if the manager has no log.
    Unlogged(LogPosition),
}

impl Mark {
    pub(crate) fn place(self) -> Option<LogPosition> {
        match self {
            Self::Logged(place) | Self::Jump(place) => Some(place),
            Self::Unlogged(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Cursor, CursorError> {
        text.parse()
    }

    #[test]
    fn cursor_text_round_trips() {
        let epoch = Epoch::new("7f3a").unwrap();
        for (position, text) in [
            (Position::ZERO, "7f3a-0"),
            (Position::from(u64::MAX), "7f3a-18446744073709551615"),
            (Position::new(1_732_312_345_678, 0), "7f3a-1732312345678.0"),
        ] {
            let cursor = Cursor::new(epoch.clone(), position);
            assert_eq!(
                (cursor.to_string().as_str(), cursor.to_id().as_str()),
                (text, text)
            );
            assert_eq!(parse(text), Ok(cursor));
        }
    }

    #[test]
    fn invalid_text_is_not_a_cursor() {
        let long = format!("{}-1", "e".repeat(33));
        for text in [
            "",
            "-",
            "e-",
            "-1",
            "1",
            "e-01",
            "e-+1",
            "e-1.",
            "e-.1",
            "e-0.1",
            "e-1.01",
            "e-1.2.3",
            "ä-1",
            "e e-1",
            "e-18446744073709551616",
            "e--1",
            &long,
        ] {
            assert_eq!(parse(text), Err(CursorError), "{text:?}");
        }
    }

    #[test]
    fn distance_reaches_exactly_its_last_position() {
        let (start, last) = (Position::from(100), Position::from(200));
        let distance = start.distance_to(last);
        for (at, is_reached) in [(99, false), (100, true), (200, true), (201, false)] {
            assert_eq!(start.reaches(distance, at.into()), is_reached, "{at}");
        }
        assert!(!start.reaches(distance, Position::new(1, 0)));
        let (start, last) = (Position::new(1000, 7), Position::new(1010, 0));
        let distance = start.distance_to(last);
        for (at, is_reached) in [(1000, true), (1010, true), (1011, false), (999, false)] {
            assert_eq!(
                start.reaches(distance, Position::new(at, 9)),
                is_reached,
                "{at}"
            );
        }
        assert!(start.reaches(Position::ZERO, start));
    }

    #[test]
    fn later_positions_are_greater() {
        let sorted = [
            Position::ZERO,
            1.into(),
            u64::MAX.into(),
            Position::new(1, 0),
            Position::new(1, 9),
        ];
        assert!(sorted.is_sorted());
    }
}
