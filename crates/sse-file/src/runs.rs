//! The openings of a log, which are part of its positions.

use rand::RngExt as _;
use sse_core::backplane::Position;

/// Maximum distance between the marks of two consecutive openings.
const MOST_APART: u64 = 1 << 24;

/// Maximum number of openings without an entry that are remembered.
const EMPTY: usize = 16;

/// An opening of a log: the entries from a number on, up to those of the next opening.
///
/// The mark is drawn anew each time a directory is opened, and is the major number of all positions
/// of the opening. Suppose that the files of a log were replaced by an older copy, or lost their
/// end without a trace. A position that the log assigned before is still never that of another
/// entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) mark: u64,
    /// Set if the end of the log before the opening was lost.
    pub(crate) after_loss: bool,
}

/// The openings of a log, at least one, the latest last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runs(Vec<Run>);

/// The meaning of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundRun {
    /// Entries after this number follow the position.
    At(u64),
    /// The log assigned the position and lost it. The log continues with the entry of this number.
    Lost(u64),
    /// The position is later than every opening of the log.
    Future,
}

impl Runs {
    /// Creates the openings of a new log, or of a log from before openings were recorded.
    pub(crate) fn new() -> Self {
        Self(vec![Run {
            first: 1,
            mark: 0,
            after_loss: false,
        }])
    }

    /// Restores stored openings. Returns `None` if they are not in order.
    pub(crate) fn of(runs: Vec<Run>) -> Option<Self> {
        let in_order =
            runs.is_sorted_by(|one, next| one.first <= next.first && one.mark < next.mark);
        (in_order && !runs.is_empty()).then_some(Self(runs))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Run> {
        self.0.iter().copied()
    }

    /// Adds an opening that starts with an entry.
    pub(crate) fn begin(&mut self, first: u64, after_loss: bool) {
        let before = self.0.last().map_or(0, |last| last.mark);
        let mark = before + rand::rng().random_range(1..=MOST_APART);
        self.0.push(Run {
            first,
            mark,
            after_loss,
        });
        let firsts: Vec<_> = self.0.iter().map(|run| run.first).collect();
        let mut empty = firsts.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let mut next = firsts.iter().skip(1);
        self.0.retain(|run| {
            let is_empty = next.next() == Some(&run.first);
            let is_dropped = is_empty && !run.after_loss && empty > EMPTY;
            empty -= usize::from(is_dropped);
            !is_dropped
        });
    }

    /// Removes the openings whose entries were all removed.
    pub(crate) fn trim(&mut self, trimmed: u64) {
        let gone = self
            .0
            .partition_point(|run| run.first <= trimmed)
            .saturating_sub(1);
        self.0.drain(..gone);
    }

    /// Returns the position of an entry.
    pub(crate) fn position(&self, sequence: u64) -> Position {
        Position::new(self.mark(sequence), sequence)
    }

    /// Returns the position before an entry, in the opening of that entry.
    pub(crate) fn before(&self, sequence: u64) -> Position {
        Position::new(self.mark(sequence), sequence - 1)
    }

    /// Returns the end position of a log whose last entry has this number.
    pub(crate) fn head(&self, sequence: u64) -> Position {
        let is_lost = self
            .0
            .iter()
            .rev()
            .take_while(|run| run.first > sequence)
            .any(|run| run.after_loss);
        if is_lost {
            self.before(sequence + 1)
        } else {
            self.position(sequence)
        }
    }

    /// Returns the entry of a position, if the position belongs to this log.
    pub(crate) fn find(&self, position: Position) -> FoundRun {
        let (mark, sequence) = (position.major(), position.minor());
        let at = self.0.partition_point(|run| run.mark < mark);
        let Some(run) = self.0.get(at) else {
            return FoundRun::Future;
        };
        if run.mark != mark || sequence.saturating_add(1) < run.first {
            return FoundRun::Lost(run.first);
        }
        match self.0.get(at + 1) {
            // A reader of the last entry before a loss may have missed others, because the size of
            // the loss is unknown.
            Some(next) if sequence + u64::from(next.after_loss) >= next.first => {
                FoundRun::Lost(next.first)
            }
            _ => FoundRun::At(sequence),
        }
    }

    fn mark(&self, sequence: u64) -> u64 {
        let next_index = self.0.partition_point(|run| run.first <= sequence);
        self.0[next_index.saturating_sub(1)].mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(runs: &[(u64, u64)]) -> Runs {
        Runs::of(
            runs.iter()
                .map(|(first, mark)| Run {
                    first: *first,
                    mark: *mark,
                    after_loss: false,
                })
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn position_belongs_to_one_opening() {
        let runs = runs(&[(1, 0), (11, 5), (11, 8), (21, 9)]);
        assert_eq!(
            (runs.position(10), runs.position(11)),
            (Position::from(10), Position::new(8, 11))
        );
        assert_eq!(
            (runs.position(0), runs.before(11)),
            (Position::ZERO, Position::new(8, 10))
        );
        for (mark, sequence, found) in [
            (0, 0, FoundRun::At(0)),
            (0, 10, FoundRun::At(10)),
            (0, 11, FoundRun::Lost(11)),
            (5, 10, FoundRun::At(10)),
            (5, 11, FoundRun::Lost(11)),
            (6, 3, FoundRun::Lost(11)),
            (8, 9, FoundRun::Lost(11)),
            (8, 10, FoundRun::At(10)),
            (8, 20, FoundRun::At(20)),
            (8, 21, FoundRun::Lost(21)),
            (9, 900, FoundRun::At(900)),
            (10, 1, FoundRun::Future),
        ] {
            assert_eq!(
                runs.find(Position::new(mark, sequence)),
                found,
                "{mark}.{sequence}"
            );
        }
    }

    #[test]
    fn positions_rise_and_map_back_to_entries() {
        let mut runs = Runs::new();
        for first in [1, 1, 5, 9, 9, 30] {
            runs.begin(first, false);
        }
        for sequence in 1..50 {
            assert!(runs.position(sequence - 1) < runs.position(sequence));
            assert!(runs.before(sequence) < runs.position(sequence));
            assert_eq!(runs.find(runs.position(sequence)), FoundRun::At(sequence));
            assert_eq!(runs.find(runs.before(sequence)), FoundRun::At(sequence - 1));
        }
        let before = runs.position(29);
        runs.trim(28);
        assert_eq!((runs.0.len(), runs.position(29)), (2, before));
    }

    #[test]
    fn head_is_after_lost_end() {
        let mut runs = Runs::new();
        let last = runs.position(10);
        runs.begin(11, true);
        assert_eq!(
            (runs.find(last), runs.head(10)),
            (FoundRun::Lost(11), runs.before(11))
        );
        runs.begin(11, false);
        assert_eq!(runs.head(10), runs.before(11));
        assert_eq!(runs.head(11), runs.position(11));
        let last = runs.position(11);
        runs.begin(12, false);
        assert_eq!(
            (runs.find(last), runs.head(11)),
            (FoundRun::At(11), runs.position(11))
        );
    }

    #[test]
    fn openings_without_entries_are_bounded() {
        let mut runs = Runs::new();
        (0..1000).for_each(|_| runs.begin(1, false));
        runs.begin(7, false);
        assert_eq!(runs.0.len(), EMPTY + 2);
        assert_eq!(runs.iter().filter(|run| run.first == 7).count(), 1);
    }
}
