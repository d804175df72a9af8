//! What a returning client missed.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::{
    dialect::{DialectIndex, Dialects, message::Message},
    event::{
        cursor::{Before, Cursor, Position},
        frame::{Frame, FrameKind},
    },
    id::{client_id::ClientId, target::Target},
    log::{
        fetched_page::FetchedPage,
        gap::{Gap, GapReason},
        holes::Holes,
        waiters::WaitsFor,
        window::Window,
    },
    stream::backlog::{Frames, Limit},
};

/// Maximum number of records that are delivered or checked while the manager's lock is held once.
const STEP: usize = 256;

/// A stream that catches up. The stream has no live queue: it takes missed events from the log,
/// page by page as its transport asks. It becomes live under the manager's lock once the log has no
/// more for it, so no event is delivered twice or lost in between.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// A gap to report before anything else.
    gap: Option<Gap>,
    source: Source,
    /// Position up to which the stream has received everything.
    given: Cursor,
    interests: SmallVec<[Subscription; 2]>,
    /// Unlogged events, each with the record that it precedes.
    unlogged: VecDeque<(Before, Frame)>,
    unlogged_bytes: usize,
    /// Set if the stream is registered to be woken, with the condition it waits for.
    pub(crate) enlisted: Option<WaitsFor>,
    /// `true` if the transport has taken all available events.
    pub(crate) waits: bool,
}

/// Location of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The node has not yet followed the log up to the client's position, if the log has that
    /// position at all.
    Ahead,
    /// Older than the oldest record of the window.
    Backplane,
    /// In the window: the record with this number, or a later one.
    Window(u64),
}

impl Source {
    /// Returns the location of the records after a position.
    fn of(position: Position, window: &Window) -> Self {
        if position > window.head() {
            Self::Ahead
        } else if position < window.forgotten() {
            Self::Backplane
        } else {
            Self::Window(window.number_after(position))
        }
    }
}

/// A subscription of the stream, valid for a range of records.
#[derive(Debug)]
struct Subscription {
    target: Target,
    from: u64,
    until: u64,
    /// The same range in positions, for records of the backplane: beyond `after`, up to and
    /// including `up_to`.
    after: Position,
    up_to: Option<Position>,
}

impl Subscription {
    /// Creates a subscription that the stream has had since before it connected.
    fn lasting(target: Target) -> Self {
        Self {
            target,
            from: 0,
            until: u64::MAX,
            after: Position::ZERO,
            up_to: None,
        }
    }
}

/// Outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The stream continues with another step.
    More,
    /// No records are left: the stream becomes live.
    Done,
    /// The next records are only in the backplane, after this position.
    Backplane(Position),
    /// The log has to advance first.
    Wait,
}

/// The recipient of records, and its dialect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) id: ClientId,
    pub(crate) dialects: &'a Dialects,
    pub(crate) dialect: DialectIndex,
}

impl Recipient<'_> {
    fn gap(&self, gap: &Gap) -> Frame {
        let event = gap.to_event();
        self.dialects
            .encode(self.dialect, |dialect, out| dialect.event(&event, out))
    }

    fn frame<'a>(&self, except: &[ClientId], message: &'a Message) -> Option<&'a Frame> {
        if except.contains(&self.id) {
            return None;
        }
        Some(message.frame(self.dialects, self.dialect)).filter(|frame| !frame.is_empty())
    }
}

impl CatchUp {
    /// Starts at a position that the log can hold.
    pub(crate) fn from(
        given: Cursor,
        targets: impl IntoIterator<Item = Target>,
        window: &Window,
    ) -> Self {
        let source = Source::of(given.position, window);
        let interests = targets.into_iter().map(Subscription::lasting);
        let mut catching = Self {
            gap: None,
            source,
            given,
            interests: interests.collect(),
            unlogged: VecDeque::new(),
            unlogged_bytes: 0,
            enlisted: None,
            waits: false,
        };
        catching.find_place(window);
        catching
    }

    /// Continues before a position that the log does not have, if the window can tell.
    fn find_place(&mut self, window: &Window) {
        if let Some(before) = window
            .before_foreign(self.given.position)
            .filter(|_| self.source != Source::Ahead)
        {
            self.skip(
                GapReason::Invalid,
                Cursor::new(window.epoch().clone(), before),
                window.number_after(before),
            );
        }
    }

    /// Starts at the end of the log, after a gap.
    pub(crate) fn after_gap(
        gap: Gap,
        targets: impl IntoIterator<Item = Target>,
        window: &Window,
    ) -> Self {
        Self {
            gap: Some(gap),
            ..Self::from(window.head_cursor(), targets, window)
        }
    }

    /// Returns the position up to which the stream has received everything.
    pub(crate) fn given(&self) -> &Cursor {
        &self.given
    }

    /// Returns `true` if the transport has taken all available events and waits for the log.
    pub(crate) fn waits_for_log(&self) -> bool {
        self.waits
    }

    pub(crate) fn join(&mut self, target: Target, window: &Window) {
        let (from, after) = (window.next(), window.head());
        self.interests.push(Subscription {
            from,
            after,
            ..Subscription::lasting(target)
        });
    }

