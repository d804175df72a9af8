//! Positions of the log at which reads fail.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::event::cursor::Position;

/// Minimum time over which a position is tried before its streams continue without the unreadable
/// entries. Longer than a node takes to notice that it has lost its backplane.
const TRIED_FOR: Duration = Duration::from_secs(20);

/// Minimum number of attempts before a position is abandoned.
const TRIES: u32 = 3;

/// Time after which a failure no longer counts. With many failing positions, a slow position waits
/// long for its next turn.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// Positions of the log at which reads fail, each retried after its own pause.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    places: HashMap<Position, FailingPosition>,
}

#[derive(Debug)]
struct FailingPosition {
    tries: u32,
    since: Instant,
    /// Time of the next attempt; `None` while an attempt is in flight, or no stream waits for it.
    due: Option<Instant>,
    last: Instant,
}

/// The consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureVerdict {
    /// The position is retried after a pause.
    TryAgain,
    /// The position was tried long enough.
    GiveUp,
}

impl Failing {
    /// Records a failure. While the whole backplane is unavailable, no position is abandoned.
    pub(crate) fn note(
        &mut self,
        place: Position,
        now: Instant,
        is_unavailable: bool,
        pause: impl FnOnce(u32) -> Duration,
    ) -> FailureVerdict {
        // Another stream can reach a position long after the streams that waited there have left.
        self.places
            .retain(|_, known| known.due.is_some() || now - known.last < REMEMBERED_FOR);
        let fresh = FailingPosition {
            tries: 0,
            since: now,
            due: None,
            last: now,
        };
        let known = self.places.entry(place).or_insert(fresh);
        if is_unavailable {
            known.since = now;
        }
        known.tries = if is_unavailable {
            1
        } else {
            known.tries.saturating_add(1)
        };
        known.last = now;
        if known.tries >= TRIES && now - known.since >= TRIED_FOR {
            self.places.remove(&place);
            return FailureVerdict::GiveUp;
        }
        known.due = Some(now + pause(known.tries));
        FailureVerdict::TryAgain
    }

    /// Removes a position that is readable again.
    pub(crate) fn forget(&mut self, place: Position) {
        self.places.remove(&place);
    }

    /// Returns the positions to retry now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Position> {
        let due = self
            .places
            .iter_mut()
            .filter(|(_, known)| known.due.is_some_and(|due| due <= now));
        let due = due.map(|(place, known)| {
            known.due = None;
            *place
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable();
        due
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.places.values().filter_map(|known| known.due).min()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(4);

    #[test]
    fn failing_position_is_abandoned_after_bounded_time() {
        let (mut failing, mut now, place) = (Failing::default(), Instant::now(), Position::from(7));
        let begin = now;
        while failing.note(place, now, false, |_| PAUSE) == FailureVerdict::TryAgain {
            assert_eq!(failing.due(now), []);
            now = failing.next_due().unwrap();
            assert_eq!(failing.due(now), [place]);
            assert_eq!(failing.next_due(), None);
        }
        assert_eq!(now - begin, TRIED_FOR);
        assert!(failing.places.is_empty());
    }

    #[test]
    fn position_is_kept_while_backplane_is_unavailable() {
        let (mut failing, begin, place) = (Failing::default(), Instant::now(), Position::from(7));
        for tries in 0..100 {
            let verdict = failing.note(place, begin + PAUSE * tries, true, |_| PAUSE);
            assert_eq!(verdict, FailureVerdict::TryAgain);
        }
        // The backplane has recovered, and the time starts again.
        assert_eq!(
            failing.note(place, begin + PAUSE * 101, false, |_| PAUSE),
            FailureVerdict::TryAgain
        );
        failing.forget(place);
        assert_eq!(
            failing.note(place, begin + PAUSE * 200, false, |_| PAUSE),
            FailureVerdict::TryAgain
        );
    }

    #[test]
    fn old_failure_does_not_count() {
        let (mut failing, begin, place) = (Failing::default(), Instant::now(), Position::from(7));
        for _ in 0..TRIES {
            failing.note(place, begin, false, |_| PAUSE);
        }
        failing.due(begin + PAUSE);
        let late = begin + REMEMBERED_FOR;
        assert_eq!(
            failing.note(place, late, false, |_| PAUSE),
            FailureVerdict::TryAgain
        );
        assert_eq!(failing.places[&place].tries, 1);
    }
}
