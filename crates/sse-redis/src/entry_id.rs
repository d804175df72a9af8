//! Positions as Redis writes them.

use sse_core::backplane::Position;

/// Returns the id of an entry.
pub(crate) fn of(position: Position) -> String {
    format!("{}-{}", position.major(), position.minor())
}

/// Returns the position of an id.
pub(crate) fn parse(id: &[u8]) -> Option<Position> {
    let (major, minor) = std::str::from_utf8(id).ok()?.split_once('-')?;
    Some(Position::new(major.parse().ok()?, minor.parse().ok()?))
}

/// Returns the last position before another.
pub(crate) fn before(position: Position) -> Position {
    match (position.major(), position.minor()) {
        (0, 0) => Position::ZERO,
        (major, 0) => Position::new(major - 1, u64::MAX),
        (major, minor) => Position::new(major, minor - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        for (position, id) in [
            (Position::ZERO, "0-0"),
            (Position::new(1_732_312_345_678, 3), "1732312345678-3"),
            (
                Position::new(u64::MAX, u64::MAX),
                "18446744073709551615-18446744073709551615",
            ),
        ] {
            assert_eq!(of(position), id);
            assert_eq!(parse(id.as_bytes()), Some(position));
        }
        for id in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "a-1",
            "1-18446744073709551616",
            "1-2-3",
        ] {
            assert_eq!(parse(id.as_bytes()), None, "{id}");
        }
    }

    #[test]
    fn previous_position_is_adjacent() {
        assert_eq!(before(Position::ZERO), Position::ZERO);
        assert_eq!(before(Position::new(7, 1)), Position::new(7, 0));
        assert_eq!(before(Position::new(7, 0)), Position::new(6, u64::MAX));
    }
}