    pub(crate) fn leave(&mut self, target: &Target, window: &Window) {
        let open = self
            .interests
            .iter_mut()
            .find(|it| it.until == u64::MAX && it.target == *target);
        if let Some(interest) = open {
            interest.until = window.next();
            interest.up_to = Some(window.head());
        }
    }

    /// Returns the size of the waiting unlogged events, in frames and bytes.
    pub(crate) fn unlogged_size(&self) -> (usize, usize) {
        (self.unlogged.len(), self.unlogged_bytes)
    }

    /// Holds an unlogged event until its turn.
    pub(crate) fn push_unlogged(&mut self, before: Before, frame: Frame) {
        self.unlogged_bytes += frame.len();
        self.unlogged.push_back((before, frame));
    }

    /// Removes the oldest unlogged event.
    pub(crate) fn pop_unlogged(&mut self) -> Option<Frame> {
        let (_, frame) = self.unlogged.pop_front()?;
        self.unlogged_bytes -= frame.len();
        Some(frame)
    }

    /// Delivers the next records of the window. `synced` is set if the node has followed the log to
    /// its end since the client connected. `deep` is set if a backplane exists that can hold older
    /// records than the window.
    pub(crate) fn step(
        &mut self,
        window: &mut Window,
        to: Recipient<'_>,
        limit: Limit,
        (synced, deep): (bool, bool),
        out: &mut Frames,
    ) -> (Step, Option<GapReason>) {
        if self.given.epoch != *window.epoch() {
            // The stream continues where the live streams do. Positions of the old log mean nothing
            // in the new log.
            let first = window.first();
            self.interests.retain(|it| it.until > first);
            self.interests
                .iter_mut()
                .filter(|it| it.from <= first)
                .for_each(|it| it.after = Position::ZERO);
            let unlogged = self
                .unlogged
                .iter_mut()
                .filter(|(before, _)| before.number <= first);
            unlogged.for_each(|(before, _)| before.after = Position::ZERO);
            self.skip(
                GapReason::Epoch,
                Cursor::new(window.epoch().clone(), window.forgotten()),
                first,
            );
        }
        if self.source == Source::Ahead {
            self.source = Source::of(self.given.position, window);
            self.find_place(window);
            if self.source == Source::Ahead && synced {
                self.skip(GapReason::Future, window.head_cursor(), window.next());
            }
        }
        let forgotten = self.given.position < window.forgotten();
        match self.source {
            Source::Window(next) if next < window.first() && forgotten && deep => {
                self.source = Source::Backplane;
            }
            Source::Window(next) if next < window.first() && forgotten => self.skip_trimmed(window),
            Source::Window(next) if next < window.first() => {
                self.source = Source::Window(window.first());
            }
            Source::Backplane if !forgotten => {
                self.source = Source::Window(window.number_after(self.given.position));
            }
            Source::Backplane if !deep => self.skip_trimmed(window),
            _ => {}
        }
        let reported = self.gap.take().map(|gap| {
            // A dialect can encode a gap as nothing.
            out.extend(Some(to.gap(&gap)).filter(|frame| !frame.is_empty()));
            gap.reason
        });
        let step = match self.source {
            Source::Ahead if out.is_empty() => Step::Wait,
            Source::Backplane if out.is_empty() => Step::Backplane(self.given.position),
            Source::Ahead | Source::Backplane => Step::More,
            Source::Window(next) if !window.index(next) => Step::More,
            Source::Window(next) => self.take(next, window, to, limit, out),
        };
        (step, reported)
    }

    /// Delivers the stream's records of a page that was read from the backplane, except records
    /// that the window holds.
    pub(crate) fn feed(
        &mut self,
        segment: &FetchedPage,
        window: &Window,
        to: Recipient<'_>,
        limit: Limit,
        out: &mut Frames,
    ) {
        let epochs = [&segment.after.epoch, window.epoch()];
        if epochs.iter().any(|epoch| **epoch != self.given.epoch)
            || self.source != Source::Backplane
        {
            return;
        }
        // The window holds all later records, whatever the page contains.
        let end = segment.last.min(window.forgotten());
        let given = self.given.position;
        let numbers = self.interests.iter().map(|interest| {
            segment.numbers(&interest.target, interest.after.max(given), interest.up_to)
        });
        let mut merged = Merged::new(numbers);
        let (mut bytes, mut checked) = (0, 0);
        while let Some(number) = merged.next() {
            let Some(record) = segment.get(number).filter(|record| record.position <= end) else {
                break;
            };
            let mut is_full = out.len() >= limit.frames || bytes >= limit.bytes;
            while self
                .unlogged
                .front()
                .is_some_and(|(before, _)| before.after < record.position)
                && !is_full
            {
                let frame = self.pop_unlogged();
                bytes += frame.as_ref().map_or(0, Frame::len);
                out.extend(frame);
                is_full = out.len() >= limit.frames || bytes >= limit.bytes;
            }
            if is_full || checked >= STEP {
                // Records in between are for other streams.
                let before = number.checked_sub(1).and_then(|before| segment.get(before));
                self.given.position = before.map_or(given, |before| before.position.max(given));
                return;
            }
            checked += 1;
            if let Some(frame) = to.frame(&record.except, &record.message) {
                bytes += frame.len();
                out.push(frame.clone());
            }
        }
        self.given.position = given.max(end);
    }

    /// Continues after a gap, because the backplane does not hold the next records.
    pub(crate) fn lost(&mut self, reason: GapReason, to: Cursor) {
        if to.position > self.given.position || to.epoch != self.given.epoch {
            self.miss(reason, to);
            self.source = Source::Backplane;
        }
    }

    /// Continues after a hole if it comes next. The window still delivers the records it holds,
    /// whatever the state of the backplane.
    pub(crate) fn pass_over(&mut self, holes: &Holes, window: &Window) {
        if self.source != Source::Backplane || self.given.epoch != *window.epoch() {
            return;
        }
        if let Some(end) = holes.end_after(self.given.position) {
            self.lost(
                GapReason::Damaged,
                Cursor::new(window.epoch().clone(), end.min(window.forgotten())),
            );
        }
    }

    fn skip_trimmed(&mut self, window: &Window) {
        let to = Cursor::new(window.epoch().clone(), window.forgotten());
        self.skip(GapReason::Trimmed, to, window.first());
    }

    fn skip(&mut self, reason: GapReason, to: Cursor, next: u64) {
        self.miss(reason, to);
        self.source = Source::Window(next);
    }

    fn miss(&mut self, reason: GapReason, to: Cursor) {
        let gap = Gap::new(reason, Some(self.given.to_id()), to.clone());
        self.gap = Some(match self.gap.take() {
            Some(unreported) => unreported.and(gap),
            None => gap,
        });
        self.given = to;
    }

    fn take(
        &mut self,
        from: u64,
        window: &Window,
        to: Recipient<'_>,
        limit: Limit,
        out: &mut Frames,
    ) -> Step {
        let mut next = from;
        let mut bytes = 0;
        let mut checked = 0;
        loop {
            let barrier = self
                .unlogged
                .front()
                .map_or(u64::MAX, |(before, _)| before.number);
            let mut given = self.given.position;
            let mut merged = Merged::of(&self.interests, window, next, barrier);
            let mut pause = None;
            while let Some(number) = merged.next() {
                if checked >= STEP || !has_room(limit, out, bytes) {
                    pause = Some(number);
                    break;
                }
                checked += 1;
                next = number + 1;
                let Some(record) = window.get(number) else {
                    continue;
                };
                given = record.position;
                if let Some(frame) = to.frame(record.except, record.message) {
                    bytes += frame.len();
                    out.push(frame.clone());
                }
            }
            drop(merged);
            self.given.position = given;
            if let Some(number) = pause {
                self.pause_before(number, window);
                return Step::More;
            }
            if !self.unlogged.is_empty() && !has_room(limit, out, bytes) {
                self.source = Source::Window(next);
                return Step::More;
            }
            let Some(frame) = self.pop_unlogged() else {
                self.source = Source::Window(window.next());
                self.given = window.head_cursor();
                return Step::Done;
            };
            bytes += frame.len();
            out.push(frame);
        }
    }

    fn pause_before(&mut self, number: u64, window: &Window) {
        self.source = Source::Window(number);
        if let Some(before) = number
            .checked_sub(1)
            .and_then(|before| window.position(before))
        {
            self.given.position = before;
        }
    }
}

fn has_room(limit: Limit, out: &Frames, bytes: usize) -> bool {
    out.is_empty() || (out.len() < limit.frames && bytes < limit.bytes)
}

/// Merges the record numbers of all subscriptions, in order. A record has one target, so no number
/// occurs twice.
struct Merged<I> {
    heads: SmallVec<[(u64, I); 4]>,
}

impl Merged<()> {
    fn of<'a>(
        interests: &'a [Subscription],
        window: &'a Window,
        from: u64,
        barrier: u64,
    ) -> Merged<impl Iterator<Item = u64> + use<'a>> {
        let numbers = interests.iter().map(|interest| {
            let (from, until) = (from.max(interest.from), interest.until.min(barrier));
            window.numbers(&interest.target, from, until)
        });
        Merged::new(numbers)
    }
}

impl<I: Iterator<Item = u64>> Merged<I> {
    fn new(numbers: impl Iterator<Item = I>) -> Self {
        Self {
            heads: numbers
                .filter_map(|mut numbers| Some((numbers.next()?, numbers)))
                .collect(),
        }
    }

    fn next(&mut self) -> Option<u64> {
        let lowest = (0..self.heads.len()).min_by_key(|at| self.heads[*at].0)?;
        let (number, numbers) = &mut self.heads[lowest];
        match numbers.next() {
            Some(next) => Some(std::mem::replace(number, next)),
            None => Some(self.heads.swap_remove(lowest).0),
        }
    }
}

/// Counts the published events among the frames that are not logged. A client cannot recover them
/// once they are dropped.
pub(crate) fn unlogged_in<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> usize {
    frames
        .into_iter()
        .filter(|frame| frame.kind() == FrameKind::Event && frame.place().is_none())
        .count()
}
